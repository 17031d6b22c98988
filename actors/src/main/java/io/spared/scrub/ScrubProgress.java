package io.spared.scrub;

import java.time.Instant;
import java.util.Optional;

/** How far a scrubber has come. */
public record ScrubProgress(
    Optional<Instant> nextScrub,
    boolean scanning,
    long readBytes,
    long totalBytes,
    Optional<Instant> surfaceEstimate,
    long faults,
    long passes) {
  public double percent() {
    return totalBytes == 0 ? 0 : 100.0 * readBytes / totalBytes;
  }
}
