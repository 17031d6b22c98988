package io.spared.format;

import java.util.List;
import java.util.Optional;

/**
 * Whether the disk of a spare in service is as it was earlier: an image, a snapshot rolled back.
 * Its slots are older too then, so a person decides, before anything is written there. Pure.
 *
 * <p>The argument. A commit counts only when a copy on every spare in service holds it, and a
 * record is begun when the one before counts, but for two: copies may be placed anew while a commit
 * is in doubt, and a start begins whatever did not count before it. So a spare in service misses at
 * most the last commit, one record more if copies were placed anew since the last that it holds,
 * and one more for each later start.
 *
 * <p>What it holds is said by all that stands on it. The copy that held the most may be one that is
 * being placed elsewhere: until the placing counts, what stands at its former place stays, and is
 * read too. A disk goes back as a whole. So only when all of it was read to its end, no seal that
 * is damaged or could not be read hides a newer area, and all misses more than that, has the disk
 * gone back. One that went back by less cannot be told from a crash, nor is it told apart here
 * whether copies were placed anew before the last commit or after it. The other way round, a spare
 * that has lost its last records to a fault after a crash can look like a disk that went back; then
 * too a person decides ({@code ctl repair}), since old slots would be worse.
 *
 * <p>A spare that holds no copy (it is being left, or was to be) is told by what still stands at
 * the former places: it holds at least what was noted when the copies were placed elsewhere ({@link
 * SpareNotes}). Once these places went back to the spare, which its own table knows, nothing is
 * told any more: a disk as it was after that passes. So does one of a spare that never held a copy.
 */
final class SpareAge {
  private SpareAge() {}

  /** The sentence that says so, when it has. */
  static Optional<String> wentBack(
      SpareMember spare, AreaReading best, Placement placement, List<CopyReading> readings) {
    if (SpareNotes.isGone(best.header(), spare.index())) {
      return Optional.empty();
    }
    List<CopyPlace> places =
        placement.places().stream().filter(place -> place.spare() == spare.index()).toList();
    if (places.isEmpty()) {
      return wentBackSinceItsCopiesLeft(spare, best, readings);
    }
    if (!spare.state().isNeeded()) {
      return Optional.empty();
    }
    boolean areLookedAt =
        places.stream()
            .allMatch(place ->
                readings.stream()
                    .flatMap(reading -> CopyChoice.placedAs(reading, best, placement).stream())
                    .anyMatch(place::equals));
    if (!areLookedAt) {
      return Optional.empty();
    }
    AreaReading newest = null;
    for (CopyReading reading : readings) {
      if (!reading.spareId().equals(spare.spareId())) {
        continue;
      }
      Optional<AreaReading> own = reading.best();
      boolean isPlaced = CopyChoice.placedAs(reading, best, placement).isPresent();
      if (!isReadToItsEnd(reading) || (isPlaced && own.isEmpty())) {
        return Optional.empty();
      }
      if (own.isPresent() && (newest == null || own.get().tail().compareTo(newest.tail()) > 0)) {
        newest = own.get();
      }
    }
    if (newest == null || !missesTooMuch(newest, best, placement)) {
      return Optional.empty();
    }
    return Optional.of(
        isAsEarlier(
            spare,
            newest,
            "and it was in service when the commits after that were made, up to " + best.tail()));
  }

  private static Optional<String> wentBackSinceItsCopiesLeft(
      SpareMember spare, AreaReading best, List<CopyReading> readings) {
    Optional<Position> held = SpareNotes.copiesLeft(best.header(), spare.index());
    AreaReading newest = null;
    for (CopyReading reading : readings) {
      if (!reading.spareId().equals(spare.spareId())) {
        continue;
      }
      if (!isReadToItsEnd(reading)) {
        return Optional.empty();
      }
      Optional<AreaReading> own = reading.best();
      if (own.isPresent() && (newest == null || own.get().tail().compareTo(newest.tail()) > 0)) {
        newest = own.get();
      }
    }
    if (newest == null || held.isEmpty() || newest.tail().compareTo(held.get()) >= 0) {
      return Optional.empty();
    }
    return Optional.of(
        isAsEarlier(
            spare,
            newest,
            "and they held all up to sequence "
                + held.get().sequence()
                + " of epoch "
                + held.get().epoch().counter()
                + " when they were placed elsewhere"));
  }

  private static String isAsEarlier(SpareMember spare, AreaReading newest, String but) {
    return "spare "
        + spare.index()
        + " ("
        + spare.spareId()
        + ") is as it was earlier: its copies end at "
        + newest.tail()
        + ", "
        + but
        + "; attach the right disk, what moved to this one may be older too";
  }

  /** A place where nothing of ours stands was read to its end as well. */
  private static boolean isReadToItsEnd(CopyReading reading) {
    return !reading.mayHoldMore()
        && reading.kind() != CopyReading.Kind.UNREADABLE
        && reading.best().map(area -> area.isTailKnown() && area.damage().isEmpty()).orElse(true);
  }

  private static boolean missesTooMuch(AreaReading newest, AreaReading best, Placement placement) {
    long missed = best.tail().sequence() - newest.tail().sequence();
    long starts = best.tail().epoch().counter() - newest.tail().epoch().counter();
    boolean placedSince = !newest.header().placement().equals(Optional.of(placement));
    return missed > 1 + starts + (placedSince ? 1 : 0);
  }
}
