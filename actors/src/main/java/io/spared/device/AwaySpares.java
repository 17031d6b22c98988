package io.spared.device;

import io.spared.ffi.disk.Disk;
import io.spared.ffi.engine.DiskPort;
import io.spared.format.CopyPlace;
import io.spared.format.DiskEvidence;
import io.spared.format.ExtentKind;
import io.spared.format.Position;
import io.spared.format.SpareNotes;
import io.spared.metadata.MetadataCommand;
import io.spared.monitor.Event;
import io.spared.spare.SpareCommand;
import io.spared.spare.SpareReply;
import java.util.HashMap;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import java.util.OptionalInt;
import java.util.TreeMap;
import java.util.function.BiConsumer;
import org.apache.pekko.actor.typed.ActorRef;
import org.jspecify.annotations.Nullable;

/**
 * Spares whose disks went away, until they return or have failed.
 *
 * <p>Invariant: a disk is taken again only when it is the spare as it went away. Its table says
 * that it is the spare, its hardware is the one that was recorded, and a copy of the metadata on it
 * is as new as when it went: every commit reached it while it was there, so an older state is an
 * old copy of the disk, whose slots are old as well, and another epoch is another host's. And
 * nothing was acknowledged on it that its cache may have lost: in that case the next flush has
 * failed, or will, and a person decides. What was given up while it was away stays away.
 */
final class AwaySpares {
  /** How often a spare that went away is looked for. */
  private static final long LOOK_NANOS = 1_000_000_000L;

  /**
   * One that is away.
   *
   * @param position the state that at least one of its copies holds
   * @param copiesBytes where its copies stand
   */
  private record Away(
      SpareReply.Attached spare,
      long sinceNanos,
      String why,
      Position position,
      List<Long> copiesBytes) {}

  /** One that may be there again, while its copies are read. */
  private record Returning(
      int index, SpareReply.Attached spare, CopyAges ages, DiskReading reading) {}

  private final Run run;
  private final Serving serving;
  private final SpareLife.Disks keeper;
  private final BiConsumer<Integer, String> hasFailed;
  private final ActorRef<SpareReply> inbox;
  private final Map<Integer, Away> away = new TreeMap<>();
  private final Map<Integer, String> told = new HashMap<>();
  private @Nullable Returning returning;
  private boolean ageKnown;
  private boolean resting;

  /**
   * @param hasFailed is told which has been away for too long, and why
   */
  AwaySpares(
      Run run, Serving serving, SpareLife.Disks keeper, BiConsumer<Integer, String> hasFailed) {
    this.run = run;
    this.serving = serving;
    this.keeper = keeper;
    this.hasFailed = hasFailed;
    this.inbox =
        run.inbox(
            SpareReply.class, "spares-away", reply -> new DeviceNews.AwaySpare(run.number, reply));
  }

  /**
   * Its disk is not there: nobody uses it any more, so that the kernel can let go of it, and it is
   * looked for. When it stays away it has failed.
   */
  void goneAway(int index, String why) {
    SpareReply.Attached spare = serving.spares().get(index);
    if (spare == null) {
      return;
    }
    List<Long> copies =
        serving.image().placement().stream()
            .flatMap(placement -> placement.places().stream())
            .filter(place -> place.spare() == index)
            .map(CopyPlace::offsetBytes)
            .toList();
    away.put(index, new Away(spare, run.nowNanos(), why, serving.image().position(), copies));
    serving.away(index, why);
    // It cannot be opened again while anybody here still has it.
    serving.scrubbing().restart();
    run.usesNoMore(spare.spareId());
    lookLater();
  }

  private void lookLater() {
    run.later("spares-away", LOOK_NANOS, new DeviceNews.LookForSpares(run.number));
  }

  /** Whether what was acknowledged may be lost with a spare that is away. */
  boolean isAnyUnflushed() {
    return away.keySet().stream().anyMatch(this::isUnflushed);
  }

  private boolean isUnflushed(int index) {
    return serving.doubts().isUnflushed(index) && serving.slots().usedOfSpare(index) > 0;
  }

  void look() {
    for (Map.Entry<Integer, Away> each : List.copyOf(away.entrySet())) {
      Away gone = each.getValue();
      long nanos = run.nowNanos() - gone.sinceNanos();
      if (nanos >= serving.settings().upkeep().failedAfter().toNanos()) {
        hasFailed.accept(each.getKey(), "its disk is away: " + gone.why());
      }
      run.parts
          .spares()
          .tell(new SpareCommand.Attach(gone.spare().address(), run.settings.name(), inbox));
    }
    if (!away.isEmpty()) {
      lookLater();
    }
  }

