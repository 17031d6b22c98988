package io.spared.app.demo;

import io.spared.ffi.world.World;
import java.util.random.RandomGenerator;
import java.util.random.RandomGeneratorFactory;

/** Randomness of the demonstration: one seed, printed, is one run. */
final class Seeds {
  private Seeds() {}

  static long fresh() {
    return World.real().random().nextLong() & 0xFFFF_FFFFL;
  }

  static RandomGenerator random(long seed) {
    return RandomGeneratorFactory.of("SplittableRandom").create(seed);
  }
}
