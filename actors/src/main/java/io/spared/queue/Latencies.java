package io.spared.queue;

import java.util.ArrayList;
import java.util.Collections;
import java.util.List;

/**
 * How long things took, as counts by powers of two: what a {@link LatencyHistogram} held at one
 * moment.
 *
 * @param counts how many took less than {@link #boundNanos} of their place and not less than that
 *     of the place before; the last took longer than any bound
 */
public record Latencies(long sumNanos, List<Long> counts) {
  /** The first bound, 8.192 µs: below it lies no disk. */
  private static final int FIRST_SHIFT = 13;

  /** From 8.192 µs to 68.7 s, beyond every deadline, and one place for what is longer. */
  static final int PLACES = 25;

  public static final Latencies NONE = new Latencies(0, Collections.nCopies(PLACES, 0L));

  public Latencies {
    counts = List.copyOf(counts);
    if (counts.size() != PLACES) {
      throw new IllegalArgumentException("counts of " + counts.size() + " places");
    }
  }

  static int placeOf(long nanos) {
    return Math.min(PLACES - 1, Long.SIZE - Long.numberOfLeadingZeros(nanos >>> FIRST_SHIFT));
  }

  /** What is counted at a place took less; Long.MAX_VALUE for the last. */
  public static long boundNanos(int place) {
    return place == PLACES - 1 ? Long.MAX_VALUE : 1L << (FIRST_SHIFT + place);
  }

  public long total() {
    return counts.stream().mapToLong(Long::longValue).sum();
  }

  /** The bound below which at least this share of all lies; 0 when there are none. */
  public long shareBelowNanos(double share) {
    double wanted = share * (double) total();
    long seen = 0;
    for (int place = 0; place < PLACES; place++) {
      seen += counts.get(place);
      if (seen > 0 && (double) seen >= wanted) {
        return boundNanos(place);
      }
    }
    return 0;
  }

  public Latencies plus(Latencies other) {
    List<Long> sums = new ArrayList<>(PLACES);
    for (int place = 0; place < PLACES; place++) {
      sums.add(counts.get(place) + other.counts.get(place));
    }
    return new Latencies(sumNanos + other.sumNanos, sums);
  }
}
