package io.spared.metadata;

import io.spared.ffi.engine.DiskPort;
import io.spared.format.AreaReading;
import io.spared.format.CopyPlace;
import io.spared.format.CopyReading;
import io.spared.format.DeviceImage;
import io.spared.format.LogAppender;
import io.spared.format.Placement;
import io.spared.format.Position;
import io.spared.format.SpareMember;
import io.spared.format.Superblock;
import io.spared.metadata.MetadataReply.CopyReason;
import io.spared.metadata.MetadataReply.CopyState;
import io.spared.metadata.MetadataReply.CopyStatus;
import java.util.ArrayList;
import java.util.HashMap;
import java.util.HashSet;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import java.util.Set;
import java.util.UUID;
import java.util.function.Predicate;
import org.jspecify.annotations.Nullable;

/**
 * The copies of the placement in force, the disks they stand on, and the question of the quorum.
 * Copies of a placement that was left stay known until nothing of theirs is in flight any more;
 * only then is their place given back.
 */
final class Copies {
  private final WriterContext context;
  private final Lanes lanes;
  private final RepairSchedule schedule;
  private @Nullable Placement placement;
  private List<Copy> copies = List.of();
  private final List<Copy> former = new ArrayList<>();
  private final Map<Integer, DiskPort> ports = new HashMap<>();
  private final Map<UUID, DiskPort> portsBySpareId = new HashMap<>();
  private final Set<Integer> excusedSpares = new HashSet<>();

  Copies(WriterContext context, Lanes lanes, RepairSchedule schedule) {
    this.context = context;
    this.lanes = lanes;
    this.schedule = schedule;
  }

  List<Copy> all() {
    return copies;
  }

  Placement placement() {
    Placement known = placement;
    if (known == null) {
      throw new IllegalStateException("no device is loaded");
    }
    return known;
  }

  // Where they stand.

  /** The disks that a load reads, by their identity: which spare each is, its result tells. */
  void readFrom(List<MetadataCommand.CopySource> sources, Set<Integer> withoutSpares) {
    for (MetadataCommand.CopySource source : sources) {
      portsBySpareId.put(source.spareId(), source.port());
    }
    excusedSpares.clear();
    excusedSpares.addAll(withoutSpares);
  }

  /** From its first commit on the device needs every spare in service. */
  void excuseNoSpare() {
    excusedSpares.clear();
  }

  void addPorts(Map<Integer, DiskPort> more) {
    ports.putAll(more);
  }

  void removePort(int spare) {
    ports.remove(spare);
  }

  /** The copies of a device that was loaded, or of one that is to be created. */
  void adopt(DeviceImage loaded, boolean fresh) {
    placement = loaded.placement().orElseThrow();
    for (SpareMember spare : loaded.spares().values()) {
      DiskPort port = portsBySpareId.get(spare.spareId());
      if (port != null) {
        ports.put(spare.index(), port);
      }
    }
    copies = placement().places().stream().map(this::newCopy).toList();
    copies.forEach(copy -> copy.isNew = fresh);
  }

  private Copy newCopy(CopyPlace place) {
    Copy copy =
        new Copy(
            place,
            superblockOf(place, placement(), context.history().image().spares()),
            lanes.newLaneOfCopy());
    copy.port = ports.get(place.spare());
    if (copy.port == null) {
      copy.state = CopyState.GONE;
      copy.reason = "its disk is not there";
    }
    return copy;
  }

  private Superblock superblockOf(
      CopyPlace place, Placement placed, Map<Integer, SpareMember> members) {
    SpareMember spare = members.get(place.spare());
    if (spare == null) {
      throw new IllegalArgumentException("copy " + place.copy() + " is placed on no spare");
    }
    DeviceImage image = context.history().image();
    return new Superblock(
        image.deviceId(),
        spare.spareId(),
        place.copy(),
        placed.copies(),
        place.offsetBytes(),
        image.geometry(),
        placed.layout(),
        0);
  }

  /** How each copy stands by what was read of it. */
  void foundAs(List<CopyReading> readings) {
    for (Copy copy : copies) {
      if (copy.port != null) {
        schedule.recall(copy);
        foundAs(copy, readings);
      }
    }
  }

