package io.spared.device;

import io.spared.device.LifeCycle.Fact;
import io.spared.ffi.disk.Disk;
import io.spared.ffi.disk.DiskAddress;
import io.spared.ffi.disk.DiskIdentity;
import io.spared.format.Change;
import io.spared.format.DeviceImage;
import io.spared.format.MainMember;
import io.spared.format.RemapEntries;
import io.spared.format.ReplaceState;
import io.spared.monitor.Event;
import io.spared.monitor.MonitorCommand;
import io.spared.queue.Mirror;
import io.spared.queue.QueueCommand;
import io.spared.queue.QueueReport;
import io.spared.queue.WriteIntents;
import io.spared.relocation.RelocatorCommand;
import io.spared.relocation.RelocatorCommand.CommitResult;
import io.spared.relocation.RelocatorRequest;
import io.spared.replacement.CopierCommand;
import io.spared.replacement.CopierRequest;
import io.spared.replacement.CopyProgress;
import io.spared.replacement.CopyWindow;
import java.time.Duration;
import java.time.Instant;
import java.util.ArrayList;
import java.util.HashSet;
import java.util.List;
import java.util.Optional;
import java.util.Set;
import java.util.UUID;
import java.util.function.BooleanSupplier;
import org.apache.pekko.actor.typed.ActorRef;
import org.jspecify.annotations.Nullable;

/**
 * Another disk takes main's place while the device serves: opened and judged, named in a commit,
 * copied to, and taken in one commit.
 *
 * <p>Kept here, with what {@link Mirror} and {@link io.spared.replacement.Copier} keep:
 *
 * <ul>
 *   <li>While the metadata names a replacement, every write below its cursor is in a region that is
 *       recorded durably before it is submitted, whether or not the new disk is there. So after a
 *       crash the two disks differ below the cursor in recorded regions only, and copying those
 *       again makes them equal. Recording ends after the replacement's end is durable, not before.
 *   <li>A new disk that failed a write is never switched to: a queue tells of the failure before it
 *       says that it is frozen, and the switch needs that word of every queue.
 *   <li>The switch is one commit, asked for while nothing is in flight (queues frozen, relocator
 *       paused) and after both disks were flushed in that state. Durable: the new disk is main.
 *       Refused: the old one stays. Unknown: the device is assembled again from its disks, and what
 *       its metadata then says is so; both disks hold the same.
 *   <li>From the switch on the old disk is not written to, and is given back.
 * </ul>
 */
final class Replacement {
  /** Where the disk is that is being copied to; in the metadata beside its identity. */
  private static final String DISK = "replace.disk";

  /** Where main is since it was replaced, and where it was: the configuration may be older. */
  static final String MAIN = "main.disk";

  static final String MAIN_BEFORE = "main.before";

  /** The regions of {@link WriteIntents}, 64 in each of these. */
  private static final String WRITTEN = "replace.written-";

  /** Its role among the disks that are flushed. */
  static final String NEW_MAIN = "new main";

  static final long RATE_BYTES_PER_SECOND = 200L << 20;
  private static final Duration KEEP_CURSOR_EVERY = Duration.ofSeconds(2);
  private static final Duration AGAIN = Duration.ofSeconds(5);
  private static final int CLEARED_AT_ONCE = 128;

  /** How far it is. */
  private enum Phase {
    NONE,
    /** The new disk is being opened and judged; nothing is recorded. */
    OPENING,
    /** The commit that names it is on its way. */
    STARTING,
    /** After a restart: its disk is being looked for. Writes below the cursor are recorded. */
    LOOKING,
    /** Every queue has to write to both before anything is copied. */
    JOINING,
    COPYING,
    /** All is copied; what stands on the new disk is looked at for the record. */
    COPIED,
    FREEZING,
    FLUSHING,
    SWITCHING,
    /** Given up: its end is being recorded. */
    ENDING,
    /** The device ends; what is recorded goes on at its next start. */
    STOPPED
  }

  /** What a commit of it is for. */
  sealed interface Step {
    record Started() implements Step {}

    record Kept() implements Step {}

    record Recorded(int word, long regions) implements Step {}

    record PendingCleared() implements Step {}

    record Switched() implements Step {}

    record Ended() implements Step {}
  }

