package io.spared.relocation;

import io.spared.ffi.Errno;
import io.spared.ffi.disk.Disk;
import io.spared.queue.QueueCommand;
import io.spared.queue.QueueReport;
import org.apache.pekko.actor.typed.ActorRef;

/** What the relocator of a device is told. */
public sealed interface RelocatorCommand {
  /**
   * A queue stands ({@link QueueReport.Opened}); it is answered with {@link QueueCommand.Begin}.
   */
  record QueueOpened(int queueId, ActorRef<QueueCommand> queue) implements RelocatorCommand {}

  /** A queue has {@link QueueReport.Closed}: fences no longer wait for it. */
  record QueueClosed(int queueId) implements RelocatorCommand {}

  /**
   * FenceReached, WriteWaits and ReadFault of a queue, or a ReadFault of the scrubber (with a queue
   * id of -1); the others are ignored.
   */
  record FromQueue(QueueReport report) implements RelocatorCommand {}

  /**
   * Move this block, with nothing new to write: for evacuating a spare. Answered by {@link
   * RelocatorRequest.MoveEnded}.
   *
   * @param offSpare the block moves only if it is on this spare, and to another one
   * @param givenUp sectors that the spare does not give now are lost, whatever the reason
   */
  record MoveBlock(long block, int offSpare, boolean givenUp) implements RelocatorCommand {}

  /**
   * Move this block from main, where it cannot be read, since main is being replaced: what is
   * unreadable is lost. Answered by {@link RelocatorRequest.MoveEnded}.
   */
  record LeaveMain(long block) implements RelocatorCommand {}

  /**
   * Nothing new is begun; answered by {@link RelocatorRequest.Paused} when nothing is being moved.
   */
  record Pause() implements RelocatorCommand {}

  /** What was put off goes on. */
  record GoOn() implements RelocatorCommand {}

  /** Answers {@link RelocatorRequest.TakeSlot}. */
  record SlotTaken(long relocationId, long place) implements RelocatorCommand {}

  /** Answers {@link RelocatorRequest.TakeSlot}: ENOSPC, or why else there is none. */
  record NoSlot(long relocationId, Errno errno) implements RelocatorCommand {}

  /** Answers {@link RelocatorRequest.Commit}; when Committed, the changes are published already. */
  record CommitEnded(long commitId, CommitResult result) implements RelocatorCommand {}

  /** How a commit ended. */
  enum CommitResult {
    /** Durable on a quorum, applied and published. */
    COMMITTED,
    /** Nobody knows; the block refuses writes until {@link DoubtResolved}. */
    INDETERMINATE,
    /** Refused, or cancelled before anything was written. */
    NOT_DONE
  }

  /**
   * A later commit contains or voids the indeterminate one; what it says is applied and published,
   * and if it was voided the owner has given the slot back.
   */
  record DoubtResolved(long commitId) implements RelocatorCommand {}

  /** Answers {@link RelocatorRequest.ProveDisk}. */
  record DiskProof(int disk, boolean proved) implements RelocatorCommand {}

  record SpareAttached(int spare, Disk disk) implements RelocatorCommand {}

  record SpareDetached(int spare) implements RelocatorCommand {}

  /**
   * Main is another disk now; comes after Pause, while all queues are frozen. Hints about blocks of
   * the old one are dropped, and it goes on.
   */
  record MainReplaced(Disk disk) implements RelocatorCommand {}

  record SetPolicy(RelocationPolicy policy) implements RelocatorCommand {}

  /**
   * No more is begun (what comes fails with ESHUTDOWN), what runs is finished; answered by {@link
   * RelocatorRequest.Drained}.
   */
  record Drain() implements RelocatorCommand {}

  /** Everything ends now, and the actor stops when the kernel holds nothing of it. */
  record Abandon() implements RelocatorCommand {}

  /** From its own completions and timers. */
  record DisksAnswered() implements RelocatorCommand {}

  /** From its own timer: deadlines are looked at. */
  record Tick() implements RelocatorCommand {}
}
