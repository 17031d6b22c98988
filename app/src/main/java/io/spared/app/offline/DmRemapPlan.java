package io.spared.app.offline;

import io.spared.format.LostBits;
import java.util.ArrayList;
import java.util.Comparator;
import java.util.HashMap;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import java.util.TreeMap;

/**
 * What becomes of dm-remap's remaps, as a pure function of its best copy. An entry whose spare
 * sector cannot hold what was written (it overlaps the metadata, two entries share it, it was never
 * written, it lies outside of the spare) is quarantined by name: its sector reads as an error until
 * it is written, and nothing is ever served in its place.
 */
public record DmRemapPlan(
    DmRemapCopy best, Map<Long, BlockPlan> blocks, List<String> quarantined, List<String> remarks) {

  /** The metadata's own place: sectors below this are no data. */
  static final long METADATA_SECTORS = 1280;

  /**
   * One block of the new device.
   *
   * @param fromSpare sectors within the block, and the spare sector that holds each
   * @param lost sectors that read as errors until they are written
   */
  public record BlockPlan(Map<Integer, Long> fromSpare, LostBits lost) {
    public BlockPlan {
      fromSpare = Map.copyOf(fromSpare);
    }
  }

  public DmRemapPlan {
    blocks = new TreeMap<>(blocks);
    quarantined = List.copyOf(quarantined);
    remarks = List.copyOf(remarks);
  }

  /** The best of the copies: format A before B, then the highest sequence, then the timestamp. */
  public static Optional<DmRemapCopy> best(List<DmRemapCopy> copies) {
    return copies.stream()
        .max(
            Comparator.comparing((DmRemapCopy copy) -> copy.format() == DmRemapCopy.Format.A)
                .thenComparingLong(DmRemapCopy::sequence)
                .thenComparingLong(DmRemapCopy::timestamp));
  }

  /** Judges every entry. */
  public static DmRemapPlan of(
      DmRemapCopy best, long mainSectors, long spareSectors, int sectorsPerBlock) {
    List<String> remarks = new ArrayList<>();
    if (best.mainSectors() != 0 && best.mainSectors() != mainSectors) {
      remarks.add(
          "its metadata was written for a main disk of "
              + best.mainSectors()
              + " sectors, this one has "
              + mainSectors);
    }
    // Later entries for the same original sector win.
    Map<Long, DmRemapCopy.Entry> latest = new TreeMap<>();
    for (DmRemapCopy.Entry entry : best.entries()) {
      latest.put(entry.originalSector(), entry);
    }
    Map<Long, Integer> users = new HashMap<>();
    for (DmRemapCopy.Entry entry : latest.values()) {
      users.merge(entry.spareSector(), 1, Integer::sum);
    }
    Map<Long, Map<Integer, Long>> from = new TreeMap<>();
    Map<Long, LostBits> lost = new TreeMap<>();
    List<String> quarantined = new ArrayList<>();
    for (DmRemapCopy.Entry entry : latest.values()) {
      if (entry.originalSector() < 0 || entry.originalSector() >= mainSectors) {
        remarks.add(
            "sector " + entry.originalSector() + " is beyond the main disk; its entry is dropped");
        continue;
      }
      long block = entry.originalSector() / sectorsPerBlock;
      int sector = (int) (entry.originalSector() % sectorsPerBlock);
      Optional<String> trouble =
          trouble(entry, spareSectors, users.getOrDefault(entry.spareSector(), 0));
      if (trouble.isEmpty()) {
        from.computeIfAbsent(block, b -> new TreeMap<>()).put(sector, entry.spareSector());
      } else {
        quarantined.add("sector " + entry.originalSector() + ": " + trouble.get());
        lost.merge(block, LostBits.range(sector, 1), LostBits::plus);
      }
    }
    Map<Long, BlockPlan> blocks = new TreeMap<>();
    from.forEach((block, sectors) ->
        blocks.put(block, new BlockPlan(sectors, lost.getOrDefault(block, LostBits.NONE))));
    lost.forEach((block, bits) -> blocks.putIfAbsent(block, new BlockPlan(Map.of(), bits)));
    return new DmRemapPlan(best, blocks, quarantined, remarks);
  }

  private static Optional<String> trouble(
      DmRemapCopy.Entry entry, long spareSectors, int sharedBy) {
    if (entry.isPending()) {
      return Optional.of("its remap was pending, so its spare sector never held data");
    }
    if (entry.spareSector() < METADATA_SECTORS) {
      return Optional.of(
          "its spare sector " + entry.spareSector() + " lies within dm-remap's own metadata");
    }
    if (entry.spareSector() >= spareSectors) {
      return Optional.of(
          "its spare sector " + entry.spareSector() + " is beyond the end of the spare");
    }
    if (sharedBy > 1) {
      return Optional.of(
          "its spare sector " + entry.spareSector() + " is shared by " + sharedBy + " remaps");
    }
    return Optional.empty();
  }
}
