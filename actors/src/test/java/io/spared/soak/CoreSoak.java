package io.spared.soak;

import io.spared.format.FormatFuzzer;
import io.spared.metadata.CrashSoak;
import io.spared.remap.TableModel;
import java.util.ArrayList;
import java.util.List;
import java.util.function.BooleanSupplier;

/**
 * {@code ./spared soak core}: the fuzzer over the readers of the format, the crash enumeration of
 * the metadata writer, and the remap table beside a plain map, in turns of a few seconds.
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
    Tables tables = new Tables(arguments.seed());
    parts.add(tables::run);
    try {
      while (!arguments.over()) {
        for (Part part : parts) {
          long end = System.nanoTime() + TURN_NANOS;
          part.run(() -> arguments.over() || System.nanoTime() - end >= 0);
        }
        progress.say(fuzzer + "; " + crashes + "; " + tables);
      }
    } catch (AssertionError found) {
      progress.say("seed " + arguments.seed() + ": " + found.getMessage());
      return false;
    }
    progress.say(fuzzer + "; " + crashes + "; " + tables);
    return true;
  }

  /** The table beside its model, seed after seed; a failure names the seed. */
  private static final class Tables {
    private static final int[] SECTORS_PER_BLOCK = {1, 8, 16, 32, 128};
    private static final int STEPS = 20_000;

    private long seed;
    private long runs;

    Tables(long seed) {
      this.seed = seed;
    }

    void run(BooleanSupplier over) {
      while (!over.getAsBoolean()) {
        int sectors = SECTORS_PER_BLOCK[(int) (runs % SECTORS_PER_BLOCK.length)];
        try {
          new TableModel(seed, sectors).run(STEPS);
        } catch (AssertionError wrong) {
          throw new AssertionError(
              "table with seed " + seed + ", " + sectors + " sectors: " + wrong.getMessage(),
              wrong);
        }
        seed++;
        runs++;
      }
    }

    @Override
    public String toString() {
      return runs * STEPS + " changes of " + runs + " tables compared with a map";
    }
  }
}
