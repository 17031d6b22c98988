package io.spared.device;

import io.spared.device.LifeCycle.Fact;
import io.spared.disk.DiskCommand;
import io.spared.disk.DiskNumber;
import io.spared.disk.DiskReport;
import io.spared.disk.ErrorPolicy;
import io.spared.ffi.Errno;
import io.spared.ffi.disk.Disk;
import io.spared.ffi.disk.DiskAddress;
import io.spared.format.Change;
import io.spared.format.DeviceImage;
import io.spared.format.Form;
import io.spared.format.Position;
import io.spared.format.SpareMember;
import io.spared.format.SpareState;
import io.spared.metadata.MetadataCommand;
import io.spared.metadata.MetadataEvent;
import io.spared.metadata.MetadataReply;
import io.spared.monitor.Event;
import io.spared.monitor.MonitorCommand;
import io.spared.queue.DeviceDoubts;
import io.spared.queue.QueueCommand;
import io.spared.queue.QueueContext;
import io.spared.queue.QueuePolicy;
import io.spared.queue.QueueReport;
import io.spared.relocation.RelocatorCommand;
import io.spared.relocation.RelocatorRequest;
import io.spared.remap.Place;
import io.spared.remap.RemapTable;
import io.spared.remap.Slots;
import io.spared.scrub.ScrubberRequest;
import io.spared.spare.SpareCommand;
import io.spared.spare.SpareReply;
import java.util.ArrayList;
import java.util.HashMap;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import java.util.TreeMap;
import java.util.function.BooleanSupplier;
import org.apache.pekko.actor.typed.ActorRef;
import org.jspecify.annotations.Nullable;

/**
 * A device while it serves: its image, table and slots, and the traffic between its queues, its
 * relocator, its disks and the writer of its metadata.
 *
 * <p>It is the only writer of the map ({@link LiveMap}): a change is applied when its commit is
 * durable on a quorum, and the relocator told after that. So no write is acknowledged before its
 * remap is durable (invariant 4).
 */
final class Serving {
  private final Run run;
  private final Assembled assembled;
  private final LiveMap map;
  private final DeviceImage image;
  private final DeviceDoubts doubts = new DeviceDoubts();
  private final OpenQueues queues = new OpenQueues();
  private final Commits commits;
  private final ActorRef<MetadataReply> metadataInbox;
  private final DeviceDisks disks;
  private final SlotSupply supply;
  private final Scrubbing scrubbing;
  private final Map<Integer, SpareReply.Attached> spares;
  private final ActorRef<RelocatorCommand> relocator;
  private final Replacement replacement;
  private final AwayMain awayMain;
  private Disk main;
  private @Nullable FormChange formChange;
  private QueuePolicy policy;
  private DeviceSettings settings;
  private @Nullable SpareLife spareLife;
  private MetadataReply.@Nullable Status metadata;

  Serving(
      Run run,
      Assembled assembled,
      ActorRef<MetadataReply> metadataInbox,
      BooleanSupplier frozenByOthers) {
    this.run = run;
    this.assembled = assembled;
    this.main = assembled.main();
    this.replacement = new Replacement(run, this, frozenByOthers);
    this.awayMain = new AwayMain(run, this, frozenByOthers);
    this.map = new LiveMap(assembled.image(), assembled.table());
    this.image = map.image();
    this.spares = new TreeMap<>(assembled.spares());
    forgetSparesThatLeft();
    this.metadataInbox = metadataInbox;
    this.settings = run.settings;
    this.commits = new Commits(assembled.writer(), metadataInbox);
    this.policy =
        new QueuePolicy(
            run.settings.deadlines().request(),
            QueuePolicy.DEFAULT.mediaRetries(),
            QueuePolicy.DEFAULT.requestsMax(),
            QueuePolicy.DEFAULT.partsMax());
    this.disks = new DeviceDisks(run, disksByNumber());
    this.relocator =
        DeviceChildren.relocator(run, image.geometry(), map.table(), disksByNumber(), doubts);
    this.supply =
        new SlotSupply(run, image, map.slots(), commits, relocator, spares, this::usableSpares);
    this.scrubbing =
        new Scrubbing(
            run,
            map,
            commits,
            assembled.writer(),
            metadataInbox,
            this::disksByNumber,
            this::lookAtFault);
    supply.borrowIfLow();
    replacement.resume();
  }

