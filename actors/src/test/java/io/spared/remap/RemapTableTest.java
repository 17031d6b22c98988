package io.spared.remap;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import io.spared.format.LostBits;
import io.spared.format.RemapEntries;
import io.spared.sim.SimRandom;
import java.lang.reflect.Field;
import java.util.Arrays;
import java.util.HashMap;
import java.util.Map;
import java.util.TreeMap;
import java.util.concurrent.atomic.AtomicBoolean;
import java.util.concurrent.atomic.AtomicReference;
import org.jspecify.annotations.Nullable;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.ValueSource;

class RemapTableTest {
  @ParameterizedTest
  @ValueSource(ints = {1, 8, 16, 32, 128})
  void theTableSaysOfEveryBlockWhatAPlainMapSays(int sectorsPerBlock) {
    for (long seed = 0; seed < 3; seed++) {
      new TableModel(seed * 131 + sectorsPerBlock, sectorsPerBlock).run(10_000);
    }
  }

  @Test
  void anEmptyTableIsCleanEverywhereAndBecomesCleanAgain() {
    RemapTable table = new RemapTable(1 << 20, 8);
    assertThat(table.isClean(0, (1 << 20) - 1)).isTrue();
    table.put(77, 0, 1, 0, 0);
    assertThat(table.isClean(0, 1 << 10)).isFalse();
    assertThat(table.isClean(1 << 18, (1 << 20) - 1)).isTrue();
    table.remove(77);
    assertThat(table.isClean(0, (1 << 20) - 1)).isTrue();
  }

  @Test
  void aWalkSeesTheTableOfItsBeginningWhateverChangesMeanwhile() {
    RemapTable table = new RemapTable(1 << 20, 8);
    for (long block = 0; block < 5000; block++) {
      table.put(block, 1, block, 0, 0);
    }
    table.publish();
    RemapEntries.Walk walk = table.walk();
    Map<Long, Long> seen = new HashMap<>();
    long changed = 0;
    while (walk.next()) {
      assertThat(seen.put(walk.block(), walk.slot())).isNull();
      table.put(5000 + changed, 1, 1, 0, 0);
      table.put(changed % 5000, 2, 99_999, 0, 0);
      changed++;
    }
    assertThat(seen).hasSize(5000);
    seen.forEach((block, slot) -> assertThat(slot).isEqualTo(block));
  }

  @ParameterizedTest
  @ValueSource(ints = {8, 128})
  void aReaderNeverSeesThePlaceOfOneChangeWithTheLostBitsOfAnother(int sectorsPerBlock)
      throws Exception {
    RemapTable table = new RemapTable(1 << 16, sectorsPerBlock);
    for (long block = 0; block < 2000; block++) {
      put(table, block, 0);
    }
    table.publish();
    AtomicBoolean over = new AtomicBoolean();
    AtomicReference<@Nullable String> wrong = new AtomicReference<>();
    Thread reader =
        Thread.ofPlatform()
            .start(() -> {
              Lookup mine = new Lookup();
              SimRandom random = new SimRandom(5);
              while (!over.get()) {
                long block = random.below(2000L);
                boolean found = table.find(block, mine);
                long slot = found ? Place.slot(mine.place) : -1;
                if (!found
                    || slot % 2000 != block
                    || mine.lostLow != lostLow(slot, sectorsPerBlock)
                    || mine.lostHigh != lostHigh(slot, sectorsPerBlock)) {
                  wrong.set("block " + block + " on " + Place.toString(mine.place));
                  return;
                }
              }
            });
    SimRandom random = new SimRandom(6);
    for (int step = 0; step < 200_000; step++) {
      put(table, random.below(2000L), random.below(1 << 20));
      if (step % 8 == 0) {
        // Makes segments grow and split under the reader.
        table.put(2000 + random.below(60_000L), 1, 1, 0, 0);
      }
    }
    over.set(true);
    reader.join();
    assertThat(wrong.get()).isNull();
  }

  /**
   * A reader may see the hint of one segment with another one beside it: whatever the hint says,
   * lookups say the same.
   */
  @ParameterizedTest
  @ValueSource(ints = {8, 128})
  void aBucketCountOfAnotherSegmentLeadsNoLookupAstray(int sectorsPerBlock) throws Exception {
    RemapTable table = new RemapTable(1 << 20, sectorsPerBlock);
    for (long block = 0; block < 1500; block++) {
      put(table, 7 * block, 0);
    }
    Field directory = RemapTable.class.getDeclaredField("directory");
    directory.setAccessible(true);
    Field buckets = directory.getType().getDeclaredField("buckets");
    buckets.setAccessible(true);
    byte[] hints = (byte[]) buckets.get(directory.get(table));
    Lookup mine = new Lookup();
    for (int hint = 0; hint < 256; hint++) {
      Arrays.fill(hints, (byte) hint);
      for (long block = 0; block < 3000; block++) {
        boolean found = table.find(block, mine);
        assertThat(found).as("block %s, hint %s", block, hint).isEqualTo(block % 7 == 0);
        if (found) {
          assertThat(Place.slot(mine.place)).isEqualTo(block);
        }
      }
    }
  }

