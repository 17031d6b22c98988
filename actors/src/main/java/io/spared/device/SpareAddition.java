package io.spared.device;

import io.spared.ffi.disk.DiskAddress;
import io.spared.ffi.engine.DiskPort;
import io.spared.format.Change;
import io.spared.format.CopyLayout;
import io.spared.format.CopyPlace;
import io.spared.format.CopyPlacer;
import io.spared.format.DeviceImage;
import io.spared.format.DiskEvidence;
import io.spared.format.Extent;
import io.spared.format.ExtentKind;
import io.spared.format.Placement;
import io.spared.format.SpareMember;
import io.spared.format.SpareState;
import io.spared.remap.Place;
import io.spared.spare.SpareCommand;
import io.spared.spare.SpareReply;
import java.util.ArrayDeque;
import java.util.ArrayList;
import java.util.HashMap;
import java.util.List;
import java.util.Map;
import java.util.TreeMap;
import java.util.UUID;
import org.apache.pekko.actor.typed.ActorRef;
import org.jspecify.annotations.Nullable;

/**
 * A further spare for a device that serves, step by step: the disk becomes a spare, it lends places
 * for copies and something for data, and then one commit names the spare, its extents and the new
 * places of the copies.
 *
 * <p>What is lent is durable in the spare's own table before the commit that uses it (invariant 9).
 * The commit counts on a quorum of the new places, one on the new spare among them; until then the
 * old copies tell all of the device. Whatever fails before the commit is asked for is undone: the
 * ranges are given back and the disk is closed. After it was asked for nothing is undone, since
 * nobody could say that it is not durable.
 */
final class SpareAddition {
  private static final long MEGABYTE = 1L << 20;
  private static final long FIRST_DATA_BYTES_MAX = 1L << 30;

  private final Run run;
  private final DeviceImage image;
  private final Map<Integer, SpareReply.Attached> present;
  private final DiskAddress address;
  private final ActorRef<Answer> asker;
  private final ActorRef<SpareReply> inbox;
  private final List<Extent> lent = new ArrayList<>();
  private final ArrayDeque<Integer> placesWanted = new ArrayDeque<>();
  private Map<Integer, Integer> counts = Map.of();
  private SpareReply.@Nullable Attached spare;
  private int index = -1;
  private CopyLayout layout;
  private boolean allAnew;

  /** What became of a step. */
  enum Step {
    GOES_ON,
    /** Everything is lent: attach the disk and commit. */
    COMMIT,
    /** It was refused and undone. */
    REFUSED
  }

  SpareAddition(
      Run run,
      DeviceImage image,
      Map<Integer, SpareReply.Attached> present,
      DiskAddress address,
      ActorRef<SpareReply> inbox,
      ActorRef<Answer> asker) {
    this.run = run;
    this.image = image;
    // As it is now: the added one joins its owner's map before the places are chosen.
    this.present = Map.copyOf(present);
    this.address = address;
    this.inbox = inbox;
    this.asker = asker;
    this.layout = image.placement().orElseThrow().layout();
  }

  void begin() {
    run.parts
        .spares()
        .tell(
            new SpareCommand.Prepare(
                address,
                run.settings.name(),
                image.geometry().sectorBytes(),
                run.parts.world().newUuid(),
                inbox));
  }

  Step on(SpareReply reply) {
    return switch (reply) {
      case SpareReply.Attached attached -> attached(attached);
      case SpareReply.NotAttached not -> refuse(not.sentence());
      case SpareReply.Lent ranges -> lent(ranges);
      case SpareReply.NotLent not -> {
        if (allAnew && spare != null && !not.spareId().equals(spare.spareId())) {
          // A spare that is full already is why another is added: its copies stay as they are.
          giveBack();
          plan(false);
          yield next();
        }
        yield refuse(not.sentence());
      }
      case SpareReply.TakenBack taken -> Step.GOES_ON;
      case SpareReply.NotTakenBack not -> Step.GOES_ON;
      case SpareReply.Stopped stopped -> Step.GOES_ON;
    };
  }

  private Step attached(SpareReply.Attached attached) {
    spare = attached;
    for (SpareMember member : image.spares().values()) {
      if (member.spareId().equals(attached.spareId())) {
        return refuse(address + ": is spare " + member.index() + " of this device already");
      }
    }
    index = image.spares().keySet().stream().mapToInt(i -> i + 1).max().orElse(0);
    if (index > Place.SPARES_MAX - 1) {
      return refuse(
          run.settings.name() + " has had " + Place.SPARES_MAX + " spares, which is the most");
    }
    plan(true);
    return next();
  }

  /** Which spares lend places for how many copies. */
  private void plan(boolean mayGrow) {
    Placement now = image.placement().orElseThrow();
    long slots = sizeBytes(spare) / image.geometry().blockBytes();
    for (SpareReply.Attached other : present.values()) {
      slots += sizeBytes(other) / image.geometry().blockBytes();
    }
    CopyLayout wanted = CopyPlacer.layoutFor(image.geometry(), slots);
    allAnew = mayGrow && wanted.checkpointBytes() > now.layout().checkpointBytes();
    layout = allAnew ? wanted : now.layout();
    List<Integer> all = new ArrayList<>(present.keySet());
    all.sort(null);
    all.add(index);
    Map<Integer, Integer> next = new TreeMap<>();
    if (allAnew) {
      for (int copy = 0; copy < now.copies(); copy++) {
        next.merge(all.get(copy % all.size()), 1, Integer::sum);
      }
    } else if (now.copies() / all.size() > 0) {
      next.put(index, now.copies() / all.size());
    }
    counts = next;
    placesWanted.clear();
    placesWanted.addAll(next.keySet());
  }

