package io.spared.sim;

import io.spared.format.AreaReading;
import io.spared.format.CopyPlace;
import io.spared.format.CopyReading;
import io.spared.format.LostBits;
import io.spared.format.Position;
import io.spared.format.SortedRemapEntries;
import io.spared.format.Superblock;
import io.spared.format.TableLoader;
import java.util.HashMap;
import java.util.Map;
import java.util.Optional;
import java.util.Set;
import java.util.TreeSet;

/**
 * Copies that stand at the same commit say the same, and those that count as whole hold what was
 * acknowledged a while ago. By invariant 5 any one of them may be the one that is loaded next, so
 * it is no excuse that the others are right.
 */
final class CopiesAgree {
  private static final int WINDOW_BYTES = 128 << 10;

  private record Table(
      int copy, Map<Long, SortedRemapEntries.Target> remaps, Map<Long, LostBits> pending) {}

  private CopiesAgree() {}

  /**
   * Looks at all copies, of which none is damaged; a daemon may be writing them.
   *
   * @param atLeast what each of them must hold
   */
  static void check(CoreSetup setup, Position atLeast) {
    Map<Position, Table> known = new HashMap<>();
    for (CopyPlace place : setup.placement.places()) {
      SimDrive drive = setup.spares.get(place.spare());
      CopyReading reading = TakenOver.read(setup.readerOf(place), drive);
      Optional<AreaReading> best = reading.best();
      Optional<Superblock> superblock = reading.superblock();
      if (best.isEmpty() || superblock.isEmpty()) {
        continue;
      }
      if (best.get().tail().compareTo(atLeast) < 0) {
        setup.truth.violated(
            "copy "
                + place.copy()
                + " counts as whole and is at "
                + best.get().tail()
                + ", though "
                + atLeast
                + " was acknowledged long ago");
      }
      SortedRemapEntries entries = new SortedRemapEntries();
      TableLoader loader = new TableLoader(superblock.get(), best.get(), entries, WINDOW_BYTES);
      TakenOver.read(loader, drive);
      if (loader.failure().isPresent()) {
        continue;
      }
      Table table = new Table(place.copy(), entries.remaps(), entries.pending());
      Table other = known.putIfAbsent(best.get().tail(), table);
      if (other == null) {
        continue;
      }
      setup.world.coverage().hit("copies.compared");
      differ(other, table)
          .ifPresent(what ->
              setup.truth.violated(
                  "copies "
                      + other.copy()
                      + " and "
                      + table.copy()
                      + " are both at "
                      + best.get().tail()
                      + " and do not say the same: "
                      + what));
    }
  }

  private static Optional<String> differ(Table one, Table other) {
    Set<Long> blocks = new TreeSet<>(one.remaps().keySet());
    blocks.addAll(other.remaps().keySet());
    blocks.addAll(one.pending().keySet());
    blocks.addAll(other.pending().keySet());
    for (long block : blocks) {
      String first = one.remaps().get(block) + " " + one.pending().get(block);
      String second = other.remaps().get(block) + " " + other.pending().get(block);
      if (!first.equals(second)) {
        return Optional.of("block " + block + ": " + first + ", and " + second);
      }
    }
    return Optional.empty();
  }
}
