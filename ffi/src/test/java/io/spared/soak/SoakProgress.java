package io.spared.soak;

import java.io.PrintStream;
import java.time.Duration;
import java.util.function.LongSupplier;
import java.util.function.Supplier;

/** Shows how far a soak is: one line every ten seconds at most, whoever asks however often. */
public final class SoakProgress {
  private static final long INTERVAL_NANOS = Duration.ofSeconds(10).toNanos();

  private final PrintStream out;
  private final LongSupplier nanoTime;
  private final long startNanos;
  private final long lengthNanos;
  private long nextNanos;

  SoakProgress(PrintStream out, LongSupplier nanoTime, Duration length) {
    this.out = out;
    this.nanoTime = nanoTime;
    this.startNanos = nanoTime.getAsLong();
    this.lengthNanos = length.toNanos();
    this.nextNanos = startNanos + INTERVAL_NANOS;
  }

  /** Says where it is, when a line is due; the sentence is made only then. */
  public synchronized void at(Supplier<String> sentence) {
    long now = nanoTime.getAsLong();
    if (now - nextNanos >= 0) {
      nextNanos = now + INTERVAL_NANOS;
      print(now, sentence.get());
    }
  }

  /** Says something at once: a finding, a summary. */
  public synchronized void say(String sentence) {
    print(nanoTime.getAsLong(), sentence);
  }

  private void print(long now, String sentence) {
    long elapsed = now - startNanos;
    out.printf(
        "[%d:%02d, %d%%] %s%n",
        elapsed / 60_000_000_000L,
        elapsed / 1_000_000_000L % 60,
        Math.min(100, lengthNanos == 0 ? 100 : 100 * elapsed / lengthNanos),
        sentence);
    out.flush();
  }
}
