package io.spared.bench;

import java.util.Arrays;
import java.util.Locale;

/**
 * What rounds of a comparison say together: their median, the half in the middle, and an interval
 * in which the median of all such rounds lies with 95 % confidence. The interval is between two of
 * the sorted ratios (the sign test turned round), so nothing is assumed of how they are spread.
 */
final class Ratios {
  private static final double DOUBT_OF_EACH_SIDE = 0.025;

  private final double[] sorted;
  private final int cut;

  Ratios(double... ratios) {
    if (ratios.length == 0) {
      throw new IllegalArgumentException("there are no rounds");
    }
    sorted = ratios.clone();
    Arrays.sort(sorted);
    cut = cut(ratios.length);
  }

  /** How many ratios of each end are outside of the interval; -1 when all of them are too few. */
  private static int cut(int rounds) {
    double chance = Math.pow(0.5, rounds);
    double below = 0;
    int outside = -1;
    for (int heads = 0; heads < rounds && below + chance <= DOUBT_OF_EACH_SIDE; heads++) {
      below += chance;
      chance = chance * (rounds - heads) / (heads + 1);
      outside = heads;
    }
    return outside;
  }

  double median() {
    int half = sorted.length / 2;
    return sorted.length % 2 == 1 ? sorted[half] : (sorted[half - 1] + sorted[half]) / 2;
  }

  /** The lower end of the interval; 0 when the rounds are too few to tell. */
  double low() {
    return cut < 0 ? 0 : sorted[cut];
  }

  /** The upper end of the interval; infinite when the rounds are too few to tell. */
  double high() {
    return cut < 0 ? Double.POSITIVE_INFINITY : sorted[sorted.length - 1 - cut];
  }

  /** Whether the whole interval lies on one side of this. */
  boolean tellsFrom(double wanted) {
    return low() >= wanted || high() < wanted;
  }

  /** For people. */
  @Override
  public String toString() {
    return String.format(
        Locale.ROOT,
        "median %.3f, half of the rounds %.3f to %.3f, all %.3f to %.3f; with 95%% confidence the"
            + " median is %.3f to %.3f (%d rounds)",
        median(),
        sorted[sorted.length / 4],
        sorted[sorted.length - 1 - sorted.length / 4],
        sorted[0],
        sorted[sorted.length - 1],
        low(),
        high(),
        sorted.length);
  }
}
