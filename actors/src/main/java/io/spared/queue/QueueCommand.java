package io.spared.queue;

import io.spared.ffi.Errno;
import io.spared.ffi.disk.Disk;
import java.util.List;
import org.jspecify.annotations.Nullable;

/**
 * What the device and its relocator tell a queue. The frontend that hosts the queue takes these as
 * messages and hands them to {@link DeviceQueue#handle}.
 */
public sealed interface QueueCommand {
  /**
   * First of all: the relocator knows the queue, and from here on tells it every fence. Requests
   * that came before wait for this.
   */
  record Begin(List<Fence> fences) implements QueueCommand {
    public Begin {
      fences = List.copyOf(fences);
    }
  }

  /**
   * New writes and discards on the block wait; answered by {@link QueueReport.FenceReached} once
   * none is in flight. Failed writes that wait for their own relocation are not in flight.
   */
  record Fence(long fenceId, long block) implements QueueCommand {}

  /** The fence goes: what waited is looked up anew and goes on. */
  record LiftFence(long fenceId, long block) implements QueueCommand {}

  /**
   * The fence stays but nobody waits at it any more: writes and discards on the block fail, until
   * it is lifted. For a block whose commit is indeterminate.
   */
  record RefuseAtFence(long fenceId, long block, Errno errno) implements QueueCommand {}

  /** The end of a write that was given to the relocator; null when all of it is durable. */
  record Relocated(long ticket, @Nullable Errno errno) implements QueueCommand {}

  /**
   * Answers {@link QueueReport.DiskDoubted}.
   *
   * @param proved the disk is the one it was and reads a known-good sector: the error was the
   *     medium's
   */
  record DiskProof(int disk, boolean proved) implements QueueCommand {}

  /** Requests wait; those begun are finished. Answered by {@link QueueReport.Frozen}. */
  record Freeze(long freezeId) implements QueueCommand {}

  record Thaw() implements QueueCommand {}

  /**
   * No request is taken any more (ESHUTDOWN), those begun are finished. Answered by {@link
   * QueueReport.Drained}; whoever sent it keeps the deadline and sends Abandon.
   */
  record Drain() implements QueueCommand {}

  /**
   * Everything ends now: what is in flight is cancelled or left to the kernel, and its requests end
   * with ESHUTDOWN. Answered by {@link QueueReport.Drained} at once.
   */
  record Abandon() implements QueueCommand {}

  /** A spare's disk is there, new or again. */
  record SpareAttached(int spare, Disk disk) implements QueueCommand {}

  /** A spare's disk is gone or must not be used: its parts fail. */
  record SpareDetached(int spare) implements QueueCommand {}

  /**
   * Main is being replaced, and the copier is here now; answered by {@link
   * QueueReport.MirrorReached} once no write or discard is in flight in the window.
   */
  record SetMirror(Mirror mirror) implements QueueCommand {}

  /** Main is not being replaced any more. */
  record MirrorOff() implements QueueCommand {}

  /** Answers {@link QueueReport.RecordWanted}; who asked goes on, or fails when it is not so. */
  record Recorded(boolean durable) implements QueueCommand {}

  /** Answers {@link QueueReport.OverlapEnded}: whoever waits for it looks again. */
  record OverlapEnded() implements QueueCommand {}

  /** Main is another disk now; comes while the queue is frozen. */
  record MainReplaced(Disk disk) implements QueueCommand {}

  /**
   * Says anew which version of the map is in use ({@link io.spared.remap.RemapTable#oldestInUse});
   * an idle queue says nothing by itself.
   */
  record PublishVersion() implements QueueCommand {}

  /** Answered by {@link QueueReport.Counted}. */
  record Count() implements QueueCommand {}

  record SetPolicy(QueuePolicy policy) implements QueueCommand {}
}