  private final Run run;
  private final Serving serving;
  private final Set<Integer> awaited = new HashSet<>();
  private final Set<Integer> onOldMain = new HashSet<>();
  private final Set<Integer> beingRecorded = new HashSet<>();
  private Phase phase = Phase.NONE;
  private @Nullable NewDisk newDisk;
  private @Nullable Mirror mirror;
  private @Nullable CopyWindow window;
  private @Nullable ActorRef<CopierCommand> copier;
  private @Nullable ActorRef<Answer> asker;
  private @Nullable WriteIntents intents;
  private Optional<CopyProgress> progress = Optional.empty();
  private Optional<DiskIdentity> seen = Optional.empty();
  private String waits = "";
  private String endsFor = "";
  private long rate = RATE_BYTES_PER_SECOND;
  private long mirrors;
  private boolean isLooking;
  private boolean paused;
  private boolean flushed;

  /** Whether every write went to both disks, as far as is known. */
  private boolean isWhole;

  private boolean stopped;
  private final BooleanSupplier frozenByOthers;

  Replacement(Run run, Serving serving, BooleanSupplier frozenByOthers) {
    this.run = run;
    this.serving = serving;
    this.frozenByOthers = frozenByOthers;
  }

  private DeviceImage image() {
    return serving.image();
  }

  private NewDisk disk() {
    NewDisk known = newDisk;
    if (known == null) {
      throw new IllegalStateException("there is no new disk");
    }
    return known;
  }

  /** Nothing new may begin on the device for a moment. */
  boolean isSwitching() {
    return phase == Phase.FREEZING || phase == Phase.FLUSHING || phase == Phase.SWITCHING;
  }

  boolean isUnderWay() {
    return phase != Phase.NONE;
  }

  // Beginning.

  /** After a restart: goes on where the metadata says. */
  void resume() {
    Optional<ReplaceState> state = image().replace();
    if (state.isEmpty() || state.get().spare() != ReplaceState.MAIN) {
      return;
    }
    WriteIntents known = new WriteIntents(image().geometry().deviceBytes());
    for (int word = 0; word < WriteIntents.REGIONS_MAX / 64; word++) {
      known.becameDurable(word, image().cursors().getOrDefault(WRITTEN + word, 0L));
    }
    intents = known;
    phase = Phase.LOOKING;
    mirror(null, state.get().cursorBytes(), 0, 0);
    look(state.get());
  }

  private void look(ReplaceState state) {
    String address = image().policy().getOrDefault(DISK, "");
    try {
      NewDisk again = new NewDisk(run, DiskAddress.parse(address), state.newDiskId());
      newDisk = again;
      again.open();
    } catch (IllegalArgumentException unreadable) {
      giveUp("its metadata does not say where the new disk is: " + unreadable.getMessage());
    }
  }

  void begin(DiskAddress address, long bytesPerSecond, ActorRef<Answer> replyTo) {
    if (phase != Phase.NONE) {
      replyTo.tell(
          new Answer.Refused("main is being replaced already" + by() + "; cancel that first"));
      return;
    }
    phase = Phase.OPENING;
    asker = replyTo;
    rate = bytesPerSecond > 0 ? bytesPerSecond : RATE_BYTES_PER_SECOND;
    NewDisk wanted = new NewDisk(run, address, run.parts.world().newUuid());
    newDisk = wanted;
    wanted.open();
    run.later(
        "replace",
        run.settings.deadlines().open().toNanos(),
        new DeviceNews.ReplaceAgain(run.number));
  }

  void cancel(ActorRef<Answer> replyTo) {
    switch (phase) {
      case NONE, STOPPED -> replyTo.tell(new Answer.Refused("main is not being replaced"));
      case OPENING, STARTING, ENDING, FREEZING, FLUSHING, SWITCHING ->
          replyTo.tell(
              new Answer.Refused("the replacing just begins or ends; try again in a moment"));
      case LOOKING, JOINING, COPYING, COPIED -> {
        asker = replyTo;
        giveUp("it was cancelled");
      }
    }
  }

