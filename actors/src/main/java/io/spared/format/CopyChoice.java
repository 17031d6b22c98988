package io.spared.format;

import java.util.ArrayList;
import java.util.Comparator;
import java.util.HashMap;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import java.util.Set;
import java.util.UUID;
import java.util.stream.Collectors;
import org.jspecify.annotations.Nullable;

/**
 * Chooses among the copies of a device: one pure function from what was read of each to a verdict,
 * used by start, check, scrub, repair and discovery alike.
 *
 * <p>The argument. A commit is acknowledged when a majority of the copies holds it. Any majority
 * shares a copy with any other, so a majority of copies that were read to the end of their logs
 * contains one with the last acknowledged commit: the highest (epoch, sequence) among them is that
 * commit or a later one. A commit that was never acknowledged may win too; it is harmless, since
 * what it says was made true before it was written. With fewer copies nobody can know, except when
 * a survivor equals this host's own record of the last clean stop: after that nothing was committed
 * here. A copy whose log has a gap, or ends at a unit that cannot be read, has lost its tail and
 * does not count, though what stands before may still win.
 *
 * <p>A newer state that cannot be loaded. Where a copy's log says more than any table that can be
 * loaded, the commits between may be lost. But when a majority of the copies was read to its end
 * and ends no later than the best that can be loaded, less than a majority holds more: it was never
 * acknowledged, and is void. For that only the ends of those logs matter, not whether their tables
 * can be loaded. A copy counts by its newest area: an older one beside a damaged one, or beside one
 * whose seal is damaged or cannot be read, says nothing.
 *
 * <p>A spare that went back is told from one that a crash left behind by {@link SpareAge}.
 *
 * <p>Copies that are placed anew. The commit that does it counts when a majority of the new places
 * holds it, and no other commit begins before it does. So when fewer than a majority of the new
 * places can be read, and of the places before a majority that ends just one commit earlier, it was
 * never acknowledged, nor was anything after it: the state before it wins, and it is void. That
 * holds for all that two faults can do, since a place that is not written yet is a fault already.
 */
public final class CopyChoice {
  /**
   * What is known beside the copies.
   *
   * @param presentSpares the spares whose disks are there
   * @param cleanStop this host's record of the last clean stop
   * @param consent what a person allows this once
   */
  public record Circumstances(
      UUID deviceId,
      Set<UUID> presentSpares,
      Optional<CleanStop> cleanStop,
      Optional<CopyConsent> consent) {
    public Circumstances {
      presentSpares = Set.copyOf(presentSpares);
    }
  }

  private final List<CopyReading> readings;
  private final Circumstances circumstances;

  private CopyChoice(List<CopyReading> readings, Circumstances circumstances) {
    this.readings = readings;
    this.circumstances = circumstances;
  }

  /** The verdict. Winners and findings are by position in the list of readings. */
  public static CopyVerdict choose(List<CopyReading> readings, Circumstances circumstances) {
    return new CopyChoice(List.copyOf(readings), circumstances).choose();
  }

