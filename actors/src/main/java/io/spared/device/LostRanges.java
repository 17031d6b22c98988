package io.spared.device;

import io.spared.format.Extent;
import io.spared.spare.SpareReply;
import java.util.ArrayList;
import java.util.Collection;
import java.util.List;
import java.util.UUID;

/**
 * Where the table of a spare and the image of a device do not agree about what is lent. Pure.
 *
 * <p>A range is lent durably before the commit that uses it, and goes back after the commit that
 * forgets it. So the table may know more: lent, or forgotten, just before a crash. It never knows
 * less: a disk whose table lacks a range that the image has is as it was before that was lent, and
 * what the device has there is older, or another device's.
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

  /** Whether the spare lends the device all of these. */
  static boolean areAllLent(
      UUID deviceId, List<SpareReply.Lending> lent, Collection<Extent> known) {
    return known.stream().allMatch(extent -> isLent(deviceId, lent, extent));
  }

  private static boolean isLent(UUID deviceId, List<SpareReply.Lending> lent, Extent extent) {
    long covered =
        lent.stream()
            .filter(range -> range.deviceId().equals(deviceId))
            .mapToLong(range ->
                Math.min(extent.endBytes(), range.offsetBytes() + range.lengthBytes())
                    - Math.max(extent.offsetBytes(), range.offsetBytes()))
            .filter(bytes -> bytes > 0)
            .sum();
    return covered >= extent.lengthBytes();
  }
}
