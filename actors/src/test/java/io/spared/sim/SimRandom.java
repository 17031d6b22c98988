package io.spared.sim;

import java.util.random.RandomGenerator;

/**
 * The randomness of a simulation: SplitMix64, the same on every JVM, cheap to fork, so that a part
 * that draws more does not shift what another part sees.
 */
public final class SimRandom implements RandomGenerator {
  private static final long GOLDEN_GAMMA = 0x9E3779B97F4A7C15L;
  private long state;

  public SimRandom(long seed) {
    this.state = seed;
  }

  /** A well mixed 64-bit value from any other. */
  public static long mix(long value) {
    long z = value + GOLDEN_GAMMA;
    z = (z ^ (z >>> 30)) * 0xBF58476D1CE4E5B9L;
    z = (z ^ (z >>> 27)) * 0x94D049BB133111EBL;
    return z ^ (z >>> 31);
  }

  @Override
  public long nextLong() {
    long result = mix(state);
    state += GOLDEN_GAMMA;
    return result;
  }

  /** A stream of its own, drawn from this one. */
  public SimRandom fork() {
    return new SimRandom(nextLong());
  }

  /** True with this probability; draws nothing when it is 0. */
  public boolean chance(double probability) {
    return probability > 0 && nextDouble() < probability;
  }

  /** Below the bound, fast; the tiny bias does not matter here. */
  public int below(int bound) {
    return (int) Math.unsignedMultiplyHigh(nextLong(), bound);
  }

  public long below(long bound) {
    return Math.unsignedMultiplyHigh(nextLong(), bound);
  }

  /** Between the two, each order of magnitude equally likely. */
  public long logUniform(long low, long high) {
    double exponent = nextDouble() * Math.log((double) high / low);
    return (long) (low * Math.exp(exponent));
  }

  /** A length of at least 1 that goes on with this probability, up to a bound. */
  public int geometric(double goesOn, int max) {
    int length = 1;
    while (length < max && chance(goesOn)) {
      length++;
    }
    return length;
  }
}
