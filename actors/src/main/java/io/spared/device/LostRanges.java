package io.spared.device;

import io.spared.format.Extent;
import io.spared.spare.SpareReply;
import java.util.ArrayList;
import java.util.Collection;
import java.util.List;
import java.util.UUID;

/**
 * Ranges that a spare has lent to a device which does not know of them: lent, or forgotten, just
 * before a crash. Pure.
 */
final class LostRanges {
  private LostRanges() {}

  /**
   * What is lent to the device and not among these.
   *
   * @param known by offset, without overlaps
   */
  static List<Extent> of(UUID deviceId, List<SpareReply.Lending> lent, Collection<Extent> known) {
    List<Extent> lost = new ArrayList<>();
    for (SpareReply.Lending range : lent) {
      if (!range.deviceId().equals(deviceId)) {
        continue;
      }
      long at = range.offsetBytes();
      long end = range.offsetBytes() + range.lengthBytes();
      for (Extent extent : known) {
        if (extent.endBytes() <= at || extent.offsetBytes() >= end) {
          continue;
        }
        if (extent.offsetBytes() > at) {
          lost.add(new Extent(0, at, extent.offsetBytes() - at, range.kind()));
        }
        at = extent.endBytes();
      }
      if (at < end) {
        lost.add(new Extent(0, at, end - at, range.kind()));
      }
    }
    return lost;
  }
}
