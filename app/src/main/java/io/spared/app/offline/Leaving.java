package io.spared.app.offline;

import io.spared.ffi.disk.DiskAddress;
import io.spared.format.DeviceImage;
import io.spared.format.LostBits;
import io.spared.format.MainLabel;
import io.spared.format.RemapEntries;
import java.util.ArrayList;
import java.util.List;
import java.util.Map;
import java.util.TreeMap;

/**
 * A device-mapper table that serves a device with no spared at all: linear segments for main and
 * for slots, error segments for lost sectors. It covers the device without gap or overlap, from
 * sector 0 to its end.
 */
public final class Leaving {
  private static final int DM_SECTOR_BYTES = 512;

  private Leaving() {}

  /** A run of the device. */
  record Segment(long startSector, long sectors, String target) {}

  /** A disk, and where the spare begins on it: a tail begins somewhere. */
  public record SparePath(String path, long firstSector) {
    /** Of an open spare. */
    public static SparePath of(OfflineDisk spare, long mainBytes) {
      DiskAddress address = spare.disk().address();
      while (address instanceof DiskAddress.OfFault fault) {
        address = fault.inner();
      }
      return address instanceof DiskAddress.OfTail tail
          ? new SparePath(
              tail.whole().toString(),
              (MainLabel.offsetBytes(mainBytes) - tail.sizeBytes()) / DM_SECTOR_BYTES)
          : new SparePath(spare.disk().address().toString(), 0);
    }
  }

  /** Where a block lives. */
  private record Target(int spare, long slot, LostBits lost) {}

  /**
   * The table, one segment a line.
   *
   * @param main the path of the main disk
   * @param spares where the spares are, by index
   */
  public static List<String> dmsetup(DeviceImage image, String main, Map<Integer, SparePath> spares)
      throws OfflineException {
    List<String> lines = new ArrayList<>();
    for (Segment segment : segments(image, main, spares)) {
      lines.add(segment.startSector() + " " + segment.sectors() + " " + segment.target());
    }
    return lines;
  }

  static List<Segment> segments(DeviceImage image, String main, Map<Integer, SparePath> spares)
      throws OfflineException {
    TreeMap<Long, Target> remaps = new TreeMap<>();
    RemapEntries.Walk walk = image.entries().walk();
    while (walk.next()) {
      if (!walk.isPending()) {
        remaps.put(
            walk.block(),
            new Target(walk.spare(), walk.slot(), new LostBits(walk.lostLow(), walk.lostHigh())));
      }
    }
    long unitsPerBlock = image.geometry().blockBytes() / DM_SECTOR_BYTES;
    long unitsPerSector = image.geometry().sectorBytes() / DM_SECTOR_BYTES;
    long end = image.geometry().deviceBytes() / DM_SECTOR_BYTES;
    long mainOffset = image.main().dataOffsetBytes() / DM_SECTOR_BYTES;
    List<Segment> segments = new ArrayList<>();
    long at = 0;
    for (Map.Entry<Long, Target> entry : remaps.entrySet()) {
      long start = entry.getKey() * unitsPerBlock;
      if (start > at) {
        segments.add(new Segment(at, start - at, "linear " + main + " " + (mainOffset + at)));
      }
      Target target = entry.getValue();
      SparePath spare = spares.get(target.spare());
      if (spare == null) {
        throw new OfflineException(
            "block "
                + entry.getKey()
                + " lives on spare "
                + target.spare()
                + "; name its disk too");
      }
      long blockEnd = Math.min(end, start + unitsPerBlock);
      block(segments, target, spare, start, blockEnd, unitsPerBlock, unitsPerSector);
      at = blockEnd;
    }
    if (at < end) {
      segments.add(new Segment(at, end - at, "linear " + main + " " + (mainOffset + at)));
    }
    return segments;
  }

  /** Runs of kept and of lost sectors within one block. */
  private static void block(
      List<Segment> segments,
      Target target,
      SparePath spare,
      long start,
      long blockEnd,
      long unitsPerBlock,
      long unitsPerSector) {
    long at = start;
    while (at < blockEnd) {
      boolean lost = target.lost().isLost((int) ((at - start) / unitsPerSector));
      long runEnd = at;
      while (runEnd < blockEnd
          && target.lost().isLost((int) ((runEnd - start) / unitsPerSector)) == lost) {
        runEnd += unitsPerSector;
      }
      segments.add(
          new Segment(
              at,
              runEnd - at,
              lost
                  ? "error"
                  : "linear "
                      + spare.path()
                      + " "
                      + (spare.firstSector() + target.slot() * unitsPerBlock + at - start)));
      at = runEnd;
    }
  }
}
