package io.spared.format;

/**
 * One change of a device's metadata. Every change says what is true afterwards, not what to add:
 * applying changes again in order, to any state that stood between the first and the last of them,
 * ends in the same state. Checkpoints and log replay rely on it.
 */
public sealed interface Change {
  /** The block lives on the slot; its lost sectors read as errors. It is not pending any more. */
  record Remapped(long block, int spare, long slot, LostBits lost) implements Change {}

  /** The block lives on main again (a replaced main). */
  record Unmapped(long block) implements Change {}

  /** The lost sectors of a remapped block are now these. */
  record LostChanged(long block, LostBits lost) implements Change {}

  /** The block is known to hold unreadable sectors. */
  record PendingSet(long block, LostBits unreadable) implements Change {}

  record PendingCleared(long block) implements Change {}

  /** The slot failed and is never given again. */
  record SlotRetired(int spare, long slot) implements Change {}

  record ExtentLent(Extent extent) implements Change {}

  /** The range is the spare's again; it may be a part of what was lent at once. */
  record ExtentReturned(int spare, long offsetBytes, long lengthBytes) implements Change {}

  record SpareAdded(SpareMember spare) implements Change {}

  /** Nothing of the device is on the spare any more, its extents and retired slots included. */
  record SpareRemoved(int spare) implements Change {}

  record SpareStateChanged(int spare, SpareState state) implements Change {}

  record SpareEvidenceRecorded(int spare, DiskEvidence evidence) implements Change {}

  /** Main as it is known now: its identifiers recorded again, or another disk after a replace. */
  record MainRecorded(MainMember main) implements Change {}

  record FormChanged(Form form) implements Change {}

  record PolicySet(String name, String value) implements Change {}

  record PolicyCleared(String name) implements Change {}

  /** A named position, such as that of the surface scan. */
  record CursorMoved(String name, long position) implements Change {}

  record ReplaceStarted(ReplaceState replace) implements Change {}

  record ReplaceMoved(long cursorBytes) implements Change {}

  /** Switched over or given up; the switch itself is in the other changes of the same commit. */
  record ReplaceEnded() implements Change {}

  record EventRecorded(EventRecord event) implements Change {}

  record CounterSet(String name, long value) implements Change {}

  /** Stopped cleanly. The next {@link EpochRaised} takes the mark away. */
  record CleanMarked(CleanMark mark) implements Change {}

  /** The device was started. Must be alone with its epoch: the commit that holds it begins it. */
  record EpochRaised(Epoch epoch, Owner owner) implements Change {}

  /** The copies stand here now. */
  record CopiesPlaced(Placement placement) implements Change {}

  /** The device's name for people. */
  record NameChanged(String name) implements Change {}

  /** A change of a kind that an optional feature brought and this version does not know: kept. */
  record Kept(int kind, OpaqueBytes body) implements Change {}
}