  private static long sizeBytes(SpareReply.@Nullable Attached spare) {
    return spare == null ? 0 : spare.disk().geometry().sizeBytes();
  }

  /** Asks for what is still to be lent: places first, since they need room in one piece. */
  private Step next() {
    Integer from = placesWanted.peek();
    if (from != null) {
      run.parts
          .spares()
          .tell(
              new SpareCommand.LendPlaces(
                  spareId(from),
                  image.deviceId(),
                  layout.extentBytes(),
                  counts.getOrDefault(from, 0),
                  inbox));
      return Step.GOES_ON;
    }
    if (lent.stream().noneMatch(extent -> extent.kind() == ExtentKind.DATA)) {
      long bytes =
          Math.clamp(sizeBytes(spare) / 8 / MEGABYTE * MEGABYTE, MEGABYTE, FIRST_DATA_BYTES_MAX);
      run.parts
          .spares()
          .tell(
              new SpareCommand.Lend(
                  spareId(index), image.deviceId(), bytes, ExtentKind.DATA, inbox));
      return Step.GOES_ON;
    }
    return Step.COMMIT;
  }

  private Step lent(SpareReply.Lent ranges) {
    Integer from = placesWanted.poll();
    for (SpareReply.Lending range : ranges.ranges()) {
      lent.add(
          new Extent(
              from == null ? index : from, range.offsetBytes(), range.lengthBytes(), range.kind()));
    }
    return next();
  }

  private UUID spareId(int of) {
    SpareReply.Attached lender = of == index ? spare : present.get(of);
    if (lender == null) {
      throw new IllegalStateException("spare " + of + " is not there");
    }
    return lender.spareId();
  }

  int index() {
    return index;
  }

  SpareReply.Attached spare() {
    SpareReply.Attached attached = spare;
    if (attached == null) {
      throw new IllegalStateException("it is not open yet");
    }
    return attached;
  }

  List<Extent> lent() {
    return List.copyOf(lent);
  }

  /** The commit that makes the spare the device's. */
  void commit(Commits commits, DiskPort port) {
    SpareReply.Attached attached = spare();
    List<Change> changes = new ArrayList<>();
    changes.add(
        new Change.SpareAdded(
            new SpareMember(
                index,
                attached.spareId(),
                new DiskEvidence(
                    attached.disk().identity(),
                    attached.disk().geometry().sizeBytes(),
                    attached.disk().geometry().logicalSectorBytes()),
                SpareState.IN_SERVICE)));
    lent.forEach(extent -> changes.add(new Change.ExtentLent(extent)));
    if (counts.isEmpty()) {
      commits.ask(changes, new Commits.Purpose.Addition(), run.nowNanos());
    } else {
      commits.place(
          placement(),
          changes,
          Map.of(index, port),
          new Commits.Purpose.Addition(),
          run.nowNanos());
    }
  }

  /** Copies go to the places that were lent; the others stay where they are. */
  private Placement placement() {
    Placement now = image.placement().orElseThrow();
    List<CopyPlace> places = new ArrayList<>(now.places());
    Map<Integer, ArrayDeque<Extent>> free = new HashMap<>();
    Map<Integer, Integer> perSpare = new TreeMap<>();
    for (Extent extent : lent) {
      if (extent.kind() == ExtentKind.METADATA) {
        free.computeIfAbsent(extent.spare(), of -> new ArrayDeque<>()).add(extent);
      }
    }
    if (allAnew) {
      List<Integer> all = new ArrayList<>(present.keySet());
      all.sort(null);
      all.add(index);
      for (int copy = 0; copy < now.copies(); copy++) {
        int on = all.get(copy % all.size());
        Extent place = free.getOrDefault(on, new ArrayDeque<>()).remove();
        places.set(copy, new CopyPlace(copy, on, place.offsetBytes()));
      }
      return new Placement(layout, places);
    }
    for (Extent place : free.getOrDefault(index, new ArrayDeque<>())) {
      perSpare.clear();
      places.forEach(copy -> perSpare.merge(copy.spare(), 1, Integer::sum));
      perSpare.remove(index);
      int fullest =
          perSpare.entrySet().stream()
              .max(Map.Entry.comparingByValue())
              .map(Map.Entry::getKey)
              .orElseThrow();
      for (int copy = places.size() - 1; copy >= 0; copy--) {
        if (places.get(copy).spare() == fullest) {
          places.set(copy, new CopyPlace(copy, index, place.offsetBytes()));
          break;
        }
      }
    }
    return new Placement(layout, places);
  }

  /** Nothing was asked to be committed: the ranges and the disk are given back. */
  Step refuse(String sentence) {
    giveBack();
    SpareReply.Attached attached = spare;
    if (attached != null) {
      run.parts.spares().tell(new SpareCommand.Detach(attached.spareId(), run.settings.name()));
    }
    asker.tell(new Answer.Refused(sentence));
    return Step.REFUSED;
  }

  private void giveBack() {
    for (Extent extent : lent) {
      run.parts
          .spares()
          .tell(
              new SpareCommand.TakeBack(
                  spareId(extent.spare()),
                  image.deviceId(),
                  extent.offsetBytes(),
                  extent.lengthBytes(),
                  inbox));
    }
    lent.clear();
  }

  void answer(Answer answer) {
    asker.tell(answer);
  }

  DiskAddress address() {
    return address;
  }
}