  private void foundAs(Copy copy, List<CopyReading> readings) {
    Position committed = context.history().committed();
    Optional<CopyReading> found =
        readings.stream()
            .filter(reading ->
                reading.spareId().equals(copy.superblock.spareId())
                    && reading.offsetBytes() == copy.place.offsetBytes())
            .findFirst();
    if (found.isEmpty()) {
      copy.stale("no copy was found where it should stand");
      return;
    }
    found.get().newestSealed().ifPresent(copy::sawSealed);
    Optional<AreaReading> best = found.get().best();
    if (best.isEmpty()) {
      copy.stale(found.get().sentence());
    } else if (!best.get().tail().equals(committed)) {
      copy.stale("it is at " + best.get().tail() + ", the newest is at " + committed);
    } else if (!best.get().isTailKnown() || best.get().damage().isPresent()) {
      copy.stale(best.get().damage().orElse(best.get().sentence()));
    } else if (!found.get().superblock().map(copy.superblock::equals).orElse(false)) {
      copy.stale("its superblock is not what it should be");
    } else {
      copy.appender = LogAppender.after(copy.superblock, best.get());
      copy.durable = committed;
      copy.state = CopyState.IN_STEP;
      copy.reason = "";
    }
  }

  /** From here on the copies are those of the new placement. */
  void moveTo(Placement next, Map<Integer, SpareMember> members, Map<Integer, DiskPort> newPorts) {
    ports.putAll(newPorts);
    List<Copy> placed = new ArrayList<>();
    for (CopyPlace at : next.places()) {
      placed.add(copyFor(at, next, members));
    }
    for (Copy copy : copies) {
      if (!placed.contains(copy)) {
        former.add(copy);
        copy.appender = null;
      }
    }
    placement = next;
    copies = List.copyOf(placed);
  }

  /** The copy that stands there already, or a new one that must be built. */
  private Copy copyFor(CopyPlace at, Placement next, Map<Integer, SpareMember> members) {
    Superblock superblock = superblockOf(at, next, members);
    for (Copy copy : copies) {
      if (copy.superblock.equals(superblock)) {
        return copy;
      }
    }
    Copy fresh = new Copy(at, superblock, lanes.newLaneOfCopy());
    fresh.port = ports.get(at.spare());
    fresh.state = fresh.port == null ? CopyState.GONE : CopyState.STALE;
    fresh.reason = fresh.port == null ? "its disk is not there" : "it is new";
    fresh.nextAttemptNanos = context.nanoTime();
    fresh.isNew = true;
    return fresh;
  }

  /** Gives back the places that were left and that nothing can touch any more. */
  void leaveFormerPlaces() {
    for (Copy copy : List.copyOf(former)) {
      if (copy.lane.isFree() && copy.buildWrites == 0) {
        lanes.leave(copy.lane);
        former.remove(copy);
        context.tell(new MetadataEvent.PlaceLeft(copy.place.spare(), copy.place.offsetBytes()));
      }
    }
  }

  // The quorum.

  Set<Integer> sparesInService() {
    Set<Integer> inService = new HashSet<>();
    for (SpareMember spare : context.history().image().spares().values()) {
      if (spare.state().isNeeded() && !excusedSpares.contains(spare.index())) {
        inService.add(spare.index());
      }
    }
    return inService;
  }

  boolean areQuorum(Set<Integer> neededSpares, Predicate<Copy> counts) {
    return context
        .rules()
        .quorum()
        .isQuorum(placement(), neededSpares, place -> counts.test(copies.get(place.copy())));
  }

  List<CopyReason> outOfStep() {
    return copies.stream().filter(copy -> !copy.isInStep()).map(Copy::asReason).toList();
  }

  String whyNoQuorum() {
    return "too few copies of the metadata take commits: "
        + CopyReason.listed(outOfStep(), "an earlier commit is indeterminate");
  }

  List<CopyStatus> status() {
    return copies.stream().map(Copies::status).toList();
  }

  private static CopyStatus status(Copy copy) {
    LogAppender log = copy.appender;
    return new CopyStatus(
        copy.place.copy(),
        copy.place.spare(),
        copy.place.offsetBytes(),
        copy.state,
        copy.durable,
        log == null ? 0 : log.seal().generation(),
        log == null ? 0 : log.fill(),
        copy.attempts,
        copy.reason);
  }
}
