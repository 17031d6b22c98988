package io.spared.ffi.world;

import java.time.Instant;
import java.util.UUID;
import java.util.random.RandomGenerator;

/** Time and randomness, handed to whoever needs them. */
public record World(Clock clock, RandomGenerator random) {

  /** The real machine: the system's clocks and its secure randomness. */
  public static World real() {
    return new World(
        new Clock() {
          @Override
          public long nanoTime() {
            return System.nanoTime();
          }

          @Override
          public Instant now() {
            return Instant.now();
          }
        },
        RandomGenerator.of("SecureRandom"));
  }

  /** A random (version 4) identifier drawn from this world's randomness. */
  public UUID newUuid() {
    long high = (random.nextLong() & ~0xF000L) | 0x4000L;
    long low = (random.nextLong() & ~0xC000_0000_0000_0000L) | 0x8000_0000_0000_0000L;
    return new UUID(high, low);
  }
}