  /**
   * The table may have been loaded through places on a spare that has left since: no block is
   * there, and what moved off it is durable elsewhere, so no flush may wait for it.
   */
  private void forgetSparesThatLeft() {
    for (int spare = 0; spare < Place.SPARES_MAX; spare++) {
      if (map.table().isSpareInUse(spare) && !image.spares().containsKey(spare)) {
        doubts.left(spare);
      }
    }
  }

  /** What takes main's place, if anything does. */
  Replacement replacement() {
    return replacement;
  }

  AwayMain awayMain() {
    return awayMain;
  }

  Disk main() {
    return main;
  }

  void convert(Form to, ActorRef<Answer> asker) {
    FormChange before = formChange;
    if (before != null && !before.isOver()) {
      asker.tell(new Answer.Refused("its form is being changed already"));
      return;
    }
    FormChange next = new FormChange(run, this, to, asker);
    formChange = next;
    next.begin();
  }

  void labelAnswered() {
    FormChange going = formChange;
    if (going != null) {
      going.answered();
    }
  }

  /** Whether every request that was begun is over, and a flush of all disks has now begun. */
  boolean flushOnceFrozen(Runnable flushed) {
    if (!queues.allFrozen() || disks.flushes().isRunning()) {
      return false;
    }
    disks
        .flushes()
        .begin(
            run.parts.home().engine().nanoTime() + run.settings.deadlines().request().toNanos() / 2,
            flushed);
    return true;
  }

  /** Of the last flush; the new disk's own are the replacement's matter. */
  List<String> flushFailures() {
    List<String> failures = new ArrayList<>();
    for (String failure : disks.flushes().failures()) {
      if (failure.startsWith(Replacement.NEW_MAIN + ":")) {
        replacement.newDiskNotFlushed(failure);
      } else {
        failures.add(failure);
      }
    }
    return failures;
  }

  /** Another disk is main, which queues and relocator are told by whoever saw to it. */
  void mainIs(Disk now) {
    main = now;
    awayMain.replaced();
    disks.use(DiskNumber.MAIN, now);
  }

  /** Those that are there. */
  Map<Integer, Disk> disksByNumber() {
    Map<Integer, Disk> byNumber = new HashMap<>();
    byNumber.put(DiskNumber.MAIN, main);
    spares.forEach((number, spare) -> byNumber.put(number, spare.disk()));
    return byNumber;
  }

  DeviceImage image() {
    return image;
  }

  RemapTable table() {
    return map.table();
  }

  OpenQueues queues() {
    return queues;
  }

  Commits commits() {
    return commits;
  }

  DeviceDisks disks() {
    return disks;
  }

  Scrubbing scrubbing() {
    return scrubbing;
  }

  DeviceDoubts doubts() {
    return doubts;
  }

  ActorRef<RelocatorCommand> relocator() {
    return relocator;
  }

  ActorRef<MetadataCommand> writer() {
    return assembled.writer();
  }

  /** What is wrong at the very beginning. */
  Map<Trouble, String> firstTroubles() {
    Map<Trouble, String> troubles = new TreeMap<>();
    assembled.warning().ifPresent(warning -> troubles.put(Trouble.COPIES, warning));
    if (!assembled.missing().isEmpty()) {
      troubles.put(
          Trouble.SPARE, "missing: spare " + assembled.missing().keySet() + " of its metadata");
    }
    return troubles;
  }

  // Queues.

  QueueContext open(String user, ActorRef<QueueCommand> frontend) {
    OpenQueues.Open open = queues.add(user, frontend);
    Map<Integer, Disk> spares = disksByNumber();
    spares.remove(DiskNumber.MAIN);
    return new QueueContext(
        open.id,
        image.geometry(),
        map.table(),
        main,
        spares,
        policy,
        doubts,
        report -> run.tell(new DeviceNews.FromQueue(run.number, report)));
  }

