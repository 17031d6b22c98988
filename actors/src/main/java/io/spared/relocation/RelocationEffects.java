package io.spared.relocation;

import io.spared.ffi.Errno;
import io.spared.format.Change;
import io.spared.format.LostBits;
import io.spared.queue.WaitingWrite;
import java.util.List;
import org.jspecify.annotations.Nullable;

/** What a {@link Relocation} wants done; each is answered, where it is, by one of its methods. */
interface RelocationEffects {
  /** Fence the block in every queue; answered by fenceReached. */
  void fence();

  /** The queues refuse at the fence from now on. */
  void refuse(Errno errno);

  /** Lift the fence. */
  void lift();

  /** Answered by slotTaken or noSlot. */
  void takeSlot(long avoidSpares);

  /** Read sectors of the block at this place; answered by readDone or readFailed. */
  void read(long place, int firstSector, int sectors);

  /** Write sectors of the block at this place, durably; answered by writeDone or writeFailed. */
  void write(long place, int firstSector, byte[] bytes);

  /** Answered by proved. */
  void prove(long place, Errno errno);

  /** Answered by commitEnded, and if indeterminate then later by doubtResolved. */
  void commit(List<Change> changes);

  void giveBackSlot(long place);

  void releaseSlot(long place);

  void retireSlot(long place, boolean recorded);

  /** The end of a write. */
  void answer(Owed owed, @Nullable Errno errno);

  /**
   * The block is at another place now.
   *
   * @param newlyLost those of the lost sectors that could still be read before, or were thought so
   */
  void moved(long fromPlace, long toPlace, LostBits lost, LostBits newlyLost);

  void pending(LostBits unreadable);

  void failed(Errno errno, String reason);

  /** Nothing is left to do for this block. */
  void ended();

  /** A write and the queue that waits for its end. */
  record Owed(int queueId, WaitingWrite write) {}
}