  List<Fact> on(DeviceNews.ForReplacement news) {
    switch (news) {
      case DeviceNews.NewDiskOpened opened -> {
        if (isOurs(opened.id())) {
          opened(opened.objection());
        }
      }
      case DeviceNews.NewDiskAnswered answered -> {
        if (isOurs(answered.id())) {
          disk().answered();
        }
      }
      case DeviceNews.NewDiskSeen what -> {
        if (isOurs(what.id()) && phase == Phase.COPIED && isLooking) {
          seen(what.identity());
        }
      }
      case DeviceNews.FromCopier from -> {
        return on(from.request());
      }
      case DeviceNews.ReplaceAgain again -> {
        switch (phase) {
          case LOOKING -> image().replace().ifPresent(this::look);
          case ENDING -> commitEnd();
          case COPIED -> {
            if (isLooking) {
              seen(Optional.empty());
            } else {
              beginSwitch();
            }
          }
          case OPENING -> {
            if (disk().disk() == null) {
              refuse(disk().address() + ": opening it takes too long; it may hang");
            }
          }
          default -> {}
        }
      }
      case DeviceNews.SwitchOverdue late -> {
        if (phase == Phase.FREEZING || phase == Phase.FLUSHING) {
          thaw();
          phase = Phase.COPIED;
          waits("requests did not end in time for the switch");
          again();
        }
      }
      case DeviceNews.MainSwitched switched -> {}
    }
    return List.of();
  }

  private boolean isOurs(UUID id) {
    NewDisk known = newDisk;
    return known != null && known.id().equals(id);
  }

  private void opened(Optional<String> objection) {
    if (phase == Phase.OPENING) {
      objection.ifPresentOrElse(this::refuse, () -> disk().judge(image(), this::judged));
    } else if (phase == Phase.LOOKING) {
      if (objection.isPresent()) {
        waits(objection.get());
        again();
      } else {
        image().replace().ifPresent(s -> disk().knowAgain(image(), s, this::knownAgain));
      }
    }
  }

  private void again() {
    run.later("replace", AGAIN.toNanos(), new DeviceNews.ReplaceAgain(run.number));
  }

  /** Nothing was recorded: the disk is given back as it was. */
  private void refuse(String sentence) {
    disk().claim().withdraw();
    newDisk = null;
    phase = Phase.NONE;
    answer(new Answer.Refused(sentence));
  }

  private void answer(Answer answer) {
    ActorRef<Answer> waiting = asker;
    asker = null;
    if (waiting != null) {
      waiting.tell(answer);
    }
  }

  private void judged(Optional<String> objection) {
    if (phase != Phase.OPENING) {
      return;
    }
    if (objection.isPresent()) {
      refuse(objection.get());
      return;
    }
    phase = Phase.STARTING;
    intents = new WriteIntents(image().geometry().deviceBytes());
    List<Change> changes = forgetWritten();
    changes.add(
        new Change.ReplaceStarted(
            new ReplaceState(
                ReplaceState.MAIN, disk().id(), disk().evidence(Optional.empty()), 0)));
    changes.add(new Change.PolicySet(DISK, disk().address().toString()));
    ask(changes, new Step.Started());
  }

  private List<Change> forgetWritten() {
    List<Change> changes = new ArrayList<>();
    image()
        .cursors()
        .forEach((name, value) -> {
          if (name.startsWith(WRITTEN) && value != 0) {
            changes.add(new Change.CursorMoved(name, 0));
          }
        });
    return changes;
  }

  private void ask(List<Change> changes, Step step) {
    serving.commits().ask(changes, new Commits.Purpose.Replacing(step), run.nowNanos());
  }

  private void knownAgain(Optional<String> objection) {
    if (phase != Phase.LOOKING) {
      return;
    }
    if (objection.isPresent()) {
      giveUp(objection.get());
      return;
    }
    waits("");
    join();
  }

  /** From here on writes below the cursor go to both; the copier begins when all queues do so. */
  private void join() {
    Disk opened = disk().disk();
    if (opened == null) {
      return;
    }
    phase = Phase.JOINING;
    serving.disks().flushes().add(NEW_MAIN, run.attach(opened));
    mirror(opened, image().replace().map(ReplaceState::cursorBytes).orElse(0L), 0, 0);
  }

  // Queues.

  private void mirror(@Nullable Disk disk, long belowBytes, long fromBytes, long toBytes) {
    WriteIntents known = intents;
    if (known == null) {
      return;
    }
    Mirror next = new Mirror(++mirrors, disk, belowBytes, fromBytes, toBytes, known);
    mirror = next;
    awaited.clear();
    awaited.addAll(serving.queues().begun());
    serving.queues().tellAll(new QueueCommand.SetMirror(next));
    reachedByAll();
  }