  /** Routes what a queue tells; what matters for the device's life comes back as facts. */
  List<Fact> on(QueueReport report) {
    OpenQueues.Open open = queues.get(report.queueId());
    if (open == null) {
      return List.of();
    }
    switch (report) {
      case QueueReport.Opened opened -> {
        open.begun = true;
        replacement.queueOpened(open.frontend);
        relocator.tell(new RelocatorCommand.QueueOpened(open.id, open.frontend));
      }
      case QueueReport.FenceReached reached ->
          relocator.tell(new RelocatorCommand.FromQueue(reached));
      case QueueReport.WriteWaits waits -> {
        long failedPlace = waits.write().failedPlace();
        if (failedPlace != Place.NONE) {
          disks.mediaErrorAt(failedPlace);
        }
        relocator.tell(new RelocatorCommand.FromQueue(waits));
      }
      case QueueReport.ReadFault fault -> {
        if (!replacement.isAboutOldMain(open.id)) {
          disks.mediaErrorAt(fault.place());
          relocator.tell(new RelocatorCommand.FromQueue(fault));
        }
      }
      case QueueReport.MainTaken taken -> replacement.mainTaken(open.id);
      case QueueReport.DiskDoubted doubted -> {
        prove(doubted.disk(), doubted.errno(), doubted.offsetBytes(), open.id);
      }
      case QueueReport.DiskFailed failed -> {
        boolean medium = ErrorPolicy.faultOf(failed.errno()) == ErrorPolicy.Fault.MEDIA;
        boolean onMain = failed.disk() == DiskNumber.MAIN;
        if (!(medium && onMain && replacement.isAboutOldMain(open.id))) {
          disks.failed(failed);
        }
      }
      case QueueReport.InDoubt doubt -> disks.inDoubt(doubt);
      case QueueReport.DoubtEnded ended -> disks.doubtEnded(ended.disk());
      case QueueReport.FlushFailed failed -> {
        return List.of(disks.flushFailed(failed));
      }
      case QueueReport.Counted counted -> queues.counted(open, counted.counts());
      case QueueReport.MirrorReached reached -> replacement.on(reached);
      case QueueReport.RecordWanted wanted -> replacement.on(wanted);
      case QueueReport.OverlapEnded _ -> queues.tellAll(new QueueCommand.OverlapEnded());
      case QueueReport.MirrorFailed failed -> replacement.on(failed);
      case QueueReport.Frozen frozen -> queues.frozen(open.id);
      case QueueReport.Drained drained -> open.drained = true;
      case QueueReport.Closed closed -> forget(open.id);
    }
    return List.of();
  }

  /** A queue has ended: fences wait for it no more. */
  void forget(int queueId) {
    if (queues.remove(queueId) != null) {
      relocator.tell(new RelocatorCommand.QueueClosed(queueId));
      replacement.queueGone(queueId);
    }
  }

  private void prove(int disk, Errno errno, long offsetBytes, int queueId) {
    disks.prove(
        disk,
        errno,
        offsetBytes,
        proved -> run.tell(new DeviceNews.DiskProved(run.number, disk, proved, queueId)));
  }

  /** A disk has or has not proved itself: whoever doubted it goes on. */
  void proved(DeviceNews.DiskProved proof) {
    if (proof.queueId() < 0) {
      relocator.tell(new RelocatorCommand.DiskProof(proof.disk(), proof.proved()));
      return;
    }
    OpenQueues.Open open = queues.get(proof.queueId());
    if (open != null) {
      open.frontend.tell(new QueueCommand.DiskProof(proof.disk(), proof.proved()));
    }
  }

  /** What the surface scan found is the medium's only on a disk that proves itself. */
  void proved(DeviceNews.FaultProved fault) {
    boolean ofMainNow = fault.main() == main && !replacement.isSwitching();
    if (fault.proved() && ofMainNow) {
      relocator.tell(
          new RelocatorCommand.FromQueue(
              new QueueReport.ReadFault(
                  -1, fault.found().block(), fault.found().place(), fault.found().unreadable())));
    }
  }