  private CopyVerdict choose() {
    for (CopyReading reading : readings) {
      if (reading.kind() == CopyReading.Kind.NEWER) {
        return verdict(
            CopyVerdict.Decision.NEWER_FORMAT, List.of(reading.sentence()), null, null, List.of());
      }
    }
    List<AreaReading> all = readings.stream().flatMap(reading -> reading.areas().stream()).toList();
    if (all.isEmpty()) {
      return verdict(
          CopyVerdict.Decision.NOTHING,
          List.of(
              "none of the "
                  + readings.size()
                  + " places looked at holds a readable copy of device "
                  + circumstances.deviceId()
                  + "; check that its spares are attached, and leave them as they are"),
          null,
          null,
          List.of());
    }
    Optional<Epoch> epoch = newestEpoch(all);
    if (epoch.isEmpty()) {
      return verdict(
          CopyVerdict.Decision.CONTRADICTION, List.of(contradiction(all)), null, null, List.of());
    }
    List<AreaReading> ofHistory =
        all.stream()
            .filter(area ->
                area.tail().epoch().counter() != epoch.get().counter()
                    || area.tail().epoch().equals(epoch.get()))
            .toList();
    AreaReading newest = highest(ofHistory);
    List<AreaReading> loadable =
        ofHistory.stream().filter(area -> area.damage().isEmpty()).toList();
    if (loadable.isEmpty()) {
      return verdict(
          CopyVerdict.Decision.NOTHING,
          List.of("no copy of device " + circumstances.deviceId() + " can be read whole"),
          null,
          null,
          List.of());
    }
    AreaReading best = highest(loadable);
    Placement placement = placementOf(best);
    List<String> doubts = new ArrayList<>();
    List<String> grounds = new ArrayList<>();
    Optional<AreaReading> before = beforeItWasPlaced(best, placement, loadable);
    if (before.isPresent()) {
      grounds.add(
          "the copies were being placed anew at "
              + best.tail()
              + " when it ended; that was never durable, and nobody was told so");
      best = before.get();
      newest = best;
      placement = placementOf(best);
    }
    List<Integer> winners = winners(best, placement);
    judge(best, newest, placement, doubts, grounds);
    if (doubts.isEmpty()) {
      return verdict(CopyVerdict.Decision.USABLE, grounds, best, placement, winners);
    }
    doubts.addAll(grounds);
    return verdict(CopyVerdict.Decision.NEEDS_PERSON, doubts, best, placement, winners);
  }

  private void judge(
      AreaReading best,
      AreaReading newest,
      Placement placement,
      List<String> doubts,
      List<String> grounds) {
    Position chosen = best.tail();
    boolean consented =
        circumstances.consent().map(consent -> consent.position().equals(chosen)).orElse(false);
    boolean cleanStop =
        circumstances
            .cleanStop()
            .map(stop ->
                stop.deviceId().equals(circumstances.deviceId()) && stop.position().equals(chosen))
            .orElse(false);
    int known = known(best, placement);
    String counted =
        known
            + " of "
            + placement.copies()
            + (known == 1 ? " copies is" : " copies are")
            + " readable, the newest is at "
            + chosen;
    if (best.tail().compareTo(newest.tail()) < 0) {
      String found = "a copy at " + newest.tail() + " was found and cannot be loaded";
      if (neverDurable(newest, best)) {
        grounds.add(found + "; a majority ends before, so it was never durable");
      } else {
        doubt(
            consented,
            found + ", the best that can is at " + chosen + ": the commits between are lost",
            doubts,
            grounds);
      }
    }
    if (known >= placement.majority()) {
      grounds.add(counted);
    } else if (cleanStop) {
      grounds.add(counted + ", which is where this host stopped the device cleanly");
    } else {
      doubt(
          consented,
          counted
              + "; with fewer than "
              + placement.majority()
              + ", a majority, nobody can know that it is the newest",
          doubts,
          grounds);
    }
    circumstances
        .cleanStop()
        .filter(stop -> stop.deviceId().equals(circumstances.deviceId()))
        .filter(stop -> stop.position().compareTo(chosen) > 0)
        .ifPresent(stop ->
            doubt(
                consented,
                "this host stopped the device at "
                    + stop.position()
                    + ", the newest copy found is older: "
                    + chosen,
                doubts,
                grounds));
    for (SpareMember spare : best.header().spares().values()) {
      if (circumstances.presentSpares().contains(spare.spareId())) {
        SpareAge.wentBack(spare, best, placement, readings)
            .ifPresent(sentence -> doubt(consented, sentence, doubts, grounds));
        continue;
      }
      if (!spare.state().isNeeded()) {
        continue;
      }
      boolean allowed =
          circumstances
              .consent()
              .map(consent -> consented && consent.withoutSpares().contains(spare.index()))
              .orElse(false);
      doubt(
          allowed,
          "spare "
              + spare.index()
              + " ("
              + spare.spareId()
              + ", last seen as "
              + spare.evidence().identity().kernelName()
              + ") is in service and not there; attach it, since blocks may be there alone; if it"
              + " never comes back, spared ctl start "
              + best.header().name()
              + " --without-spare "
              + spare.index()
              + " says what is lost without it",
          doubts,
          grounds);
    }
  }

