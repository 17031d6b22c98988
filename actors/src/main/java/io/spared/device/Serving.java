package io.spared.device;

import io.spared.device.LifeCycle.Fact;
import io.spared.disk.DiskCommand;
import io.spared.disk.DiskNumber;
import io.spared.disk.DiskReport;
import io.spared.ffi.Errno;
import io.spared.ffi.disk.Disk;
import io.spared.ffi.disk.DiskAddress;
import io.spared.ffi.engine.DiskPort;
import io.spared.format.Change;
import io.spared.format.DeviceImage;
import io.spared.format.Extent;
import io.spared.format.ExtentKind;
import io.spared.format.Form;
import io.spared.format.LostBits;
import io.spared.format.Position;
import io.spared.format.RemapEntries;
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
import io.spared.remap.Lookup;
import io.spared.remap.Place;
import io.spared.remap.RemapTable;
import io.spared.remap.Slots;
import io.spared.scrub.ScrubProgress;
import io.spared.scrub.ScrubberCommand;
import io.spared.scrub.ScrubberRequest;
import io.spared.spare.SpareCommand;
import io.spared.spare.SpareReply;
import java.time.Duration;
import java.time.Instant;
import java.util.ArrayList;
import java.util.HashMap;
import java.util.HashSet;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import java.util.Set;
import java.util.TreeMap;
import java.util.UUID;
import java.util.function.BooleanSupplier;
import org.apache.pekko.actor.typed.ActorRef;
import org.jspecify.annotations.Nullable;

/**
 * A device while it serves: its image, table and slots, and the traffic between its queues, its
 * relocator, its disks and the writer of its metadata.
 *
 * <p>It is the only writer of the map. A change is applied to the image (and so to the table) in
 * one place, {@link #apply}, and only when its commit is durable on a quorum; the table is
 * published and the relocator told after that, in this order. So no reader ever sees a remap that a
 * restart could forget, and no write is acknowledged before its remap is durable (invariant 4).
 *
 * <p>A slot goes from held to used in the same step in which its remap is applied. A slot whose
 * commit is indeterminate stays held until the writer resolves it.
 */
final class Serving {
  /** Below so many free slots more are borrowed from the spares. */
  private static final long SLOTS_LOW = 256;

  private static final long MEGABYTE = 1L << 20;

  /** A scrubber that crashed too often is started again after so long. */
  private static final Duration SCRUBBER_PAUSE = Duration.ofHours(1);

  /** Where the surface scan goes on after a restart, and how often it was through. */
  private static final String SURFACE_CURSOR = "surface";

  private static final String SURFACE_BEGAN = "surface-began";

  private static final String SURFACE_PASSES = "surface-passes";

  private final Run run;
  private final Assembled assembled;
  private final DeviceImage image;
  private final RemapTable table;
  private final Slots slots;
  private final DeviceDoubts doubts = new DeviceDoubts();
  private final OpenQueues queues = new OpenQueues();
  private final Commits commits;
  private final ActorRef<MetadataReply> metadataInbox;
  private final ActorRef<SpareReply> spareInbox;
  private final Map<Integer, ActorRef<DiskCommand>> diskActors = new HashMap<>();
  private final Map<Integer, DiskTally> disks = new TreeMap<>();
  private final Map<Integer, SpareReply.Attached> spares;
  private final ActorRef<RelocatorCommand> relocator;
  private final DiskFlushes flushes;
  private final Lookup lookup = new Lookup();
  private final Replacement replacement;
  private Disk main;
  private @Nullable FormChange formChange;
  private QueuePolicy policy;
  private DeviceSettings settings;
  private @Nullable ActorRef<ScrubberCommand> scrubber;
  private Optional<ScrubProgress> progress = Optional.empty();
  private long lostSectors;
  private long relocations;
  private @Nullable SpareLife spareLife;
  private int scrubberCrashes;

  private boolean borrowing;

  /** Spares that have refused to lend more. */
  private final Set<Integer> lendNoMore = new HashSet<>();

  private Slots.Fullness warned = Slots.Fullness.PLENTY;
  private MetadataReply.@Nullable Status metadata;

  /** What is known of a disk, for status. */
  static final class DiskTally {
    final Disk disk;
    final String role;
    DiskReport.Health health = DiskReport.Health.WELL;
    String reason = "";
    long mediaErrors;
    long transportErrors;
    long timeouts;
    int held;

    DiskTally(Disk disk, String role) {
      this.disk = disk;
      this.role = role;
    }
  }

