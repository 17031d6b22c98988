package io.spared.metadata;

import io.spared.ffi.engine.Completions;
import io.spared.ffi.engine.DiskPort;
import io.spared.ffi.engine.Engine;
import io.spared.ffi.engine.IoRequest;
import io.spared.ffi.world.World;
import io.spared.format.AreaReading;
import io.spared.format.Change;
import io.spared.format.CleanStop;
import io.spared.format.CopyConsent;
import io.spared.format.CopyPlace;
import io.spared.format.CopyReading;
import io.spared.format.CopyVerdict;
import io.spared.format.DeviceImage;
import io.spared.format.Epoch;
import io.spared.format.Form;
import io.spared.format.Geometry;
import io.spared.format.LogAppender;
import io.spared.format.LogAppender.Payload;
import io.spared.format.Owner;
import io.spared.format.Placement;
import io.spared.format.Position;
import io.spared.format.RemapEntries;
import io.spared.format.SpareMember;
import io.spared.format.SpareState;
import io.spared.format.Superblock;
import io.spared.metadata.Alarms.Kind;
import io.spared.metadata.MetadataReply.CopyReason;
import io.spared.metadata.MetadataReply.CopyState;
import io.spared.metadata.MetadataReply.CopyStatus;
import io.spared.metadata.MetadataReply.Reason;
import io.spared.metadata.MetadataReply.State;
import java.nio.ByteBuffer;
import java.time.Duration;
import java.util.ArrayDeque;
import java.util.ArrayList;
import java.util.HashMap;
import java.util.HashSet;
import java.util.LinkedHashSet;
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
 * <p>Invariants, and why they hold:
 *
 * <ol>
 *   <li><b>One history.</b> Commits get consecutive sequences within one epoch, in the order asked
 *       for, and a sequence is never given to anything else: it is taken when a record is made and
 *       the record is kept until every copy has it or was given up.
 *   <li><b>No gaps.</b> A copy takes sequence n+1 only after n is durable on it, by one write at a
 *       time. One that failed a write takes none until it was built anew, with everything.
 *   <li><b>Quorum before the answer.</b> Committed is said only when {@link QuorumRule} holds for
 *       the copies on which the record is durable. A record is retained until then, and
 *       indeterminate ones stay in every log and every new copy: they are contained, never voided.
 *   <li><b>A checkpoint says no more than the image holds.</b> See {@link #answer}.
 *   <li><b>Nothing in flight is written again.</b> A copy with an abandoned write is HELD: it takes
 *       neither commits nor a checkpoint until the kernel lets go.
 *   <li><b>Always a whole area.</b> See {@link Build}; at most one is built at a time.
 *   <li><b>Not over another's.</b> Before a copy is repaired, what stands there is read.
 * </ol>
 */
final class Writer implements ReadTask.Surroundings {
  /** How long nothing may have gone wrong with a copy for its attempts to begin anew. */
  private static final long QUIET_NANOS = Duration.ofHours(1).toNanos();

  private static final Duration BUFFER_RETRY = Duration.ofMillis(5);

  /** Copies that lag further behind are built anew. */
  private static final int RETAINED_MAX = 1024;

  private static final int LOADING_WINDOW_BYTES = 256 * 1024;
  private static final int DURATIONS_MAX = 4096;

  /** What a header may take, where a checkpoint's room for entries is reckoned. */
  private static final long HEADER_ROOM_BYTES = 16 * 1024;

  private final MetadataSettings settings;
  private final Engine engine;
  private final World world;
  private final Alarms alarms;
  private final Consumer<MetadataEvent> events;
  private final WriterRules rules;
  private final Completions completions;

  private State state = State.NEW;
  private @Nullable DeviceImage image;
  private @Nullable Placement placement;

  /** Waits until nothing else is outstanding. */
  private @Nullable Placing placing;

  private record Placing(
      Placement placement,
      Map<Integer, SpareMember> members,
      Map<Integer, DiskPort> ports,
      WaitingCommit asked) {}

  private Epoch epoch = Epoch.NONE;
  private Position committed = Position.NONE;
  private long lastSequence;
  private long lastGeneration;
  private List<Copy> copies = List.of();
  private final List<Copy> formerCopies = new ArrayList<>();
  private final Map<Integer, DiskPort> ports = new HashMap<>();
  private final Map<UUID, DiskPort> portsBySpareId = new HashMap<>();
  private final Set<Integer> excusedSpares = new HashSet<>();
  private final Retained retained = new Retained();
  private final ArrayDeque<WaitingCommit> waiting = new ArrayDeque<>();
  private final ArrayDeque<Outstanding> outstanding = new ArrayDeque<>();

  private @Nullable Loader loader;
  private @Nullable Build build;
  private @Nullable Scrub scrub;
  private boolean scrubWanted;
  private boolean urgent;
  private final List<Consumer<MetadataReply>> scrubAnswers = new ArrayList<>();
  private final List<Consumer<MetadataReply>> repairAnswers = new ArrayList<>();
  private final Set<Copy> triedThisRound = new LinkedHashSet<>();
  private final Set<Copy> checkpointsWanted = new LinkedHashSet<>();
  private @Nullable Consumer<MetadataReply> createAnswer;
  private @Nullable Consumer<MetadataReply> stopAnswer;
  private boolean stopped;
  private final ArrayDeque<Runnable> waitingForBuffer = new ArrayDeque<>();
  private final ArrayDeque<Runnable> waitingForPause = new ArrayDeque<>();
  private final Set<Lane> lanes = new LinkedHashSet<>();

  private boolean autoRepair;
  private Duration commitTimeout;
  private long commits;
  private long commitsIndeterminate;
  private long checkpoints;
  private long repairsDone;
  private long repairsFailed;
  private long scrubsDone;
  private long lastRepairMillis;
  private long lastScrubMillis;
  private List<Long> durations = new ArrayList<>();

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
    this.settings = settings;
    this.engine = engine;
    this.world = world;
    this.alarms = alarms;
    this.events = events;
    this.rules = rules;
    this.completions = new Completions(signal);
    this.autoRepair = settings.autoRepair();
    this.commitTimeout = settings.commitTimeout();
  }

  // What builds, scrubs and loads need.

  WriterRules rules() {
    return rules;
  }

  Epoch epoch() {
    return epoch;
  }

  Retained retained() {
    return retained;
  }

  long lastSequence() {
    return lastSequence;
  }

  State state() {
    return state;
  }

  boolean isStopped() {
    return stopped;
  }

  DeviceImage image() {
    DeviceImage known = image;
    if (known == null) {
      throw new IllegalStateException("no device is loaded");
    }
    return known;
  }

  private Placement placement() {
    Placement known = placement;
    if (known == null) {
      throw new IllegalStateException("no device is loaded");
    }
    return known;
  }

  boolean isSelfSpare() {
    return image().form() == Form.SELF_SPARE;
  }

  long nextGeneration() {
    return ++lastGeneration;
  }

  long randomLong() {
    return world.random().nextLong();
  }

  int chunkBytes() {
    return settings.chunkBytes();
  }

  int largestWindowBytes() {
    return Math.clamp(engine.buffers().largestBytes(), Build.BUFFER_BYTES, LOADING_WINDOW_BYTES);
  }

  /** A lane for one piece of work, which closes it at its end. */
  Lane newLane(int bufferBytes) {
    lanes.removeIf(lane -> lane.isFree() && !lane.isOpen() && !lane.isLasting());
    Lane lane = new Lane(engine, completions, bufferBytes, false);
    lanes.add(lane);
    return lane;
  }

  private Lane newLaneOfCopy() {
    Lane lane = new Lane(engine, completions, MAX_RECORD_BYTES, true);
    lanes.add(lane);
    return lane;
  }

  @Override
  public long readDeadlineNanos() {
    return engine.nanoTime() + settings.readTimeout().toNanos();
  }

  @Override
  public void whenBufferMayBeFree(Runnable again) {
    waitingForBuffer.add(again);
    alarms.set(Kind.BUFFER, BUFFER_RETRY);
  }

  @Override
  public void next(Runnable again) {
    boolean gentle =
        state == State.READY
            && !urgent
            && repairAnswers.isEmpty()
            && !settings.chunkPause().isZero();
    if (gentle) {
      waitingForPause.add(again);
      alarms.set(Kind.BACKGROUND, settings.chunkPause());
    } else {
      again.run();
    }
  }

  // Ends of requests and alarms.

  void ioEnded() {
    for (IoRequest request = completions.next(); request != null; request = completions.next()) {
      if (request.attachment() instanceof Lane lane) {
        lane.ended(completions.lastOutcome());
      }
    }
    afterwards();
  }

  void alarm(Kind kind) {
    switch (kind) {
      case COMMIT -> late();
      case REPAIR -> {}
      case BACKGROUND -> runAll(waitingForPause);
      case BUFFER -> runAll(waitingForBuffer);
      case STOP -> stopNow();
    }
    afterwards();
  }

  private static void runAll(ArrayDeque<Runnable> actions) {
    List<Runnable> all = List.copyOf(actions);
    actions.clear();
    all.forEach(Runnable::run);
  }

  /** What any event may have made possible. */
  private void afterwards() {
    if (stopped) {
      return;
    }
    settle();
    pump();
    feedAll();
    trim();
    background();
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
    if (state != State.NEW && state != State.LOADED) {
      answer.accept(refused(0, Reason.NOT_READY, "a device is loaded already"));
      return;
    }
    state = State.LOADING;
    for (MetadataCommand.CopySource source : sources) {
      portsBySpareId.put(source.spareId(), source.port());
    }
    excusedSpares.clear();
    consent.map(CopyConsent::withoutSpares).ifPresent(excusedSpares::addAll);
    Loader made =
        new Loader(
            this,
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
      state = State.NEW;
      answer.accept(new MetadataReply.NotLoaded(verdict));
      return;
    }
    adopt(loaded.get(), false);
    lastGeneration =
        readings.stream()
            .flatMap(reading -> reading.areas().stream())
            .mapToLong(area -> area.seal().generation())
            .max()
            .orElse(0);
    for (Copy copy : copies) {
      place(copy, readings);
    }
    state = State.LOADED;
    answer.accept(new MetadataReply.Loaded(verdict, loaded.get()));
  }

  private void adopt(DeviceImage loaded, boolean fresh) {
    image = loaded;
    epoch = loaded.epoch();
    committed = loaded.position();
    lastSequence = committed.sequence();
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
            superblockOf(place, placement(), image().spares().get(place.spare())),
            newLaneOfCopy());
    copy.port = ports.get(place.spare());
    if (copy.port == null) {
      copy.state = CopyState.GONE;
      copy.reason = "its disk is not there";
    }
    return copy;
  }

  private static final int MAX_RECORD_BYTES = 8192;

  private Superblock superblockOf(CopyPlace place, Placement placed, @Nullable SpareMember spare) {
    if (spare == null) {
      throw new IllegalArgumentException("copy " + place.copy() + " is placed on no spare");
    }
    return new Superblock(
        image().deviceId(),
        spare.spareId(),
        place.copy(),
        placed.copies(),
        place.offsetBytes(),
        image().geometry(),
        placed.layout(),
        0);
  }

  /** How a copy stands by what was read of it. */
  private void place(Copy copy, List<CopyReading> readings) {
    if (copy.port == null) {
      return;
    }
    copy.attempts = attemptsRecorded(copy);
    Optional<CopyReading> found =
        readings.stream()
            .filter(reading ->
                reading.spareId().equals(copy.superblock.spareId())
                    && reading.offsetBytes() == copy.place.offsetBytes())
            .findFirst();
    if (found.isEmpty()) {
      stale(copy, "no copy was found where it should stand");
      return;
    }
    Optional<AreaReading> best = found.get().best();
    if (best.isEmpty()) {
      stale(copy, found.get().sentence());
    } else if (!best.get().tail().equals(committed)) {
      stale(copy, "it is at " + best.get().tail() + ", the newest is at " + committed);
    } else if (!best.get().isTailKnown() || best.get().damage().isPresent()) {
      stale(copy, best.get().damage().orElse(best.get().sentence()));
    } else if (!found.get().superblock().map(copy.superblock::equals).orElse(false)) {
      stale(copy, "its superblock is not what it should be");
    } else {
      copy.appender = LogAppender.after(copy.superblock, best.get());
      copy.durable = committed;
      copy.state = CopyState.IN_STEP;
      copy.reason = "";
    }
  }

  void create(
      DeviceImage fresh, Map<Integer, DiskPort> freshPorts, Consumer<MetadataReply> answer) {
    if (state != State.NEW) {
      answer.accept(refused(0, Reason.NOT_READY, "a device is loaded already"));
      return;
    }
    if (fresh.placement().isEmpty()) {
      answer.accept(refused(0, Reason.INVALID, "the new device says not where its copies stand"));
      return;
    }
    ports.putAll(freshPorts);
    adopt(fresh, true);
    state = State.LOADING;
    createAnswer = answer;
    triedThisRound.clear();
    afterwards();
  }

  void begin(Epoch newEpoch, Owner owner, Consumer<MetadataReply> answer) {
    Optional<MetadataReply> refusal = notToBegin(newEpoch);
    if (refusal.isPresent()) {
      answer.accept(refusal.get());
      return;
    }
    epoch = newEpoch;
    state = State.BEGINNING;
    triedThisRound.clear();
    List<Change> changes = List.of(new Change.EpochRaised(newEpoch, owner));
    start(
        Outstanding.Kind.BEGIN,
        changes,
        List.of(new WaitingCommit(0, changes, Copy.NEVER, answer)),
        null);
    afterwards();
  }

  private Optional<MetadataReply> notToBegin(Epoch newEpoch) {
    if (state != State.LOADED) {
      return Optional.of(refused(0, Reason.NOT_READY, "no device is loaded that could be begun"));
    }
    return Long.compareUnsigned(newEpoch.counter(), epoch.counter()) > 0
        ? Optional.empty()
        : Optional.of(
            refused(0, Reason.INVALID, "epoch " + newEpoch + " is not newer than " + epoch));
  }

  // Commits.

  void commit(long id, List<Change> changes, Consumer<MetadataReply> answer) {
    Optional<MetadataReply> refusal = refusal(id, changes);
    if (refusal.isPresent()) {
      answer.accept(refusal.get());
      return;
    }
    waiting.add(
        new WaitingCommit(id, changes, engine.nanoTime() + commitTimeout.toNanos(), answer));
    afterwards();
  }

  private Optional<MetadataReply> refusal(long id, List<Change> changes) {
    switch (state) {
      case READY -> {}
      case NO_QUORUM -> {
        return Optional.of(refused(id, Reason.NO_QUORUM, noQuorum()));
      }
      case FENCED -> {
        return Optional.of(refused(id, Reason.FENCED, "the device belongs to another start"));
      }
      case NEW, LOADING, LOADED, BEGINNING, STOPPING -> {
        return Optional.of(
            refused(id, Reason.NOT_READY, "metadata takes no commits while it is " + state));
      }
    }
    if (waiting.size() >= settings.waitingCommitsMax()) {
      return Optional.of(
          refused(id, Reason.TOO_MANY, waiting.size() + " commits wait already; ask again"));
    }
    for (Change change : changes) {
      if (change instanceof Change.EpochRaised || change instanceof Change.CopiesPlaced) {
        return Optional.of(
            refused(id, Reason.INVALID, "epochs and places are not changed by a plain commit"));
      }
    }
    return unencodable(id, changes).or(() -> noRoomForEntries(id, changes));
  }

  private static Optional<MetadataReply> unencodable(long id, List<Change> changes) {
    try {
      return new LogAppender.PayloadBuilder().add(changes)
          ? Optional.empty()
          : Optional.of(
              refused(
                  id,
                  Reason.TOO_LARGE,
                  changes.size() + " changes do not fit one commit of 8 KiB; split them"));
    } catch (IllegalArgumentException e) {
      return Optional.of(refused(id, Reason.INVALID, String.valueOf(e.getMessage())));
    }
  }

  private Optional<MetadataReply> noRoomForEntries(long id, List<Change> changes) {
    boolean adds =
        changes.stream()
            .anyMatch(
                change -> change instanceof Change.Remapped || change instanceof Change.PendingSet);
    long entries = image().entries().remapCount() + image().entries().pendingCount();
    long room = placement().layout().checkpointBytes() - HEADER_ROOM_BYTES;
    long entryBytes = image().geometry().sectorsPerBlock() <= 16 ? 16 : 32;
    long needed = (entries + changes.size()) * entryBytes;
    return adds && needed + needed / 16 + image().retiredSlotCount() * 8 > room
        ? Optional.of(
            refused(
                id,
                Reason.TOO_MANY,
                entries
                    + " remapped and pending blocks fill the room of each copy; place the copies"
                    + " anew with more"))
        : Optional.empty();
  }

  private static MetadataReply refused(long id, Reason reason, String sentence) {
    return new MetadataReply.Refused(id, reason, sentence);
  }

  void cancelCommit(long id) {
    for (WaitingCommit commit : List.copyOf(waiting)) {
      if (commit.id() == id) {
        waiting.remove(commit);
        commit.answer().accept(new MetadataReply.Cancelled(id));
      }
    }
  }

  /** Makes the next record of the commits that wait, when the one before has its quorum. */
  private void pump() {
    beginPlacing();
    while (state == State.READY && outstanding.isEmpty() && !waiting.isEmpty()) {
      if (!isRoomForQuorum()) {
        setCommitAlarm();
        return;
      }
      LogAppender.PayloadBuilder builder = new LogAppender.PayloadBuilder();
      List<WaitingCommit> batch = new ArrayList<>();
      while (!waiting.isEmpty() && builder.add(waiting.element().changes())) {
        batch.add(waiting.remove());
      }
      start(Outstanding.Kind.COMMIT, builder, batch, null);
    }
  }

  private void start(
      Outstanding.Kind kind,
      List<Change> changes,
      List<WaitingCommit> asked,
      @Nullable Set<Integer> neededSpares) {
    LogAppender.PayloadBuilder builder = new LogAppender.PayloadBuilder();
    if (!builder.add(changes)) {
      throw new IllegalArgumentException("changes that do not fit were let in");
    }
    start(kind, builder, asked, neededSpares);
  }

  private void start(
      Outstanding.Kind kind,
      LogAppender.PayloadBuilder builder,
      List<WaitingCommit> asked,
      @Nullable Set<Integer> neededSpares) {
    lastSequence++;
    Payload payload = builder.at(new Position(epoch, lastSequence));
    retained.add(payload);
    long now = engine.nanoTime();
    outstanding.add(
        new Outstanding(
            kind,
            payload,
            asked,
            now,
            kind == Outstanding.Kind.COMMIT ? now + commitTimeout.toNanos() : Copy.NEVER,
            neededSpares));
    setCommitAlarm();
    feedAll();
  }

  private boolean isRoomForQuorum() {
    return rules
        .quorum()
        .isQuorum(
            placement(),
            neededSpares(),
            place -> {
              Copy copy = copies.get(place.copy());
              LogAppender log = copy.appender;
              return copy.state == CopyState.IN_STEP
                  && log != null
                  && log.freeBytes() >= MAX_RECORD_BYTES;
            });
  }

  private void feedAll() {
    if (state == State.FENCED) {
      return;
    }
    for (Copy copy : copies) {
      feed(copy);
    }
  }

  /** Gives a copy the next record it lacks. */
  private void feed(Copy copy) {
    LogAppender log = copy.appender;
    DiskPort port = copy.port;
    boolean takes =
        copy.state == CopyState.IN_STEP
            || (!rules.staleCopyWaits() && copy.state == CopyState.STALE);
    if (!takes
        || copy.switching
        || log == null
        || port == null
        || !copy.lane.isFree()
        || log.last().sequence() >= lastSequence) {
      return;
    }
    Payload next = retained.get(log.last().sequence() + 1);
    if (next == null) {
      makeStale(copy, "it fell too far behind");
      return;
    }
    if (!log.hasRoom(next)) {
      return;
    }
    ByteBuffer bytes = copy.lane.buffer();
    if (bytes == null) {
      whenBufferMayBeFree(() -> feed(copy));
      return;
    }
    long offsetBytes = log.offsetBytes();
    int lengthBytes = log.append(next, bytes, 0);
    copy.writing = next;
    copy.lane.write(
        port,
        offsetBytes,
        lengthBytes,
        engine.nanoTime() + commitTimeout.toNanos(),
        (outcome, reason) -> appended(copy, next, outcome, reason));
  }

  private void appended(Copy copy, Payload payload, IoRequest.Outcome outcome, String reason) {
    switch (outcome) {
      case DONE -> {
        copy.writing = null;
        if (copy.state == CopyState.IN_STEP || !rules.staleCopyWaits()) {
          copy.durable = payload.position();
        }
      }
      case TIMED_OUT, CANCELLED -> {
        if (copy.lane.isHeld()) {
          held(copy, "a commit got no answer in time and may still be written");
        } else {
          copy.writing = null;
          makeStale(copy, "a commit got no answer in time");
        }
      }
      case RELEASED -> {
        copy.writing = null;
        if (reason.isEmpty() && copy.state == CopyState.HELD) {
          copy.durable = payload.position();
        } else {
          copy.appender = null;
          copy.reason = "a commit failed: " + reason;
        }
        released(copy);
      }
      case FAILED, IDLE, IN_FLIGHT -> {
        copy.writing = null;
        makeStale(copy, "a commit failed: " + reason);
      }
    }
    Build building = build;
    if (building != null && building.copy == copy) {
      building.laneIdle();
    }
  }

  /** An abandoned write stands in the way of everything on this copy. */
  void held(Copy copy, String reason) {
    if (copy.state == CopyState.GONE) {
      return;
    }
    boolean news = copy.state == CopyState.IN_STEP;
    copy.state = CopyState.HELD;
    copy.reason = reason;
    Build building = build;
    if (building != null && building.copy == copy) {
      building.fail(reason);
    }
    if (news) {
      events.accept(new MetadataEvent.CopyDamaged(copy.place.copy(), copy.place.spare(), reason));
    }
    checkQuorum();
  }

  /** The kernel let go of a write on this copy. */
  void released(Copy copy) {
    if (copy.state != CopyState.HELD || copy.buildWrites > 0 || copy.lane.isHeld()) {
      return;
    }
    LogAppender log = copy.appender;
    boolean canGoOn =
        log != null
            && copy.durable.equals(log.last())
            && (log.last().sequence() == lastSequence
                || retained.get(log.last().sequence() + 1) != null);
    if (canGoOn) {
      copy.state = CopyState.IN_STEP;
      copy.nextAttemptNanos = Copy.NEVER;
      copy.reason = "";
      checkQuorum();
    } else {
      stale(copy, copy.reason);
      scheduleRepair(copy);
    }
  }

  private void makeStale(Copy copy, String reason) {
    if (copy.state == CopyState.GONE || copy.state == CopyState.STALE) {
      return;
    }
    stale(copy, reason);
    events.accept(new MetadataEvent.CopyDamaged(copy.place.copy(), copy.place.spare(), reason));
    scheduleRepair(copy);
    checkQuorum();
  }

  private static void stale(Copy copy, String reason) {
    copy.state = CopyState.STALE;
    copy.reason = reason;
    copy.switching = false;
  }

  /** What stands on a copy is not what was written: it counts for nothing until repaired. */
  void damaged(Copy copy, String reason) {
    copy.appender = null;
    copy.durable = Position.NONE;
    makeStale(copy, reason);
  }

  // Quorum.

  private Set<Integer> neededSpares() {
    Set<Integer> needed = null;
    for (Outstanding record : outstanding) {
      if (record.neededSpares != null) {
        needed = record.neededSpares;
      }
    }
    if (needed != null) {
      return needed;
    }
    Set<Integer> inService = new HashSet<>();
    for (SpareMember spare : image().spares().values()) {
      if (spare.state().isNeeded() && !excusedSpares.contains(spare.index())) {
        inService.add(spare.index());
      }
    }
    return inService;
  }

  private boolean isHeldByQuorum(long sequence) {
    return rules
        .quorum()
        .isQuorum(placement(), neededSpares(), place -> copies.get(place.copy()).holds(sequence));
  }

  private boolean isQuorumPossible() {
    return rules
        .quorum()
        .isQuorum(
            placement(),
            neededSpares(),
            place -> copies.get(place.copy()).state == CopyState.IN_STEP);
  }

  /** Answers what has its quorum, oldest first. */
  private void settle() {
    while (!outstanding.isEmpty()
        && state != State.FENCED
        && isHeldByQuorum(outstanding.element().payload.position().sequence())) {
      Outstanding done = outstanding.remove();
      Position before = committed;
      committed = done.payload.position();
      commits++;
      if (durations.size() < DURATIONS_MAX) {
        durations.add(engine.nanoTime() - done.startedNanos);
      }
      answer(done, before);
    }
    checkQuorum();
  }

  /**
   * One record may hold several commits, and each asker applies its own part to the image when its
   * answer reaches it. Between two of these answers a checkpoint may begin. So only the last answer
   * carries the record's position: until its asker has applied it the image stands at the record
   * before, a checkpoint made meanwhile is based there, and its log says all of this record again.
   */
  private void answer(Outstanding done, Position before) {
    if (done.kind == Outstanding.Kind.BEGIN) {
      boolean refusedBefore = done.told;
      image().apply(done.payload.position(), done.payload.changes());
      state = State.READY;
      excusedSpares.clear();
      for (Copy copy : copies) {
        if (copy.state == CopyState.STALE) {
          scheduleRepair(copy);
        }
      }
      if (refusedBefore) {
        events.accept(new MetadataEvent.QuorumRestored());
        return;
      }
      for (WaitingCommit asked : done.asked) {
        asked.answer().accept(new MetadataReply.Begun(done.payload.position()));
      }
      return;
    }
    int left = done.asked.size();
    for (WaitingCommit asked : done.asked) {
      Position position = --left == 0 ? done.payload.position() : before;
      if (done.told) {
        events.accept(new MetadataEvent.CommitResolved(asked.id(), position, asked.changes()));
      } else {
        asked.answer().accept(new MetadataReply.Committed(asked.id(), position));
      }
    }
  }

  /** Notices that the quorum is lost or back. */
  private void checkQuorum() {
    boolean placing =
        outstanding.stream().anyMatch(r -> r.kind == Outstanding.Kind.PLACE && !r.told);
    if (state == State.READY && !placing && !isQuorumPossible()) {
      state = State.NO_QUORUM;
      for (Outstanding record : List.copyOf(outstanding)) {
        if (record.kind == Outstanding.Kind.COMMIT) {
          indeterminate(record);
        }
      }
      refuseWaiting(Reason.NO_QUORUM, noQuorum());
      events.accept(new MetadataEvent.QuorumLost(reasons()));
    } else if (state == State.NO_QUORUM && outstanding.isEmpty() && isQuorumPossible()) {
      state = State.READY;
      events.accept(new MetadataEvent.QuorumRestored());
    }
  }

  private String noQuorum() {
    return "too few copies of the metadata take commits: "
        + reasons().stream()
            .map(reason -> "copy " + reason.copy() + ": " + reason.reason())
            .reduce((a, b) -> a + "; " + b)
            .orElse("an earlier commit is indeterminate");
  }

  private List<CopyReason> reasons() {
    return copies.stream()
        .filter(copy -> copy.state != CopyState.IN_STEP)
        .map(copy -> new CopyReason(copy.place.copy(), copy.place.spare(), copy.reason))
        .toList();
  }

  private void indeterminate(Outstanding record) {
    if (record.told) {
      return;
    }
    record.told = true;
    if (record.kind == Outstanding.Kind.BEGIN) {
      Reason reason = state == State.FENCED ? Reason.FENCED : Reason.NO_QUORUM;
      MetadataReply reply = refused(0, reason, noQuorum());
      record.asked.forEach(asked -> asked.answer().accept(reply));
      return;
    }
    commitsIndeterminate++;
    List<CopyReason> missing =
        copies.stream()
            .filter(copy -> !copy.holds(record.payload.position().sequence()))
            .map(copy ->
                new CopyReason(
                    copy.place.copy(),
                    copy.place.spare(),
                    copy.reason.isEmpty() ? "not written yet" : copy.reason))
            .toList();
    for (WaitingCommit asked : record.asked) {
      asked
          .answer()
          .accept(new MetadataReply.Indeterminate(asked.id(), record.payload.position(), missing));
    }
  }

  private void refuseWaiting(Reason reason, String sentence) {
    while (!waiting.isEmpty()) {
      WaitingCommit commit = waiting.remove();
      commit.answer().accept(refused(commit.id(), reason, sentence));
    }
  }

  private void late() {
    long now = engine.nanoTime();
    boolean lost = false;
    for (Outstanding record : List.copyOf(outstanding)) {
      if (!record.told && record.deadlineNanos <= now) {
        if (isHeldByQuorum(record.payload.position().sequence())) {
          continue;
        }
        indeterminate(record);
        lost = true;
      }
    }
    if (lost && state == State.READY) {
      state = State.NO_QUORUM;
      refuseWaiting(Reason.NO_QUORUM, noQuorum());
      events.accept(new MetadataEvent.QuorumLost(reasons()));
    }
    while (!waiting.isEmpty() && waiting.element().deadlineNanos() <= now) {
      WaitingCommit commit = waiting.remove();
      commit
          .answer()
          .accept(
              refused(
                  commit.id(),
                  Reason.NO_QUORUM,
                  outstanding.isEmpty()
                      ? "the logs of the copies are full and their checkpoints not done in time"
                      : "the copies are being placed anew"));
    }
    setCommitAlarm();
  }

  private void setCommitAlarm() {
    long due = Copy.NEVER;
    for (Outstanding record : outstanding) {
      if (!record.told) {
        due = Math.min(due, record.deadlineNanos);
      }
    }
    if (!waiting.isEmpty()) {
      due = Math.min(due, waiting.element().deadlineNanos());
    }
    if (due == Copy.NEVER) {
      alarms.cancel(Kind.COMMIT);
    } else {
      alarms.set(Kind.COMMIT, Duration.ofNanos(Math.max(due - engine.nanoTime(), 0)));
    }
  }

  /** Forgets records that nobody needs any more. */
  private void trim() {
    if (image == null) {
      return;
    }
    boolean placed =
        outstanding.stream().allMatch(record -> record.kind == Outstanding.Kind.COMMIT);
    for (Copy former : List.copyOf(formerCopies)) {
      if (placed && former.lane.isFree() && former.buildWrites == 0) {
        former.lane.close();
        lanes.remove(former.lane);
        formerCopies.remove(former);
        events.accept(
            new MetadataEvent.PlaceLeft(former.place.spare(), former.place.offsetBytes()));
      }
    }
    long keepFrom = Math.min(image().position().sequence(), committed.sequence()) + 1;
    for (Copy copy : copies) {
      LogAppender log = copy.appender;
      boolean mayGoOn =
          copy.state == CopyState.IN_STEP || copy.state == CopyState.HELD || copy.wasOnlyAway;
      if (mayGoOn && log != null) {
        // What is under way may have to be written again when its disk comes back.
        long has = copy.durable.sequence();
        keepFrom = Math.min(keepFrom, Math.max(has, lastSequence - RETAINED_MAX) + 1);
      }
    }
    Build building = build;
    if (building != null) {
      keepFrom = Math.min(keepFrom, building.baseSequence() + 1);
    }
    retained.trimBefore(keepFrom);
  }

  // Places.

  void place(MetadataCommand.Place place, Consumer<MetadataReply> answer) {
    if (state != State.READY && state != State.NO_QUORUM) {
      answer.accept(
          refused(place.id(), Reason.NOT_READY, "copies are not placed anew while it is " + state));
      return;
    }
    if (placing != null
        || outstanding.stream().anyMatch(record -> record.kind == Outstanding.Kind.PLACE)) {
      answer.accept(refused(place.id(), Reason.TOO_MANY, "copies are being placed anew already"));
      return;
    }
    Map<Integer, SpareMember> members = membersAfter(place.changes());
    List<Change> changes = new ArrayList<>(place.changes());
    changes.add(new Change.CopiesPlaced(place.placement()));
    Optional<MetadataReply> refusal =
        misplaced(place.id(), place.placement(), members)
            .or(() -> unencodable(place.id(), changes));
    if (refusal.isPresent()) {
      answer.accept(refusal.get());
      return;
    }
    placing =
        new Placing(
            place.placement(),
            members,
            place.ports(),
            new WaitingCommit(place.id(), changes, Copy.NEVER, answer));
    afterwards();
  }

  /**
   * Alone: what was asked for before is decided first, unless it cannot be, and nothing begins
   * beside it. Who finds the copies half placed relies on that ({@link
   * io.spared.format.CopyChoice}).
   */
  private void beginPlacing() {
    Placing begins = placing;
    if (begins == null
        || (state != State.NO_QUORUM && (state != State.READY || !outstanding.isEmpty()))) {
      return;
    }
    placing = null;
    Set<Integer> needed = moveTo(begins.placement(), begins.members(), begins.ports());
    start(Outstanding.Kind.PLACE, begins.asked().changes(), List.of(begins.asked()), needed);
  }

  /** As {@link #begin} and {@link #place} in one: for a start without a spare that is given up. */
  void beginPlaced(MetadataCommand.BeginPlaced begin, Consumer<MetadataReply> answer) {
    Optional<MetadataReply> refusal = notToBegin(begin.epoch());
    if (refusal.isPresent()) {
      answer.accept(refusal.get());
      return;
    }
    Map<Integer, SpareMember> members = membersAfter(begin.changes());
    List<Change> changes = new ArrayList<>();
    changes.add(new Change.EpochRaised(begin.epoch(), begin.owner()));
    changes.addAll(begin.changes());
    changes.add(new Change.CopiesPlaced(begin.placement()));
    refusal =
        misplaced(0, begin.placement(), members).or(() -> unencodable(0, List.copyOf(changes)));
    if (refusal.isPresent()) {
      answer.accept(refusal.get());
      return;
    }
    epoch = begin.epoch();
    state = State.BEGINNING;
    Set<Integer> needed = moveTo(begin.placement(), members, begin.ports());
    start(
        Outstanding.Kind.BEGIN,
        changes,
        List.of(new WaitingCommit(0, changes, Copy.NEVER, answer)),
        needed);
    afterwards();
  }

  private Map<Integer, SpareMember> membersAfter(List<Change> changes) {
    Map<Integer, SpareMember> members = new HashMap<>(image().spares());
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

  private static Optional<MetadataReply> misplaced(
      long id, Placement next, Map<Integer, SpareMember> members) {
    for (CopyPlace at : next.places()) {
      SpareMember spare = members.get(at.spare());
      if (spare == null || spare.state() == SpareState.LOST) {
        return Optional.of(
            refused(
                id,
                Reason.INVALID,
                "copy "
                    + at.copy()
                    + " would stand on spare "
                    + at.spare()
                    + ", which is not in service"));
      }
    }
    return Optional.empty();
  }

  /** From here on the copies are those of the new placement; says which spares it needs. */
  private Set<Integer> moveTo(
      Placement next, Map<Integer, SpareMember> members, Map<Integer, DiskPort> newPorts) {
    cancelBackground();
    ports.putAll(newPorts);
    List<Copy> placed = new ArrayList<>();
    for (CopyPlace at : next.places()) {
      placed.add(copyFor(at, next, members));
    }
    for (Copy copy : copies) {
      if (!placed.contains(copy)) {
        formerCopies.add(copy);
        copy.appender = null;
      }
    }
    Set<Integer> needed = new HashSet<>();
    members.values().stream()
        .filter(spare -> spare.state().isNeeded())
        .forEach(spare -> needed.add(spare.index()));
    placement = next;
    copies = List.copyOf(placed);
    triedThisRound.clear();
    return needed;
  }

  /** The copy that stands there already, or a new one that must be built. */
  private Copy copyFor(CopyPlace at, Placement next, Map<Integer, SpareMember> members) {
    Superblock superblock = superblockOf(at, next, members.get(at.spare()));
    for (Copy copy : copies) {
      if (copy.superblock.equals(superblock)) {
        return copy;
      }
    }
    Copy fresh = new Copy(at, superblock, newLaneOfCopy());
    fresh.port = ports.get(at.spare());
    fresh.state = fresh.port == null ? CopyState.GONE : CopyState.STALE;
    fresh.reason = fresh.port == null ? "its disk is not there" : "it is new";
    fresh.nextAttemptNanos = engine.nanoTime();
    fresh.isNew = true;
    return fresh;
  }

  void spareGone(int spare, String reason) {
    ports.remove(spare);
    for (Copy copy : copies) {
      if (copy.place.spare() == spare && copy.state != CopyState.GONE) {
        Build building = build;
        if (building != null && building.copy == copy) {
          building.cancel();
          build = null;
          urgent = false;
        }
        copy.port = null;
        copy.wasOnlyAway = copy.state == CopyState.IN_STEP;
        copy.state = CopyState.GONE;
        copy.reason = reason;
        copy.switching = false;
        copy.nextAttemptNanos = Copy.NEVER;
        events.accept(new MetadataEvent.CopyDamaged(copy.place.copy(), copy.place.spare(), reason));
      }
    }
    if (image != null) {
      checkQuorum();
    }
    afterwards();
  }

  void spareBack(int spare, DiskPort port) {
    ports.put(spare, port);
    for (Copy copy : copies) {
      if (copy.place.spare() == spare) {
        copy.port = port;
        if (copy.state == CopyState.GONE) {
          copy.state =
              copy.lane.isFree() && copy.buildWrites == 0 ? CopyState.STALE : CopyState.HELD;
          copy.reason = "its disk came back";
          copy.attempts = 0;
          copy.nextAttemptNanos = engine.nanoTime();
        }
      }
    }
    afterwards();
  }

  // Background: checkpoints, repairs, scrubs; one at a time.

  private void background() {
    if (build != null || scrub != null || image == null) {
      return;
    }
    switch (state) {
      case READY, NO_QUORUM, BEGINNING -> {}
      case LOADING -> {
        if (createAnswer == null) {
          return;
        }
      }
      case NEW, LOADED, FENCED, STOPPING -> {
        return;
      }
    }
    Optional<Copy> needed = neededNow();
    if (needed.isPresent()) {
      build(needed.get(), true);
      return;
    }
    if (endOfRound()) {
      return;
    }
    Optional<Copy> fullest = fullest();
    if (fullest.isPresent()) {
      build(fullest.get(), false);
      return;
    }
    Optional<Copy> due = dueForRepair();
    if (due.isPresent()) {
      build(due.get(), true);
      return;
    }
    if (scrubWanted) {
      scrubWanted = false;
      Scrub made = new Scrub(this, copies);
      scrub = made;
      made.begin();
    }
    setRepairAlarm();
  }

  /** A copy without which nothing goes on: it is built without waiting for its turn. */
  private Optional<Copy> neededNow() {
    boolean placing =
        outstanding.stream().anyMatch(record -> record.kind != Outstanding.Kind.COMMIT);
    if (createAnswer == null && !placing && repairAnswers.isEmpty()) {
      return Optional.empty();
    }
    if (state == State.BEGINNING && isQuorumPossible()) {
      return Optional.empty();
    }
    return copies.stream()
        .filter(copy -> copy.state == CopyState.STALE && !triedThisRound.contains(copy))
        .findFirst();
  }

  /** Whether everything that could be built was tried, and what follows from that. */
  private boolean endOfRound() {
    Consumer<MetadataReply> creating = createAnswer;
    if (creating != null) {
      createAnswer = null;
      List<CopyReason> missing = reasons();
      if (missing.isEmpty()) {
        state = State.LOADED;
        creating.accept(new MetadataReply.Created(committed));
      } else {
        state = State.NEW;
        image = null;
        creating.accept(refused(0, Reason.NO_QUORUM, noQuorum(missing)));
      }
      return true;
    }
    if (!repairAnswers.isEmpty()) {
      MetadataReply reply =
          new MetadataReply.Repaired(
              (int) copies.stream().filter(c -> c.state == CopyState.IN_STEP).count(),
              copies.size(),
              reasons());
      List<Consumer<MetadataReply>> asked = List.copyOf(repairAnswers);
      repairAnswers.clear();
      asked.forEach(answer -> answer.accept(reply));
    }
    if (state == State.BEGINNING && !isQuorumPossible() && !outstanding.isEmpty()) {
      state = State.NO_QUORUM;
      outstanding.forEach(this::indeterminate);
    }
    for (Outstanding record : List.copyOf(outstanding)) {
      if (record.kind == Outstanding.Kind.PLACE && !record.told && !isQuorumPossible()) {
        indeterminate(record);
        state = State.NO_QUORUM;
      }
    }
    return false;
  }

  private static String noQuorum(List<CopyReason> missing) {
    return "not all copies could be written: "
        + missing.stream()
            .map(reason -> "copy " + reason.copy() + ": " + reason.reason())
            .reduce((a, b) -> a + "; " + b)
            .orElse("");
  }

  private boolean wantsCheckpoint(Copy copy) {
    LogAppender log = copy.appender;
    return copy.state == CopyState.IN_STEP
        && log != null
        && (log.fill() >= settings.checkpointFill()
            || log.freeBytes() < 2 * MAX_RECORD_BYTES
            || checkpointsWanted.contains(copy));
  }

  private Optional<Copy> fullest() {
    long now = engine.nanoTime();
    Copy fullest = null;
    double most = -1;
    for (Copy copy : copies) {
      LogAppender log = copy.appender;
      boolean may = copy.nextAttemptNanos == Copy.NEVER || copy.nextAttemptNanos <= now;
      if (may && log != null && wantsCheckpoint(copy) && log.fill() > most) {
        most = log.fill();
        fullest = copy;
      }
    }
    return Optional.ofNullable(fullest);
  }

  /** Gives every copy in step a new checkpoint, one after the other, however short its log is. */
  void checkpoint() {
    checkpointsWanted.addAll(copies);
    afterwards();
  }

  private Optional<Copy> dueForRepair() {
    long now = engine.nanoTime();
    if (!autoRepair) {
      return Optional.empty();
    }
    return copies.stream()
        .filter(copy -> copy.state == CopyState.STALE && copy.nextAttemptNanos <= now)
        .findFirst();
  }

  private void build(Copy copy, boolean repair) {
    DiskPort port = copy.port;
    if (port == null) {
      throw new IllegalStateException("a copy without a disk cannot be built");
    }
    triedThisRound.add(copy);
    checkpointsWanted.remove(copy);
    LogAppender log = copy.appender;
    urgent = !repair && log != null && log.fill() > 0.8;
    if (repair && copy.isNew) {
      copy.state = CopyState.REPAIRING;
    } else if (repair) {
      copy.state = CopyState.REPAIRING;
      long now = engine.nanoTime();
      if (now - copy.lastAttemptNanos > QUIET_NANOS && copy.attempts > 0) {
        copy.attempts = 0;
      }
      copy.attempts++;
      copy.lastAttemptNanos = now;
    }
    copy.nextAttemptNanos = Copy.NEVER;
    Build made = new Build(this, copy, port, repair);
    build = made;
    made.begin();
  }

  /** Whether a copy that was only away holds what it held, so that it can simply go on. */
  boolean canRejoin(Copy copy, CopyReading found) {
    LogAppender log = copy.appender;
    Optional<AreaReading> best = found.best();
    if (log == null || best.isEmpty() || copy.superblockDamaged || !copy.wasOnlyAway) {
      return false;
    }
    Position tail = best.get().tail();
    return best.get().isTailKnown()
        && best.get().seal().buildId() == log.seal().buildId()
        && (tail.equals(copy.durable) || retained.knows(tail))
        && tail.sequence() <= lastSequence
        && (tail.sequence() == lastSequence || retained.get(tail.sequence() + 1) != null);
  }

  void buildDone(Build done, LogAppender log) {
    build = null;
    urgent = false;
    Copy copy = done.copy;
    copy.appender = log;
    copy.durable = log.last();
    copy.state = CopyState.IN_STEP;
    copy.nextAttemptNanos = Copy.NEVER;
    copy.reason = "";
    copy.wasOnlyAway = false;
    if (done.repair && copy.isNew) {
      copy.isNew = false;
    } else if (done.repair) {
      repairsDone++;
      lastRepairMillis = world.clock().now().toEpochMilli();
      events.accept(
          new MetadataEvent.CopyRepaired(copy.place.copy(), copy.place.spare(), copy.attempts));
      recordAttempts(copy);
    } else {
      checkpoints++;
      events.accept(new MetadataEvent.CheckpointDone(log.seal().generation()));
    }
    feed(copy);
  }

  void buildFailed(Build failed, String reason) {
    build = null;
    urgent = false;
    Copy copy = failed.copy;
    if (failed.repair) {
      repairsFailed++;
      if (copy.state == CopyState.REPAIRING) {
        copy.state = CopyState.STALE;
      }
      copy.reason = reason;
    } else {
      copy.attempts++;
      copy.lastAttemptNanos = engine.nanoTime();
    }
    scheduleRepair(copy);
    long after = copy.nextAttemptNanos - engine.nanoTime();
    events.accept(
        new MetadataEvent.RepairFailed(
            copy.place.copy(),
            copy.place.spare(),
            copy.attempts,
            copy.attempts >= settings.repairDelays().size(),
            reason,
            copy.nextAttemptNanos == Copy.NEVER ? -1 : after / 1_000_000));
    recordAttempts(copy);
    checkQuorum();
  }

  private void scheduleRepair(Copy copy) {
    if (state == State.NEW || state == State.LOADING || state == State.LOADED) {
      return;
    }
    long now = engine.nanoTime();
    if (copy.attempts > 0 && now - copy.lastAttemptNanos > QUIET_NANOS) {
      copy.attempts = 0;
    }
    Duration delay =
        copy.attempts < settings.repairDelays().size()
            ? settings.repairDelays().get(copy.attempts)
            : settings.repairLaterDelay();
    copy.nextAttemptNanos = now + delay.toNanos();
  }

  private void setRepairAlarm() {
    long due = Copy.NEVER;
    for (Copy copy : copies) {
      boolean counts = (copy.state == CopyState.STALE && autoRepair) || wantsCheckpoint(copy);
      if (counts) {
        due = Math.min(due, copy.nextAttemptNanos);
      }
    }
    if (due == Copy.NEVER) {
      alarms.cancel(Kind.REPAIR);
    } else {
      alarms.set(Kind.REPAIR, Duration.ofNanos(Math.max(due - engine.nanoTime(), 0)));
    }
  }

  private static String attemptsName(Copy copy) {
    return "repair-attempts-" + copy.place.copy();
  }

  /** Attempts are kept with the time of the last, in seconds, above the lowest ten bits. */
  private void recordAttempts(Copy copy) {
    long seconds = world.clock().now().getEpochSecond();
    events.accept(
        new MetadataEvent.ChangesWanted(
            List.of(
                new Change.CounterSet(
                    attemptsName(copy), seconds << 10 | Math.min(copy.attempts, 1023)))));
  }

  private int attemptsRecorded(Copy copy) {
    Long recorded = image().counters().get(attemptsName(copy));
    if (recorded == null) {
      return 0;
    }
    long ageSeconds = world.clock().now().getEpochSecond() - (recorded >> 10);
    if (ageSeconds < 0 || ageSeconds > Duration.ofNanos(QUIET_NANOS).toSeconds()) {
      return 0;
    }
    copy.lastAttemptNanos = engine.nanoTime() - Duration.ofSeconds(ageSeconds).toNanos();
    return (int) (recorded & 1023);
  }

  void repair(Consumer<MetadataReply> answer) {
    if (state != State.READY && state != State.NO_QUORUM) {
      answer.accept(refused(0, Reason.NOT_READY, "nothing is repaired while it is " + state));
      return;
    }
    repairAnswers.add(answer);
    triedThisRound.clear();
    for (Copy copy : copies) {
      copy.attempts = 0;
    }
    afterwards();
  }

  void cancelRepair() {
    Build running = build;
    if (running != null) {
      giveUp(running);
      scheduleRepair(running.copy);
      events.accept(
          new MetadataEvent.RepairFailed(
              running.copy.place.copy(),
              running.copy.place.spare(),
              running.copy.attempts,
              false,
              "cancelled",
              -1));
    }
    afterwards();
  }

  /** Ends a build; a write of it that is still in flight keeps the copy HELD until it ends. */
  private void giveUp(Build running) {
    build = null;
    urgent = false;
    Copy copy = running.copy;
    running.cancel();
    if (copy.buildWrites > 0) {
      held(copy, "a write of its checkpoint is being given up");
    } else if (copy.state == CopyState.REPAIRING) {
      stale(copy, "its repair was cancelled");
    }
  }

  void scrub(Consumer<MetadataReply> answer) {
    if (state != State.READY && state != State.NO_QUORUM) {
      answer.accept(refused(0, Reason.NOT_READY, "nothing is scrubbed while it is " + state));
      return;
    }
    scrubAnswers.add(answer);
    scrubWanted = scrub == null;
    afterwards();
  }

  void cancelScrub() {
    Scrub running = scrub;
    scrubWanted = false;
    if (running != null) {
      running.cancel();
      scrub = null;
    }
    answerScrub(new MetadataReply.Scrubbed(false, 0, List.of()));
    afterwards();
  }

  void scrubDone(int verified, List<CopyReason> damaged) {
    scrub = null;
    scrubsDone++;
    lastScrubMillis = world.clock().now().toEpochMilli();
    answerScrub(new MetadataReply.Scrubbed(true, verified, damaged));
  }

  private void answerScrub(MetadataReply reply) {
    List<Consumer<MetadataReply>> asked = List.copyOf(scrubAnswers);
    scrubAnswers.clear();
    asked.forEach(answer -> answer.accept(reply));
  }

  void autoRepair(boolean on) {
    autoRepair = on;
    afterwards();
  }

  void commitTimeout(Duration timeout) {
    commitTimeout = timeout;
  }

  private void cancelBackground() {
    Build running = build;
    if (running != null) {
      giveUp(running);
      running.copy.nextAttemptNanos = engine.nanoTime();
    }
    Scrub scrubbing = scrub;
    if (scrubbing != null) {
      scrubbing.cancel();
      scrub = null;
      answerScrub(new MetadataReply.Scrubbed(false, 0, List.of()));
    }
    Loader loading = loader;
    if (loading != null) {
      loading.cancel();
      loader = null;
    }
  }

  // Fence and stop.

  /** Somebody else's stands where a copy was: nothing is written any more. */
  void fence(Copy copy, String sentence) {
    if (state == State.FENCED) {
      return;
    }
    state = State.FENCED;
    cancelBackground();
    outstanding.forEach(this::indeterminate);
    refuseWaiting(Reason.FENCED, sentence);
    answerRepairs();
    Consumer<MetadataReply> creating = createAnswer;
    if (creating != null) {
      createAnswer = null;
      creating.accept(refused(0, Reason.FENCED, sentence));
    }
    events.accept(
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

  private void answerRepairs() {
    List<Consumer<MetadataReply>> asked = List.copyOf(repairAnswers);
    repairAnswers.clear();
    asked.forEach(answer -> answer.accept(refused(0, Reason.FENCED, "the writer stopped writing")));
  }

  void stop(Duration deadline, Consumer<MetadataReply> answer) {
    if (stopAnswer != null) {
      return;
    }
    stopAnswer = answer;
    cancelBackground();
    while (!waiting.isEmpty()) {
      WaitingCommit commit = waiting.remove();
      commit.answer().accept(new MetadataReply.Cancelled(commit.id()));
    }
    Placing waits = placing;
    placing = null;
    if (waits != null) {
      waits.asked().answer().accept(new MetadataReply.Cancelled(waits.asked().id()));
    }
    answerRepairs();
    state = state == State.FENCED ? State.FENCED : State.STOPPING;
    alarms.set(Kind.STOP, deadline);
    afterwards();
  }

  /** Ends when nothing is in flight any more: then nothing more can be decided either. */
  private void stopIfIdle() {
    if (stopAnswer != null
        && !stopped
        && waitingForBuffer.isEmpty()
        && lanes.stream().noneMatch(Lane::isInFlight)) {
      finish();
    }
  }

  private void stopNow() {
    for (Lane lane : lanes) {
      lane.cancel();
    }
    finish();
  }

  private void finish() {
    if (stopped) {
      return;
    }
    stopped = true;
    outstanding.forEach(this::indeterminate);
    Consumer<MetadataReply> answer = stopAnswer;
    int held = heldWrites();
    close();
    if (answer != null) {
      answer.accept(new MetadataReply.Stopped(held));
    }
  }

  /** Gives every buffer back; also when the actor fails. */
  void close() {
    stopped = true;
    waitingForBuffer.clear();
    waitingForPause.clear();
    for (Lane lane : lanes) {
      lane.close();
    }
  }

  private int heldWrites() {
    return (int) lanes.stream().filter(lane -> lane.isHeld() || lane.isInFlight()).count();
  }

  MetadataReply.Status status() {
    Build running = build;
    Scrub scrubbing = scrub;
    List<CopyStatus> all = new ArrayList<>();
    for (Copy copy : copies) {
      LogAppender log = copy.appender;
      all.add(
          new CopyStatus(
              copy.place.copy(),
              copy.place.spare(),
              copy.place.offsetBytes(),
              copy.state,
              copy.durable,
              log == null ? 0 : log.seal().generation(),
              log == null ? 0 : log.fill(),
              copy.attempts,
              copy.reason));
    }
    List<Long> taken = durations;
    durations = new ArrayList<>();
    return new MetadataReply.Status(
        state,
        committed,
        all,
        autoRepair,
        running != null && running.repair,
        scrubbing != null,
        running != null ? running.progress() : scrubbing != null ? scrubbing.progress() : 0,
        commits,
        commitsIndeterminate,
        checkpoints,
        repairsDone,
        repairsFailed,
        scrubsDone,
        lastRepairMillis,
        lastScrubMillis,
        heldWrites(),
        taken);
  }
}
