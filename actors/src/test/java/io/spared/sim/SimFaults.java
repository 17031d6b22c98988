package io.spared.sim;

/**
 * The rates of a drive's random faults, to be changed while it runs. All zero: a drive that is well
 * and answers within {@link #latencyMaxNanos}.
 */
public final class SimFaults {
  /** An ordinary answer takes between a tenth of this and this. */
  public long latencyMaxNanos = 200_000;

  /** Of answers that take longer, from a millisecond up to {@link #slowMaxNanos}. */
  public double slow;

  public long slowMaxNanos = 60_000_000_000L;

  /** Of requests that the drive never answers by itself ({@link SimDrive#answerStuck}). */
  public double stuck;

  /** Of transfers that move a part of their sectors well before they end. */
  public double partEarly = 0.1;

  /** Of requests after which a cluster of sectors near them goes bad. */
  public double newDefect;

  /** Of transfers that fail once with a media error. */
  public double transientMedia;

  /** Of requests that fail once with an error of the way to the drive. */
  public double transport;

  public double flushFails;

  /** Of writes (to ranges open to silent faults) that land elsewhere there. */
  public double misdirected;

  /** Of reads (of ranges open to silent faults) that return what was there before. */
  public double stale;

  /** Of power cuts and cancels: see where they are used. */
  public double tornSectorUnreadable;

  /** All well from now on; defects stay. */
  public void clear() {
    slow = 0;
    stuck = 0;
    newDefect = 0;
    transientMedia = 0;
    transport = 0;
    flushFails = 0;
    misdirected = 0;
    stale = 0;
    tornSectorUnreadable = 0;
  }
}
