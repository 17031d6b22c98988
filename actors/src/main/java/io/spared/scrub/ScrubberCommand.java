package io.spared.scrub;

import java.time.Duration;
import java.util.concurrent.CompletableFuture;
import org.apache.pekko.Done;

/** What a device's scrubber is told. */
public sealed interface ScrubberCommand {

  /** How often and how fast, from now on. */
  record SetPlan(ScrubPlan plan) implements ScrubberCommand {}

  /** When and how fast to look. */
  record ScrubPlan(
      Duration scrubInterval,
      boolean surfaceScan,
      Duration surfacePeriod,
      long surfaceFloorBytesPerSecond,
      Duration requestDeadline) {}

  /** All copies were read: the next scrub is due an interval from now. */
  record MetadataScrubbed() implements ScrubberCommand {}

  /** Scan the surface now, from the beginning, as fast as the disks allow. */
  record ScanNow() implements ScrubberCommand {}

  /** Ends; answered by {@link ScrubberRequest.Stopped}. */
  record Stop() implements ScrubberCommand {}

  /** From its own flow: read this piece, then complete. Not an ask: see OneAnswer. */
  record ReadPiece(SurfacePiece piece, CompletableFuture<Done> read) implements ScrubberCommand {}

  /** From its own flow: every piece was read, or the flow broke. */
  record PassEnded(long pass, String failure) implements ScrubberCommand {}

  /** From its own completions. */
  record DisksAnswered() implements ScrubberCommand {}

  /** From its own timers. */
  record ScrubDue() implements ScrubberCommand {}

  record ReadNow() implements ScrubberCommand {}

  record BeginPass() implements ScrubberCommand {}
}
