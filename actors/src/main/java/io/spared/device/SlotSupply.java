package io.spared.device;

import io.spared.device.LifeCycle.Fact;
import io.spared.ffi.Errno;
import io.spared.format.Change;
import io.spared.format.DeviceImage;
import io.spared.format.Extent;
import io.spared.format.ExtentKind;
import io.spared.monitor.Event;
import io.spared.monitor.MonitorCommand;
import io.spared.relocation.RelocatorCommand;
import io.spared.relocation.RelocatorRequest;
import io.spared.remap.Place;
import io.spared.remap.Slots;
import io.spared.spare.SpareCommand;
import io.spared.spare.SpareReply;
import java.util.HashSet;
import java.util.List;
import java.util.Map;
import java.util.Set;
import java.util.UUID;
import java.util.function.Supplier;
import org.apache.pekko.actor.typed.ActorRef;

/**
 * Slots for blocks that move: taken here, and more of them borrowed from the spares before they are
 * needed, one question at a time. What a spare lends is recorded by a commit before a slot of it is
 * used. Warnings come while there is still room.
 */
final class SlotSupply {
  /** Below so many free slots more are borrowed from the spares. */
  private static final long SLOTS_LOW = 256;

  private static final long MEGABYTE = 1L << 20;

  private final Run run;
  private final DeviceImage image;
  private final Slots slots;
  private final Commits commits;
  private final ActorRef<RelocatorCommand> relocator;
  private final Map<Integer, SpareReply.Attached> spares;
  private final Supplier<Map<Integer, SpareReply.Attached>> usable;
  private final ActorRef<SpareReply> inbox;
  private boolean borrowing;

  /** Spares that have refused to lend more. */
  private final Set<Integer> lendNoMore = new HashSet<>();

  private Slots.Fullness warned = Slots.Fullness.PLENTY;

  /**
   * @param spares those that are there, as they come and go
   * @param usable those of them that may take more
   */
  SlotSupply(
      Run run,
      DeviceImage image,
      Slots slots,
      Commits commits,
      ActorRef<RelocatorCommand> relocator,
      Map<Integer, SpareReply.Attached> spares,
      Supplier<Map<Integer, SpareReply.Attached>> usable) {
    this.run = run;
    this.image = image;
    this.slots = slots;
    this.commits = commits;
    this.relocator = relocator;
    this.spares = spares;
    this.usable = usable;
    this.inbox =
        run.inbox(
            SpareReply.class,
            "spares-serving",
            reply -> new DeviceNews.FromSpares(run.number, reply));
  }

  /** One for the relocator, or the news that there is none. */
  List<Fact> take(RelocatorRequest.TakeSlot take) {
    long place = slots.take(take.avoidSpares(), true);
    if (place == Place.NONE) {
      relocator.tell(new RelocatorCommand.NoSlot(take.relocationId(), Errno.ENOSPC));
      lendNoMore.clear();
      borrowIfLow();
      if (slots.usage().free() > 0) {
        // There are, but not where this block may go.
        return List.of();
      }
      return List.of(
          new Fact.Worse(
              Trouble.SLOTS,
              "no slot is free of "
                  + slots.usage().lent()
                  + ": a block that fails now cannot be moved; add a spare"));
    }
    relocator.tell(new RelocatorCommand.SlotTaken(take.relocationId(), place));
    borrowIfLow();
    warnWhenFull();
    return List.of();
  }

  private void warnWhenFull() {
    Slots.Fullness now = slots.fullness();
    if (now.compareTo(warned) > 0 && lendNoMore.containsAll(usable.get().keySet())) {
      warned = now;
      if (now.compareTo(Slots.Fullness.FULL_95) >= 0) {
        run.parts
            .host()
            .tell(
                new SpareNotice.Wanted(
                    run.settings.name(), SpareChange.NONE, "its spares are nearly full"));
      }
      Slots.Usage usage = slots.usage();
      run.parts
          .monitor()
          .tell(
              new MonitorCommand.Raise(
                  now.compareTo(Slots.Fullness.FULL_95) >= 0
                      ? Event.Severity.CRITICAL
                      : Event.Severity.WARNING,
                  run.settings.name(),
                  "slots.low",
                  usage.free()
                      + " of "
                      + usage.lent()
                      + " slots are free, and its spares have no more to lend; add a spare"));
    }
  }

  /** Asks a spare for more before it is needed. */
  void borrowIfLow() {
    if (borrowing || slots.usage().free() >= SLOTS_LOW) {
      return;
    }
    Integer best = null;
    for (Integer index : usable.get().keySet()) {
      if (lendNoMore.contains(index)) {
        continue;
      }
      if (best == null || slots.freeOfSpare(index) > slots.freeOfSpare(best)) {
        best = index;
      }
    }
    if (best == null) {
      return;
    }
    long lentBytes = slots.usage().lent() * image.geometry().blockBytes();
    long bytes = Math.clamp(lentBytes / 4 / MEGABYTE * MEGABYTE, MEGABYTE, 1024 * MEGABYTE);
    SpareReply.Attached spare = spares.get(best);
    if (spare != null) {
      borrowing = true;
      run.parts
          .spares()
          .tell(
              new SpareCommand.Lend(
                  spare.spareId(), image.deviceId(), bytes, ExtentKind.DATA, inbox));
    }
  }

  /** A spare has lent, or has not. */
  void on(SpareReply reply) {
    switch (reply) {
      case SpareReply.Lent lent -> {
        borrowing = false;
        int index = indexOf(lent.spareId());
        if (index >= 0) {
          for (SpareReply.Lending range : lent.ranges()) {
            Extent extent =
                new Extent(index, range.offsetBytes(), range.lengthBytes(), range.kind());
            commits.ask(
                List.of(new Change.ExtentLent(extent)),
                new Commits.Purpose.Lending(extent),
                run.nowNanos());
          }
        }
      }
      case SpareReply.NotLent not -> {
        borrowing = false;
        lendNoMore.add(indexOf(not.spareId()));
        run.parts
            .monitor()
            .tell(
                new MonitorCommand.Happened(
                    Event.Severity.NOTICE, run.settings.name(), "spare.full", not.sentence()));
        borrowIfLow();
        warnWhenFull();
      }
      default -> {}
    }
  }

  /** What was lent is recorded, durably. */
  List<Fact> lent(Extent extent) {
    slots.lend(extent);
    borrowIfLow();
    return List.of(new Fact.Better(Trouble.SLOTS));
  }

  /** There are slots again, or soon will be. */
  List<Fact> moreRoom() {
    lendNoMore.clear();
    warned = Slots.Fullness.PLENTY;
    run.parts.monitor().tell(new MonitorCommand.Clear(run.settings.name(), "slots.low"));
    borrowIfLow();
    return List.of(new Fact.Better(Trouble.SLOTS));
  }

  private int indexOf(UUID spareId) {
    return spares.entrySet().stream()
        .filter(entry -> entry.getValue().spareId().equals(spareId))
        .mapToInt(Map.Entry::getKey)
        .findFirst()
        .orElse(-1);
  }
}
