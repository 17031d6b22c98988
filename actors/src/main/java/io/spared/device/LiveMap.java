package io.spared.device;

import io.spared.format.Change;
import io.spared.format.DeviceImage;
import io.spared.format.Extent;
import io.spared.format.ExtentKind;
import io.spared.format.LostBits;
import io.spared.format.Position;
import io.spared.format.RemapEntries;
import io.spared.remap.Lookup;
import io.spared.remap.Place;
import io.spared.remap.RemapTable;
import io.spared.remap.Slots;
import java.util.List;

/**
 * The map of a device that serves: its image, the table that queues read, and its slots.
 *
 * <p>It changes in one place, {@link #apply}, and only by what is durable on a quorum: the image,
 * and with it the table, then what is published to the readers. So no reader ever sees a remap that
 * a restart could forget (invariant 4). A slot goes from held to used in the same step in which its
 * remap is applied; one whose commit is indeterminate stays held until that is resolved.
 */
final class LiveMap {
  private final DeviceImage image;
  private final RemapTable table;
  private final Slots slots;
  private final Lookup lookup = new Lookup();
  private long lostSectors;
  private long relocations;

  LiveMap(DeviceImage image, RemapTable table) {
    this.image = image;
    this.table = table;
    this.slots = new Slots(table, image.geometry().blockBytes());
    loadSlots();
  }

  private void loadSlots() {
    for (Extent extent : image.extents()) {
      if (extent.kind() == ExtentKind.DATA) {
        slots.lend(extent);
      }
    }
    RemapEntries.Walk walk = table.walk();
    while (walk.next()) {
      if (!walk.isPending()) {
        slots.loadUsed(walk.spare(), walk.slot());
        lostSectors += Long.bitCount(walk.lostLow()) + Long.bitCount(walk.lostHigh());
      }
    }
    for (int spare : image.spares().keySet()) {
      for (long slot : image.retiredSlots(spare)) {
        slots.loadRetired(spare, slot);
      }
    }
  }

  DeviceImage image() {
    return image;
  }

  RemapTable table() {
    return table;
  }

  Slots slots() {
    return slots;
  }

  /** What is durable becomes visible, slots follow, and lost sectors are counted. */
  void apply(Position position, List<Change> changes) {
    for (Change change : changes) {
      switch (change) {
        case Change.Remapped remapped -> {
          countLost(remapped.block(), remapped.lost());
          long place = Place.of(remapped.spare(), remapped.slot());
          if (slots.isHeld(place)) {
            slots.use(place);
          }
        }
        case Change.LostChanged lost -> countLost(lost.block(), lost.lost());
        default -> {}
      }
    }
    image.apply(position, changes);
    table.publish();
  }

  private void countLost(long block, LostBits now) {
    if (table.find(block, lookup) && !lookup.pending) {
      lostSectors -= Long.bitCount(lookup.lostLow) + Long.bitCount(lookup.lostHigh);
    }
    lostSectors += now.count();
  }

  /** For status: a block was moved. */
  void blockMoved() {
    relocations++;
  }

  DeviceStatus.Remaps remaps() {
    Slots.Usage usage = slots.usage();
    return new DeviceStatus.Remaps(
        table.remapCount(),
        lostSectors,
        table.pendingCount(),
        usage.retired(),
        usage.free(),
        usage.lent(),
        relocations);
  }
}
