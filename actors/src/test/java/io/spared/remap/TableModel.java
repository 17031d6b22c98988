package io.spared.remap;

import static org.assertj.core.api.Assertions.assertThat;

import io.spared.format.LostBits;
import io.spared.format.RemapEntries;
import io.spared.sim.SimRandom;
import java.util.Map;
import java.util.NavigableMap;
import java.util.TreeMap;
import org.jspecify.annotations.Nullable;

/**
 * A plain map beside a table: after every change, of a seed's own choice, both say the same of the
 * block that was changed and of another, and now and then of a whole range.
 */
public final class TableModel {
  /** What the table should say of a block: a place, or pending. */
  private record Entry(long place, LostBits lost) {}

  private final SimRandom random;
  private final int sectorsPerBlock;
  private final long blocks;
  private final RemapTable table;
  private final TreeMap<Long, Entry> model = new TreeMap<>();
  private final Lookup lookup = new Lookup();

  public TableModel(long seed, int sectorsPerBlock) {
    this.random = new SimRandom(seed);
    this.sectorsPerBlock = sectorsPerBlock;
    this.blocks = 1 + random.logUniform(100, 3_000_000);
    this.table = new RemapTable(blocks, sectorsPerBlock);
  }

  public void run(int steps) {
    if (random.nextBoolean()) {
      table.beginLoading();
      if (random.nextBoolean()) {
        table.expect(random.logUniform(1, 100_000));
      }
    }
    long center = random.below(blocks);
    for (int step = 0; step < steps; step++) {
      if (random.chance(0.001)) {
        center = random.below(blocks);
      }
      long block =
          random.chance(0.7)
              ? Math.min(blocks - 1, center + random.below(200))
              : random.below(blocks);
      change(block);
      if (random.chance(0.01)) {
        table.publish();
      }
      check(block);
      check(random.below(blocks));
      if (random.chance(0.02)) {
        checkRange(block, Math.min(blocks - 1, block + random.below(1000)));
      }
    }
    assertThat(table.remapCount())
        .isEqualTo(model.values().stream().filter(e -> e.place != Place.MAIN).count());
    assertThat(table.pendingCount())
        .isEqualTo(model.values().stream().filter(e -> e.place == Place.MAIN).count());
    assertThat(walked()).isEqualTo(model);
  }

  private void change(long block) {
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

  private void check(long block) {
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

  private void checkRange(long first, long last) {
    NavigableMap<Long, Entry> sorted = model;
    Map.Entry<Long, Entry> next = sorted.ceilingEntry(first);
    long expected = next == null || next.getKey() > last ? -1 : next.getKey();
    assertThat(table.findNext(first, last, lookup)).isEqualTo(expected);
    checkLookup(expected < 0 || next == null ? null : next.getValue());
    if (expected >= 0) {
      assertThat(table.isClean(first, last)).isFalse();
    }
  }

  private Map<Long, Entry> walked() {
    Map<Long, Entry> seen = new TreeMap<>();
    RemapEntries.Walk walk = table.walk();
    while (walk.next()) {
      long place = walk.isPending() ? Place.MAIN : Place.of(walk.spare(), walk.slot());
      seen.put(walk.block(), new Entry(place, new LostBits(walk.lostLow(), walk.lostHigh())));
    }
    return seen;
  }
}
