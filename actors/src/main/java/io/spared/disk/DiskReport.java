package io.spared.disk;

/** What the actor of one disk tells its device. */
public sealed interface DiskReport {
  /** How a disk stands. */
  enum Health {
    /** It answers. */
    WELL,
    /** Media faults; it still proves itself. */
    AGEING,
    /** It failed a proof, is slow beyond its deadlines, or answers many distant errors. */
    DOUBTFUL,
    /** It is not there, or another is in its place. */
    GONE
  }

  int disk();

  record HealthChanged(int disk, Health before, Health now, String reason) implements DiskReport {}

  record Stopped(int disk) implements DiskReport {}
}
