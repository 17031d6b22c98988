package io.spared.metadata;

import io.spared.ffi.engine.DiskPort;
import io.spared.ffi.engine.Engine;
import io.spared.ffi.world.World;
import io.spared.format.Change;
import io.spared.format.CleanStop;
import io.spared.format.CopyConsent;
import io.spared.format.CopyReading;
import io.spared.format.CopyVerdict;
import io.spared.format.DeviceImage;
import io.spared.format.Epoch;
import io.spared.format.Geometry;
import io.spared.format.Owner;
import io.spared.format.RemapEntries;
import io.spared.metadata.Alarms.Kind;
import io.spared.metadata.MetadataReply.CopyState;
import io.spared.metadata.MetadataReply.Reason;
import io.spared.metadata.MetadataReply.State;
import java.time.Duration;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import java.util.Set;
import java.util.UUID;
import java.util.function.Consumer;
import java.util.function.Function;
import org.jspecify.annotations.Nullable;

/**
 * What the metadata writer does, without the actor around it: everything happens within a call (a
 * command, ends of requests, an alarm), on one thread, and nothing waits.
 *
 * <p>This gives each command to the part that it concerns, and after every event lets each part go
 * on with what may have become possible ({@link #afterwards}). What the writer keeps, its parts
 * keep: one history ({@link History}), no gaps ({@link Appends}), a quorum before the answer
 * ({@link Commits}), copies placed anew alone ({@link Places}), nothing in flight written again
 * ({@link CopyFaults}), always a whole area and not over another's ({@link Upkeep}), every round
 * ends ({@link Round}).
 *
 * <p>Kept here: a fenced writer writes nothing any more, and a writer that stops answers once
 * nothing is in flight or its deadline is over.
 */
final class Writer {
  private final WriterContext context;
  private final Standing standing;
  private final History history;
  private final Lanes lanes;
  private final Copies copies;
  private final CopyFaults faults;
  private final Appends appends;
  private final Admission admission;
  private final Commits commits;
  private final Round round;
  private final Scrubs scrubs;
  private final Upkeep upkeep;
  private final Places places;
  private @Nullable Loader loader;
  private @Nullable Consumer<MetadataReply> stopAnswer;
  private boolean stopped;

  /**
   * @param signal called on the engine's thread when {@link #ioEnded} should be
   */
  Writer(
      MetadataSettings settings,
      Engine engine,
      World world,
      Alarms alarms,
      Consumer<MetadataEvent> events,
      Runnable signal,
      WriterRules rules) {
    standing = new Standing();
    history = new History();
    context = new WriterContext(settings, engine, world, alarms, events, rules, standing, history);
    lanes = new Lanes(settings, engine, alarms, signal, this::mayPause);
    RepairSchedule schedule = new RepairSchedule(context);
    copies = new Copies(context, lanes, schedule);
    faults = new CopyFaults(context, schedule, this::checkQuorum);
    appends = new Appends(context, lanes, copies, faults);
    admission = new Admission(context, copies);
    commits = new Commits(context, copies, appends, schedule);
    round = new Round(context, copies, commits);
    scrubs = new Scrubs(context, lanes, copies, faults, this::fence);
    upkeep =
        new Upkeep(
            context,
            lanes,
            copies,
            faults,
            schedule,
            appends,
            round,
            scrubs,
            this::checkQuorum,
            this::fence);
    places = new Places(context, copies, commits, round, upkeep);
  }

  private boolean mayPause() {
    return standing.is(State.READY) && upkeep.isPatient();
  }

  private void checkQuorum() {
    commits.checkQuorum();
  }

  State state() {
    return standing.state();
  }

  long lastSequence() {
    return history.lastSequence();
  }

  boolean isStopped() {
    return stopped;
  }

  // Ends of requests and alarms.

  void ioEnded() {
    lanes.takeEnds();
    afterwards();
  }

  void alarm(Kind kind) {
    switch (kind) {
      case COMMIT -> commits.late();
      case REPAIR -> {}
      case BACKGROUND -> lanes.pauseIsOver();
      case BUFFER -> lanes.buffersMayBeFree();
      case STOP -> stopNow();
    }
    afterwards();
  }

