package io.spared.device;

import io.spared.format.Geometry;
import io.spared.format.RemapEntries;
import java.util.ArrayList;
import java.util.Comparator;
import java.util.List;
import java.util.PriorityQueue;
import java.util.Set;

/**
 * What is lost with spares that are given up: the blocks that the map has there, since they are
 * nowhere else. Pure; told in sectors, as programs know them.
 *
 * @param ranges of sectors, the lowest; with {@code more} there are others
 */
record BlocksLost(long blocks, long sectors, List<String> ranges, boolean more) {
  private static final int RANGES_TOLD = 16;
  private static final int BLOCKS_SORTED_MAX = 4096;

  BlocksLost {
    ranges = List.copyOf(ranges);
  }

  static BlocksLost with(Set<Integer> spares, Geometry geometry, RemapEntries entries) {
    // Bounded, whatever the number of blocks: the lowest of them.
    PriorityQueue<Long> lowest = new PriorityQueue<>(Comparator.reverseOrder());
    long blocks = 0;
    long sectors = 0;
    RemapEntries.Walk walk = entries.walk();
    while (walk.next()) {
      if (walk.isPending() || !spares.contains(walk.spare())) {
        continue;
      }
      blocks++;
      sectors += end(walk.block(), geometry) - walk.block() * geometry.sectorsPerBlock();
      lowest.add(walk.block());
      if (lowest.size() > BLOCKS_SORTED_MAX) {
        lowest.remove();
      }
    }
    List<Long> sorted = lowest.stream().sorted().toList();
    List<String> ranges = new ArrayList<>();
    boolean more = blocks > sorted.size();
    for (int i = 0; i < sorted.size(); ) {
      int last = i;
      while (last + 1 < sorted.size() && sorted.get(last + 1) == sorted.get(last) + 1) {
        last++;
      }
      if (ranges.size() == RANGES_TOLD) {
        more = true;
        break;
      }
      long first = sorted.get(i) * geometry.sectorsPerBlock();
      ranges.add(first + "-" + (end(sorted.get(last), geometry) - 1));
      i = last + 1;
    }
    return new BlocksLost(blocks, sectors, ranges, more);
  }

  private static long end(long block, Geometry geometry) {
    return Math.min(
        (block + 1) * geometry.sectorsPerBlock(), geometry.deviceBytes() / geometry.sectorBytes());
  }

  /** "40 blocks, which are sectors 80-399 (320 in all)". */
  @Override
  public String toString() {
    if (blocks == 0) {
      return "no block";
    }
    return blocks
        + (blocks == 1 ? " block, sectors " : " blocks, sectors ")
        + String.join(", ", ranges)
        + (more ? ", ..." : "")
        + " ("
        + sectors
        + " in all)";
  }
}
