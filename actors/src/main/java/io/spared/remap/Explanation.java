package io.spared.remap;

import io.spared.format.DeviceImage;
import io.spared.format.Geometry;
import io.spared.format.RemapEntries;
import java.time.Instant;
import java.util.Optional;

/** Where a sector of a device lives and what happened to its block, as a sentence for people. */
public final class Explanation {
  private Explanation() {}

  /** Why there is nothing to explain: the device has no such sector. */
  public static Optional<String> refusal(DeviceImage image, long sector) {
    long sectors = image.geometry().deviceBytes() / image.geometry().sectorBytes();
    return sector >= 0 && sector < sectors
        ? Optional.empty()
        : Optional.of(image.name() + " has sectors 0 to " + (sectors - 1));
  }

  public static long blockOf(DeviceImage image, long sector) {
    return sector / image.geometry().sectorsPerBlock();
  }

  /** What the entries say of a block, where they have no lookup of their own. */
  public static Lookup lookUp(RemapEntries entries, long block) {
    Lookup found = new Lookup();
    RemapEntries.Walk walk = entries.walk();
    while (walk.next()) {
      if (walk.block() == block) {
        found.pending = walk.isPending();
        found.place = walk.isPending() ? Place.MAIN : Place.of(walk.spare(), walk.slot());
        found.lostLow = walk.lostLow();
        found.lostHigh = walk.lostHigh();
        return found;
      }
    }
    return found;
  }

  public static String of(DeviceImage image, long sector, Lookup found) {
    Geometry geometry = image.geometry();
    long block = blockOf(image, sector);
    int inBlock = (int) (sector % geometry.sectorsPerBlock());
    StringBuilder text =
        new StringBuilder("sector " + sector + " is in block " + block + ", ")
            .append(where(image, sector, inBlock, found));
    image.events().stream()
        .filter(event -> event.block() == block)
        .forEach(event ->
            text.append("; ")
                .append(Instant.ofEpochMilli(event.timeMillis()))
                .append(' ')
                .append(event.text()));
    return text.toString();
  }

  private static String where(DeviceImage image, long sector, int inBlock, Lookup found) {
    Geometry geometry = image.geometry();
    if (found.pending) {
      return "on main, in a block with unreadable sectors"
          + (found.isLost(inBlock) ? ", this one among them" : "");
    }
    if (Place.isSlot(found.place)) {
      return "in "
          + Place.toString(found.place)
          + " at byte "
          + (Place.slot(found.place) * geometry.blockBytes()
              + (long) inBlock * geometry.sectorBytes())
          + (found.isLost(inBlock) ? "; its content is lost until it is written" : "");
    }
    return "on main at byte " + (image.main().dataOffsetBytes() + sector * geometry.sectorBytes());
  }
}