  List<Fact> on(DiskReport report) {
    return switch (report) {
      case DiskReport.HealthChanged changed -> {
        Fact judged = disks.judged(changed);
        if (changed.now() == DiskReport.Health.GONE) {
          if (changed.disk() == DiskNumber.MAIN) {
            awayMain.goneAway();
          } else {
            spareLife().goneAway(changed.disk(), changed.reason());
          }
        }
        yield List.of(judged);
      }
      case DiskReport.Stopped stopped -> List.of();
    };
  }

  // The relocator.

  List<Fact> on(RelocatorRequest request) {
    switch (request) {
      case RelocatorRequest.TakeSlot take -> {
        return supply.take(take);
      }
      case RelocatorRequest.GiveBackSlot back -> map.slots().giveBack(back.place());
      case RelocatorRequest.ReleaseSlot release -> {
        map.slots().release(release.place());
        queues.tellAll(new QueueCommand.PublishVersion());
      }
      case RelocatorRequest.RetireSlot retire -> {
        map.slots().retire(retire.place());
        if (!retire.recorded()) {
          note(new Change.SlotRetired(Place.spare(retire.place()), Place.slot(retire.place())));
        }
        happened(
            Event.Severity.WARNING,
            "slot.retired",
            Place.toString(retire.place()) + " failed and is never used again");
      }
      case RelocatorRequest.Commit commit ->
          commits.ask(
              commit.changes(), new Commits.Purpose.Relocation(commit.commitId()), run.nowNanos());
      case RelocatorRequest.ProveDisk prove ->
          prove(prove.disk(), prove.errno(), prove.offsetBytes(), -1);
      case RelocatorRequest.DiskFailed failed ->
          disks.tell(
              failed.disk(),
              new DiskCommand.Failed(
                  io.spared.ffi.engine.IoRequest.Operation.READ,
                  failed.errno(),
                  failed.offsetBytes()));
      case RelocatorRequest.BlockMoved moved -> {
        map.blockMoved();
        spareLife().blockMoved(moved);
        run.parts
            .monitor()
            .tell(
                new MonitorCommand.Happened(
                    moved.lost().isEmpty() ? Event.Severity.NOTICE : Event.Severity.ERROR,
                    run.settings.name(),
                    "remap.committed",
                    "block "
                        + moved.block()
                        + " moved from "
                        + Place.toString(moved.fromPlace())
                        + " to "
                        + Place.toString(moved.toPlace())
                        + (moved.lost().isEmpty()
                            ? ""
                            : ", " + moved.lost().count() + " sectors are lost"),
                    Map.of(
                        "block",
                        Long.toString(moved.block()),
                        "lost",
                        Integer.toString(moved.lost().count()))));
      }
      case RelocatorRequest.BlockPending pending ->
          happened(
              Event.Severity.WARNING,
              "block.pending",
              "block "
                  + pending.block()
                  + " has "
                  + pending.unreadable().count()
                  + " unreadable sectors; it moves when it is written");
      case RelocatorRequest.MoveFailed failed ->
          happened(
              Event.Severity.ERROR,
              "remap.failed",
              "block " + failed.block() + " could not be moved: " + failed.reason());
      case RelocatorRequest.BlockRefusesWrites refuses ->
          happened(
              Event.Severity.ERROR,
              "remap.indeterminate",
              "block "
                  + refuses.block()
                  + " refuses writes until its commit is known to be durable or void");
      case RelocatorRequest.MoveEnded ended -> {
        replacement.blockLeft(ended);
        Evacuation going = spareLife().evacuation();
        if (going != null) {
          going.moveEnded(ended);
        }
      }
      case RelocatorRequest.Paused paused -> replacement.relocatorPaused();
      case RelocatorRequest.Drained drained -> relocatorDrained = true;
    }
    return List.of();
  }

  private boolean relocatorDrained;

