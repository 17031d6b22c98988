package io.spared.spare;

import io.spared.format.CopyPlacer;
import io.spared.format.Extent;
import io.spared.format.ExtentKind;
import io.spared.format.SpareTable;
import java.util.ArrayList;
import java.util.Comparator;
import java.util.List;
import java.util.Optional;
import java.util.UUID;

/**
 * What of a spare is lent and what is free, as pure functions from one table to the next. A range
 * is never lent twice: the table itself refuses overlaps, and what is free is what the table does
 * not name.
 */
final class Extents {
  private Extents() {}

  static List<Extent> free(SpareTable table) {
    List<Extent> free = new ArrayList<>();
    for (Extent range : SpareTable.lendable(0, table.diskBytes())) {
      long at = range.offsetBytes();
      for (SpareTable.Lent lent : table.lent()) {
        if (lent.endBytes() <= at || lent.offsetBytes() >= range.endBytes()) {
          continue;
        }
        if (lent.offsetBytes() > at) {
          free.add(new Extent(0, at, lent.offsetBytes() - at, ExtentKind.DATA));
        }
        at = lent.endBytes();
      }
      if (at < range.endBytes()) {
        free.add(new Extent(0, at, range.endBytes() - at, ExtentKind.DATA));
      }
    }
    return free;
  }

  static long freeBytes(SpareTable table) {
    return free(table).stream().mapToLong(Extent::lengthBytes).sum();
  }

  /** A table with more lent, and what was. */
  record Lending(SpareTable table, List<SpareTable.Lent> ranges) {
    Lending {
      ranges = List.copyOf(ranges);
    }
  }

  /**
   * Lends up to so many bytes: for data in as many ranges as it takes, less when there is less; for
   * metadata in one range or not at all. Empty when nothing can be lent.
   */
  static Optional<Lending> lend(SpareTable table, UUID deviceId, long bytes, ExtentKind kind) {
    long wanted = (bytes + Extent.UNIT_BYTES - 1) / Extent.UNIT_BYTES * Extent.UNIT_BYTES;
    List<SpareTable.Lent> ranges = new ArrayList<>();
    for (Extent free : free(table)) {
      if (wanted == 0) {
        break;
      }
      if (kind == ExtentKind.METADATA && free.lengthBytes() < wanted) {
        continue;
      }
      long length = Math.min(wanted, free.lengthBytes());
      ranges.add(new SpareTable.Lent(deviceId, free.offsetBytes(), length, kind));
      wanted -= length;
    }
    if (ranges.isEmpty() || (kind == ExtentKind.METADATA && wanted > 0)) {
      return Optional.empty();
    }
    List<SpareTable.Lent> lent = new ArrayList<>(table.lent());
    lent.addAll(ranges);
    List<SpareTable.Lent> merged = merged(lent);
    if (merged.size() > SpareTable.LENT_MAX) {
      return Optional.empty();
    }
    return Optional.of(
        new Lending(
            new SpareTable(table.spareId(), table.version() + 1, table.diskBytes(), merged),
            ranges));
  }

  /** Lends places for copies of metadata, spread over the spare; all or none of them. */
  static Optional<Lending> lendPlaces(
      SpareTable table, UUID deviceId, long lengthBytes, int count) {
    Optional<List<Extent>> places =
        CopyPlacer.spread(
            new CopyPlacer.Room(0, table.diskBytes(), free(table)), lengthBytes, count);
    if (places.isEmpty() || table.lent().size() + count > SpareTable.LENT_MAX) {
      return Optional.empty();
    }
    List<SpareTable.Lent> ranges =
        places.get().stream()
            .map(place ->
                new SpareTable.Lent(
                    deviceId, place.offsetBytes(), place.lengthBytes(), ExtentKind.METADATA))
            .toList();
    List<SpareTable.Lent> lent = new ArrayList<>(table.lent());
    lent.addAll(ranges);
    return Optional.of(
        new Lending(
            new SpareTable(table.spareId(), table.version() + 1, table.diskBytes(), lent), ranges));
  }

  /** A table without this range of this device; empty when the device does not have all of it. */
  static Optional<SpareTable> takeBack(
      SpareTable table, UUID deviceId, long offsetBytes, long lengthBytes) {
    long endBytes = offsetBytes + lengthBytes;
    List<SpareTable.Lent> lent = new ArrayList<>();
    long found = 0;
    for (SpareTable.Lent range : table.lent()) {
      long from = Math.max(range.offsetBytes(), offsetBytes);
      long to = Math.min(range.endBytes(), endBytes);
      if (!range.deviceId().equals(deviceId) || from >= to) {
        lent.add(range);
        continue;
      }
      found += to - from;
      if (range.offsetBytes() < from) {
        lent.add(
            new SpareTable.Lent(
                deviceId, range.offsetBytes(), from - range.offsetBytes(), range.kind()));
      }
      if (range.endBytes() > to) {
        lent.add(new SpareTable.Lent(deviceId, to, range.endBytes() - to, range.kind()));
      }
    }
    return found == lengthBytes
        ? Optional.of(new SpareTable(table.spareId(), table.version() + 1, table.diskBytes(), lent))
        : Optional.empty();
  }

  /** Neighbours of one device and of kind DATA become one, so that the table stays small. */
  private static List<SpareTable.Lent> merged(List<SpareTable.Lent> lent) {
    List<SpareTable.Lent> sorted = new ArrayList<>(lent);
    sorted.sort(Comparator.comparingLong(SpareTable.Lent::offsetBytes));
    List<SpareTable.Lent> merged = new ArrayList<>();
    for (SpareTable.Lent range : sorted) {
      SpareTable.Lent last = merged.isEmpty() ? null : merged.get(merged.size() - 1);
      if (last != null
          && last.kind() == ExtentKind.DATA
          && range.kind() == ExtentKind.DATA
          && last.deviceId().equals(range.deviceId())
          && last.endBytes() == range.offsetBytes()) {
        merged.set(
            merged.size() - 1,
            new SpareTable.Lent(
                range.deviceId(),
                last.offsetBytes(),
                last.lengthBytes() + range.lengthBytes(),
                ExtentKind.DATA));
      } else {
        merged.add(range);
      }
    }
    return merged;
  }
}
