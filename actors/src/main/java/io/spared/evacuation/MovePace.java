package io.spared.evacuation;

/**
 * When the next block may be moved, so that no more than so many bytes a second are. Timers are
 * coarse beside the time of one block, so blocks that are late are made up for, up to a bound.
 * Pure.
 */
final class MovePace {
  /** As much may be made up for at once. */
  private static final long LATE_NANOS_MAX = 100_000_000L;

  private final int blockBytes;
  private long bytesPerSecond;
  private long dueNanos;

  MovePace(int blockBytes, long bytesPerSecond, long nowNanos) {
    this.blockBytes = blockBytes;
    this.bytesPerSecond = Math.max(1, bytesPerSecond);
    this.dueNanos = nowNanos;
  }

  void setRate(long nextBytesPerSecond) {
    bytesPerSecond = Math.max(1, nextBytesPerSecond);
  }

  /** How long the next block has to wait; 0 when its time has come. */
  long waitNanos(long nowNanos) {
    return Math.max(0, dueNanos - nowNanos);
  }

  /** A block begins to move now. */
  void moves(long nowNanos) {
    long interval = Math.round(blockBytes * 1e9 / bytesPerSecond);
    dueNanos = Math.max(dueNanos, nowNanos - LATE_NANOS_MAX) + interval;
  }
}
