package io.spared.relocation;

import io.spared.ffi.Errno;
import io.spared.format.Change;
import io.spared.format.LostBits;
import java.util.List;

/** What the relocator asks of its device, and tells it. */
public sealed interface RelocatorRequest {
  /**
   * Answered by SlotTaken or NoSlot.
   *
   * @param avoidSpares one bit a spare that must not give the slot
   */
  record TakeSlot(long relocationId, long block, long avoidSpares) implements RelocatorRequest {}

  /** The slot was never named by the map, nothing is in flight to it: it is free at once. */
  record GiveBackSlot(long place) implements RelocatorRequest {}

  /**
   * The map no longer names the slot; it is good, and free when the readers of the map are past it.
   */
  record ReleaseSlot(long place) implements RelocatorRequest {}

  /**
   * The slot failed: never given again, and recorded with a commit of the owner's own unless the
   * relocation's commit did already.
   */
  record RetireSlot(long place, boolean recorded) implements RelocatorRequest {}

  /** All or nothing; answered by CommitEnded, after publication. */
  record Commit(long commitId, List<Change> changes) implements RelocatorRequest {
    public Commit {
      changes = List.copyOf(changes);
    }
  }

  /** Answered by DiskProof; a disk has at most one such question open. */
  record ProveDisk(int disk, Errno errno, long offsetBytes) implements RelocatorRequest {}

  /** An error of a disk whose meaning is plain, for its actor. */
  record DiskFailed(int disk, Errno errno, long offsetBytes) implements RelocatorRequest {}

  /** A block was moved, for people and counters. */
  record BlockMoved(long block, long fromPlace, long toPlace, LostBits lost, LostBits newlyLost)
      implements RelocatorRequest {}

  /** A block became pending. */
  record BlockPending(long block, LostBits unreadable) implements RelocatorRequest {}

  /** A block could not be moved; its waiting writes have failed with this. */
  record MoveFailed(long block, Errno errno, String reason) implements RelocatorRequest {}

  /** Its commit is indeterminate: the block refuses writes until DoubtResolved. */
  record BlockRefusesWrites(long block, long commitId) implements RelocatorRequest {}

  /** Answers MoveBlock and LeaveMain; also moved when the block was not there any more. */
  record MoveEnded(long block, boolean moved) implements RelocatorRequest {}

  /** Nothing is being moved, until GoOn or MainReplaced. */
  record Paused() implements RelocatorRequest {}

  /** Nothing is being moved. */
  record Drained() implements RelocatorRequest {}
}