  Serving(
      Run run,
      Assembled assembled,
      ActorRef<MetadataReply> metadataInbox,
      BooleanSupplier frozenByOthers) {
    this.run = run;
    this.assembled = assembled;
    this.main = assembled.main();
    this.replacement = new Replacement(run, this, frozenByOthers);
    this.image = assembled.image();
    this.table = assembled.table();
    this.spares = new TreeMap<>(assembled.spares());
    this.metadataInbox = metadataInbox;
    this.settings = run.settings;
    this.commits = new Commits(assembled.writer(), metadataInbox);
    this.slots = new Slots(table, image.geometry().blockBytes());
    this.policy =
        new QueuePolicy(
            run.settings.deadlines().request(),
            QueuePolicy.DEFAULT.mediaRetries(),
            QueuePolicy.DEFAULT.requestsMax(),
            QueuePolicy.DEFAULT.partsMax());
    this.spareInbox =
        run.inbox(
            SpareReply.class,
            "spares-serving",
            reply -> new DeviceNews.FromSpares(run.number, reply));
    loadSlots();
    Map<String, DiskPort> ports = new HashMap<>();
    disks.put(DiskNumber.MAIN, new DiskTally(assembled.main(), "main"));
    assembled
        .spares()
        .forEach((index, spare) -> disks.put(index, new DiskTally(spare.disk(), "spare-" + index)));
    disks.forEach((number, tally) -> {
      ports.put(tally.role, run.attach(tally.disk));
      diskActors.put(number, DeviceChildren.disk(run, number, tally.disk));
    });
    this.flushes = new DiskFlushes(ports, () -> run.tell(new DeviceNews.DisksAnswered(run.number)));
    this.relocator =
        DeviceChildren.relocator(run, image.geometry(), table, disksByNumber(), doubts);
    borrowIfLow();
    replacement.resume();
  }