  boolean isRelocatorDrained() {
    return relocatorDrained;
  }

  void on(SpareReply reply) {
    supply.on(reply);
  }

  // Spares that come and go: SpareLife says when.

  boolean uses(DiskAddress address) {
    return spares.values().stream().anyMatch(spare -> spare.address().equals(address));
  }

  Map<Integer, SpareReply.Attached> spares() {
    return spares;
  }

  Slots slots() {
    return map.slots();
  }

  DeviceSettings settings() {
    return settings;
  }

  /** Those that may take more blocks and copies. */
  Map<Integer, SpareReply.Attached> usableSpares() {
    Map<Integer, SpareReply.Attached> usable = new TreeMap<>();
    spares.forEach((index, spare) -> {
      SpareMember member = image.spares().get(index);
      if (member != null && member.state() == SpareState.IN_SERVICE && disks.isUsable(index)) {
        usable.put(index, spare);
      }
    });
    return usable;
  }

  /** Whoever needs it gets the disk. */
  void attach(int index, SpareReply.Attached spare) {
    spares.put(index, spare);
    disks.use(index, spare.disk());
    queues.tellAll(new QueueCommand.SpareAttached(index, spare.disk()));
    relocator.tell(new RelocatorCommand.SpareAttached(index, run.lendTo(spare.disk())));
  }

  /** Nobody has the disk any more. */
  void detach(int index, String why) {
    doubts.left(index);
    away(index, why);
    disks.forget(index);
  }

  /** Nobody uses the disk for now; what is known of it stays. */
  void away(int index, String why) {
    spares.remove(index);
    disks.leave(index);
    queues.tellAll(new QueueCommand.SpareDetached(index));
    relocator.tell(new RelocatorCommand.SpareDetached(index));
    writer().tell(new MetadataCommand.SpareGone(index, why));
  }

  /** There are slots again, or soon will be. */
  List<Fact> moreRoom() {
    return supply.moreRoom();
  }

  SpareLife spareLife() {
    SpareLife known = spareLife;
    if (known == null) {
      throw new IllegalStateException("it has not begun to serve");
    }
    return known;
  }

  /** Begins the life of its spares; once, after everything else. */
  void begin(SpareLife life, List<SpareReply.Attached> strangers) {
    spareLife = life;
    life.resume(strangers);
  }

  List<DeviceStatus.Job> jobs() {
    SpareLife known = spareLife;
    Evacuation going = known == null ? null : known.evacuation();
    return going == null ? List.of() : List.of(going.status());
  }

  // Metadata.

  /** A change that is worth keeping, and that nobody waits for. */
  void note(Change... changes) {
    commits.ask(List.of(changes), new Commits.Purpose.Note(), run.nowNanos());
  }

  List<Fact> on(MetadataReply reply) {
    switch (reply) {
      case MetadataReply.Committed committed -> {
        Commits.Asked asked = commits.committed(committed.id(), run.nowNanos());
        if (asked != null) {
          apply(committed.position(), asked.changes());
          return ended(asked, RelocatorCommand.CommitResult.COMMITTED, "");
        }
      }
      case MetadataReply.Indeterminate doubt -> {
        Commits.Asked asked = commits.doubted(doubt.id());
        if (asked != null) {
          happened(
              Event.Severity.ERROR,
              "commit.indeterminate",
              "a commit did not reach its quorum: " + reasons(doubt.reasons()));
          return ended(
              asked, RelocatorCommand.CommitResult.INDETERMINATE, reasons(doubt.reasons()));
        }
      }
      case MetadataReply.Refused refused -> {
        Commits.Asked asked = commits.notDone(refused.id());
        List<Fact> facts = new ArrayList<>();
        if (asked != null) {
          facts.addAll(ended(asked, RelocatorCommand.CommitResult.NOT_DONE, refused.sentence()));
        }
        if (refused.reason() == MetadataReply.Reason.FENCED) {
          facts.add(new Fact.Unusable(refused.sentence()));
        }
        return facts;
      }
      case MetadataReply.Cancelled cancelled -> {
        Commits.Asked asked = commits.notDone(cancelled.id());
        if (asked != null) {
          return ended(asked, RelocatorCommand.CommitResult.NOT_DONE, "the commit was cancelled");
        }
      }
      case MetadataReply.Status status -> metadata = status;
      case MetadataReply.Loaded l -> {}
      case MetadataReply.NotLoaded n -> {}
      case MetadataReply.Created c -> {}
      case MetadataReply.Begun b -> {}
      case MetadataReply.Repaired r -> {}
      case MetadataReply.Scrubbed scrubbed -> {
        scrubbing.metadataScrubbed();
        happened(
            scrubbed.damaged().isEmpty() ? Event.Severity.INFO : Event.Severity.WARNING,
            "scrub.done",
            scrubbed.verified()
                + " copies were read"
                + (scrubbed.damaged().isEmpty()
                    ? " and are whole"
                    : "; damaged: " + reasons(scrubbed.damaged())));
        askMetadata();
      }
      case MetadataReply.Stopped s -> {}
    }
    return List.of();
  }

