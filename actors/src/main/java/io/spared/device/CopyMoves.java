package io.spared.device;

import io.spared.format.CopyLayout;
import io.spared.format.CopyPlace;
import io.spared.format.CopyPlacer;
import io.spared.format.DeviceImage;
import io.spared.format.Extent;
import io.spared.format.ExtentKind;
import io.spared.format.Placement;
import java.util.ArrayDeque;
import java.util.ArrayList;
import java.util.HashMap;
import java.util.List;
import java.util.Map;
import java.util.Set;
import java.util.SortedMap;
import java.util.TreeMap;
import java.util.TreeSet;

/**
 * Which copies of a device's metadata go to which spare when its spares change. Pure. A copy on a
 * spare that does not stay always moves, to the one with the fewest; a new spare gets its share of
 * the others; and when the spares became so large that the copies would be too small for the
 * entries that they may have, all are placed anew.
 */
final class CopyMoves {
  private static final int STAYS = -1;

  private final Placement now;
  private final CopyLayout layout;
  private final boolean allAnew;
  private final int[] targets;

  private CopyMoves(Placement now, CopyLayout layout, boolean allAnew, int[] targets) {
    this.now = now;
    this.layout = layout;
    this.allAnew = allAnew;
    this.targets = targets;
  }

  /** Copies that are not on a spare that stays move to those. */
  static CopyMoves leaving(DeviceImage image, Set<Integer> staying) {
    return leavingTo(image, staying, staying);
  }

  /** The same, where some of the spares that stay have no room for more. */
  static CopyMoves leavingTo(DeviceImage image, Set<Integer> staying, Set<Integer> takers) {
    Placement now = image.placement().orElseThrow();
    int[] targets = new int[now.copies()];
    java.util.Arrays.fill(targets, STAYS);
    moveOff(now, staying, takers, targets);
    return new CopyMoves(now, now.layout(), false, targets);
  }

  /**
   * A spare comes: as above, and it gets its share.
   *
   * @param sizesBytes of the spares that stay and the new one
   */
  static CopyMoves spread(DeviceImage image, Map<Integer, Long> sizesBytes, int comes) {
    Placement now = image.placement().orElseThrow();
    long slots = 0;
    for (long bytes : sizesBytes.values()) {
      slots += bytes / image.geometry().blockBytes();
    }
    CopyLayout wanted = CopyPlacer.layoutFor(image.geometry(), slots);
    if (wanted.checkpointBytes() <= now.layout().checkpointBytes()) {
      return spreadAsTheyAre(image, sizesBytes.keySet(), comes);
    }
    List<Integer> all = new ArrayList<>(new TreeSet<>(sizesBytes.keySet()));
    int[] targets = new int[now.copies()];
    for (int copy = 0; copy < targets.length; copy++) {
      targets[copy] = all.get(copy % all.size());
    }
    return new CopyMoves(now, wanted, true, targets);
  }

  /** A spare comes, and the copies keep their size. */
  static CopyMoves spreadAsTheyAre(DeviceImage image, Set<Integer> staying, int comes) {
    return spreadTo(image, staying, staying, comes);
  }

  static CopyMoves spreadTo(
      DeviceImage image, Set<Integer> staying, Set<Integer> takers, int comes) {
    Placement now = image.placement().orElseThrow();
    int[] targets = new int[now.copies()];
    java.util.Arrays.fill(targets, STAYS);
    moveOff(now, staying, takers, targets);
    int share = now.copies() / staying.size();
    while (count(now, targets, comes) < share) {
      int fullest = fullest(now, targets, staying, comes);
      for (int copy = targets.length - 1; copy >= 0; copy--) {
        if (spareOf(now, targets, copy) == fullest) {
          targets[copy] = comes;
          break;
        }
      }
    }
    return new CopyMoves(now, now.layout(), false, targets);
  }

  private static void moveOff(
      Placement now, Set<Integer> staying, Set<Integer> takers, int[] targets) {
    for (int copy = 0; copy < targets.length; copy++) {
      if (!staying.contains(now.places().get(copy).spare())) {
        int best = STAYS;
        // The highest first: the one that came last is the emptiest.
        for (int taker : new TreeSet<>(takers).descendingSet()) {
          if (best == STAYS || count(now, targets, taker) < count(now, targets, best)) {
            best = taker;
          }
        }
        targets[copy] = best;
      }
    }
  }

  private static int spareOf(Placement now, int[] targets, int copy) {
    return targets[copy] == STAYS ? now.places().get(copy).spare() : targets[copy];
  }

  private static int count(Placement now, int[] targets, int spare) {
    int count = 0;
    for (int copy = 0; copy < targets.length; copy++) {
      count += spareOf(now, targets, copy) == spare ? 1 : 0;
    }
    return count;
  }

  private static int fullest(Placement now, int[] targets, Set<Integer> staying, int but) {
    return new TreeSet<>(staying)
        .stream()
            .filter(spare -> spare != but)
            .max(java.util.Comparator.comparingInt(spare -> count(now, targets, spare)))
            .orElseThrow();
  }

  boolean isAllAnew() {
    return allAnew;
  }

  CopyLayout layout() {
    return layout;
  }

  /** How many places each spare has to lend; those that lend none are not named. */
  SortedMap<Integer, Integer> counts() {
    TreeMap<Integer, Integer> counts = new TreeMap<>();
    for (int target : targets) {
      if (target != STAYS) {
        counts.merge(target, 1, Integer::sum);
      }
    }
    return counts;
  }

  /** The copies at the places that were lent; the others stay where they are. */
  Placement placement(List<Extent> lent) {
    Map<Integer, ArrayDeque<Extent>> free = new HashMap<>();
    for (Extent extent : lent) {
      if (extent.kind() == ExtentKind.METADATA) {
        free.computeIfAbsent(extent.spare(), of -> new ArrayDeque<>()).add(extent);
      }
    }
    List<CopyPlace> places = new ArrayList<>(now.places());
    for (int copy = 0; copy < targets.length; copy++) {
      if (targets[copy] != STAYS) {
        Extent place = free.getOrDefault(targets[copy], new ArrayDeque<>()).remove();
        places.set(copy, new CopyPlace(copy, targets[copy], place.offsetBytes()));
      }
    }
    return new Placement(layout, places);
  }
}