  /** What takes main's place, if anything does. */
  Replacement replacement() {
    return replacement;
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

  /** Of the last flush; the new disk's own are the replacement's matter. */
  List<String> flushFailures() {
    List<String> failures = new ArrayList<>();
    for (String failure : flushes.failures()) {
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
    ActorRef<DiskCommand> before = diskActors.remove(DiskNumber.MAIN);
    if (before != null) {
      before.tell(new DiskCommand.Stop());
      run.leave(before);
    }
    DiskTally tally = new DiskTally(now, "main");
    disks.put(DiskNumber.MAIN, tally);
    diskActors.put(DiskNumber.MAIN, DeviceChildren.disk(run, DiskNumber.MAIN, now));
    flushes.remove(tally.role);
    flushes.add(tally.role, run.attach(now));
  }

  /** Those that are there. */
  Map<Integer, Disk> disksByNumber() {
    Map<Integer, Disk> byNumber = new HashMap<>();
    byNumber.put(DiskNumber.MAIN, main);
    spares.forEach((number, spare) -> byNumber.put(number, spare.disk()));
    return byNumber;
  }

  private void loadSlots() {
    for (Extent extent : image.extents()) {
      if (extent.kind() == ExtentKind.DATA) {
        slots.lend(extent);
      }
    }
    RemapEntries.Walk walk = table.walk();
    while (walk.next()) {
      if (!walk.isPending()) {
        slots.loadUsed(walk.spare(), walk.slot());
        lostSectors += Long.bitCount(walk.lostLow()) + Long.bitCount(walk.lostHigh());
      }
    }
    for (int spare : image.spares().keySet()) {
      for (long slot : image.retiredSlots(spare)) {
        slots.loadRetired(spare, slot);
      }
    }
  }

  DeviceImage image() {
    return image;
  }

  RemapTable table() {
    return table;
  }

  OpenQueues queues() {
    return queues;
  }

  Commits commits() {
    return commits;
  }

  DiskFlushes flushes() {
    return flushes;
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

  Assembled assembled() {
    return assembled;
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
        table,
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
          tally(diskOf(failedPlace)).mediaErrors++;
        }
        relocator.tell(new RelocatorCommand.FromQueue(waits));
      }
      case QueueReport.ReadFault fault -> {
        if (!replacement.isAboutOldMain(open.id)) {
          tally(diskOf(fault.place())).mediaErrors++;
          relocator.tell(new RelocatorCommand.FromQueue(fault));
        }
      }
      case QueueReport.MainTaken taken -> replacement.mainTaken(open.id);
      case QueueReport.DiskDoubted doubted -> {
        prove(doubted.disk(), doubted.errno(), doubted.offsetBytes(), open.id);
      }
      case QueueReport.DiskFailed failed -> {
        DiskTally tally = tally(failed.disk());
        if (failed.errno() == Errno.ETIMEDOUT) {
          tally.timeouts++;
        } else if (failed.errno() == Errno.ENODATA || failed.errno() == Errno.EILSEQ) {
          tally.mediaErrors++;
        } else {
          tally.transportErrors++;
        }
        tellDisk(
            failed.disk(),
            new DiskCommand.Failed(failed.operation(), failed.errno(), failed.offsetBytes()));
      }
      case QueueReport.InDoubt doubt -> {
        tally(doubt.disk()).held++;
        happened(
            Event.Severity.ERROR,
            "disk.timeout",
            tally(doubt.disk()).role
                + ": a write of "
                + doubt.lengthBytes()
                + " bytes at "
                + doubt.offsetBytes()
                + " did not end in time; writes there wait until the kernel lets go");
      }
      case QueueReport.DoubtEnded ended -> {
        DiskTally tally = tally(ended.disk());
        tally.held = Math.max(0, tally.held - 1);
      }
      case QueueReport.FlushFailed failed -> {
        return List.of(
            new Fact.Worse(
                Trouble.FLUSH,
                tally(failed.disk()).role
                    + " could not flush ("
                    + failed.errno()
                    + "): writes fail until the device is started again"));
      }
      case QueueReport.Counted counted -> queues.counted(open, counted.counts());
      case QueueReport.MirrorReached reached -> replacement.on(reached);
      case QueueReport.RecordWanted wanted -> replacement.on(wanted);
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

  private static int diskOf(long place) {
    return Place.isSlot(place) ? Place.spare(place) : DiskNumber.MAIN;
  }

  private DiskTally tally(int disk) {
    DiskTally tally = disks.get(disk);
    return tally == null ? new DiskTally(main, DiskNumber.toString(disk)) : tally;
  }

  private void prove(int disk, Errno errno, long offsetBytes, int queueId) {
    tellDisk(
        disk,
        new DiskCommand.Prove(
            errno,
            offsetBytes,
            proved -> run.tell(new DeviceNews.DiskProved(run.number, disk, proved, queueId))));
  }

  /** A disk that is not there proves nothing; requests may still end that were made before. */
  private void tellDisk(int disk, DiskCommand command) {
    ActorRef<DiskCommand> actor = diskActors.get(disk);
    if (actor != null) {
      actor.tell(command);
    } else if (command instanceof DiskCommand.Prove prove) {
      prove.answer().accept(false);
    }
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
        DiskTally tally = tally(changed.disk());
        tally.health = changed.now();
        tally.reason = changed.reason();
        happened(
            changed.now() == DiskReport.Health.WELL
                ? Event.Severity.NOTICE
                : Event.Severity.WARNING,
            "disk.health",
            tally.role + " is " + words(changed.now()) + ": " + changed.reason());
        boolean bad =
            changed.now() == DiskReport.Health.GONE || changed.now() == DiskReport.Health.DOUBTFUL;
        Trouble trouble = changed.disk() == DiskNumber.MAIN ? Trouble.MAIN : Trouble.SPARE;
        if (changed.disk() != DiskNumber.MAIN && changed.now() == DiskReport.Health.GONE) {
          spareLife().goneAway(changed.disk(), changed.reason());
        }
        yield List.of(
            bad
                ? new Fact.Worse(
                    trouble, tally.role + " is " + words(changed.now()) + ": " + changed.reason())
                : new Fact.Better(trouble));
      }
      case DiskReport.Stopped stopped -> List.of();
    };
  }

  private static String words(DiskReport.Health health) {
    return switch (health) {
      case WELL -> "well";
      case AGEING -> "ageing";
      case DOUBTFUL -> "doubtful";
      case GONE -> "gone";
    };
  }

  // The relocator.

