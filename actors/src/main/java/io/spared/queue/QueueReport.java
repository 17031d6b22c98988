package io.spared.queue;

import io.spared.ffi.Errno;
import io.spared.ffi.engine.IoRequest;
import io.spared.format.LostBits;

/**
 * What a queue tells its device. Those about blocks and fences are for the relocator, {@link
 * DiskDoubted} is for the disk's actor; the device passes them on.
 */
public sealed interface QueueReport {
  int queueId();

  /**
   * The queue stands and wants to {@link QueueCommand.Begin}: the device makes the queue known to
   * the relocator ({@code RelocatorCommand.QueueOpened}), which answers the queue.
   */
  record Opened(int queueId) implements QueueReport {}

  /** For the relocator: no write or discard of this queue is in flight on the fenced block. */
  record FenceReached(int queueId, long fenceId) implements QueueReport {}

  /**
   * For the relocator: this write needs its block moved or its lost bits cleared. Answered by
   * {@link QueueCommand.Relocated} with the write's ticket.
   */
  record WriteWaits(int queueId, WaitingWrite write) implements QueueReport {}

  /**
   * For the relocator: a read failed for its medium. When sectors stayed unreadable the block
   * becomes pending; when all were read at last the block is moved while it can be read.
   *
   * @param place where it was read: {@link io.spared.remap.Place}
   * @param unreadable none, when retries recovered all
   */
  record ReadFault(int queueId, long block, long place, LostBits unreadable)
      implements QueueReport {}

  /**
   * For the disk's actor: an error that may be the medium's or the disk's. Answered by {@link
   * QueueCommand.DiskProof}; a disk has at most one such question of a queue open.
   */
  record DiskDoubted(int queueId, int disk, Errno errno, long offsetBytes) implements QueueReport {}

  /** For the disk's actor, nothing to answer: an error whose meaning is plain. */
  record DiskFailed(
      int queueId, int disk, IoRequest.Operation operation, Errno errno, long offsetBytes)
      implements QueueReport {}

  /**
   * A write or discard missed its deadline or was cancelled, and the kernel still holds it; offsets
   * are the device's.
   */
  record InDoubt(int queueId, int disk, long offsetBytes, long lengthBytes)
      implements QueueReport {}

  /** The kernel has let go of it. */
  record DoubtEnded(int queueId, int disk, long offsetBytes, long lengthBytes)
      implements QueueReport {}

  /** From here on every queue refuses writes and flushes until the device is restarted. */
  record FlushFailed(int queueId, int disk, Errno errno) implements QueueReport {}

  /** What the queue has done so far; told when asked, and once more before {@link Closed}. */
  record Counted(int queueId, QueueCounts counts) implements QueueReport {}

  /** No write or discard of this queue is in flight in the window of the mirror of this number. */
  record MirrorReached(int queueId, long mirrorId) implements QueueReport {}

  /** What this queue says of main from here on is about the disk that it was replaced by. */
  record MainTaken(int queueId) implements QueueReport {}

  /** A write below the cursor waits until its region is recorded durably. */
  record RecordWanted(int queueId, int region) implements QueueReport {}

  /** A write to main and its replacement ended that a write of some queue waits for. */
  record OverlapEnded(int queueId) implements QueueReport {}

  /**
   * The disk that is to take main's place failed a write or a flush: it must not, any more. Comes
   * before the request's client is told anything.
   */
  record MirrorFailed(int queueId, Errno errno) implements QueueReport {}

  /** Nothing is begun and not finished. */
  record Frozen(int queueId, long freezeId) implements QueueReport {}

  /**
   * Every request has ended.
   *
   * @param held requests that the kernel holds yet; {@link Closed} follows when there are none
   */
  record Drained(int queueId, int held) implements QueueReport {}

  /** Nothing of the queue is left, with its disks or with the map: it may be forgotten. */
  record Closed(int queueId) implements QueueReport {}
}
