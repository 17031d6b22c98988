package io.spared.remap;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import io.spared.format.LostBits;
import io.spared.format.RemapEntries;
import io.spared.sim.SimRandom;
import java.util.HashMap;
import java.util.Map;
import java.util.NavigableMap;
import java.util.TreeMap;
import java.util.concurrent.atomic.AtomicBoolean;
import java.util.concurrent.atomic.AtomicReference;
import org.jspecify.annotations.Nullable;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.ValueSource;

class RemapTableTest {
  /** What the table should say of a block: a place, or pending. */
  private record Entry(long place, LostBits lost) {}

  private final Lookup lookup = new Lookup();

  @ParameterizedTest
  @ValueSource(ints = {1, 8, 16, 32, 128})
  void theTableSaysOfEveryBlockWhatAPlainMapSays(int sectorsPerBlock) {
    for (long seed = 0; seed < 3; seed++) {
      SimRandom random = new SimRandom(seed * 131 + sectorsPerBlock);
      long blocks = 1 + random.logUniform(100, 3_000_000);
      RemapTable table = new RemapTable(blocks, sectorsPerBlock);
      TreeMap<Long, Entry> model = new TreeMap<>();
      if (random.nextBoolean()) {
        table.beginLoading();
      }
      long center = random.below(blocks);
      for (int step = 0; step < 10_000; step++) {
        if (random.chance(0.001)) {
          center = random.below(blocks);
        }
        long block =
            random.chance(0.7)
                ? Math.min(blocks - 1, center + random.below(200))
                : random.below(blocks);
        change(random, table, model, block, sectorsPerBlock);
        if (random.chance(0.01)) {
          table.publish();
        }
        check(table, model, block);
        check(table, model, random.below(blocks));
        if (random.chance(0.02)) {
          checkRange(table, model, block, Math.min(blocks - 1, block + random.below(1000)));
        }
      }
      assertThat(table.remapCount())
          .isEqualTo(model.values().stream().filter(e -> e.place != Place.MAIN).count());
      assertThat(table.pendingCount())
          .isEqualTo(model.values().stream().filter(e -> e.place == Place.MAIN).count());
      assertThat(walked(table)).isEqualTo(model);
    }
  }

  private static void change(
      SimRandom random, RemapTable table, Map<Long, Entry> model, long block, int sectorsPerBlock) {
    LostBits lost =
        random.nextBoolean()
            ? LostBits.NONE
            : new LostBits(random.nextLong(), random.nextLong())
                .and(LostBits.first(sectorsPerBlock));
    Entry now = model.get(block);
    boolean remapped = now != null && now.place != Place.MAIN;
    switch (random.below(6)) {
      case 0, 1, 2 -> {
        int spare = random.below(64);
        long slot = random.below(1L << Place.SLOT_BITS);
        table.put(block, spare, slot, lost.low(), lost.high());
        model.put(block, new Entry(Place.of(spare, slot), lost));
      }
      case 3 -> {
        table.putPending(block, lost.low(), lost.high());
        if (!remapped) {
          model.put(block, new Entry(Place.MAIN, lost));
        }
      }
      case 4 -> {
        table.setLost(block, lost.low(), lost.high());
        if (now != null && remapped) {
          model.put(block, new Entry(now.place, lost));
        }
      }
      default -> {
        if (random.nextBoolean()) {
          table.remove(block);
          if (remapped) {
            model.remove(block);
          }
        } else {
          table.removePending(block);
          if (!remapped) {
            model.remove(block);
          }
        }
      }
    }
  }

  private void check(RemapTable table, Map<Long, Entry> model, long block) {
    Entry expected = model.get(block);
    assertThat(table.find(block, lookup)).isEqualTo(expected != null);
    checkLookup(expected);
    if (expected != null) {
      assertThat(table.isClean(block, block)).isFalse();
    }
  }

  private void checkLookup(@Nullable Entry expected) {
    assertThat(lookup.place).isEqualTo(expected == null ? Place.MAIN : expected.place);
    assertThat(lookup.pending).isEqualTo(expected != null && expected.place == Place.MAIN);
    assertThat(new LostBits(lookup.lostLow, lookup.lostHigh))
        .isEqualTo(expected == null ? LostBits.NONE : expected.lost);
  }

  private void checkRange(
      RemapTable table, NavigableMap<Long, Entry> model, long first, long last) {
    Map.Entry<Long, Entry> next = model.ceilingEntry(first);
    long expected = next == null || next.getKey() > last ? -1 : next.getKey();
    assertThat(table.findNext(first, last, lookup)).isEqualTo(expected);
    checkLookup(expected < 0 || next == null ? null : next.getValue());
    if (expected >= 0) {
      assertThat(table.isClean(first, last)).isFalse();
    }
  }

  private static Map<Long, Entry> walked(RemapTable table) {
    Map<Long, Entry> seen = new TreeMap<>();
    RemapEntries.Walk walk = table.walk();
    while (walk.next()) {
      long place = walk.isPending() ? Place.MAIN : Place.of(walk.spare(), walk.slot());
      seen.put(walk.block(), new Entry(place, new LostBits(walk.lostLow(), walk.lostHigh())));
    }
    return seen;
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
