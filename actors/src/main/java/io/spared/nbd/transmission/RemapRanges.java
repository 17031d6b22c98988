package io.spared.nbd.transmission;

import io.spared.format.Geometry;
import io.spared.nbd.negotiation.MetaContexts;
import io.spared.remap.Lookup;
import io.spared.remap.Place;
import io.spared.remap.RemapTable;

/**
 * The state of a device's ranges as spared:remap tells it: neighbours of one state are one range,
 * and a sector that is lost stands for itself. A description made while blocks move is true of each
 * block at the moment it was looked up.
 */
final class RemapRanges {
  private final RemapTable table;
  private final Geometry geometry;
  private final Lookup lookup = new Lookup();
  private final long[] lengths;
  private final int[] states;
  private int count;
  private long endBytes;

  RemapRanges(RemapTable table, Geometry geometry, int rangesMax) {
    this.table = table;
    this.geometry = geometry;
    this.lengths = new long[rangesMax];
    this.states = new int[rangesMax];
  }

  int count() {
    return count;
  }

  long lengthBytes(int range) {
    return lengths[range];
  }

  int state(int range) {
    return states[range];
  }

  /** Describes the range from its begin, with so many ranges or up to its end. */
  void describe(long offsetBytes, long lengthBytes, int rangesMax, long rangeBytesMax) {
    int blockBytes = geometry.blockBytes();
    long end = offsetBytes + lengthBytes;
    int bound = Math.min(rangesMax, lengths.length);
    count = 0;
    endBytes = offsetBytes;
    long at = offsetBytes;
    while (at < end) {
      long block = table.findNext(at / blockBytes, (end - 1) / blockBytes, lookup);
      long blockStart = block < 0 ? end : Math.max(at, block * blockBytes);
      if (blockStart > at && !add(0, blockStart, bound, rangeBytesMax)) {
        return;
      }
      if (block < 0) {
        return;
      }
      long blockEnd = Math.min(end, (block + 1) * blockBytes);
      if (!addBlock(block, blockStart, blockEnd, bound, rangeBytesMax)) {
        return;
      }
      at = blockEnd;
    }
  }

  private boolean addBlock(long block, long from, long to, int bound, long rangeBytesMax) {
    boolean remapped = Place.isSlot(lookup.place);
    int whole = remapped ? MetaContexts.STATE_REMAPPED : 0;
    whole |= lookup.pending ? MetaContexts.STATE_PENDING : 0;
    if (!remapped || !lookup.hasLost()) {
      return add(whole, to, bound, rangeBytesMax);
    }
    int sectorBytes = geometry.sectorBytes();
    long blockStart = block * geometry.blockBytes();
    for (long at = from; at < to; at += sectorBytes) {
      boolean lost = lookup.isLost((int) ((at - blockStart) / sectorBytes));
      int state = whole | (lost ? MetaContexts.STATE_LOST : 0);
      if (!add(state, at + sectorBytes, bound, rangeBytesMax)) {
        return false;
      }
    }
    return true;
  }

  /** Continues the description up to an offset; false when there is no room for more ranges. */
  private boolean add(int state, long toBytes, int bound, long rangeBytesMax) {
    while (endBytes < toBytes) {
      boolean joins = count > 0 && states[count - 1] == state && lengths[count - 1] < rangeBytesMax;
      if (!joins) {
        if (count == bound) {
          return false;
        }
        lengths[count] = 0;
        states[count] = state;
        count++;
      }
      long grow = Math.min(toBytes - endBytes, rangeBytesMax - lengths[count - 1]);
      lengths[count - 1] += grow;
      endBytes += grow;
    }
    return true;
  }
}
