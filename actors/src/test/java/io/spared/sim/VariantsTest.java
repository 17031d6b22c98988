package io.spared.sim;

import static org.assertj.core.api.Assertions.assertThat;

import java.util.ArrayList;
import java.util.List;
import org.junit.jupiter.api.Test;

/**
 * Every broken variant of the quick kinds of runs is caught; in how many runs and seconds is
 * printed. Those of the other kinds take longer than a build has: {@code ./spared soak variants}.
 */
class VariantsTest {
  /** The rarest takes a commit in doubt that a crash then loses: about one run in 160. */
  private static final int RUNS_MAX = 400;

  private static final List<String> QUICK_KINDS = List.of("queues", "writer");

  @Test
  void everyBrokenVariantOfTheQuickKindsIsCaught() throws Exception {
    List<VariantHunt.Row> missed = new ArrayList<>();
    List<Variant> hunted =
        Variants.ALL.stream().filter(variant -> QUICK_KINDS.contains(variant.kind())).toList();
    for (Variant variant : hunted) {
      VariantHunt.Row row = VariantHunt.hunt(variant, variant.firstSeed(), RUNS_MAX);
      System.out.println(row);
      if (row.violation() == null) {
        missed.add(row);
      }
    }
    System.out.println(hunted.size() + " of " + Variants.ALL.size() + " broken variants");
    assertThat(missed).isEmpty();
  }
}
