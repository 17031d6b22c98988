package io.spared.metadata;

import java.time.Duration;
import java.util.List;

/**
 * How a metadata writer behaves.
 *
 * @param commitTimeout until a commit without its quorum is indeterminate and its late copies are
 *     given up
 * @param readTimeout until a read of a copy is given up
 * @param repairDelays before the first, second, ... attempt of a repair; after the last of them the
 *     device is Degraded
 * @param repairLaterDelay between the attempts after those
 * @param waitingCommitsMax beyond which commits are refused
 * @param checkpointFill the part of the log that, once used, starts a checkpoint
 * @param chunkBytes of a checkpoint written or verified at a time
 * @param chunkPause between chunks when nothing is urgent, so that foreground I/O goes first
 */
public record MetadataSettings(
    Duration commitTimeout,
    Duration readTimeout,
    boolean autoRepair,
    List<Duration> repairDelays,
    Duration repairLaterDelay,
    int waitingCommitsMax,
    double checkpointFill,
    int chunkBytes,
    Duration chunkPause) {
  public MetadataSettings {
    repairDelays = List.copyOf(repairDelays);
  }

  public static MetadataSettings defaults() {
    return new MetadataSettings(
        Duration.ofSeconds(5),
        Duration.ofSeconds(30),
        true,
        List.of(Duration.ofSeconds(1), Duration.ofMinutes(1), Duration.ofMinutes(10)),
        Duration.ofHours(1),
        4096,
        0.5,
        128 * 1024,
        Duration.ofMillis(2));
  }
}