  List<Fact> on(RelocatorRequest request) {
    switch (request) {
      case RelocatorRequest.TakeSlot take -> {
        return takeSlot(take);
      }
      case RelocatorRequest.GiveBackSlot back -> slots.giveBack(back.place());
      case RelocatorRequest.ReleaseSlot release -> {
        slots.release(release.place());
        queues.tellAll(new QueueCommand.PublishVersion());
      }
      case RelocatorRequest.RetireSlot retire -> {
        slots.retire(retire.place());
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
          tellDisk(
              failed.disk(),
              new DiskCommand.Failed(
                  io.spared.ffi.engine.IoRequest.Operation.READ,
                  failed.errno(),
                  failed.offsetBytes()));
      case RelocatorRequest.BlockMoved moved -> {
        relocations++;
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

  private List<Fact> takeSlot(RelocatorRequest.TakeSlot take) {
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
    return warnWhenFull();
  }

  private List<Fact> warnWhenFull() {
    Slots.Fullness now = slots.fullness();
    if (now.compareTo(warned) > 0 && lendNoMore.containsAll(usableSpares().keySet())) {
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
    return List.of();
  }

  /** Asks a spare for more before it is needed, one question at a time. */
  private void borrowIfLow() {
    if (borrowing || slots.usage().free() >= SLOTS_LOW) {
      return;
    }
    Integer best = null;
    for (Integer index : usableSpares().keySet()) {
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
                  spare.spareId(), image.deviceId(), bytes, ExtentKind.DATA, spareInbox));
    }
  }

  /** A spare has lent, or has not. The extent is recorded before a slot of it is used. */
  List<Fact> on(SpareReply reply) {
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
        happened(Event.Severity.NOTICE, "spare.full", not.sentence());
        borrowIfLow();
        return warnWhenFull();
      }
      default -> {}
    }
    return List.of();
  }

  // Spares that come and go: SpareLife says when.

  boolean uses(DiskAddress address) {
    return spares.values().stream().anyMatch(spare -> spare.address().equals(address));
  }

  Map<Integer, SpareReply.Attached> spares() {
    return spares;
  }

  Slots slots() {
    return slots;
  }

  DeviceSettings settings() {
    return settings;
  }

  /** Those that may take more blocks and copies. */
  Map<Integer, SpareReply.Attached> usableSpares() {
    Map<Integer, SpareReply.Attached> usable = new TreeMap<>();
    spares.forEach((index, spare) -> {
      SpareMember member = image.spares().get(index);
      DiskTally tally = disks.get(index);
      if (member != null
          && member.state() == SpareState.IN_SERVICE
          && tally != null
          && !isBad(tally.health)) {
        usable.put(index, spare);
      }
    });
    return usable;
  }

  private static boolean isBad(DiskReport.Health health) {
    return health == DiskReport.Health.GONE || health == DiskReport.Health.DOUBTFUL;
  }

  boolean isAnySpareInTrouble() {
    return disks.entrySet().stream()
        .anyMatch(disk -> disk.getKey() != DiskNumber.MAIN && isBad(disk.getValue().health));
  }

  /** Whoever needs it gets the disk. */
  void attach(int index, SpareReply.Attached spare) {
    spares.put(index, spare);
    DiskTally tally = new DiskTally(spare.disk(), "spare-" + index);
    disks.put(index, tally);
    diskActors.put(index, DeviceChildren.disk(run, index, spare.disk()));
    flushes.add(tally.role, run.attach(spare.disk()));
    queues.tellAll(new QueueCommand.SpareAttached(index, spare.disk()));
    relocator.tell(new RelocatorCommand.SpareAttached(index, run.lendTo(spare.disk())));
  }

  /** Nobody has the disk any more. */
  void detach(int index, String why) {
    doubts.left(index);
    away(index, why);
    disks.remove(index);
  }

  /** Nobody uses the disk for now; what is known of it stays. */
  void away(int index, String why) {
    spares.remove(index);
    ActorRef<DiskCommand> actor = diskActors.remove(index);
    if (actor != null) {
      actor.tell(new DiskCommand.Stop());
      run.leave(actor);
    }
    flushes.remove("spare-" + index);
    queues.tellAll(new QueueCommand.SpareDetached(index));
    relocator.tell(new RelocatorCommand.SpareDetached(index));
    writer().tell(new MetadataCommand.SpareGone(index, why));
  }

  /** The scrubber knows only the disks that it began with. */
  void restartScrubbing() {
    endScrubber();
    beginScrubbing();
  }

  /** There are slots again, or soon will be. */
  List<Fact> moreRoom() {
    lendNoMore.clear();
    warned = Slots.Fullness.PLENTY;
    run.parts.monitor().tell(new MonitorCommand.Clear(run.settings.name(), "slots.low"));
    borrowIfLow();
    return List.of(new Fact.Better(Trouble.SLOTS));
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

  private int indexOf(UUID spareId) {
    return spares.entrySet().stream()
        .filter(entry -> entry.getValue().spareId().equals(spareId))
        .mapToInt(Map.Entry::getKey)
        .findFirst()
        .orElse(-1);
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
        ActorRef<ScrubberCommand> now = scrubber;
        if (now != null) {
          now.tell(new ScrubberCommand.MetadataScrubbed());
        }
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
          slots.lend(lending.extent());
          borrowIfLow();
          return List.of(new Fact.Better(Trouble.SLOTS));
        }
      }
      case Commits.Purpose.Policy set ->
          set.replyTo()
              .tell(
                  durable
                      ? new Answer.Done(set.sentence())
                      : new Answer.Refused("it could not be made durable: " + sentence));
      case Commits.Purpose.SpareChange change -> {
        if (durable) {
          return spareLife().changed();
        }
        if (result == RelocatorCommand.CommitResult.NOT_DONE) {
          spareLife().notChanged(sentence);
        }
        // In doubt: it is answered when that is resolved, or when the device ends.
      }
      case Commits.Purpose.LeavingChanged changed ->
          spareLife().leavingChanged(changed, durable, sentence);
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

  private Optional<Boolean> cleanMark = Optional.empty();

  /** Whether the mark of a clean stop became durable; empty while nobody knows. */
  Optional<Boolean> cleanMark() {
    return cleanMark;
  }

  /**
   * The one place where the map changes: what is durable becomes visible, slots follow, and lost
   * sectors are counted.
   */
  private void apply(Position position, List<Change> changes) {
    for (Change change : changes) {
      switch (change) {
        case Change.Remapped remapped -> {
          countLost(remapped.block(), remapped.lost());
          long place = Place.of(remapped.spare(), remapped.slot());
          if (slots.isHeld(place)) {
            slots.use(place);
          }
        }
        case Change.LostChanged lost -> countLost(lost.block(), lost.lost());
        default -> {}
      }
    }
    image.apply(position, changes);
    table.publish();
    SpareLife life = spareLife;
    if (life != null) {
      for (Change change : changes) {
        if (change instanceof Change.SlotRetired retired) {
          life.lookWhetherItFails(retired.spare());
        }
      }
    }
  }

  private void countLost(long block, LostBits now) {
    if (table.find(block, lookup) && !lookup.pending) {
      lostSectors -= Long.bitCount(lookup.lostLow) + Long.bitCount(lookup.lostHigh);
    }
    lostSectors += now.count();
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
          tellDisk(reason.spare(), new DiskCommand.Prove(Errno.EIO, 0, proved -> {}));
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
            slots.lend(lending.extent());
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
    Slots.Usage usage = slots.usage();
    return new DeviceStatus.Remaps(
        table.remapCount(),
        lostSectors,
        table.pendingCount(),
        usage.retired(),
        usage.free(),
        usage.lent(),
        relocations);
  }

  List<DeviceStatus.DiskStatus> diskStatus() {
    List<DeviceStatus.DiskStatus> list = new ArrayList<>();
    for (DiskTally tally : disks.values()) {
      list.add(
          new DeviceStatus.DiskStatus(
              tally.role,
              tally.disk.address().toString(),
              tally.disk.geometry().sizeBytes(),
              words(tally.health) + (tally.reason.isEmpty() ? "" : " (" + tally.reason + ")"),
              tally.mediaErrors,
              tally.transportErrors,
              tally.timeouts,
              tally.held));
    }
    return list;
  }

  @Nullable Disk diskOf(String role) {
    for (DiskTally tally : disks.values()) {
      if (tally.role.equals(role)) {
        return tally.disk;
      }
    }
    return null;
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
    ActorRef<ScrubberCommand> scrubbing = scrubber;
    if (scrubbing != null) {
      scrubbing.tell(new ScrubberCommand.SetPlan(DeviceChildren.plan(next)));
    }
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

  void beginScrubbing() {
    scrubber = DeviceChildren.scrubber(run, this, settings);
  }

  /** Where the scan goes on. */
  long surfaceCursorBytes() {
    long cursor = image.cursors().getOrDefault(SURFACE_CURSOR, 0L);
    return cursor >= image.geometry().deviceBytes() ? 0 : Math.max(0, cursor);
  }

  Optional<Instant> surfaceBegan() {
    return StatusOf.time(image.cursors().getOrDefault(SURFACE_BEGAN, 0L));
  }

  void scrub(boolean surface) {
    ActorRef<ScrubberCommand> now = scrubber;
    if (!surface) {
      writer().tell(new MetadataCommand.Scrub(metadataInbox));
      spares
          .values()
          .forEach(spare -> run.parts.spares().tell(new SpareCommand.Check(spare.spareId())));
    } else if (now != null) {
      now.tell(new ScrubberCommand.ScanNow());
    }
  }

  private void endScrubber() {
    ActorRef<ScrubberCommand> now = scrubber;
    if (now != null) {
      now.tell(new ScrubberCommand.Stop());
      run.leave(now);
      scrubber = null;
    }
  }

  /** Looking for damage ends, and so does mending it. */
  void stopScrubber() {
    endScrubber();
    writer().tell(new MetadataCommand.CancelScrub());
    writer().tell(new MetadataCommand.CancelRepair());
  }

  /** Nothing durable depends on it: it begins anew, but not again and again at once. */
  void scrubberCrashed() {
    scrubber = null;
    scrubberCrashes++;
    boolean atOnce = scrubberCrashes <= LifeCycle.CRASHES_SURVIVED;
    happened(
        Event.Severity.ERROR,
        "scrubber.crashed",
        "its scrubber crashed; it is started again" + (atOnce ? "" : " in an hour"));
    if (atOnce) {
      beginScrubbing();
    } else {
      run.later("scrubber", SCRUBBER_PAUSE.toNanos(), new DeviceNews.ScrubberAgain(run.number));
    }
  }

  List<Fact> on(ScrubberRequest request) {
    switch (request) {
      case ScrubberRequest.ScrubMetadata scrub ->
          writer().tell(new MetadataCommand.Scrub(metadataInbox));
      case ScrubberRequest.FoundFault found -> {
        int disk = Place.isSlot(found.place()) ? Place.spare(found.place()) : DiskNumber.MAIN;
        tally(disk).mediaErrors++;
        long offsetBytes = found.block() * image.geometry().blockBytes();
        Disk of = main;
        tellDisk(
            disk,
            new DiskCommand.Prove(
                Errno.EIO,
                offsetBytes,
                proved -> run.tell(new DeviceNews.FaultProved(run.number, found, proved, of))));
      }
      case ScrubberRequest.SurfaceAt at -> {
        if (image.cursors().getOrDefault(SURFACE_CURSOR, 0L) != at.cursorBytes()) {
          note(
              new Change.CursorMoved(SURFACE_CURSOR, at.cursorBytes()),
              new Change.CursorMoved(SURFACE_BEGAN, at.began().toEpochMilli()));
        }
      }
      case ScrubberRequest.SurfaceDone done -> {
        note(
            new Change.CounterSet(
                SURFACE_PASSES, image.counters().getOrDefault(SURFACE_PASSES, 0L) + 1));
        happened(
            Event.Severity.NOTICE,
            "surface.done",
            "the whole surface was read, " + done.unreadableBlocks() + " blocks gave trouble");
      }
      case ScrubberRequest.Overdue late -> {
        if (late.overdue()) {
          run.parts
              .monitor()
              .tell(
                  new MonitorCommand.Raise(
                      Event.Severity.WARNING,
                      run.settings.name(),
                      "surface.overdue",
                      late.sentence()));
        } else {
          run.parts
              .monitor()
              .tell(new MonitorCommand.Clear(run.settings.name(), "surface.overdue"));
        }
      }
      case ScrubberRequest.Progress told -> progress = Optional.of(told.progress());
      case ScrubberRequest.Stopped stopped -> {}
    }
    return List.of();
  }

  DeviceStatus.Scrubs scrubStatus() {
    MetadataReply.Status status = metadata;
    return new DeviceStatus.Scrubs(
        status == null ? 0 : status.scrubsDone(),
        status == null ? Optional.empty() : StatusOf.time(status.lastScrubMillis()),
        progress.flatMap(ScrubProgress::nextScrub),
        progress.map(ScrubProgress::percent).orElse(0.0),
        progress.flatMap(ScrubProgress::surfaceEstimate),
        progress.map(ScrubProgress::faults).orElse(0L),
        status != null && status.scrubbing());
  }

  /** Gives up the device's own ports; queues and parts give up theirs. */
  void release() {
    diskActors
        .values()
        .forEach(actor -> {
          actor.tell(new DiskCommand.Stop());
          run.leave(actor);
        });
    stopScrubber();
    replacement.release();
    FormChange converting = formChange;
    if (converting != null) {
      converting.giveUp();
    }
    flushes.detach();
  }
}