  /** Copies where the placement has them that were read to the end of their logs. */
  private int known(AreaReading best, Placement placement) {
    int known = 0;
    for (CopyReading reading : readings) {
      boolean counts =
          placedAs(reading, best, placement).isPresent()
              && reading.best().map(AreaReading::isTailKnown).orElse(false);
      known += counts ? 1 : 0;
    }
    return known;
  }

  /**
   * Whether nothing after the best was acknowledged: of the places that had to hold it, a majority
   * was read to the end and ends no later than the best.
   */
  private boolean neverDurable(AreaReading newest, AreaReading best) {
    Placement placement = placementOf(newest);
    if (!placement.equals(placementOf(best)) && !isJustBefore(best, newest)) {
      return false;
    }
    long without =
        readings.stream()
            .filter(reading -> placedAs(reading, newest, placement).isPresent())
            .flatMap(reading -> reading.best().stream())
            .filter(own -> own.isTailKnown() && own.tail().compareTo(best.tail()) <= 0)
            .count();
    return without >= placement.majority();
  }

  private static boolean isJustBefore(AreaReading one, AreaReading next) {
    return one.tail().epoch().equals(next.tail().epoch())
        && one.tail().sequence() + 1 == next.tail().sequence();
  }

  /** The state before the copies were placed anew, when that was never acknowledged. */
  private Optional<AreaReading> beforeItWasPlaced(
      AreaReading best, Placement placement, List<AreaReading> loadable) {
    if (known(best, placement) >= placement.majority()) {
      return Optional.empty();
    }
    List<AreaReading> others =
        loadable.stream()
            .filter(area -> area.isTailKnown() && !placementOf(area).equals(placement))
            .toList();
    if (others.isEmpty()) {
      return Optional.empty();
    }
    AreaReading before = highest(others);
    return isJustBefore(before, best)
            && known(before, placementOf(before)) >= placementOf(before).majority()
        ? Optional.of(before)
        : Optional.empty();
  }

  private static void doubt(
      boolean consented, String sentence, List<String> doubts, List<String> grounds) {
    if (consented) {
      grounds.add(CopyVerdict.ALLOWED + sentence);
    } else {
      doubts.add(sentence);
    }
  }

  /**
   * The newest epoch. Two with one counter are two starts that did not know of each other; if a
   * majority of the copies is with one of them, the other never had a quorum and never acknowledged
   * anything. Otherwise they contradict.
   */
  private Optional<Epoch> newestEpoch(List<AreaReading> all) {
    long counter = highest(all).tail().epoch().counter();
    Map<Epoch, Integer> holders = new HashMap<>();
    int copies = 0;
    for (CopyReading reading : readings) {
      Optional<AreaReading> best = reading.best();
      if (best.isPresent() && best.get().tail().epoch().counter() == counter) {
        holders.merge(best.get().tail().epoch(), 1, Integer::sum);
        copies = Math.max(copies, placementOf(best.get()).copies());
      }
    }
    if (holders.size() == 1) {
      return Optional.of(holders.keySet().iterator().next());
    }
    int majority = copies / 2 + 1;
    return holders.entrySet().stream()
        .filter(entry -> entry.getValue() >= majority)
        .map(Map.Entry::getKey)
        .findFirst();
  }

  private String contradiction(List<AreaReading> all) {
    long counter = highest(all).tail().epoch().counter();
    String starts =
        all.stream()
            .map(area -> area.tail())
            .filter(tail -> tail.epoch().counter() == counter)
            .map(Position::toString)
            .distinct()
            .sorted()
            .collect(Collectors.joining(" and "));
    return "the device was started twice without knowing of each other ("
        + starts
        + "); find out which history to keep";
  }

  /** The undamaged area of a copy that holds the position. */
  public static AreaReading holding(CopyReading reading, Position position) {
    return reading.areas().stream()
        .filter(area -> area.damage().isEmpty() && area.tail().equals(position))
        .findFirst()
        .orElseThrow();
  }

