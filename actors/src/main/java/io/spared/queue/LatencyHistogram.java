package io.spared.queue;

import java.util.ArrayList;
import java.util.List;

/** Counts how long things take; owned by one actor, which hands out what it held as a value. */
public final class LatencyHistogram {
  private final long[] counts = new long[Latencies.PLACES];
  private long sumNanos;

  /** Allocates nothing. */
  public void add(long nanos) {
    long time = Math.max(0, nanos);
    counts[Latencies.placeOf(time)]++;
    sumNanos += time;
  }

  public Latencies now() {
    List<Long> copy = new ArrayList<>(counts.length);
    for (long count : counts) {
      copy.add(count);
    }
    return new Latencies(sumNanos, copy);
  }
}
