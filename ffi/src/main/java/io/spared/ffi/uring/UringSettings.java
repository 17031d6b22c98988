package io.spared.ffi.uring;

/**
 * How a ring is to be.
 *
 * @param submissions how many requests can wait to be submitted, a power of two
 * @param completions how many ended requests can wait to be taken, a power of two
 * @param wideCommands whether commands carry 80 bytes (SQE128) instead of 16
 * @param ownThread whether the thread that opens the ring is the only one that uses it; lets the
 *     kernel save work
 */
public record UringSettings(
    int submissions, int completions, boolean wideCommands, boolean ownThread) {
  /** For an engine: used by one thread. */
  public static UringSettings data(int submissions, int completions, boolean wideCommands) {
    return new UringSettings(submissions, completions, wideCommands, true);
  }
}
