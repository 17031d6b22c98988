package io.spared.sim;

import java.lang.reflect.Method;
import java.util.ArrayList;
import java.util.List;
import java.util.function.BooleanSupplier;
import org.jspecify.annotations.Nullable;

/** Runs every broken variant until it is caught, and says in how many runs and seconds. */
public final class VariantHunt {
  private static final int RUNS_MAX = 1500;

  private VariantHunt() {}

  /** One variant's row of the table. */
  record Row(Variant variant, int runs, double seconds, @Nullable String violation) {
    @Override
    public String toString() {
      return String.format(
          "%-8s %5d runs %6.1f s  %-7s %s%s",
          violation == null ? "MISSED" : "caught",
          runs,
          seconds,
          variant.kind(),
          variant.name(),
          violation == null ? "" : " (" + violation.lines().findFirst().orElse("") + ")");
    }
  }

  /** Prints the table; true when every one that was asked for was hunted and caught. */
  public static boolean all(long seed, String only, BooleanSupplier over) throws Exception {
    List<Row> missed = new ArrayList<>();
    List<Variant> asked =
        Variants.ALL.stream()
            .filter(variant -> (variant.kind() + " " + variant.name()).contains(only))
            .toList();
    int hunted = 0;
    for (Variant variant : asked) {
      if (over.getAsBoolean()) {
        break;
      }
      hunted++;
      Row row = hunt(variant, seed, RUNS_MAX);
      System.out.println(row);
      if (row.violation == null) {
        missed.add(row);
      }
    }
    System.out.println(
        hunted
            + " of "
            + asked.size()
            + " broken variants hunted, from seed "
            + seed
            + "; missed: "
            + missed.size());
    return missed.isEmpty() && hunted == asked.size() && hunted > 0;
  }

  static Row hunt(Variant variant, long seed, int runsMax) throws Exception {
    long begun = System.nanoTime();
    Method hunt =
        variant
            .load()
            .loadClass("io.spared.sim.CoreCampaign")
            .getDeclaredMethod("hunt", String.class, long.class, int.class);
    hunt.setAccessible(true);
    String found = (@Nullable String) hunt.invoke(null, variant.kind(), seed, runsMax);
    double seconds = (System.nanoTime() - begun) / 1e9;
    if (found == null) {
      return new Row(variant, runsMax, seconds, null);
    }
    int line = found.indexOf('\n');
    long caughtBy = seed + Integer.parseInt(found.substring(0, line)) - 1;
    String healthy = Kinds.run(variant.kind(), caughtBy).violation();
    if (healthy != null) {
      // A finding about the code as it is, and no proof that this variant is noticed.
      System.out.println(variant.kind() + " seed " + caughtBy + " fails as it is: " + healthy);
      return new Row(variant, runsMax, seconds, null);
    }
    return new Row(
        variant, Integer.parseInt(found.substring(0, line)), seconds, found.substring(line + 1));
  }
}
