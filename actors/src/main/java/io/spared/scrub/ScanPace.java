package io.spared.scrub;

/**
 * How long the surface scan, or the copier of a disk, waits between pieces. It follows its plan
 * (the whole disk within the period, or the rate that was asked for), and when the disk is slow to
 * answer, since others use it, it steps back: to half, a quarter, ... of its plan, but never below
 * the floor. Pure.
 */
public final class ScanPace {
  /** A piece that takes longer than this, beyond what its bytes need, met other work. */
  private static final long BUSY_NANOS = 30_000_000L;

  private static final int MOST_STEPS_BACK = 8;

  private final long planned;
  private final long floor;
  private int stepsBack;

  public ScanPace(long plannedBytesPerSecond, long floorBytesPerSecond) {
    this.floor = Math.max(1, floorBytesPerSecond);
    this.planned = Math.max(plannedBytesPerSecond, floor);
  }

  /** The rate that the whole of a disk needs. */
  static long plannedBytesPerSecond(long bytes, long periodSeconds) {
    return Math.max(1, (bytes + periodSeconds - 1) / Math.max(1, periodSeconds));
  }

  /** A piece took so long. */
  public void took(long nanos) {
    if (nanos > BUSY_NANOS) {
      stepsBack = Math.min(MOST_STEPS_BACK, stepsBack + 1);
    } else if (stepsBack > 0) {
      stepsBack--;
    }
  }

  public long bytesPerSecond() {
    return Math.max(floor, planned >> stepsBack);
  }

  /** From the begin of one piece to the begin of the next. */
  public long intervalNanos(long pieceBytes) {
    return Math.max(1, Math.round(pieceBytes * 1e9 / bytesPerSecond()));
  }
}
