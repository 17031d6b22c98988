package io.spared.bench;

import static org.assertj.core.api.Assertions.assertThat;

import java.util.Random;
import java.util.stream.IntStream;
import org.junit.jupiter.api.Test;

final class RatiosTest {
  @Test
  void theIntervalIsThatOfTheSignTest() {
    // Of 25 throws of a coin 7 heads or fewer have a chance of 0.0216, 8 or fewer of 0.0539.
    Ratios ratios = new Ratios(IntStream.rangeClosed(1, 25).asDoubleStream().toArray());
    assertThat(ratios.median()).isEqualTo(13);
    assertThat(ratios.low()).isEqualTo(8);
    assertThat(ratios.high()).isEqualTo(18);
    assertThat(new Ratios(4, 1, 3, 2).median()).isEqualTo(2.5);
  }

  @Test
  void fewerThanSixRoundsTellNothing() {
    assertThat(new Ratios(1, 1, 1, 1, 1).tellsFrom(0.5)).isFalse();
    assertThat(new Ratios(1, 1, 1, 1, 1, 1).tellsFrom(0.5)).isTrue();
  }

  @Test
  void nothingIsToldWhenWhatIsWantedLiesWithinTheSpread() {
    double[] spread = IntStream.range(0, 25).mapToDouble(i -> 0.85 + i * 0.01).toArray();
    assertThat(new Ratios(spread).tellsFrom(0.95)).isFalse();
    assertThat(new Ratios(spread).tellsFrom(0.80)).isTrue();
    assertThat(new Ratios(spread).tellsFrom(1.10)).isTrue();
  }

  @Test
  void theMedianIsInTheIntervalNineteenTimesOfTwenty() {
    Random random = new Random(1);
    int inside = 0;
    for (int trial = 0; trial < 4000; trial++) {
      Ratios ratios =
          new Ratios(IntStream.range(0, 25).mapToDouble(i -> random.nextGaussian()).toArray());
      inside += ratios.low() <= 0 && ratios.high() >= 0 ? 1 : 0;
    }
    assertThat(inside).isBetween(3800, 3900);
  }
}
