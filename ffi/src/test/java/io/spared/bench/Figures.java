package io.spared.bench;

/**
 * Takes the figures of a run; they are printed after the table and decide the exit code (3 when one
 * falls short).
 */
public interface Figures {
  /** A figure that is wanted at least this large. */
  void atLeast(String name, double value, String unit, double wanted);

  /** A figure that is wanted at most this large. */
  void atMost(String name, double value, String unit, double wanted);

  /** A figure for which nothing is wanted. */
  void report(String name, double value, String unit);
}
