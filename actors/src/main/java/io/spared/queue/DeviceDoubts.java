package io.spared.queue;

import io.spared.ffi.Errno;
import java.util.Arrays;
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
 */
public final class DeviceDoubts {
  /** A range of the device, in bytes; compared by identity. */
  static final class Range {
    final long offsetBytes;
    final long endBytes;

    Range(long offsetBytes, long endBytes) {
      this.offsetBytes = offsetBytes;
      this.endBytes = endBytes;
    }
  }

  private static final Range[] NO_RANGES = {};

  private volatile Range[] ranges = NO_RANGES;
  private volatile @Nullable Errno failedFlush;

  /** Gives the range to take away again when the kernel lets go. */
  synchronized Range add(long offsetBytes, long lengthBytes) {
    Range range = new Range(offsetBytes, offsetBytes + lengthBytes);
    Range[] more = Arrays.copyOf(ranges, ranges.length + 1);
    more[ranges.length] = range;
    ranges = more;
    return range;
  }

  synchronized void remove(Range range) {
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
}
