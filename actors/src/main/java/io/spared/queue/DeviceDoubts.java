package io.spared.queue;

import io.spared.ffi.Errno;
import java.util.Arrays;
import java.util.concurrent.atomic.AtomicLongArray;
import org.jspecify.annotations.Nullable;

/**
 * What all queues of a device must know of each other's bad luck: ranges in doubt, and a flush that
 * failed. Shared between threads; in good times two plain reads.
 *
 * <p>In doubt: a write or discard that was abandoned may still be carried out by the kernel, at any
 * time, over whatever is written there meanwhile. So from before it ends for its client until the
 * kernel lets go, no queue may write or discard there. A write of another queue that was already in
 * flight then ran beside it, and either may come last.
 *
 * <p>A failed flush: what the disk had in its cache may be gone, and a second flush would succeed
 * without it. So the first failure is remembered, before anybody is told, until the device is
 * restarted: writes and flushes fail, reads go on (invariant 10).
 *
 * <p>A spare that is not there can only be left out of a flush when all that was written to it had
 * been flushed before; so completed writes are counted against completed flushes.
 */
public final class DeviceDoubts {
  /** A range of the device, in bytes; compared by identity. */
  public static final class Range {
    final long offsetBytes;
    final long endBytes;

    Range(long offsetBytes, long endBytes) {
      this.offsetBytes = offsetBytes;
      this.endBytes = endBytes;
    }
  }

  private static final Range[] NO_RANGES = {};
  private static final int SPARES_MAX = 64;

  private volatile Range[] ranges = NO_RANGES;
  private volatile @Nullable Errno failedFlush;

  /**
   * Of each spare, how many writes were done and how many of them a flush has covered. All spares
   * begin one behind: what stood in their caches before this assembly is not known.
   */
  private final AtomicLongArray written = new AtomicLongArray(SPARES_MAX);

  private final AtomicLongArray flushed = new AtomicLongArray(SPARES_MAX);

  /** Gives the range to take away again when the kernel lets go. */
  public synchronized Range add(long offsetBytes, long lengthBytes) {
    Range range = new Range(offsetBytes, offsetBytes + lengthBytes);
    Range[] more = Arrays.copyOf(ranges, ranges.length + 1);
    more[ranges.length] = range;
    ranges = more;
    return range;
  }

  public synchronized void remove(Range range) {
    ranges = Arrays.stream(ranges).filter(r -> r != range).toArray(Range[]::new);
  }

  /** Whether a write or discard there could be overtaken by one that was abandoned. */
  public boolean isInDoubt(long offsetBytes, long lengthBytes) {
    Range[] now = ranges;
    if (now.length == 0) {
      return false;
    }
    for (Range range : now) {
      if (range.offsetBytes < offsetBytes + lengthBytes && offsetBytes < range.endBytes) {
        return true;
      }
    }
    return false;
  }

  /** How many abandoned writes and discards the kernel holds, over all queues. */
  public int inDoubtCount() {
    return ranges.length;
  }

  /** Remembers the first failure. */
  public synchronized void flushFailed(Errno errno) {
    if (failedFlush == null) {
      failedFlush = errno;
    }
  }

  /** Why the first flush failed, or null while all succeeded. */
  public @Nullable Errno failedFlush() {
    return failedFlush;
  }

  /** A write to the spare that is not durable yet is done; before its client is told. */
  void wrote(int spare) {
    written.incrementAndGet(spare);
  }

  /** What a flush that begins now will cover. */
  long writtenTo(int spare) {
    return written.get(spare);
  }

  /** A flush of the spare is done; it covers what had been written when it began. */
  void flushed(int spare, long writtenBefore) {
    flushed.accumulateAndGet(spare, writtenBefore + 1, Math::max);
  }

  /**
   * The spare has left: no block is there any more, and what moved off it was written durably
   * elsewhere, so no flush need cover what had been written to it.
   */
  public void left(int spare) {
    flushed(spare, written.get(spare));
  }

  /**
   * Whether the spare may hold acknowledged writes that no flush has covered. A spare that goes
   * away like this makes the next flush fail.
   */
  public boolean isUnflushed(int spare) {
    return written.get(spare) >= flushed.get(spare);
  }
}
