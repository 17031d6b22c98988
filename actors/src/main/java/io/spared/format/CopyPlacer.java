package io.spared.format;

import java.util.ArrayList;
import java.util.List;
import java.util.Optional;

/**
 * Places copies: in turn over all spares, and on each over its whole length, never next to each
 * other where there is room, since media faults are local.
 */
public final class CopyPlacer {
  /** The log of a small table: 256 commits between checkpoints. */
  private static final long LOG_BYTES_MIN = 1 << 20;

  /** Bounds what a start reads. */
  private static final long LOG_BYTES_MAX = 16 << 20;

  /** Identities, policy, extents and history, at their bounds. */
  private static final long HEADER_BYTES = 512 * 1024;

  private static final long PENDING_MAX = 64 * 1024;

  private CopyPlacer() {}

  /** One spare that may take copies: its size, and what of it is free. */
  public record Room(int spare, long diskBytes, List<Extent> free) {
    public Room {
      free = List.copyOf(free);
    }
  }

  /** The layout for a device whose spares will have at most so many slots. */
  public static CopyLayout layoutFor(Geometry geometry, long slots) {
    long pending = Math.min(PENDING_MAX, geometry.blockCount());
    long remaps = Math.min(slots, geometry.blockCount());
    long entriesBytes = (remaps + pending) * Checkpoints.entryBytes(geometry) + slots / 16 * 8;
    // Chunks lose a frame's header and up to a unit each.
    long withFrames = entriesBytes + entriesBytes / 16 + HEADER_BYTES;
    long checkpointBytes = roundUp(withFrames);
    long logBytes = roundUp(Math.clamp(checkpointBytes / 8, LOG_BYTES_MIN, LOG_BYTES_MAX));
    return new CopyLayout(checkpointBytes, logBytes);
  }

  private static long roundUp(long bytes) {
    return (bytes + CopyLayout.UNIT_BYTES - 1) / CopyLayout.UNIT_BYTES * CopyLayout.UNIT_BYTES;
  }

  /** Places for all copies, or nothing when there is no room for them. */
  public static Optional<Placement> place(CopyLayout layout, int copies, List<Room> rooms) {
    if (rooms.isEmpty()) {
      return Optional.empty();
    }
    long lengthBytes = layout.extentBytes();
    List<Extent> taken = new ArrayList<>();
    List<CopyPlace> places = new ArrayList<>();
    for (int copy = 0; copy < copies; copy++) {
      Optional<Extent> found = Optional.empty();
      for (int turn = 0; turn < rooms.size() && found.isEmpty(); turn++) {
        int index = (copy + turn) % rooms.size();
        Room room = rooms.get(index);
        int onThisSpare = (copies - 1 - index) / rooms.size() + 1;
        found = nearest(room, ideal(room, copy / rooms.size(), onThisSpare), lengthBytes, taken);
      }
      if (found.isEmpty()) {
        return Optional.empty();
      }
      taken.add(found.get());
      places.add(new CopyPlace(copy, found.get().spare(), found.get().offsetBytes()));
    }
    return Optional.of(new Placement(layout, places));
  }

  /** So many places on one spare, over its whole length; nothing when there is no room for all. */
  public static Optional<List<Extent>> spread(Room room, long lengthBytes, int count) {
    List<Extent> taken = new ArrayList<>();
    for (int number = 0; number < count; number++) {
      Optional<Extent> found = nearest(room, ideal(room, number, count), lengthBytes, taken);
      if (found.isEmpty()) {
        return Optional.empty();
      }
      taken.add(found.get());
    }
    return Optional.of(taken);
  }

  /** The middle of the n-th of equal parts of the disk. */
  private static long ideal(Room room, int number, int of) {
    return room.diskBytes() / (2L * of) * (2L * number + 1);
  }

  /** The free place nearest to the ideal one, preferring those that touch no other copy. */
  private static Optional<Extent> nearest(
      Room room, long idealBytes, long lengthBytes, List<Extent> taken) {
    Optional<Extent> best = Optional.empty();
    long bestCost = Long.MAX_VALUE;
    for (Extent free : room.free()) {
      if (free.spare() != room.spare() || free.lengthBytes() < lengthBytes) {
        continue;
      }
      for (Extent candidate : candidates(free, idealBytes, lengthBytes, taken)) {
        if (taken.stream().anyMatch(candidate::overlaps)) {
          continue;
        }
        boolean touches =
            taken.stream()
                .anyMatch(other ->
                    other.spare() == candidate.spare()
                        && (other.endBytes() == candidate.offsetBytes()
                            || candidate.endBytes() == other.offsetBytes()));
        long cost =
            Math.abs(candidate.offsetBytes() + lengthBytes / 2 - idealBytes)
                + (touches ? room.diskBytes() : 0);
        if (cost < bestCost) {
          bestCost = cost;
          best = Optional.of(candidate);
        }
      }
    }
    return best;
  }

  /** Where in a free range a copy could begin: at the ideal, at its ends, beside other copies. */
  private static List<Extent> candidates(
      Extent free, long idealBytes, long lengthBytes, List<Extent> taken) {
    List<Long> offsets = new ArrayList<>();
    offsets.add(alignDown(idealBytes - lengthBytes / 2));
    offsets.add(free.offsetBytes());
    offsets.add(free.endBytes() - lengthBytes);
    for (Extent other : taken) {
      offsets.add(other.endBytes());
      offsets.add(other.endBytes() + Extent.UNIT_BYTES);
      offsets.add(other.offsetBytes() - lengthBytes);
      offsets.add(other.offsetBytes() - lengthBytes - Extent.UNIT_BYTES);
    }
    List<Extent> candidates = new ArrayList<>();
    for (long offset : offsets) {
      long within = Math.clamp(offset, free.offsetBytes(), free.endBytes() - lengthBytes);
      candidates.add(new Extent(free.spare(), within, lengthBytes, ExtentKind.METADATA));
    }
    return candidates;
  }

  private static long alignDown(long bytes) {
    return bytes / Extent.UNIT_BYTES * Extent.UNIT_BYTES;
  }
}