  /** A queue that begins learns of the mirror before it submits anything. */
  void queueOpened(ActorRef<QueueCommand> frontend) {
    Mirror now = mirror;
    if (now != null) {
      frontend.tell(new QueueCommand.SetMirror(now));
    }
  }

  void queueGone(int queueId) {
    onOldMain.remove(queueId);
    if (awaited.remove(queueId)) {
      reachedByAll();
    }
  }

  void on(QueueReport.MirrorReached reached) {
    Mirror now = mirror;
    if (now != null && now.id() == reached.mirrorId() && awaited.remove(reached.queueId())) {
      reachedByAll();
    }
  }

  private void reachedByAll() {
    CopyWindow asked = window;
    ActorRef<CopierCommand> copying = copier;
    if (!awaited.isEmpty()) {
      return;
    }
    if (phase == Phase.JOINING) {
      phase = Phase.COPYING;
      copy();
    } else if (asked != null && copying != null) {
      window = null;
      copying.tell(new CopierCommand.WindowQuiet(asked));
    }
  }

  private void copy() {
    Disk to = disk().disk();
    WriteIntents known = intents;
    if (to != null && known != null) {
      copier =
          DeviceChildren.copier(
              run,
              serving,
              to,
              image().replace().map(ReplaceState::cursorBytes).orElse(0L),
              known,
              rate,
              KEEP_CURSOR_EVERY);
    }
  }

  void on(QueueReport.MirrorFailed failed) {
    isWhole = false;
    giveUp("a write to it failed: " + failed.errno().meaning());
  }

  void on(QueueReport.RecordWanted wanted) {
    WriteIntents known = intents;
    if (known == null || known.isDurable(wanted.region())) {
      serving.queues().tellAll(new QueueCommand.Recorded(true));
      return;
    }
    if (beingRecorded.add(wanted.region())) {
      int word = wanted.region() / 64;
      long regions = known.word(word);
      for (int region : beingRecorded) {
        regions |= region / 64 == word ? 1L << region % 64 : 0;
      }
      ask(
          List.of(new Change.CursorMoved(WRITTEN + word, regions)),
          new Step.Recorded(word, regions));
    }
  }

  // The copier.

  private List<Fact> on(CopierRequest request) {
    if (phase != Phase.COPYING) {
      return List.of();
    }
    switch (request) {
      case CopierRequest.SetWindow set -> {
        CopyWindow wanted = set.window();
        window = wanted.fromBytes() == wanted.toBytes() ? null : wanted;
        mirror(disk().disk(), wanted.belowBytes(), wanted.fromBytes(), wanted.toBytes());
      }
      case CopierRequest.LeaveMain leave ->
          serving.relocator().tell(new RelocatorCommand.LeaveMain(leave.block()));
      case CopierRequest.KeepCursor keep ->
          ask(List.of(new Change.ReplaceMoved(keep.cursorBytes())), new Step.Kept());
      case CopierRequest.Progress told -> progress = Optional.of(told.progress());
      case CopierRequest.Waits why -> waits(why.sentence());
      case CopierRequest.MainNotFlushed not -> {
        serving.doubts().flushFailed(not.errno());
        copier = null;
        waits("main could not be flushed; it goes on after the device was started again");
        return List.of(
            new Fact.Worse(
                Trouble.FLUSH,
                "main could not flush ("
                    + not.errno()
                    + "): writes fail until the device is started again"));
      }
      case CopierRequest.NewDiskFailed failed -> {
        copier = null;
        giveUp(failed.sentence());
      }
      case CopierRequest.Done done -> {
        copier = null;
        beginSwitch();
      }
    }
    return List.of();
  }

  void blockLeft(RelocatorRequest.MoveEnded ended) {
    ActorRef<CopierCommand> copying = copier;
    if (copying != null) {
      copying.tell(new CopierCommand.BlockLeft(ended.block(), ended.moved()));
    }
  }

  private void waits(String sentence) {
    if (!sentence.equals(waits)) {
      waits = sentence;
      run.parts
          .monitor()
          .tell(
              sentence.isEmpty()
                  ? new MonitorCommand.Clear(run.settings.name(), "replace.waits")
                  : new MonitorCommand.Raise(
                      Event.Severity.WARNING,
                      run.settings.name(),
                      "replace.waits",
                      "replacing main waits: " + sentence));
    }
  }

