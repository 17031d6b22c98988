package io.spared.metadata;

import io.spared.ffi.engine.DiskPort;
import io.spared.format.Change;
import io.spared.format.Epoch;
import io.spared.format.Owner;
import io.spared.format.Placement;
import io.spared.format.SpareMember;
import io.spared.metadata.MetadataReply.Reason;
import io.spared.metadata.MetadataReply.State;
import java.util.ArrayList;
import java.util.HashMap;
import java.util.HashSet;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import java.util.Set;
import java.util.function.Consumer;
import org.jspecify.annotations.Nullable;

/**
 * The records that are more than a commit: a new epoch, and new places for the copies.
 *
 * <p><b>Alone.</b> Before copies are placed anew what was asked for is decided, unless it cannot
 * be, and nothing begins beside it. Who finds the copies half placed relies on that ({@link
 * io.spared.format.CopyChoice}).
 */
final class Places {
  private record Waiting(
      long id,
      Placement placement,
      Map<Integer, SpareMember> members,
      Map<Integer, DiskPort> ports,
      List<Change> changes,
      Consumer<MetadataReply> answer) {}

  private final WriterContext context;
  private final Copies copies;
  private final Commits commits;
  private final Round round;
  private final Upkeep upkeep;

  /** Waits until nothing else is outstanding. */
  private @Nullable Waiting waiting;

  Places(WriterContext context, Copies copies, Commits commits, Round round, Upkeep upkeep) {
    this.context = context;
    this.copies = copies;
    this.commits = commits;
    this.round = round;
    this.upkeep = upkeep;
  }

  void begin(Epoch newEpoch, Owner owner, Consumer<MetadataReply> answer) {
    Optional<MetadataReply> refusal = notToBegin(newEpoch);
    if (refusal.isPresent()) {
      answer.accept(refusal.get());
      return;
    }
    round.beginAnew();
    begin(newEpoch, List.of(new Change.EpochRaised(newEpoch, owner)), answer, null);
  }

  private void begin(
      Epoch newEpoch,
      List<Change> changes,
      Consumer<MetadataReply> answer,
      @Nullable Set<Integer> neededSpares) {
    context.history().raise(newEpoch);
    context.standing().become(State.BEGINNING);
    commits.start(Outstanding.Kind.BEGIN, changes, answer, 0, neededSpares);
  }

  private Optional<MetadataReply> notToBegin(Epoch newEpoch) {
    Epoch epoch = context.history().epoch();
    if (!context.standing().is(State.LOADED)) {
      return Optional.of(
          Admission.refused(0, Reason.NOT_READY, "no device is loaded that could be begun"));
    }
    return Long.compareUnsigned(newEpoch.counter(), epoch.counter()) > 0
        ? Optional.empty()
        : Optional.of(
            Admission.refused(
                0, Reason.INVALID, "epoch " + newEpoch + " is not newer than " + epoch));
  }

  /** As {@link #begin} and {@link #place} in one: for a start without a spare that is given up. */
  void beginPlaced(MetadataCommand.BeginPlaced begin, Consumer<MetadataReply> answer) {
    Map<Integer, SpareMember> members = new HashMap<>();
    List<Change> changes = new ArrayList<>();
    Optional<MetadataReply> refusal = notToBegin(begin.epoch());
    if (refusal.isEmpty()) {
      members.putAll(membersAfter(begin.changes()));
      changes.add(new Change.EpochRaised(begin.epoch(), begin.owner()));
      changes.addAll(begin.changes());
      changes.add(new Change.CopiesPlaced(begin.placement()));
      refusal = Admission.placement(0, begin.placement(), members, changes);
    }
    if (refusal.isPresent()) {
      answer.accept(refusal.get());
      return;
    }
    moveTo(begin.placement(), members, begin.ports());
    begin(begin.epoch(), changes, answer, needed(members));
  }

  void place(MetadataCommand.Place place, Consumer<MetadataReply> answer) {
    if (!context.standing().isServing()) {
      answer.accept(
          Admission.refused(
              place.id(),
              Reason.NOT_READY,
              "copies are not placed anew while it is " + context.standing().state()));
      return;
    }
    if (waiting != null || commits.isAny(Outstanding.Kind.PLACE)) {
      answer.accept(
          Admission.refused(place.id(), Reason.TOO_MANY, "copies are being placed anew already"));
      return;
    }
    Map<Integer, SpareMember> members = membersAfter(place.changes());
    List<Change> changes = new ArrayList<>(place.changes());
    changes.add(new Change.CopiesPlaced(place.placement()));
    Optional<MetadataReply> refusal =
        Admission.placement(place.id(), place.placement(), members, changes);
    if (refusal.isPresent()) {
      answer.accept(refusal.get());
      return;
    }
    waiting = new Waiting(place.id(), place.placement(), members, place.ports(), changes, answer);
  }

  void beginWhatWaits() {
    Waiting begins = waiting;
    boolean isAlone =
        context.standing().is(State.NO_QUORUM)
            || (context.standing().is(State.READY) && commits.isDecided());
    if (begins == null || !isAlone) {
      return;
    }
    waiting = null;
    moveTo(begins.placement(), begins.members(), begins.ports());
    commits.start(
        Outstanding.Kind.PLACE,
        begins.changes(),
        begins.answer(),
        begins.id(),
        needed(begins.members()));
  }

  void cancelWaiting() {
    Waiting waits = waiting;
    waiting = null;
    if (waits != null) {
      waits.answer().accept(new MetadataReply.Cancelled(waits.id()));
    }
  }

  private void moveTo(
      Placement next, Map<Integer, SpareMember> members, Map<Integer, DiskPort> ports) {
    upkeep.cancelAll();
    copies.moveTo(next, members, ports);
    round.beginAnew();
  }

  private Map<Integer, SpareMember> membersAfter(List<Change> changes) {
    Map<Integer, SpareMember> members = new HashMap<>(context.history().image().spares());
    for (Change change : changes) {
      switch (change) {
        case Change.SpareAdded c -> members.put(c.spare().index(), c.spare());
        case Change.SpareRemoved c -> members.remove(c.spare());
        case Change.SpareStateChanged c ->
            members.computeIfPresent(c.spare(), (index, spare) -> spare.withState(c.state()));
        default -> {}
      }
    }
    return members;
  }

  private static Set<Integer> needed(Map<Integer, SpareMember> members) {
    Set<Integer> needed = new HashSet<>();
    members.values().stream()
        .filter(spare -> spare.state().isNeeded())
        .forEach(spare -> needed.add(spare.index()));
    return needed;
  }
}
