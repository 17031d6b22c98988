package io.spared.sim;

import static org.assertj.core.api.Assertions.assertThat;

import io.spared.mutation.BrokenCode;
import java.util.ArrayList;
import java.util.List;
import org.junit.jupiter.api.Test;

/**
 * Every broken variant of the quick kinds of runs is caught, and every other one of which a seed is
 * known that catches it; in how many runs and seconds is printed. The rest takes longer than a
 * build has: {@code ./spared soak variants}, which hunts all of them from any seed.
 */
class VariantsTest {
  /** The rarest takes a commit in doubt that a crash then loses: about one run in 160. */
  private static final int RUNS_MAX = 400;

  private static final List<String> QUICK_KINDS = List.of("queues", "writer");

  @Test
  void everyBrokenVariantFindsItsPlaceInTheCode() throws Exception {
    for (Variant variant : Variants.ALL) {
      BrokenCode.find(variant.name(), variant.edits());
    }
  }

  @Test
  void everyBrokenVariantThatTakesLittleTimeIsCaught() throws Exception {
    List<VariantHunt.Row> missed = new ArrayList<>();
    List<Variant> hunted =
        Variants.ALL.stream()
            .filter(variant -> QUICK_KINDS.contains(variant.kind()) || variant.isSeedKnown())
            .toList();
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