  // The switch.

  private void beginSwitch() {
    phase = Phase.COPIED;
    if (serving.doubts().inDoubtCount() > 0 || serving.doubts().failedFlush() != null) {
      waits("writes are in doubt, or a flush failed");
      again();
      return;
    }
    waits("");
    isLooking = true;
    disk().lookAgain();
    run.later(
        "replace",
        run.settings.deadlines().open().toNanos(),
        new DeviceNews.ReplaceAgain(run.number));
  }

  private void seen(Optional<DiskIdentity> identity) {
    isLooking = false;
    seen = identity;
    if (frozenByOthers.getAsBoolean()) {
      waits("the device is frozen");
      again();
      return;
    }
    run.notLater("replace");
    phase = Phase.FREEZING;
    paused = false;
    freeze();
  }

  private void freeze() {
    serving.scrubbing().stop();
    serving.relocator().tell(new RelocatorCommand.Pause());
    serving.queues().freeze(run.nowNanos());
    run.later(
        "replace-switch",
        run.settings.deadlines().request().toNanos(),
        new DeviceNews.SwitchOverdue(run.number));
  }

  private void thaw() {
    run.notLater("replace-switch");
    serving.relocator().tell(new RelocatorCommand.GoOn());
    serving.queues().tellAll(new QueueCommand.Thaw());
    serving.scrubbing().begin();
  }

  void relocatorPaused() {
    paused = true;
  }

  /** Goes on with the switch as far as it can. */
  void step() {
    if (phase == Phase.FREEZING
        && paused
        && serving.queues().allFrozen()
        && !serving.disks().flushes().isRunning()) {
      phase = Phase.FLUSHING;
      flushed = false;
      serving
          .disks()
          .flushes()
          .begin(
              run.parts.home().engine().nanoTime()
                  + run.settings.deadlines().request().toNanos() / 2,
              () -> flushed = true);
    }
    if (phase == Phase.FLUSHING && flushed) {
      flushed();
    }
  }

  private void flushed() {
    flushed = false;
    List<String> failures = serving.flushFailures();
    if (phase != Phase.FLUSHING) {
      return;
    }
    if (failures.isEmpty()) {
      run.notLater("replace-switch");
      phase = Phase.SWITCHING;
      commitSwitch();
      return;
    }
    // What a flush did not make durable, a later one would not either (invariant 10).
    serving.doubts().flushFailed(io.spared.ffi.Errno.EIO);
    giveUp("not flushed: " + String.join("; ", failures));
  }

  /** Whoever flushed all disks: the new one failed. */
  void newDiskNotFlushed(String failure) {
    isWhole = false;
    giveUp(failure);
  }

  /** Whether what this queue says of main is, or may be, about the disk that was replaced. */
  boolean isAboutOldMain(int queueId) {
    return isSwitching() || onOldMain.contains(queueId);
  }

  void mainTaken(int queueId) {
    onOldMain.remove(queueId);
  }

  /** Hints about the old disk go first; the last commit is the switch. */
  private void commitSwitch() {
    List<Change> cleared = new ArrayList<>();
    RemapEntries.Walk walk = serving.table().walk();
    while (cleared.size() < CLEARED_AT_ONCE && walk.next()) {
      if (walk.isPending()) {
        cleared.add(new Change.PendingCleared(walk.block()));
      }
    }
    if (!cleared.isEmpty()) {
      ask(cleared, new Step.PendingCleared());
      return;
    }
    List<Change> changes = forgetWritten();
    changes.add(
        new Change.MainRecorded(
            new MainMember(disk().id(), disk().evidence(seen), image().main().dataOffsetBytes())));
    changes.add(new Change.ReplaceEnded());
    changes.add(new Change.PolicyCleared(DISK));
    changes.add(new Change.PolicySet(MAIN, disk().address().toString()));
    changes.add(new Change.PolicySet(MAIN_BEFORE, serving.main().address().toString()));
    ask(changes, new Step.Switched());
  }