  /** What any event may have made possible. */
  private void afterwards() {
    if (stopped) {
      return;
    }
    commits.settle();
    places.beginWhatWaits();
    commits.pump();
    appends.feedAll();
    if (history.isLoaded()) {
      if (commits.areAllPlain()) {
        copies.leaveFormerPlaces();
      }
      appends.trim();
    }
    upkeep.goOn();
    stopIfIdle();
  }

  // Load, create, begin.

  void load(
      UUID deviceId,
      List<MetadataCommand.CopySource> sources,
      Function<Geometry, RemapEntries> entries,
      Optional<CleanStop> cleanStop,
      Optional<CopyConsent> consent,
      Consumer<MetadataReply> answer) {
    if (!standing.is(State.NEW) && !standing.is(State.LOADED)) {
      answer.accept(Admission.refused(0, Reason.NOT_READY, "a device is loaded already"));
      return;
    }
    standing.become(State.LOADING);
    copies.readFrom(sources, consent.map(CopyConsent::withoutSpares).orElse(Set.of()));
    Loader made =
        new Loader(
            lanes,
            deviceId,
            sources,
            entries,
            cleanStop,
            consent,
            (readings, verdict, loaded) -> loaded(readings, verdict, loaded, answer));
    loader = made;
    made.begin();
    afterwards();
  }

  private void loaded(
      List<CopyReading> readings,
      CopyVerdict verdict,
      Optional<DeviceImage> loaded,
      Consumer<MetadataReply> answer) {
    loader = null;
    if (loaded.isEmpty()) {
      standing.become(State.NEW);
      answer.accept(new MetadataReply.NotLoaded(verdict));
      return;
    }
    history.adopt(loaded.get());
    history.sawGeneration(
        readings.stream()
            .flatMap(reading -> reading.newestSealed().stream())
            .mapToLong(CopyReading.Sealed::generation)
            .max()
            .orElse(0));
    copies.adopt(loaded.get(), false);
    copies.foundAs(readings);
    standing.become(State.LOADED);
    answer.accept(new MetadataReply.Loaded(verdict, loaded.get()));
  }

  void create(DeviceImage fresh, Map<Integer, DiskPort> ports, Consumer<MetadataReply> answer) {
    if (!standing.is(State.NEW)) {
      answer.accept(Admission.refused(0, Reason.NOT_READY, "a device is loaded already"));
      return;
    }
    if (fresh.placement().isEmpty()) {
      answer.accept(
          Admission.refused(0, Reason.INVALID, "the new device says not where its copies stand"));
      return;
    }
    copies.addPorts(ports);
    history.adopt(fresh);
    copies.adopt(fresh, true);
    standing.become(State.LOADING);
    round.forCreation(answer);
    afterwards();
  }

  void begin(Epoch newEpoch, Owner owner, Consumer<MetadataReply> answer) {
    places.begin(newEpoch, owner, answer);
    afterwards();
  }

  void beginPlaced(MetadataCommand.BeginPlaced begin, Consumer<MetadataReply> answer) {
    places.beginPlaced(begin, answer);
    afterwards();
  }

  // Commits and places.

  void commit(long id, List<Change> changes, Consumer<MetadataReply> answer) {
    Optional<MetadataReply> refusal = admission.commit(id, changes, commits.waiting());
    if (refusal.isPresent()) {
      answer.accept(refusal.get());
      return;
    }
    commits.add(id, changes, answer);
    afterwards();
  }

  void cancelCommit(long id) {
    commits.cancel(id);
  }

  void commitTimeout(Duration timeout) {
    appends.setTimeout(timeout);
  }

  void place(MetadataCommand.Place place, Consumer<MetadataReply> answer) {
    places.place(place, answer);
    afterwards();
  }

  void spareGone(int spare, String reason) {
    copies.removePort(spare);
    for (Copy copy : copies.all()) {
      if (copy.place.spare() == spare && copy.state != CopyState.GONE) {
        upkeep.diskGone(copy);
        faults.gone(copy, reason);
      }
    }
    commits.checkQuorum();
    afterwards();
  }

