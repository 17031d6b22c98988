package io.spared.format;

/**
 * The remapped and pending blocks of a device, as the format needs to see them. The running device
 * gives its remap table; tools give {@link SortedRemapEntries}.
 *
 * <p>Each method sets absolute values, so that applying the same changes again, in order, to any
 * state between the first and the last of them ends in the state after the last. Checkpoints are
 * taken while the table changes and rely on it.
 */
public interface RemapEntries {
  /** About so many will be put, all of them new: a word of advice, before the first. */
  default void expect(long entries) {}

  /** Block is on the slot, in place of whatever stood there for the block, pending included. */
  void put(long block, int spare, long slot, long lostLow, long lostHigh);

  /** Block is no longer remapped; nothing when it was not. */
  void remove(long block);

  /** New lost bits for a remapped block; nothing when it is not remapped. */
  void setLost(long block, long lostLow, long lostHigh);

  /** Block is pending with these unreadable sectors; nothing when it is remapped. */
  void putPending(long block, long unreadableLow, long unreadableHigh);

  /** Block is no longer pending; nothing when it was not. */
  void removePending(long block);

  long remapCount();

  long pendingCount();

  /**
   * Walks all entries, also over many messages while the table changes: an entry that is there from
   * the walk's begin to its end is seen at least once as it stands when it is seen; one that comes
   * or goes meanwhile is seen or not. Entries may be seen twice.
   */
  Walk walk();

  /** One walk; after {@link #next()} said true the accessors tell of one entry. */
  interface Walk {
    boolean next();

    long block();

    /** Pending, and then spare and slot mean nothing. */
    boolean isPending();

    int spare();

    long slot();

    long lostLow();

    long lostHigh();
  }
}