  private static String reasons(List<MetadataReply.CopyReason> reasons) {
    List<String> each = new ArrayList<>();
    for (MetadataReply.CopyReason reason : reasons) {
      each.add("copy " + reason.copy() + ": " + reason.reason());
    }
    return String.join("; ", each);
  }

  private List<Fact> ended(
      Commits.Asked asked, RelocatorCommand.CommitResult result, String sentence) {
    boolean durable = result == RelocatorCommand.CommitResult.COMMITTED;
    switch (asked.purpose()) {
      case Commits.Purpose.Relocation relocation ->
          relocator.tell(new RelocatorCommand.CommitEnded(relocation.relocatorCommitId(), result));
      case Commits.Purpose.Lending lending -> {
        if (durable) {
          return supply.lent(lending.extent());
        }
      }
      case Commits.Purpose.Policy set ->
          set.replyTo()
              .tell(durable ? new Answer.Done(set.sentence()) : notDurable(result, sentence));
      case Commits.Purpose.SpareChange change -> {
        if (durable) {
          return spareLife().changed();
        }
        if (result == RelocatorCommand.CommitResult.NOT_DONE) {
          spareLife().notChanged(sentence);
        } else {
          spareLife().changeInDoubt(notDurable(result, sentence));
        }
      }
      case Commits.Purpose.LeavingChanged changed ->
          spareLife().leavingChanged(changed, durable, notDurable(result, sentence));
      case Commits.Purpose.Removal removal -> {
        if (durable) {
          return spareLife().left(removal);
        }
        Evacuation going = spareLife().evacuation();
        if (result == RelocatorCommand.CommitResult.NOT_DONE && going != null) {
          going.notRemoved();
        }
      }
      case Commits.Purpose.Returning returning -> {
        if (durable) {
          spareLife().returned(returning.extent());
        }
      }
      case Commits.Purpose.Converting converting -> {
        FormChange going = formChange;
        return going == null ? List.of() : going.ended(result, sentence);
      }
      case Commits.Purpose.Replacing step -> {
        return replacement.ended(step.step(), result, sentence);
      }
      case Commits.Purpose.CleanMark mark -> cleanMark = Optional.of(durable);
      case Commits.Purpose.Note note -> {}
    }
    return List.of();
  }

  /** To who waits for what may have been committed when the device ends. */
  static final Answer ENDED =
      new Answer.InDoubt(
          "the device ended before that was durable, so nobody knows yet whether it is done; see its"
              + " status");

  static Answer notDurable(RelocatorCommand.CommitResult result, String sentence) {
    return result == RelocatorCommand.CommitResult.INDETERMINATE
        ? new Answer.InDoubt(
            "nobody knows yet whether it is durable: "
                + sentence
                + "; that is decided once copies are back, or at the next start; see its status")
        : new Answer.Refused("it could not be made durable: " + sentence);
  }

  private Optional<Boolean> cleanMark = Optional.empty();

