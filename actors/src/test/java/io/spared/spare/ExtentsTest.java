package io.spared.spare;

import static org.assertj.core.api.Assertions.assertThat;

import io.spared.format.Extent;
import io.spared.format.ExtentKind;
import io.spared.format.SpareTable;
import java.util.ArrayList;
import java.util.List;
import java.util.Optional;
import java.util.Random;
import java.util.UUID;
import org.junit.jupiter.api.Test;

final class ExtentsTest {
  private static final long MEGABYTE = 1 << 20;
  private static final UUID SPARE = new UUID(1, 1);

  @Test
  void noByteIsEverLentTwiceAndWhatIsTakenBackIsFreeAgain() {
    for (long seed = 1; seed <= 100; seed++) {
      Random random = new Random(seed);
      SpareTable table = new SpareTable(SPARE, 1, 64 * MEGABYTE, List.of());
      long lendable = Extents.freeBytes(table);
      List<SpareTable.Lent> lent = new ArrayList<>();
      for (int step = 0; step < 60; step++) {
        if (random.nextBoolean() || lent.isEmpty()) {
          UUID device = new UUID(2, random.nextInt(4));
          Optional<Extents.Lending> lending =
              Extents.lend(
                  table,
                  device,
                  (1 + random.nextInt(6)) * MEGABYTE,
                  random.nextInt(4) == 0 ? ExtentKind.METADATA : ExtentKind.DATA);
          if (lending.isPresent()) {
            table = lending.get().table();
            lent.addAll(lending.get().ranges());
          }
        } else {
          SpareTable.Lent range = lent.remove(random.nextInt(lent.size()));
          table =
              Extents.takeBack(table, range.deviceId(), range.offsetBytes(), range.lengthBytes())
                  .orElseThrow();
        }
        // The table's own constructor refuses overlaps; the sum must agree as well.
        long sum = lent.stream().mapToLong(SpareTable.Lent::lengthBytes).sum();
        assertThat(sum + Extents.freeBytes(table)).as("seed %d", seed).isEqualTo(lendable);
        assertThat(sum)
            .isEqualTo(table.lent().stream().mapToLong(SpareTable.Lent::lengthBytes).sum());
      }
    }
  }

  @Test
  void theVersionRisesWithEveryChange() {
    SpareTable table = new SpareTable(SPARE, 7, 64 * MEGABYTE, List.of());
    SpareTable next =
        Extents.lend(table, new UUID(2, 2), MEGABYTE, ExtentKind.DATA).orElseThrow().table();
    assertThat(next.version()).isEqualTo(8);
  }

  @Test
  void metadataIsLentInOnePieceOrNotAtAll() {
    SpareTable table = new SpareTable(SPARE, 1, 8 * MEGABYTE, List.of());
    long largest = Extents.free(table).stream().mapToLong(Extent::lengthBytes).max().orElseThrow();
    assertThat(Extents.lend(table, SPARE, largest + MEGABYTE, ExtentKind.METADATA)).isEmpty();
    assertThat(Extents.lend(table, SPARE, largest, ExtentKind.METADATA)).isPresent();
  }

  @Test
  void aRangeThatIsNotTheDevicesIsNotTakenBack() {
    SpareTable table = new SpareTable(SPARE, 1, 64 * MEGABYTE, List.of());
    Extents.Lending lending =
        Extents.lend(table, new UUID(2, 2), MEGABYTE, ExtentKind.DATA).orElseThrow();
    SpareTable.Lent range = lending.ranges().get(0);
    assertThat(
            Extents.takeBack(
                lending.table(), new UUID(3, 3), range.offsetBytes(), range.lengthBytes()))
        .isEmpty();
  }
}