  private static void put(RemapTable table, long block, long round) {
    long slot = round * 2000 + block;
    int sectors = table.sectorsPerBlock();
    table.put(block, 3, slot, lostLow(slot, sectors), lostHigh(slot, sectors));
  }

  private static long lostLow(long slot, int sectors) {
    return SimRandom.mix(slot) & LostBits.first(sectors).low();
  }

  private static long lostHigh(long slot, int sectors) {
    return SimRandom.mix(~slot) & LostBits.first(sectors).high();
  }

  @Test
  void anEntryCostsAtMost32BytesOfHeapAtEverySizeFromTenThousandOn() {
    RemapTable table = new RemapTable(1L << 32, 8);
    table.beginLoading();
    SimRandom random = new SimRandom(9);
    for (int count = 1; count <= 1_500_000; count++) {
      table.put(random.below(1L << 32), 0, count, 0, 0);
      if (count >= 10_000 && count % 10_000 == 0) {
        assertThat((double) table.heapBytes() / table.remapCount()).isLessThan(32);
      }
    }
  }

  @ParameterizedTest
  @ValueSource(ints = {10_000, 23_000, 75_000, 312_000, 605_000})
  void anEntryCostsAsLittleWhereItsNumberWasKnownBefore(int count) {
    RemapTable table = new RemapTable(1L << 32, 8);
    table.beginLoading();
    table.expect(count);
    SimRandom random = new SimRandom(10);
    for (int i = 0; i < count; i++) {
      table.put(random.below(1L << 32), 0, i, 0, 0);
    }
    assertThat((double) table.heapBytes() / table.remapCount()).isLessThan(32);
  }

  @Test
  void whatIsNotOfTheDeviceIsRefused() {
    RemapTable table = new RemapTable(100, 8);
    assertThatThrownBy(() -> table.put(100, 0, 0, 0, 0))
        .isInstanceOf(IllegalArgumentException.class);
    assertThatThrownBy(() -> table.put(5, 0, 0, 0x1_0000, 0))
        .isInstanceOf(IllegalArgumentException.class);
  }

  @Test
  void theTableIsLoadedOnlyWhileNobodyReads() {
    RemapTable table = new RemapTable(100, 8);
    TableReader reader = table.newReader();
    assertThatThrownBy(table::beginLoading).isInstanceOf(IllegalStateException.class);
    reader.close();
    table.beginLoading();
  }

  @Test
  void theOldestVersionInUseIsThatOfTheOldestUnfinishedLookup() {
    RemapTable table = new RemapTable(100, 8);
    TableReader busy = table.newReader();
    TableReader idle = table.newReader();
    long first = busy.begin();
    long second = table.publish();
    assertThat(busy.begin()).isEqualTo(second);
    table.publish();
    idle.refresh();
    assertThat(table.oldestInUse()).isEqualTo(first);
    busy.end(first);
    assertThat(table.oldestInUse()).isEqualTo(second);
    busy.end(second);
    busy.refresh();
    assertThat(table.oldestInUse()).isEqualTo(table.version());
  }

  @Test
  void aReaderWithManyGenerationsKeepsThemApart() {
    RemapTable table = new RemapTable(100, 8);
    TableReader reader = table.newReader();
    SimRandom random = new SimRandom(11);
    TreeMap<Long, Integer> model = new TreeMap<>();
    for (int step = 0; step < 50_000; step++) {
      if (random.chance(0.2)) {
        table.publish();
      }
      if (model.isEmpty() || random.chance(0.5)) {
        model.merge(reader.begin(), 1, Integer::sum);
      } else {
        long[] versions = model.keySet().stream().mapToLong(v -> v).toArray();
        long version = versions[random.below(versions.length)];
        reader.end(version);
        model.computeIfPresent(version, (v, count) -> count == 1 ? null : count - 1);
      }
      if (!model.isEmpty()) {
        assertThat(reader.oldestInUse()).isLessThanOrEqualTo(model.firstKey());
        reader.refresh();
        assertThat(reader.oldestInUse()).isEqualTo(model.firstKey());
      }
      assertThat(reader.isIdle()).isEqualTo(model.isEmpty());
    }
  }
}
