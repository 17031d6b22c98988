package io.spared.queue;

import io.spared.format.Geometry;
import io.spared.remap.Lookup;
import io.spared.remap.Place;
import io.spared.remap.RemapTable;

/**
 * Cuts a request's range into pieces that are each treated in one way (invariant 3). Filled in
 * place: cutting allocates nothing.
 *
 * <p>The argument that no byte goes to another block's place: a piece that is longer than its block
 * is only made of blocks that the table does not know, which are on main at their own offsets; a
 * piece of a block that the table knows ends with that block at the latest, and its offset within
 * the slot is its offset within the block.
 */
final class Cut {
  /** What is to be done with a piece. */
  enum Treatment {
    /** Read, write or discard it at its place. */
    TRANSFER,
    /** A read of sectors that are lost, or known to be unreadable: an error at once. */
    ERROR,
    /** A write for the relocator: on a pending block, or over lost sectors. */
    RELOCATE,
    /** A discard that promises nothing: blocks that were moved keep what they hold. */
    NOTHING
  }

  private final RemapTable table;
  private final int blockBytes;
  private final int blockShift;
  private final int sectorShift;
  private final Lookup lookup = new Lookup();

  Treatment treatment = Treatment.TRANSFER;
  long place = Place.MAIN;

  /** Where the piece ends, in the device. */
  long endBytes;

  Cut(RemapTable table, Geometry geometry) {
    this.table = table;
    this.blockBytes = geometry.blockBytes();
    this.blockShift = Integer.numberOfTrailingZeros(geometry.blockBytes());
    this.sectorShift = Integer.numberOfTrailingZeros(geometry.sectorBytes());
  }

  /** The first piece of what lies between from and end. */
  void next(DeviceRequest.Operation operation, long fromBytes, long toBytes) {
    long block = fromBytes >>> blockShift;
    long lastBlock = (toBytes - 1) >>> blockShift;
    if (table.isClean(block, lastBlock)) {
      clean(toBytes);
      return;
    }
    if (!table.find(block, lookup)) {
      long known = table.findNext(block + 1, lastBlock, lookup);
      clean(known < 0 ? toBytes : known << blockShift);
      return;
    }
    place = lookup.place;
    endBytes = Math.min(toBytes, (block + 1) << blockShift);
    switch (operation) {
      case READ -> cutRead(fromBytes);
      case WRITE, WRITE_ZEROES ->
          treatment =
              lookup.pending || lostSectorsAmong(fromBytes, endBytes)
                  ? Treatment.RELOCATE
                  : Treatment.TRANSFER;
      case DISCARD -> treatment = Treatment.NOTHING;
      case FLUSH -> throw new IllegalStateException("a flush has no range");
    }
  }

  private void clean(long toBytes) {
    treatment = Treatment.TRANSFER;
    place = Place.MAIN;
    endBytes = toBytes;
  }

  /** A run of sectors that are all lost, or all not. */
  private void cutRead(long fromBytes) {
    if (!lookup.hasLost()) {
      treatment = Treatment.TRANSFER;
      return;
    }
    int first = sectorOf(fromBytes);
    int end = first + (int) ((endBytes - fromBytes) >>> sectorShift);
    boolean lost = lookup.isLost(first);
    int sector = first + 1;
    while (sector < end && lookup.isLost(sector) == lost) {
      sector++;
    }
    treatment = lost ? Treatment.ERROR : Treatment.TRANSFER;
    endBytes = fromBytes + ((long) (sector - first) << sectorShift);
  }

  private boolean lostSectorsAmong(long fromBytes, long toBytes) {
    if (!lookup.hasLost()) {
      return false;
    }
    int first = sectorOf(fromBytes);
    int end = first + (int) ((toBytes - fromBytes) >>> sectorShift);
    for (int sector = first; sector < end; sector++) {
      if (lookup.isLost(sector)) {
        return true;
      }
    }
    return false;
  }

  private int sectorOf(long offsetBytes) {
    return (int) (offsetBytes & (blockBytes - 1)) >>> sectorShift;
  }
}
