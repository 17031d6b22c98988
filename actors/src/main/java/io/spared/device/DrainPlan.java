package io.spared.device;

/**
 * How a drain deadline is divided on its way down. Each stage may end early; at its time the next
 * begins whatever the disks do, so the whole never takes longer than asked.
 */
public record DrainPlan(long totalNanos) {

  /** What is being waited for. */
  public enum Stage {
    /** Requests that were begun, and blocks that are being moved, end by themselves. */
    QUEUES(0.45),
    /** The same, abandoned now: they end at once, and only messages are on their way. */
    ABANDONED(0.55),
    /** Disks are flushed. */
    FLUSH(0.70),
    /** The mark of a clean stop is committed. */
    CLEAN_MARK(0.80),
    /** The writer of the metadata ends. */
    METADATA(0.93);

    private final double share;

    Stage(double share) {
      this.share = share;
    }
  }

  /** After so long from the begin of the drain the stage is over. */
  public long endNanos(Stage stage) {
    return (long) (totalNanos * stage.share);
  }

  /** How long a stage has, when the drain has gone on for so long already. */
  public long leftNanos(Stage stage, long sinceNanos) {
    return Math.max(0, endNanos(stage) - sinceNanos);
  }
}
