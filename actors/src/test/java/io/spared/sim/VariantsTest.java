package io.spared.sim;

import static org.assertj.core.api.Assertions.assertThat;

import java.lang.reflect.Method;
import java.util.ArrayList;
import java.util.List;
import org.jspecify.annotations.Nullable;
import org.junit.jupiter.api.Test;

/** Every broken variant is caught; in how many runs and seconds is printed. */
class VariantsTest {
  private static final long SEED = 40_000;
  private static final int RUNS_MAX = 400;

  @Test
  void everyBrokenVariantIsCaught() throws Exception {
    List<String> missed = new ArrayList<>();
    for (Variant variant : Variants.ALL) {
      String row = hunt(variant, RUNS_MAX);
      System.out.println(row);
      if (row.startsWith("MISSED")) {
        missed.add(row);
      }
    }
    System.out.println(Variants.ALL.size() + " broken variants");
    assertThat(missed).isEmpty();
  }

  static String hunt(Variant variant, int runsMax) throws Exception {
    long begun = System.nanoTime();
    VariantLoader loader = VariantLoader.of(variant);
    Thread thread = Thread.currentThread();
    ClassLoader before = thread.getContextClassLoader();
    thread.setContextClassLoader(loader);
    String found;
    try {
      Method hunt =
          loader
              .loadClass("io.spared.sim.CoreCampaign")
              .getDeclaredMethod("hunt", String.class, long.class, int.class);
      hunt.setAccessible(true);
      found = (@Nullable String) hunt.invoke(null, variant.kind(), SEED, runsMax);
    } finally {
      thread.setContextClassLoader(before);
    }
    double seconds = (System.nanoTime() - begun) / 1e9;
    if (found == null) {
      return String.format("MISSED in %d runs, %.1f s: %s", runsMax, seconds, variant.name());
    }
    String[] lines = found.split("\n", 3);
    return String.format(
        "caught in %3s runs, %4.1f s: %s (%s)", lines[0], seconds, variant.name(), lines[1]);
  }
}