  /** What a commit came to. */
  List<Fact> ended(Step step, CommitResult result, String sentence) {
    boolean durable = result == CommitResult.COMMITTED;
    switch (step) {
      case Step.Started started -> started(result, sentence);
      case Step.Kept kept -> {}
      case Step.Recorded recorded -> {
        for (int region = 0; region < 64; region++) {
          if ((recorded.regions() & 1L << region) != 0) {
            beingRecorded.remove(recorded.word() * 64 + region);
          }
        }
        WriteIntents known = intents;
        if (durable && known != null) {
          known.becameDurable(recorded.word(), recorded.regions());
        }
        serving.queues().tellAll(new QueueCommand.Recorded(durable));
      }
      case Step.PendingCleared cleared -> {
        if (phase == Phase.SWITCHING) {
          if (durable) {
            commitSwitch();
          } else {
            notSwitched(sentence);
          }
        }
      }
      case Step.Switched switched -> {
        if (phase == Phase.SWITCHING) {
          return switched(result, sentence);
        }
      }
      case Step.Ended end -> {
        if (phase == Phase.ENDING) {
          if (durable) {
            over();
          } else {
            answer(
                new Answer.Refused(
                    "it copies no more, but that is not durable yet, which is tried again: "
                        + sentence));
            again();
          }
        }
      }
    }
    return List.of();
  }

  private void started(CommitResult result, String sentence) {
    if (phase != Phase.STARTING) {
      return;
    }
    switch (result) {
      case COMMITTED -> {
        String told =
            run.settings.name()
                + ": main is being copied to "
                + disk().address()
                + ", which takes its place when that is done";
        serving.happened(Event.Severity.NOTICE, "replace.started", told);
        answer(new Answer.Done(told));
        join();
      }
      case NOT_DONE -> refuse("it could not be committed: " + sentence);
      case INDETERMINATE -> {
        // Nothing is below a cursor of 0, so nothing has to be recorded until that has ended.
        intents = null;
        giveUp("its begin could not be made durable");
      }
    }
  }

  private void notSwitched(String sentence) {
    thaw();
    phase = Phase.COPIED;
    waits("the switch could not be committed: " + sentence);
    again();
  }

  private List<Fact> switched(CommitResult result, String sentence) {
    switch (result) {
      case NOT_DONE -> notSwitched(sentence);
      case INDETERMINATE -> {
        return List.of(
            new Fact.Crashed(
                "replacement",
                "nobody knows whether the switch to " + disk().address() + " is durable",
                run.nowNanos()));
      }
      case COMMITTED -> {
        Disk now = disk().disk();
        String before = serving.main().address().toString();
        if (now == null) {
          return List.of(
              new Fact.Crashed("replacement", "the new disk is not open", run.nowNanos()));
        }
        serving.disks().flushes().remove(NEW_MAIN);
        serving.mainIs(now);
        serving.queues().tellAll(new QueueCommand.MirrorOff());
        onOldMain.addAll(serving.queues().begun());
        serving.queues().tellAll(new QueueCommand.MainReplaced(now));
        serving.relocator().tell(new RelocatorCommand.MainReplaced(run.lendTo(now)));
        serving.queues().tellAll(new QueueCommand.Thaw());
        if (!stopped) {
          serving.scrubbing().begin();
        }
        run.tell(new DeviceNews.MainSwitched(run.number, disk().claim(), disk().address()));
        String told =
            disk().address()
                + " is main of "
                + run.settings.name()
                + " now; name it in the configuration too. "
                + before
                + " is given back and was not changed";
        serving.happened(Event.Severity.NOTICE, "replace.done", told);
        forget();
      }
    }
    return List.of();
  }

  private void forget() {
    newDisk = null;
    mirror = null;
    window = null;
    intents = null;
    copier = null;
    awaited.clear();
    progress = Optional.empty();
    phase = Phase.NONE;
    waits("");
  }

  // Other ends.

  /** The device serves on with the main that it has; recording goes on until that is durable. */
  private void giveUp(String why) {
    if (phase == Phase.ENDING || phase == Phase.NONE || phase == Phase.STOPPED) {
      return;
    }
    if (phase == Phase.FREEZING || phase == Phase.FLUSHING) {
      thaw();
    }
    if (phase == Phase.SWITCHING) {
      // Both hold the same, and nothing is written until that is decided.
      return;
    }
    phase = Phase.ENDING;
    endsFor = why;
    stopCopier();
    window = null;
    serving.disks().flushes().remove(NEW_MAIN);
    Mirror before = mirror;
    if (before != null) {
      mirror(null, before.belowBytes(), 0, 0);
    }
    serving.happened(
        Event.Severity.ERROR, "replace.abandoned", "main is not replaced" + by() + ": " + why);
    commitEnd();
  }

