package io.spared.queue;

import io.spared.disk.DiskNumber;
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
 * been flushed before, and main that went away can only return by itself then. So each flush begins
 * a round, and a write is in the round in which it was done: a flush covers the rounds before its
 * own. A write is counted after it was done and before its client is told, so one that is counted
 * in a round before a flush was done before that flush began. In good times that is two plain reads
 * for each write, whatever the number of queues.
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

  /** The round of each disk; main stands behind the spares. */
  private final AtomicLongArray round = new AtomicLongArray(SPARES_MAX + 1);

  /**
   * Of each disk, the last round in which a write was done. All begin one behind what was flushed:
   * what stood in their caches before this assembly is not known.
   */
  private final AtomicLongArray written = new AtomicLongArray(SPARES_MAX + 1);

  private final AtomicLongArray flushed = new AtomicLongArray(SPARES_MAX + 1);

  private static int at(int disk) {
    return disk == DiskNumber.MAIN ? SPARES_MAX : disk;
  }

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

  /** A write to the disk that is not durable yet is done; before its client is told. */
  void wrote(int disk) {
    int at = at(disk);
    long now = round.get(at);
    if (written.get(at) < now) {
      written.accumulateAndGet(at, now, Math::max);
    }
  }

  /** A flush begins; gives the round that it will cover, and all before. */
  long flushBegins(int disk) {
    return round.getAndIncrement(at(disk));
  }

  /** A flush of the disk is done, which covers this round. */
  void flushed(int disk, long covered) {
    flushed.accumulateAndGet(at(disk), covered + 1, Math::max);
  }

  /**
   * The spare has left: no block is there any more, and what moved off it was written durably
   * elsewhere, so no flush need cover what had been written to it.
   */
  public void left(int spare) {
    flushed(spare, flushBegins(spare));
  }

  /**
   * Whether the disk may hold acknowledged writes that no flush has covered. One that goes away
   * like this makes the next flush fail.
   */
  public boolean isUnflushed(int disk) {
    int at = at(disk);
    return written.get(at) >= flushed.get(at);
  }
}
