package io.spared.sim;

import static org.assertj.core.api.Assertions.assertThat;

import java.util.ArrayList;
import java.util.List;
import org.junit.jupiter.api.Test;

/**
 * Every broken variant is caught; in how many runs and seconds is printed, as {@code ./spared soak
 * variants} does.
 */
class VariantsTest {
  private static final int RUNS_MAX = 1000;

  @Test
  void everyBrokenVariantIsCaught() throws Exception {
    List<VariantHunt.Row> missed = new ArrayList<>();
    for (Variant variant : Variants.ALL) {
      VariantHunt.Row row = VariantHunt.hunt(variant, variant.firstSeed(), RUNS_MAX);
      System.out.println(row);
      if (row.violation() == null) {
        missed.add(row);
      }
    }
    System.out.println(Variants.ALL.size() + " broken variants");
    assertThat(missed).isEmpty();
  }
}
