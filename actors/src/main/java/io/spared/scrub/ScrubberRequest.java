package io.spared.scrub;

import io.spared.format.LostBits;
import java.time.Instant;

/** What the scrubber asks of its device, and tells it. */
public sealed interface ScrubberRequest {

  /**
   * Read and verify all copies of the metadata now; answered by ScrubberCommand.MetadataScrubbed.
   */
  record ScrubMetadata() implements ScrubberRequest {}

  /**
   * The surface scan read a block with trouble: none unreadable means that retries recovered it,
   * and that it should be moved while it can be.
   */
  record FoundFault(long block, long place, LostBits unreadable) implements ScrubberRequest {}

  /** The pass that began then has come so far: to be kept durably when convenient. */
  record SurfaceAt(long cursorBytes, Instant began) implements ScrubberRequest {}

  /** A whole pass is done. */
  record SurfaceDone(long pass, long unreadableBlocks) implements ScrubberRequest {}

  /** The scan is behind its plan, or no longer. */
  record Overdue(boolean overdue, String sentence) implements ScrubberRequest {}

  /** How far it has come, at most once a second. */
  record Progress(ScrubProgress progress) implements ScrubberRequest {}

  record Stopped() implements ScrubberRequest {}
}
