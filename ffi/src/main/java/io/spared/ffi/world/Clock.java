package io.spared.ffi.world;

import java.time.Instant;

/**
 * The only source of time. A simulation gives its own; nothing else in the project asks the JDK.
 */
public interface Clock {
  /** Monotonic time in nanoseconds, from an arbitrary origin. */
  long nanoTime();

  /** The time of day, which may jump. Only for records and people, never for deadlines. */
  Instant now();
}