  /** Whether the mark of a clean stop became durable; empty while nobody knows. */
  Optional<Boolean> cleanMark() {
    return cleanMark;
  }

  /** After the map, whoever goes by what it says. */
  private void apply(Position position, List<Change> changes) {
    map.apply(position, changes);
    SpareLife life = spareLife;
    if (life != null) {
      for (Change change : changes) {
        if (change instanceof Change.SlotRetired retired) {
          life.lookWhetherItFails(retired.spare());
        }
      }
    }
  }

  List<Fact> on(MetadataEvent event) {
    switch (event) {
      case MetadataEvent.CopyDamaged damaged -> {
        happened(
            Event.Severity.WARNING,
            "copy.damaged",
            "copy "
                + damaged.copy()
                + " on spare "
                + damaged.spare()
                + " is damaged: "
                + damaged.reason());
        return List.of(new Fact.Worse(Trouble.COPIES, "copy " + damaged.copy() + " is damaged"));
      }
      case MetadataEvent.CopyRepaired repaired -> {
        happened(
            Event.Severity.NOTICE,
            "copy.repaired",
            "copy " + repaired.copy() + " on spare " + repaired.spare() + " is whole again");
        writer().tell(new MetadataCommand.GetStatus(metadataInbox));
        return List.of(new Fact.Better(Trouble.REPAIR));
      }
      case MetadataEvent.RepairFailed failed -> {
        happened(
            Event.Severity.ERROR,
            "copy.repair-failed",
            "copy "
                + failed.copy()
                + " could not be repaired ("
                + failed.reason()
                + "); next attempt in "
                + failed.nextAfterMillis() / 1000
                + " s");
        if (failed.limitReached()) {
          return List.of(
              new Fact.Worse(
                  Trouble.REPAIR,
                  "copy "
                      + failed.copy()
                      + " could not be repaired in "
                      + failed.attempts()
                      + " attempts"));
        }
      }
      case MetadataEvent.QuorumLost lost -> {
        String sentence =
            "its metadata has lost its quorum ("
                + reasons(lost.reasons())
                + "): no block can be moved until copies are back";
        run.parts
            .monitor()
            .tell(
                new MonitorCommand.Raise(
                    Event.Severity.CRITICAL, run.settings.name(), "quorum.lost", sentence));
        // The writer does not judge disks: those who do may not have seen an error yet.
        for (MetadataReply.CopyReason reason : lost.reasons()) {
          disks.prove(reason.spare(), Errno.EIO, 0, proved -> {});
        }
        return List.of(new Fact.Worse(Trouble.QUORUM, sentence));
      }
      case MetadataEvent.QuorumRestored restored -> {
        run.parts.monitor().tell(new MonitorCommand.Clear(run.settings.name(), "quorum.lost"));
        return List.of(new Fact.Better(Trouble.QUORUM));
      }
      case MetadataEvent.CommitResolved resolved -> {
        Commits.Asked asked = commits.resolved(resolved.id());
        if (asked != null) {
          apply(resolved.position(), resolved.changes());
          if (asked.purpose() instanceof Commits.Purpose.Relocation relocation) {
            relocator.tell(new RelocatorCommand.DoubtResolved(relocation.relocatorCommitId()));
          } else if (asked.purpose() instanceof Commits.Purpose.Lending lending) {
            map.slots().lend(lending.extent());
          } else if (asked.purpose() instanceof Commits.Purpose.SpareChange
              || asked.purpose() instanceof Commits.Purpose.LeavingChanged
              || asked.purpose() instanceof Commits.Purpose.Removal
              || asked.purpose() instanceof Commits.Purpose.Returning
              || asked.purpose() instanceof Commits.Purpose.Replacing) {
            return ended(asked, RelocatorCommand.CommitResult.COMMITTED, "");
          }
        }
      }
      case MetadataEvent.PlaceLeft left -> {
        SpareLife known = spareLife;
        if (known != null) {
          known.placeLeft(left.spare(), left.offsetBytes());
        }
      }
      case MetadataEvent.CheckpointDone done ->
          happened(
              Event.Severity.DEBUG,
              "checkpoint.done",
              "all copies hold checkpoint " + done.generation());
      case MetadataEvent.ChangesWanted wanted ->
          commits.ask(wanted.changes(), new Commits.Purpose.Note(), run.nowNanos());
      case MetadataEvent.Fenced fenced -> {
        return List.of(new Fact.Unusable(fenced.sentence()));
      }
    }
    return List.of();
  }