  /** The new disk, once it is open. */
  @Nullable Disk openDisk() {
    NewDisk known = newDisk;
    return known == null ? null : known.disk();
  }

  private String by() {
    NewDisk known = newDisk;
    return known == null ? "" : " by " + known.address();
  }

  private void commitEnd() {
    List<Change> changes = forgetWritten();
    changes.add(new Change.ReplaceEnded());
    changes.add(new Change.PolicyCleared(DISK));
    ask(changes, new Step.Ended());
  }

  private void over() {
    serving.queues().tellAll(new QueueCommand.MirrorOff());
    String told = "main of " + run.settings.name() + " stays as it is: " + endsFor;
    NewDisk known = newDisk;
    if (known != null) {
      known.claim().withdraw();
    }
    forget();
    answer(endsFor.equals("it was cancelled") ? new Answer.Done(told) : new Answer.Refused(told));
  }

  private void stopCopier() {
    ActorRef<CopierCommand> copying = copier;
    copier = null;
    if (copying != null) {
      copying.tell(new CopierCommand.Stop());
      run.leave(copying);
    }
  }

  /** The device is being stopped: nobody waits for a window any more. */
  void stop() {
    stopped = true;
    run.notLater("replace");
    run.notLater("replace-switch");
    stopCopier();
    Mirror now = mirror;
    window = null;
    isWhole = phase == Phase.COPYING || phase == Phase.COPIED || isSwitching();
    if (phase == Phase.FREEZING || phase == Phase.FLUSHING) {
      serving.relocator().tell(new RelocatorCommand.GoOn());
    }
    if (now != null && now.windowToBytes() > now.windowFromBytes()) {
      mirror(now.disk(), now.belowBytes(), 0, 0);
    }
    if (phase != Phase.SWITCHING) {
      phase = Phase.STOPPED;
    }
    answer(new Answer.Refused("the device is being stopped"));
  }

  /**
   * For the commit of a clean stop, after all was flushed: what was written went to both disks, so
   * nothing of it is to be copied again, and the cursor is where the copier was; unless something
   * was still to be copied again.
   */
  List<Change> cleanChanges() {
    boolean nothingAgain = progress.map(CopyProgress::againBytes).orElse(1L) == 0;
    Mirror last = mirror;
    if (phase != Phase.STOPPED || !isWhole || !nothingAgain || last == null) {
      return List.of();
    }
    List<Change> changes = forgetWritten();
    changes.add(new Change.ReplaceMoved(last.belowBytes()));
    return changes;
  }

  /** Gives up what it holds; the metadata says how to go on. */
  void release() {
    stopCopier();
    NewDisk known = newDisk;
    if (known != null) {
      known.claim().withdraw();
    }
    answer(new Answer.Refused("the device ended meanwhile; see its status"));
  }

  /** For people; empty when nothing is being replaced. */
  Optional<DeviceStatus.Replacing> status() {
    NewDisk known = newDisk;
    if (phase == Phase.NONE || known == null) {
      return Optional.empty();
    }
    long total = image().geometry().deviceBytes();
    long copied =
        progress
            .map(CopyProgress::copiedBytes)
            .orElse(image().replace().map(ReplaceState::cursorBytes).orElse(0L));
    long left = total - copied + progress.map(CopyProgress::againBytes).orElse(0L);
    long perSecond = progress.map(CopyProgress::bytesPerSecond).orElse(rate);
    Optional<Instant> estimate =
        phase == Phase.COPYING
            ? Optional.of(
                run.parts.world().clock().now().plusSeconds(left / Math.max(1, perSecond)))
            : Optional.empty();
    return Optional.of(
        new DeviceStatus.Replacing(
            known.address().toString(),
            phase.name().toLowerCase(java.util.Locale.ROOT),
            waits,
            copied,
            total,
            progress.map(CopyProgress::againBytes).orElse(0L),
            progress.map(CopyProgress::movedBlocks).orElse(0L),
            perSecond,
            estimate));
  }
}
