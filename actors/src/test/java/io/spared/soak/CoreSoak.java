package io.spared.soak;

import io.spared.format.FormatFuzzer;
import io.spared.metadata.CrashSoak;
import java.util.ArrayList;
import java.util.List;
import java.util.function.BooleanSupplier;

/**
 * {@code ./spared soak core}: the fuzzer over the readers of the format, and the crash enumeration
 * of the metadata writer, in turns of a few seconds.
 */
public final class CoreSoak implements Soak {
  private static final long TURN_NANOS = 5_000_000_000L;

  private interface Part {
    void run(BooleanSupplier over);
  }

  @Override
  public boolean run(SoakArguments arguments, SoakProgress progress) throws Exception {
    FormatFuzzer fuzzer = new FormatFuzzer(arguments.seed());
    CrashSoak crashes = new CrashSoak(arguments.seed());
    List<Part> parts = new ArrayList<>();
    parts.add(fuzzer::run);
    parts.add(crashes::run);
    try {
      while (!arguments.over()) {
        for (Part part : parts) {
          long end = System.nanoTime() + TURN_NANOS;
          part.run(() -> arguments.over() || System.nanoTime() - end >= 0);
        }
        progress.say(fuzzer + "; " + crashes);
      }
    } catch (AssertionError found) {
      progress.say("seed " + arguments.seed() + ": " + found.getMessage());
      return false;
    }
    progress.say(fuzzer + "; " + crashes);
    return true;
  }
}
