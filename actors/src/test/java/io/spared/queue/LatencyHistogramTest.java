package io.spared.queue;

import static org.assertj.core.api.Assertions.assertThat;

import org.junit.jupiter.api.Test;

class LatencyHistogramTest {
  private final LatencyHistogram histogram = new LatencyHistogram();

  @Test
  void aTimeIsCountedBelowTheFirstBoundThatExceedsIt() {
    for (int place = 0; place < Latencies.PLACES - 1; place++) {
      long bound = Latencies.boundNanos(place);
      assertThat(Latencies.placeOf(bound - 1)).isEqualTo(place);
      assertThat(Latencies.placeOf(bound)).isEqualTo(place + 1);
    }
    assertThat(Latencies.placeOf(Long.MAX_VALUE)).isEqualTo(Latencies.PLACES - 1);
    assertThat(Latencies.boundNanos(0)).isEqualTo(8192);
  }

  @Test
  void sharesLieBelowTheirBounds() {
    assertThat(histogram.now().shareBelowNanos(0.5)).isZero();
    for (int i = 0; i < 99; i++) {
      histogram.add(10_000);
    }
    histogram.add(1_000_000);
    histogram.add(-5);
    Latencies now = histogram.now();
    assertThat(now.total()).isEqualTo(101);
    assertThat(now.sumNanos()).isEqualTo(99 * 10_000 + 1_000_000);
    assertThat(now.shareBelowNanos(0.5)).isEqualTo(16_384);
    assertThat(now.shareBelowNanos(1)).isEqualTo(1L << 20);
    assertThat(now.plus(now).total()).isEqualTo(202);
  }
}
