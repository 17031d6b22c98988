package io.spared.sim;

import io.spared.format.AreaReading;
import io.spared.format.CopyPlace;
import io.spared.format.CopyReading;
import io.spared.format.Position;
import java.util.ArrayList;
import java.util.Comparator;
import java.util.HashMap;
import java.util.HashSet;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import java.util.Set;

/**
 * Does the worst that invariant 5 allows, while no daemon runs and all five copies were healthy: it
 * destroys any two of them, mostly those that know most. Or it makes more of them unreadable for a
 * while, after which nothing is lost either, though nothing may be served meanwhile.
 */
final class CopyAdversary {
  private static final int UNIT_BYTES = 4096;

  private final CoreSetup setup;
  private final SimRandom random;

  /** The generation of the area of each copy whose table was damaged last. */
  private final Map<Integer, Long> damagedTables = new HashMap<>();

  /** The spares of which a copy has lost the end of its log in this strike. */
  private final Set<Integer> endsLost = new HashSet<>();

  CopyAdversary(CoreSetup setup, SimRandom random) {
    this.setup = setup;
    this.random = random;
  }

  /** A copy as it stands on its drive, past all caches and faults. */
  private record Seen(CopyPlace place, SimDrive drive, CopyReading reading) {
    Position tail() {
      return reading.best().map(AreaReading::tail).orElse(Position.NONE);
    }
  }

  /**
   * Destroys two copies for good. Not while one that it damaged before stands as it did: a start
   * loads the table of another, and only a scrub looks at all of them.
   */
  void strike() {
    List<Seen> seen = victims();
    if (seen.stream().anyMatch(this::isStillDamaged)) {
      setup.world.coverage().hit("adversary.waitsForRepair");
      return;
    }
    endsLost.clear();
    destroy(seen.get(0), seen);
    if (random.chance(0.8)) {
      destroy(seen.get(1), seen);
    }
  }

  /** Makes a majority of the copies unreadable, until {@link #unveil}. */
  void veil() {
    List<Seen> seen = victims();
    int count = 3 + random.below(2);
    for (Seen copy : seen.subList(0, count)) {
      int sectorBytes = copy.drive.geometry().logicalSectorBytes();
      copy.drive.addDefect(
          copy.place.offsetBytes() / sectorBytes,
          (int) (setup.placement.layout().copyBytes() / sectorBytes),
          SimDrive.Defect.UNREADABLE);
    }
    setup.world.coverage().hit("adversary.veils." + count);
  }

  void unveil() {
    setup.spares.forEach(drive -> drive.clearDefects(SimDrive.Defect.UNREADABLE));
  }

  /** All copies, those first that it would be worst to lose. */
  private List<Seen> victims() {
    List<Seen> seen = new ArrayList<>();
    for (CopyPlace place : setup.placement.places()) {
      SimDrive drive = setup.spares.get(place.spare());
      seen.add(new Seen(place, drive, TakenOver.read(setup.readerOf(place), drive)));
    }
    for (int i = seen.size() - 1; i > 0; i--) {
      seen.add(seen.remove(random.below(i + 1)));
    }
    if (random.chance(0.7)) {
      seen.sort(Comparator.comparing(Seen::tail).reversed());
    }
    return seen;
  }

  private boolean isStillDamaged(Seen copy) {
    long damaged = damagedTables.getOrDefault(copy.place.copy(), Long.MIN_VALUE);
    return copy.reading.best().map(area -> area.seal().generation() <= damaged).orElse(false);
  }

  /**
   * A log that has lost its end looks like one that never had it. Where no other copy on the spare
   * goes as far, the spare looks like an older state of itself, and rightly waits for a person.
   */
  private boolean mayLoseItsEnd(Seen copy, List<Seen> all) {
    int spare = copy.place.spare();
    return all.stream()
            .anyMatch(other ->
                !other.place.equals(copy.place)
                    && other.place.spare() == spare
                    && other.tail().compareTo(copy.tail()) >= 0)
        && endsLost.add(spare);
  }

  private void destroy(Seen copy, List<Seen> all) {
    long from = copy.place.offsetBytes();
    int bytes = (int) setup.placement.layout().copyBytes();
    Optional<AreaReading> best = copy.reading.best();
    int how = random.below(best.isEmpty() ? 2 : 5);
    if (how == 2 && !mayLoseItsEnd(copy, all)) {
      how = 0;
    }
    setup.world.coverage().hit("adversary.destroys." + how);
    switch (how) {
      case 0 -> copy.drive.poke(from, new byte[bytes]);
      case 1 -> {
        byte[] garbage = new byte[bytes];
        for (int i = 0; i < bytes; i++) {
          garbage[i] = (byte) random.nextLong();
        }
        copy.drive.poke(from, garbage);
      }
      case 2 -> {
        long logBytes = best.orElseThrow().logBytes();
        long log = setup.placement.layout().logOffsetBytes(best.get().seal().area());
        copy.drive.rot(from + log + Math.max(0, logBytes - UNIT_BYTES));
      }
      default -> {
        damagedTables.put(copy.place.copy(), best.orElseThrow().seal().generation());
        long checkpointBytes = best.orElseThrow().seal().checkpointBytes();
        long checkpoint = setup.placement.layout().checkpointOffsetBytes(best.get().seal().area());
        // The header comes first, the entries last.
        copy.drive.rot(
            from
                + checkpoint
                + (how == 3 ? checkpointBytes - UNIT_BYTES : random.below(checkpointBytes)));
      }
    }
  }
}