  void spareBack(int spare, DiskPort port) {
    copies.addPorts(Map.of(spare, port));
    for (Copy copy : copies.all()) {
      if (copy.place.spare() == spare) {
        faults.back(copy, port);
      }
    }
    afterwards();
  }

  // Repairs, checkpoints, scrubs.

  void repair(Consumer<MetadataReply> answer) {
    if (!standing.isServing()) {
      answer.accept(
          Admission.refused(
              0, Reason.NOT_READY, "nothing is repaired while it is " + standing.state()));
      return;
    }
    round.forRepair(answer);
    for (Copy copy : copies.all()) {
      copy.attempts = 0;
    }
    afterwards();
  }

  void cancelRepair() {
    upkeep.cancelBuild();
    afterwards();
  }

  void autoRepair(boolean on) {
    upkeep.setAutoRepair(on);
    afterwards();
  }

  /** Gives every copy in step a new checkpoint, one after the other, however short its log is. */
  void checkpoint() {
    upkeep.checkpointAll();
    afterwards();
  }

  void scrub(Consumer<MetadataReply> answer) {
    if (!standing.isServing()) {
      answer.accept(
          Admission.refused(
              0, Reason.NOT_READY, "nothing is scrubbed while it is " + standing.state()));
      return;
    }
    scrubs.ask(answer);
    afterwards();
  }

  void cancelScrub() {
    scrubs.cancel();
    afterwards();
  }

  // Fence and stop.

  /** Somebody else's stands where a copy was: nothing is written any more. */
  private void fence(Copy copy, String sentence) {
    if (standing.is(State.FENCED)) {
      return;
    }
    standing.become(State.FENCED);
    cancelBackground();
    commits.allIndeterminate();
    commits.refuseWaiting(Reason.FENCED, sentence);
    round.refuseRepairs(Reason.FENCED);
    round.refuseCreation(sentence);
    context.tell(
        new MetadataEvent.Fenced(
            "copy "
                + copy.place.copy()
                + " on spare "
                + copy.place.spare()
                + " at offset "
                + copy.place.offsetBytes()
                + ": "
                + sentence));
  }

  private void cancelBackground() {
    upkeep.cancelAll();
    Loader loading = loader;
    if (loading != null) {
      loading.cancel();
      loader = null;
    }
  }

  void stop(Duration deadline, Consumer<MetadataReply> answer) {
    if (stopAnswer != null) {
      return;
    }
    stopAnswer = answer;
    cancelBackground();
    commits.cancelWaiting();
    places.cancelWaiting();
    round.refuseRepairs(Reason.NOT_READY);
    standing.become(State.STOPPING);
    context.alarms().set(Kind.STOP, deadline);
    afterwards();
  }

  /** Ends when nothing is in flight any more: then nothing more can be decided either. */
  private void stopIfIdle() {
    if (stopAnswer != null && lanes.areIdle()) {
      finish();
    }
  }

  private void stopNow() {
    lanes.cancelAll();
    finish();
  }

  private void finish() {
    if (stopped) {
      return;
    }
    stopped = true;
    commits.allIndeterminate();
    Consumer<MetadataReply> answer = stopAnswer;
    int held = lanes.heldWrites();
    close();
    if (answer != null) {
      answer.accept(new MetadataReply.Stopped(held));
    }
  }

  /** Gives every buffer back; also when the actor fails. */
  void close() {
    stopped = true;
    lanes.closeAll();
  }

  MetadataReply.Status status() {
    return new MetadataReply.Status(
        standing.state(),
        history.committed(),
        copies.status(),
        upkeep.isAutoRepair(),
        upkeep.isRepairing(),
        scrubs.isRunning(),
        upkeep.progress(),
        commits.commits(),
        commits.commitsIndeterminate(),
        upkeep.checkpoints(),
        upkeep.repairsDone(),
        upkeep.repairsFailed(),
        scrubs.done(),
        upkeep.lastRepairMillis(),
        scrubs.lastMillis(),
        lanes.heldWrites(),
        commits.takeDurations());
  }
}
