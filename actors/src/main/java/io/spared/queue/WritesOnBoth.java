package io.spared.queue;

import java.util.ArrayList;
import org.jspecify.annotations.Nullable;

/**
 * The writes of all queues that are with main and with the disk that is to take its place.
 *
 * <p>Invariant: no two of them overlap. Disks carry out what they have at once in any order, each
 * in its own; of two writes that overlap, main would keep one for good and the other disk the
 * other, without any failure that tells, and what had been read before the switch would be another
 * value after it. So a write that finds another there waits until both disks have ended that one,
 * or it is given up: what one that was given up may still do to main is in doubt ({@link
 * DeviceDoubts}), and the other disk is not used again before its region was copied anew.
 *
 * <p>Whoever ends one that another waited for tells the device, which tells all queues; whoever
 * waited looks again. Only used while main is being replaced.
 */
final class WritesOnBoth {
  /** One write; the queue that began it counts its ends. */
  final class Range {
    final long fromBytes;
    final long toBytes;
    int disksLeft = 2;

    Range(long fromBytes, long toBytes) {
      this.fromBytes = fromBytes;
      this.toBytes = toBytes;
    }

    /** It is with no disk any more; gives whether anybody waits for such an end. */
    boolean end() {
      synchronized (WritesOnBoth.this) {
        now.remove(this);
        boolean told = awaited;
        awaited = false;
        return told;
      }
    }
  }

  private final ArrayList<Range> now = new ArrayList<>();
  private boolean awaited;

  /** Null when another is there: whoever asked is told when to look again. */
  synchronized @Nullable Range begin(long fromBytes, long toBytes) {
    for (Range range : now) {
      if (range.fromBytes < toBytes && fromBytes < range.toBytes) {
        awaited = true;
        return null;
      }
    }
    Range range = new Range(fromBytes, toBytes);
    now.add(range);
    return range;
  }
}
