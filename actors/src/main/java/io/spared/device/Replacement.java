package io.spared.device;

import io.spared.device.LifeCycle.Fact;
import io.spared.ffi.disk.Disk;
import io.spared.ffi.disk.DiskAddress;
import io.spared.ffi.disk.DiskIdentity;
import io.spared.format.Change;
import io.spared.format.DeviceImage;
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
import io.spared.replacement.CopierRequest;
import io.spared.replacement.CopyProgress;
import io.spared.replacement.CopyWindow;
import java.time.Duration;
import java.time.Instant;
import java.util.List;
import java.util.Locale;
import java.util.Optional;
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
  /** Its role among the disks that are flushed. */
  static final String NEW_MAIN = "new main";

  static final long RATE_BYTES_PER_SECOND = 200L << 20;
  private static final Duration AGAIN = Duration.ofSeconds(5);

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
    /** As {@link SwitchOver} says. */
    SWITCHING,
    /** Given up: its end is being recorded. */
    ENDING,
    /** The device ends; what is recorded goes on at its next start. */
    STOPPED
  }

  private final Run run;
  private final Serving serving;
  private final ReplaceCommits commits;
  private final MirroredWrites mirroring;
  private final Copying copying;
  private final SwitchOver switchOver;
  private final BooleanSupplier frozenByOthers;
  private Phase phase = Phase.NONE;
  private @Nullable NewDisk newDisk;
  private @Nullable ActorRef<Answer> asker;
  private String waits = "";
  private String endsFor = "";
  private long rate = RATE_BYTES_PER_SECOND;
  private boolean isLooking;

  /** Whether every write went to both disks, as far as is known. */
  private boolean isWhole;

  private boolean stopped;

  Replacement(Run run, Serving serving, BooleanSupplier frozenByOthers) {
    this.run = run;
    this.serving = serving;
    this.frozenByOthers = frozenByOthers;
    this.commits = new ReplaceCommits(run, serving);
    this.mirroring = new MirroredWrites(serving, commits, this::reachedByAll);
    this.copying = new Copying(run, serving);
    this.switchOver = new SwitchOver(run, serving, commits, new SwitchEnds());
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
    return switchOver.isUnderWay();
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
    mirroring.recorded(commits.recorded());
    phase = Phase.LOOKING;
    mirroring.set(null, state.get().cursorBytes(), 0, 0);
    look(state.get());
  }

  private void look(ReplaceState state) {
    try {
      NewDisk again = new NewDisk(run, DiskAddress.parse(commits.address()), state.newDiskId());
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
      case OPENING, STARTING, ENDING, SWITCHING ->
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
          case ENDING -> commits.end();
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
      case DeviceNews.SwitchOverdue late -> switchOver.overdue();
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
    mirroring.recorded(new WriteIntents(image().geometry().deviceBytes()));
    commits.start(disk());
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
    serving.happened(
        Event.Severity.NOTICE,
        "replace.resumed",
        "main is being copied on to " + disk().address() + ", from byte " + cursorBytes());
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
    mirroring.set(opened, cursorBytes(), 0, 0);
  }

  private long cursorBytes() {
    return image().replace().map(ReplaceState::cursorBytes).orElse(0L);
  }

  // Queues.

  void queueOpened(ActorRef<QueueCommand> frontend) {
    mirroring.queueOpened(frontend);
  }

  void queueGone(int queueId) {
    switchOver.mainTaken(queueId);
    mirroring.queueGone(queueId);
  }

  void on(QueueReport.MirrorReached reached) {
    mirroring.on(reached);
  }

  void on(QueueReport.RecordWanted wanted) {
    mirroring.on(wanted);
  }

  private void reachedByAll() {
    Disk to = openDisk();
    WriteIntents known = mirroring.intents();
    if (phase != Phase.JOINING) {
      copying.quiet();
    } else if (to != null && known != null) {
      phase = Phase.COPYING;
      copying.begin(to, cursorBytes(), known, rate);
    }
  }

  void on(QueueReport.MirrorFailed failed) {
    isWhole = false;
    giveUp("a write to it failed: " + failed.errno().meaning());
  }

  // The copier.

  private List<Fact> on(CopierRequest request) {
    if (phase != Phase.COPYING) {
      return List.of();
    }
    switch (request) {
      case CopierRequest.SetWindow set -> {
        CopyWindow wanted = set.window();
        copying.waitsFor(wanted);
        mirroring.set(disk().disk(), wanted.belowBytes(), wanted.fromBytes(), wanted.toBytes());
      }
      case CopierRequest.LeaveMain leave ->
          serving.relocator().tell(new RelocatorCommand.LeaveMain(leave.block()));
      case CopierRequest.KeepCursor keep -> commits.keepCursor(keep.cursorBytes());
      case CopierRequest.Progress told -> copying.told(told.progress());
      case CopierRequest.Waits why -> waits(why.sentence());
      case CopierRequest.MainNotFlushed not -> {
        serving.doubts().flushFailed(not.errno());
        copying.ended();
        waits("main could not be flushed; it goes on after the device was started again");
        return List.of(
            new Fact.Worse(
                Trouble.FLUSH,
                "main could not flush ("
                    + not.errno()
                    + "): writes fail until the device is started again"));
      }
      case CopierRequest.NewDiskFailed failed -> {
        copying.ended();
        giveUp(failed.sentence());
      }
      case CopierRequest.Done done -> {
        copying.ended();
        beginSwitch();
      }
    }
    return List.of();
  }

  void blockLeft(RelocatorRequest.MoveEnded ended) {
    copying.blockLeft(ended);
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
    if (frozenByOthers.getAsBoolean()) {
      waits("the device is frozen");
      again();
      return;
    }
    run.notLater("replace");
    phase = Phase.SWITCHING;
    switchOver.begin(disk(), identity);
  }

  void relocatorPaused() {
    switchOver.relocatorPaused();
  }

  /** Goes on with the switch as far as it can. */
  void step() {
    switchOver.step();
  }

  private final class SwitchEnds implements SwitchOver.Ends {
    @Override
    public void notYet(String sentence) {
      if (stopped) {
        phase = Phase.STOPPED;
        return;
      }
      phase = Phase.COPIED;
      waits(sentence);
      again();
    }

    @Override
    public void failed(String sentence) {
      giveUp(sentence);
    }

    @Override
    public void done() {
      forget();
    }
  }

  /** Whoever flushed all disks: the new one failed. */
  void newDiskNotFlushed(String failure) {
    isWhole = false;
    giveUp(failure);
  }

  /** Whether what this queue says of main is, or may be, about the disk that was replaced. */
  boolean isAboutOldMain(int queueId) {
    return switchOver.isAboutOldMain(queueId);
  }

  void mainTaken(int queueId) {
    switchOver.mainTaken(queueId);
  }

  /** What a commit came to. */
  List<Fact> ended(ReplaceCommits.Step step, CommitResult result, String sentence) {
    boolean durable = result == CommitResult.COMMITTED;
    switch (step) {
      case ReplaceCommits.Step.Started started -> started(result, sentence);
      case ReplaceCommits.Step.Kept kept -> {}
      case ReplaceCommits.Step.Recorded recorded -> mirroring.ended(recorded, durable);
      case ReplaceCommits.Step.PendingCleared cleared -> switchOver.cleared(durable, sentence);
      case ReplaceCommits.Step.Switched switched -> {
        return switchOver.switched(result, sentence);
      }
      case ReplaceCommits.Step.Ended end -> {
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
        mirroring.off();
        giveUp("its begin could not be made durable");
      }
    }
  }

  private void forget() {
    newDisk = null;
    mirroring.off();
    copying.forget();
    phase = Phase.NONE;
    waits("");
  }

  // Other ends.

  /** The device serves on with the main that it has; recording goes on until that is durable. */
  private void giveUp(String why) {
    if (phase == Phase.ENDING || phase == Phase.NONE || phase == Phase.STOPPED) {
      return;
    }
    switchOver.thaw();
    if (switchOver.isCommitting()) {
      // Both hold the same, and nothing is written until that is decided.
      return;
    }
    phase = Phase.ENDING;
    endsFor = why;
    copying.stop();
    serving.disks().flushes().remove(NEW_MAIN);
    Mirror before = mirroring.now();
    if (before != null) {
      mirroring.set(null, before.belowBytes(), 0, 0);
    }
    serving.happened(
        Event.Severity.ERROR, "replace.abandoned", "main is not replaced" + by() + ": " + why);
    commits.end();
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

  private void over() {
    String told = "main of " + run.settings.name() + " stays as it is: " + endsFor;
    NewDisk known = newDisk;
    if (known != null) {
      known.claim().withdraw();
    }
    forget();
    answer(endsFor.equals("it was cancelled") ? new Answer.Done(told) : new Answer.Refused(told));
  }

  /** The device is being stopped: nobody waits for a window any more. */
  void stop() {
    stopped = true;
    run.notLater("replace");
    copying.stop();
    isWhole = phase == Phase.COPYING || phase == Phase.COPIED || phase == Phase.SWITCHING;
    switchOver.stop();
    Mirror now = mirroring.now();
    if (now != null && now.windowToBytes() > now.windowFromBytes()) {
      mirroring.set(now.disk(), now.belowBytes(), 0, 0);
    }
    if (!switchOver.isCommitting()) {
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
    boolean nothingAgain = copying.progress().map(CopyProgress::againBytes).orElse(1L) == 0;
    Mirror last = mirroring.now();
    if (phase != Phase.STOPPED || !isWhole || !nothingAgain || last == null) {
      return List.of();
    }
    return commits.cleanChanges(last.belowBytes());
  }

  /** Gives up what it holds; the metadata says how to go on. */
  void release() {
    copying.stop();
    NewDisk known = newDisk;
    if (known != null) {
      known.claim().withdraw();
    }
    answer(Serving.ENDED);
  }

  /** For people; empty when nothing is being replaced. */
  Optional<DeviceStatus.Replacing> status() {
    NewDisk known = newDisk;
    if (phase == Phase.NONE || known == null) {
      return Optional.empty();
    }
    Optional<CopyProgress> progress = copying.progress();
    long total = image().geometry().deviceBytes();
    long copied = progress.map(CopyProgress::copiedBytes).orElse(cursorBytes());
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
            phase == Phase.SWITCHING ? switchOver.word() : phase.name().toLowerCase(Locale.ROOT),
            waits,
            copied,
            total,
            progress.map(CopyProgress::againBytes).orElse(0L),
            progress.map(CopyProgress::movedBlocks).orElse(0L),
            perSecond,
            estimate));
  }
}