  /** The last that the writer said of itself; asks it to say it anew. */
  MetadataReply.@Nullable Status metadata() {
    return metadata;
  }

  void askMetadata() {
    writer().tell(new MetadataCommand.GetStatus(metadataInbox));
  }

  /** Copies are all good again, or not: derived from the writer's own words. */
  List<Fact> judgeCopies() {
    MetadataReply.Status status = metadata;
    if (status == null) {
      return List.of();
    }
    int total = status.copies().size();
    return status.healthy() == total
        ? List.of(new Fact.Better(Trouble.COPIES))
        : List.of(new Fact.Worse(Trouble.COPIES, "copies " + status.healthy() + " of " + total));
  }

  void happened(Event.Severity severity, String kind, String sentence) {
    run.parts
        .monitor()
        .tell(new MonitorCommand.Happened(severity, run.settings.name(), kind, sentence));
  }

  // For status.

  DeviceStatus.Remaps remaps() {
    return map.remaps();
  }

  ActorRef<MetadataReply> metadataInbox() {
    return metadataInbox;
  }

  void repair() {
    writer().tell(new MetadataCommand.Repair(metadataInbox));
  }

  /** Other deadlines and policies from now on. */
  void settingsChanged(DeviceSettings next) {
    settings = next;
    SpareLife life = spareLife;
    Evacuation going = life == null ? null : life.evacuation();
    if (going != null) {
      going.rate(next.upkeep().moveBytesPerSecond());
    }
    scrubbing.settingsChanged(next);
    policy =
        new QueuePolicy(
            settings.deadlines().request(),
            policy.mediaRetries(),
            policy.requestsMax(),
            policy.partsMax());
    queues.tellAll(new QueueCommand.SetPolicy(policy));
    writer().tell(new MetadataCommand.SetAutoRepair(settings.upkeep().autoRepair()));
    writer().tell(new MetadataCommand.SetCommitTimeout(settings.deadlines().commit()));
  }

  // Scrubbing.

  void scrub(boolean surface) {
    if (surface) {
      scrubbing.scanNow();
      return;
    }
    scrubbing.scrubMetadata();
    spares
        .values()
        .forEach(spare -> run.parts.spares().tell(new SpareCommand.Check(spare.spareId())));
  }

  /** What the surface scan could not read is the medium's fault only if its disk is there. */
  private void lookAtFault(ScrubberRequest.FoundFault found) {
    disks.mediaErrorAt(found.place());
    Disk of = main;
    disks.prove(
        Place.isSlot(found.place()) ? Place.spare(found.place()) : DiskNumber.MAIN,
        Errno.EIO,
        found.block() * image.geometry().blockBytes(),
        proved -> run.tell(new DeviceNews.FaultProved(run.number, found, proved, of)));
  }

  DeviceStatus.Scrubs scrubStatus() {
    return scrubbing.status(metadata);
  }

  /** The device ends: who waits for a commit is told that nobody knows yet. */
  private void answerWhoWaits() {
    for (Commits.Purpose purpose : commits.unanswered()) {
      switch (purpose) {
        case Commits.Purpose.Policy set -> set.replyTo().tell(ENDED);
        case Commits.Purpose.LeavingChanged changed -> changed.replyTo().tell(ENDED);
        default -> {}
      }
    }
  }

  /** Gives up the device's own ports; queues and parts give up theirs. */
  void release() {
    answerWhoWaits();
    disks.endActors();
    scrubbing.stop();
    replacement.release();
    awayMain.rest();
    FormChange converting = formChange;
    if (converting != null) {
      converting.giveUp();
    }
    disks.flushes().detach();
  }
}