  private static AreaReading highest(List<AreaReading> areas) {
    return areas.stream()
        .max(
            Comparator.comparing(AreaReading::tail).thenComparing(area -> area.seal().generation()))
        .orElseThrow();
  }

  private static Placement placementOf(AreaReading area) {
    return area.header().placement().orElseThrow();
  }

  private List<Integer> winners(AreaReading best, Placement placement) {
    List<Integer> winners = new ArrayList<>();
    for (int pass = 0; pass < 2; pass++) {
      for (int i = 0; i < readings.size(); i++) {
        boolean placed = placedAs(readings.get(i), best, placement).isPresent();
        boolean holds =
            readings.get(i).areas().stream()
                .anyMatch(area -> area.damage().isEmpty() && area.tail().equals(best.tail()));
        // Copies where they belong first; a former place may still hold the state.
        if (holds && placed == (pass == 0)) {
          winners.add(i);
        }
      }
    }
    return winners;
  }

  /** The place that the placement has where the reading was taken. */
  static Optional<CopyPlace> placedAs(CopyReading reading, AreaReading best, Placement placement) {
    return placement.places().stream()
        .filter(place -> {
          SpareMember spare = best.header().spares().get(place.spare());
          return spare != null
              && spare.spareId().equals(reading.spareId())
              && place.offsetBytes() == reading.offsetBytes();
        })
        .findFirst();
  }

  private CopyVerdict verdict(
      CopyVerdict.Decision decision,
      List<String> reasons,
      @Nullable AreaReading best,
      @Nullable Placement placement,
      List<Integer> winners) {
    List<CopyFinding> findings = new ArrayList<>();
    for (CopyReading reading : readings) {
      findings.add(finding(reading, best, placement));
    }
    if (best != null && placement != null) {
      for (CopyPlace place : placement.places()) {
        if (readings.stream()
            .noneMatch(reading ->
                placedAs(reading, best, placement)
                    .map(found -> found.copy() == place.copy())
                    .orElse(false))) {
          findings.add(
              new CopyFinding(
                  place.copy(),
                  place.spare(),
                  place.offsetBytes(),
                  CopyFinding.Standing.ABSENT,
                  Optional.empty(),
                  "it was not looked at or its disk is not there"));
        }
      }
    }
    return new CopyVerdict(
        decision, reasons, findings, Optional.ofNullable(best).map(AreaReading::tail), winners);
  }

  private CopyFinding finding(
      CopyReading reading, @Nullable AreaReading best, @Nullable Placement placement) {
    Optional<CopyPlace> place =
        best == null || placement == null ? Optional.empty() : placedAs(reading, best, placement);
    int copy =
        place.map(CopyPlace::copy).orElse(reading.superblock().map(Superblock::copy).orElse(-1));
    int spare = place.map(CopyPlace::spare).orElse(-1);
    Optional<AreaReading> own = reading.best();
    CopyFinding.Standing standing = standing(reading, best, place);
    String sentence =
        reading.sentence().isEmpty()
            ? own.map(area -> area.damage().orElse(area.sentence())).orElse("")
            : reading.sentence();
    return new CopyFinding(
        copy, spare, reading.offsetBytes(), standing, own.map(AreaReading::tail), sentence);
  }

  private static CopyFinding.Standing standing(
      CopyReading reading, @Nullable AreaReading best, Optional<CopyPlace> place) {
    switch (reading.kind()) {
      case UNREADABLE, BLANK, NEWER -> {
        return CopyFinding.Standing.UNREADABLE;
      }
      case FOREIGN -> {
        return CopyFinding.Standing.FOREIGN;
      }
      case ABSENT -> {
        return CopyFinding.Standing.ABSENT;
      }
      case READ -> {}
    }
    AreaReading own = reading.best().orElseThrow();
    if (best != null && place.isEmpty()) {
      return CopyFinding.Standing.FORMER;
    }
    if (!own.isTailKnown() || own.damage().isPresent()) {
      return CopyFinding.Standing.DAMAGED;
    }
    return best != null && own.tail().equals(best.tail())
        ? CopyFinding.Standing.CURRENT
        : CopyFinding.Standing.STALE;
  }
}
