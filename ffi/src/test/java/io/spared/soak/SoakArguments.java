package io.spared.soak;

import java.time.Duration;
import java.util.List;

/**
 * What a soak was asked.
 *
 * @param length how long it should go on; it ends by itself soon after
 * @param endNanos the same as a point of {@link System#nanoTime()}
 * @param seed where its randomness starts; the same seed asks the same questions
 * @param rest arguments of its own
 */
public record SoakArguments(Duration length, long endNanos, long seed, List<String> rest) {
  /** Whether the time is up. */
  public boolean over() {
    return System.nanoTime() - endNanos >= 0;
  }
}