  /** A disk is there again where a spare went away. */
  OptionalInt on(SpareReply reply) {
    if (!(reply instanceof SpareReply.Attached back)) {
      return OptionalInt.empty();
    }
    run.uses(back);
    Integer index =
        away.entrySet().stream()
            .filter(each -> each.getValue().spare().spareId().equals(back.spareId()))
            .map(Map.Entry::getKey)
            .findFirst()
            .orElse(null);
    Away gone = index == null ? null : away.get(index);
    if (index == null
        || gone == null
        || resting
        || returning != null
        || back.busyFor().contains(serving.image().deviceId())
        || isRefused(index, gone, back)) {
      run.usesNoMore(back);
      return OptionalInt.empty();
    }
    List<Long> copies = gone.copiesBytes().isEmpty() ? formerCopies(back) : gone.copiesBytes();
    if (copies.isEmpty()) {
      return take(index, back);
    }
    CopyAges ages = new CopyAges(serving.image().deviceId(), back.spareId(), copies);
    DiskReading reading =
        new DiskReading(
            ages,
            run.attach(back.disk()),
            run.parts.home().engine(),
            run.parts.home().engine().nanoTime() + run.settings.deadlines().request().toNanos(),
            () -> run.tell(new DeviceNews.AwaySpareAnswered(run.number)),
            () -> ageKnown = true);
    ageKnown = false;
    returning = new Returning(index, back, ages, reading);
    reading.begin();
    return answered();
  }

  /**
   * Requests to a spare that may be there again have ended: says which serves again, if one does.
   */
  OptionalInt answered() {
    Returning read = returning;
    if (read == null) {
      return OptionalInt.empty();
    }
    read.reading().answered();
    if (!ageKnown) {
      return OptionalInt.empty();
    }
    returning = null;
    Away gone = away.get(read.index());
    if (gone == null || resting || isAnotherState(read, gone)) {
      run.usesNoMore(read.spare());
      return OptionalInt.empty();
    }
    return take(read.index(), read.spare());
  }

  private OptionalInt take(int index, SpareReply.Attached back) {
    away.remove(index);
    told.remove(index);
    run.writesTo(back, serving.image().deviceId());
    DiskPort port = run.attachWriter(back);
    keeper.comes(back);
    serving.attach(index, back);
    serving.writer().tell(new MetadataCommand.SpareBack(index, port));
    serving.scrubbing().restart();
    serving.happened(Event.Severity.NOTICE, "spare.back", "spare " + index + " is there again");
    return OptionalInt.of(index);
  }

  private boolean isRefused(int index, Away gone, SpareReply.Attached back) {
    if (SpareNotes.isGone(serving.image(), index)) {
      tell(
          index,
          "spare.given-up",
          back.address()
              + " is spare "
              + index
              + ", which was given up while it was away: it is not used; wipe it before other use");
      return true;
    }
    Optional<String> another = MainEvidence.another(evidence(gone.spare().disk()), back.disk());
    if (another.isPresent()) {
      tell(
          index,
          "spare.another",
          back.address()
              + " says that it is spare "
              + index
              + ", but has "
              + another.get()
              + "; it is a copy, and is not used");
      return true;
    }
    if (!LostRanges.areAllLent(
        serving.image().deviceId(), back.lent(), serving.image().extents(index))) {
      tell(
          index,
          "spare.another-state",
          "spare "
              + index
              + " is there again and does not know of all that it has lent to this device: it is as"
              + " it was earlier, and is not used");
      return true;
    }
    if (isUnflushed(index)) {
      tell(
          index,
          "spare.unflushed",
          "spare "
              + index
              + " is there again, but not all that was written to it had been flushed; check what"
              + " uses the device, then stop and start it");
      return true;
    }
    return false;
  }

  private static DiskEvidence evidence(Disk disk) {
    return new DiskEvidence(
        disk.identity(), disk.geometry().sizeBytes(), disk.geometry().logicalSectorBytes());
  }

  /** Where its copies stood until they were placed elsewhere, if they were not given back yet. */
  private List<Long> formerCopies(SpareReply.Attached back) {
    return back.lent().stream()
        .filter(range -> range.deviceId().equals(serving.image().deviceId()))
        .filter(range -> range.kind() == ExtentKind.METADATA)
        .map(SpareReply.Lending::offsetBytes)
        .toList();
  }

  private boolean isAnotherState(Returning read, Away gone) {
    Position found = read.ages().newest();
    if (gone.copiesBytes().isEmpty()) {
      return isOlderThanNoted(read.index(), found);
    }
    boolean same =
        found.epoch().equals(gone.position().epoch()) && found.compareTo(gone.position()) >= 0;
    if (!same) {
      tell(
          read.index(),
          "spare.another-state",
          "spare "
              + read.index()
              + " is there again at "
              + found
              + ", but it went away at "
              + gone.position()
              + (found.compareTo(gone.position()) < 0
                  ? ": it is an old copy of the disk, or its copies cannot be read; it is not used"
                  : ": another host has used it; it is not used"));
    }
    return !same;
  }

  private boolean isOlderThanNoted(int index, Position found) {
    Optional<Position> held = SpareNotes.copiesLeft(serving.image(), index);
    boolean older = held.isPresent() && found.compareTo(held.get()) < 0;
    if (older) {
      tell(
          index,
          "spare.another-state",
          "spare "
              + index
              + " is there again as it was earlier, or its copies cannot be read: they end at "
              + found
              + "; it is not used");
    }
    return older;
  }

  /** Once, however often it is looked at. */
  private void tell(int index, String kind, String sentence) {
    if (!sentence.equals(told.put(index, sentence))) {
      serving.happened(Event.Severity.ERROR, kind, sentence);
    }
  }

  /** It is no spare of the device any more. */
  void left(int index) {
    away.remove(index);
  }

  /** The device is being stopped: nothing comes back any more. */
  void rest() {
    resting = true;
    run.notLater("spares-away");
  }
}
