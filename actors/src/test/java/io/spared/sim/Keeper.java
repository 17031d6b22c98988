package io.spared.sim;

import io.spared.disk.DiskNumber;
import io.spared.ffi.Errno;
import io.spared.ffi.disk.Disk;
import io.spared.ffi.disk.DiskException;
import io.spared.ffi.disk.DiskOpener;
import io.spared.ffi.engine.DiskPort;
import io.spared.format.Change;
import io.spared.format.DeviceImage;
import io.spared.format.Epoch;
import io.spared.format.Extent;
import io.spared.format.ExtentKind;
import io.spared.format.Owner;
import io.spared.format.RemapEntries;
import io.spared.metadata.MetadataCommand;
import io.spared.metadata.MetadataEvent;
import io.spared.metadata.MetadataReply;
import io.spared.queue.DeviceDoubts;
import io.spared.queue.QueueCommand;
import io.spared.queue.QueueContext;
import io.spared.queue.QueuePolicy;
import io.spared.queue.QueueReport;
import io.spared.relocation.RelocationPolicy;
import io.spared.relocation.Relocator;
import io.spared.relocation.RelocatorCommand;
import io.spared.relocation.RelocatorRequest;
import io.spared.remap.Place;
import io.spared.remap.RemapTable;
import io.spared.remap.Slots;
import java.time.Duration;
import java.util.ArrayList;
import java.util.HashMap;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.Objects;
import java.util.Optional;
import java.util.UUID;
import java.util.function.BiFunction;
import java.util.function.IntConsumer;
import org.apache.pekko.actor.typed.ActorRef;
import org.apache.pekko.actor.typed.Behavior;
import org.apache.pekko.actor.typed.DispatcherSelector;
import org.apache.pekko.actor.typed.javadsl.AbstractBehavior;
import org.apache.pekko.actor.typed.javadsl.ActorContext;
import org.apache.pekko.actor.typed.javadsl.Behaviors;
import org.apache.pekko.actor.typed.javadsl.Receive;
import org.apache.pekko.actor.typed.javadsl.TimerScheduler;
import org.jspecify.annotations.Nullable;

/**
 * The smallest possible owner of queues and a relocator: it assembles them from what the metadata
 * says, gives slots, commits, publishes, and passes reports on. It stands in for the device actor
 * in campaigns against queues, relocation and the metadata writer alone, so that these run deeper
 * per second than whole daemons do.
 */
final class Keeper extends AbstractBehavior<Keeper.Command> {
  /** What the keeper is told. */
  sealed interface Command {
    record Assemble() implements Command {}

    record OpenQueue(ActorRef<QueueCommand> queue, ActorRef<SimClient.Command> client)
        implements Command {}

    record FromMetadata(MetadataReply reply) implements Command {}

    record MetadataTold(MetadataEvent event) implements Command {}

    record FromQueue(QueueReport report) implements Command {}

    record FromRelocator(RelocatorRequest request) implements Command {}

    record Prove(@Nullable ActorRef<QueueCommand> queue, int disk) implements Command {}

    record Tick() implements Command {}

    /** Stop queues, relocator and metadata; then run this. */
    record Stop(Runnable stopped) implements Command {}

    record StopOverdue() implements Command {}

    /** Scrub or repair the copies now. */
    record Mend(boolean scrub) implements Command {}

    /** Move every block that is on this spare to another one. */
    record MoveAway(int spare) implements Command {}

    /** How many copies are whole. */
    record AskCopies(IntConsumer answer) implements Command {}
  }

  /** What this life of the keeper shows to the campaign. */
  static final class View {
    boolean serving;
    @Nullable String failure;
    @Nullable DeviceImage image;
    @Nullable RemapTable table;
    @Nullable Slots slots;
    @Nullable DeviceDoubts doubts;
    int queuesOpen;
    boolean stopped;
    @Nullable ActorRef<MetadataCommand> metadata;

    /** Another host has taken the device over: meeting its epoch is right. */
    boolean takenOver;

    /** It met what is not its own, and writes nothing any more. */
    boolean fenced;
  }

  /** How the parts are made. */
  record Parts(
      CoreSetup setup,
      SimProcess process,
      BiFunction<SimEngine, ActorRef<MetadataEvent>, Behavior<MetadataCommand>> metadata,
      RelocationPolicy relocationPolicy,
      QueuePolicy queuePolicy,
      boolean disksHoldMetadata) {}

  static final Duration DRAIN_SHARE = Duration.ofSeconds(3);

  private final TimerScheduler<Command> timers;
  private final Parts parts;
  private final View view;
  private final SimWorld world;
  private final SimEngine engine;
  private final SimRandom random;
  private final List<Command.OpenQueue> waiting = new ArrayList<>();
  private final List<DiskPort> ports = new ArrayList<>();
  private final Map<Integer, ActorRef<QueueCommand>> queues = new LinkedHashMap<>();
  private final Map<Long, Pending> commits = new HashMap<>();
  private final ActorRef<MetadataReply> metadataReplies;

  private @Nullable Disk main;
  private final Map<Integer, Disk> spares = new LinkedHashMap<>();
  private @Nullable RemapTable table;
  private @Nullable Slots slots;
  private @Nullable DeviceImage image;
  private @Nullable ActorRef<MetadataCommand> metadata;
  private @Nullable ActorRef<RelocatorCommand> relocator;
  private final DeviceDoubts doubts = new DeviceDoubts();
  private int nextQueue;
  private long nextCommit;
  private @Nullable Runnable whenStopped;
  private boolean relocatorDrained;
  private @Nullable IntConsumer asksCopies;

  private record Pending(long relocatorCommit, List<Change> changes) {}

  private Keeper(
      ActorContext<Command> context, TimerScheduler<Command> timers, Parts parts, View view) {
    super(context);
    this.timers = timers;
    this.parts = parts;
    this.view = view;
    this.world = parts.process().world();
    this.engine = parts.process().engine(0);
    this.random = world.random().fork();
    this.metadataReplies = context.messageAdapter(MetadataReply.class, Command.FromMetadata::new);
    context.getSelf().tell(new Command.Assemble());
  }

  static Behavior<Command> create(Parts parts, View view) {
    return Behaviors.setup(
        context -> Behaviors.withTimers(timers -> new Keeper(context, timers, parts, view)));
  }

  @Override
  public Receive<Command> createReceive() {
    return newReceiveBuilder().onMessage(Command.class, this::handle).build();
  }

  private Behavior<Command> handle(Command command) {
    switch (command) {
      case Command.Assemble a -> assemble();
      case Command.OpenQueue open -> {
        if (whenStopped != null) {
          open.client().tell(new SimClient.Command.NotOpened("stopping"));
        } else if (view.serving) {
          openQueue(open);
        } else {
          waiting.add(open);
        }
      }
      case Command.FromMetadata from -> fromMetadata(from.reply());
      case Command.MetadataTold told -> metadataTold(told.event());
      case Command.FromQueue from -> fromQueue(from.report());
      case Command.FromRelocator from -> fromRelocator(from.request());
      case Command.Prove prove -> prove(prove);
      case Command.Tick t -> tick();
      case Command.Stop stop -> stop(stop.stopped());
      case Command.StopOverdue overdue -> stopOverdue();
      case Command.Mend mend -> {
        if (metadata != null) {
          metadata.tell(
              mend.scrub()
                  ? new MetadataCommand.Scrub(metadataReplies)
                  : new MetadataCommand.Repair(metadataReplies));
        }
      }
      case Command.MoveAway move -> moveAway(move.spare());
      case Command.AskCopies ask -> {
        asksCopies = ask.answer();
        if (metadata != null) {
          metadata.tell(new MetadataCommand.GetStatus(metadataReplies));
        }
      }
    }
    return this;
  }

  // Assembling.

  private void assemble() {
    CoreSetup setup = parts.setup();
    try {
      if (main == null) {
        main = setup.opener.open(CoreSetup.address("main"), DiskOpener.Mode.OWN);
      }
      for (int s = 0; s < setup.spares.size(); s++) {
        if (!spares.containsKey(s)) {
          spares.put(s, setup.opener.open(CoreSetup.address("spare-" + s), DiskOpener.Mode.OWN));
        }
      }
    } catch (DiskException e) {
      world.coverage().hit("keeper.waitsForDisk." + e.reason());
      timers.startSingleTimer(new Command.Assemble(), Duration.ofMillis(50));
      return;
    }
    ActorRef<MetadataEvent> events =
        getContext().messageAdapter(MetadataEvent.class, Command.MetadataTold::new);
    ActorRef<MetadataCommand> writer =
        getContext()
            .spawn(
                parts.metadata().apply(engine, events),
                "metadata",
                DispatcherSelector.sameAsParent());
    metadata = writer;
    view.metadata = writer;
    List<MetadataCommand.CopySource> sources = new ArrayList<>();
    if (parts.disksHoldMetadata()) {
      for (int s = 0; s < setup.spares.size(); s++) {
        int spare = s;
        Disk disk = Objects.requireNonNull(spares.get(s));
        sources.add(
            new MetadataCommand.CopySource(
                new UUID(s, 77),
                attach(disk),
                disk.geometry().sizeBytes(),
                setup.placement.places().stream()
                    .filter(place -> place.spare() == spare)
                    .map(place -> place.offsetBytes())
                    .toList()));
      }
    }
    writer.tell(
        new MetadataCommand.Load(
            setup.deviceId,
            sources,
            geometry -> {
              RemapTable loading = new RemapTable(geometry);
              loading.beginLoading();
              table = loading;
              return loading;
            },
            Optional.empty(),
            Optional.empty(),
            metadataReplies));
  }

  private DiskPort attach(Disk disk) {
    DiskPort port = disk.attach(engine);
    ports.add(port);
    return port;
  }

  private void fromMetadata(MetadataReply reply) {
    switch (reply) {
      case MetadataReply.Loaded loaded -> {
        image = loaded.image();
        if (parts.disksHoldMetadata()
            && loaded.image().position().compareTo(parts.setup().acknowledged()) < 0) {
          parts
              .setup()
              .truth
              .violated(
                  "loaded at "
                      + loaded.image().position()
                      + " though "
                      + parts.setup().acknowledged()
                      + " was acknowledged");
        }
        world.coverage().hit("metadata.loaded." + loaded.verdict().decision());
        Epoch epoch = loaded.verdict().nextEpoch(world.world().random().nextLong());
        Objects.requireNonNull(metadata)
            .tell(
                new MetadataCommand.Begin(
                    epoch, new Owner(new UUID(1, 1), "sim"), metadataReplies));
      }
      case MetadataReply.NotLoaded notLoaded -> {
        world.coverage().hit("metadata.notLoaded." + notLoaded.verdict().decision());
        view.failure = "not loaded: " + notLoaded.verdict().reasons();
      }
      case MetadataReply.Begun begun -> serve();
      case MetadataReply.Committed committed -> committed(committed);
      case MetadataReply.Indeterminate doubt -> ended(doubt.id(), false);
      case MetadataReply.Refused refused -> {
        if (view.serving) {
          notDone(refused.id());
        } else {
          world.coverage().hit("metadata.beginRefused");
          view.failure = "begin refused: " + refused.sentence();
        }
      }
      case MetadataReply.Cancelled cancelled -> notDone(cancelled.id());
      case MetadataReply.Stopped stopped -> {
        view.stopped = true;
        ports.forEach(DiskPort::detach);
        Objects.requireNonNull(main).close();
        spares.values().forEach(Disk::close);
        Runnable then = whenStopped;
        if (then != null) {
          then.run();
        }
      }
      case MetadataReply.Status status -> {
        if (asksCopies != null) {
          asksCopies.accept(status.healthy());
        }
      }
      case MetadataReply.Repaired repaired ->
          world.coverage().hit("metadata.repaired." + repaired.healthy());
      case MetadataReply.Scrubbed scrubbed ->
          world.coverage().hit("metadata.scrubbed." + (scrubbed.whole() ? "whole" : "part"));
      case MetadataReply.Created created -> {}
    }
  }

  private void serve() {
    RemapTable loaded = Objects.requireNonNull(table);
    DeviceImage now = Objects.requireNonNull(image);
    loaded.publish();
    Slots giving = new Slots(loaded, parts.setup().geometry.blockBytes());
    for (Extent extent : now.extents()) {
      if (extent.kind() == ExtentKind.DATA) {
        giving.lend(extent);
      }
    }
    for (int s : spares.keySet()) {
      for (long slot : now.retiredSlots(s)) {
        giving.loadRetired(s, slot);
      }
    }
    RemapEntries.Walk walk = loaded.walk();
    while (walk.next()) {
      if (!walk.isPending()) {
        giving.loadUsed(walk.spare(), walk.slot());
      }
    }
    slots = giving;
    ActorRef<RelocatorRequest> requests =
        getContext().messageAdapter(RelocatorRequest.class, Command.FromRelocator::new);
    relocator =
        getContext()
            .spawn(
                Relocator.create(
                    new Relocator.Setup(
                        parts.setup().geometry,
                        loaded,
                        engine,
                        Objects.requireNonNull(main),
                        spares,
                        doubts,
                        parts.relocationPolicy(),
                        requests::tell)),
                "relocator",
                DispatcherSelector.sameAsParent());
    view.image = now;
    view.table = loaded;
    view.slots = giving;
    view.doubts = doubts;
    view.serving = true;
    world.coverage().hit("keeper.serves");
    timers.startTimerWithFixedDelay(new Command.Tick(), Duration.ofMillis(100));
    waiting.forEach(this::openQueue);
    waiting.clear();
  }

  private void openQueue(Command.OpenQueue open) {
    int id = nextQueue++;
    queues.put(id, open.queue());
    view.queuesOpen = queues.size();
    ActorRef<Command> self = getContext().getSelf();
    open.client()
        .tell(
            new SimClient.Command.Opened(
                new QueueContext(
                    id,
                    parts.setup().geometry,
                    Objects.requireNonNull(table),
                    Objects.requireNonNull(main),
                    Map.copyOf(spares),
                    parts.queuePolicy(),
                    doubts,
                    report -> self.tell(new Command.FromQueue(report)))));
  }

  // Commits.

  private void commit(long relocatorCommit, List<Change> changes) {
    long id = nextCommit++;
    if (view.takenOver) {
      // The metadata is no fence against a paused host that goes on with its clients' work.
      world.coverage().hit("keeper.asksNothingMore");
      tellRelocator(new Pending(relocatorCommit, changes), RelocatorCommand.CommitResult.NOT_DONE);
      return;
    }
    commits.put(id, new Pending(relocatorCommit, changes));
    Objects.requireNonNull(metadata).tell(new MetadataCommand.Commit(id, changes, metadataReplies));
  }

  private void committed(MetadataReply.Committed committed) {
    Pending pending = commits.remove(committed.id());
    if (pending == null) {
      parts.setup().truth.violated("a commit was answered twice: " + committed.id());
      return;
    }
    apply(committed.position(), pending.changes());
    tellRelocator(pending, RelocatorCommand.CommitResult.COMMITTED);
  }

  private void apply(io.spared.format.Position position, List<Change> changes) {
    parts.setup().acknowledged(position);
    Objects.requireNonNull(image).apply(position, changes);
    Objects.requireNonNull(table).publish();
    for (Change change : changes) {
      if (change instanceof Change.Remapped remapped) {
        Slots giving = Objects.requireNonNull(slots);
        long place = Place.of(remapped.spare(), remapped.slot());
        if (giving.isHeld(place)) {
          giving.use(place);
        }
      }
    }
  }

  private void ended(long id, boolean done) {
    Pending pending = commits.get(id);
    if (pending != null) {
      tellRelocator(
          pending,
          done
              ? RelocatorCommand.CommitResult.COMMITTED
              : RelocatorCommand.CommitResult.INDETERMINATE);
    }
  }

  private void notDone(long id) {
    Pending pending = commits.remove(id);
    if (pending != null) {
      tellRelocator(pending, RelocatorCommand.CommitResult.NOT_DONE);
    }
  }

  private void tellRelocator(Pending pending, RelocatorCommand.CommitResult result) {
    world.coverage().hit("commit." + result);
    if (pending.relocatorCommit() >= 0) {
      Objects.requireNonNull(relocator)
          .tell(new RelocatorCommand.CommitEnded(pending.relocatorCommit(), result));
    }
  }

  private void metadataTold(MetadataEvent event) {
    world.coverage().hit("metadata." + event.getClass().getSimpleName());
    switch (event) {
      case MetadataEvent.CommitResolved resolved -> {
        Pending pending = commits.remove(resolved.id());
        if (pending != null) {
          apply(resolved.position(), resolved.changes());
          if (pending.relocatorCommit() >= 0) {
            Objects.requireNonNull(relocator)
                .tell(new RelocatorCommand.DoubtResolved(pending.relocatorCommit()));
          }
        }
      }
      case MetadataEvent.CheckpointDone done -> parts.setup().checkpointDone();
      case MetadataEvent.ChangesWanted wanted -> commit(-1, wanted.changes());
      case MetadataEvent.Fenced fenced -> {
        world.coverage().hit("keeper.fenced");
        view.fenced = true;
        if (!view.takenOver) {
          parts.setup().truth.violated("fenced without a rival: " + fenced.sentence());
        }
      }
      default -> {}
    }
  }

  // Passing on.

  private void fromQueue(QueueReport report) {
    ActorRef<RelocatorCommand> to = Objects.requireNonNull(relocator);
    world.coverage().hit("queue." + report.getClass().getSimpleName());
    switch (report) {
      case QueueReport.Opened opened ->
          to.tell(
              new RelocatorCommand.QueueOpened(
                  opened.queueId(), Objects.requireNonNull(queues.get(opened.queueId()))));
      case QueueReport.FenceReached r -> to.tell(new RelocatorCommand.FromQueue(r));
      case QueueReport.WriteWaits r -> to.tell(new RelocatorCommand.FromQueue(r));
      case QueueReport.ReadFault r -> to.tell(new RelocatorCommand.FromQueue(r));
      case QueueReport.DiskDoubted doubted ->
          proveLater(queues.get(doubted.queueId()), doubted.disk());
      case QueueReport.Closed closed -> {
        queues.remove(closed.queueId());
        view.queuesOpen = queues.size();
        to.tell(new RelocatorCommand.QueueClosed(closed.queueId()));
        stopFurther();
      }
      default -> {}
    }
  }

  private void proveLater(@Nullable ActorRef<QueueCommand> queue, int disk) {
    timers.startSingleTimer(
        "prove-" + disk + "-" + (queue == null ? "" : queue.path()),
        new Command.Prove(queue, disk),
        Duration.ofNanos(random.logUniform(100_000, 50_000_000)));
  }

  private void prove(Command.Prove prove) {
    SimDrive drive =
        prove.disk() == DiskNumber.MAIN
            ? parts.setup().main
            : parts.setup().spares.get(prove.disk());
    boolean proved = drive.isPresent() && !drive.isHanging();
    world.coverage().hit(proved ? "disk.proved" : "disk.notProved");
    if (prove.queue() != null) {
      prove.queue().tell(new QueueCommand.DiskProof(prove.disk(), proved));
    } else {
      Objects.requireNonNull(relocator).tell(new RelocatorCommand.DiskProof(prove.disk(), proved));
    }
  }

  private void fromRelocator(RelocatorRequest request) {
    ActorRef<RelocatorCommand> to = Objects.requireNonNull(relocator);
    Slots giving = Objects.requireNonNull(slots);
    world.coverage().hit("relocator." + request.getClass().getSimpleName());
    switch (request) {
      case RelocatorRequest.TakeSlot take -> {
        long place = giving.take(take.avoidSpares(), true);
        to.tell(
            place == Place.NONE
                ? new RelocatorCommand.NoSlot(take.relocationId(), Errno.ENOSPC)
                : new RelocatorCommand.SlotTaken(take.relocationId(), place));
      }
      case RelocatorRequest.GiveBackSlot give -> giving.giveBack(give.place());
      case RelocatorRequest.ReleaseSlot release -> giving.release(release.place());
      case RelocatorRequest.RetireSlot retire -> {
        giving.retire(retire.place());
        if (!retire.recorded()) {
          commit(
              -1,
              List.of(
                  new Change.SlotRetired(Place.spare(retire.place()), Place.slot(retire.place()))));
        }
      }
      case RelocatorRequest.Commit commit -> commit(commit.commitId(), commit.changes());
      case RelocatorRequest.ProveDisk prove -> proveLater(null, prove.disk());
      case RelocatorRequest.Drained drained -> {
        relocatorDrained = true;
        stopFurther();
      }
      default -> {}
    }
  }

  private void moveAway(int spare) {
    if (relocator == null || whenStopped != null) {
      return;
    }
    List<Long> blocks = new ArrayList<>();
    RemapEntries.Walk walk = Objects.requireNonNull(table).walk();
    while (walk.next()) {
      if (!walk.isPending() && walk.spare() == spare) {
        blocks.add(walk.block());
      }
    }
    for (long block : blocks) {
      relocator.tell(new RelocatorCommand.MoveBlock(block, spare, false));
    }
  }

  private void tick() {
    if (Objects.requireNonNull(slots).hasResting()) {
      queues.values().forEach(queue -> queue.tell(new QueueCommand.PublishVersion()));
    }
  }

  // Stopping.

  private void stop(Runnable stopped) {
    whenStopped = stopped;
    if (!view.serving) {
      return;
    }
    timers.startSingleTimer(new Command.StopOverdue(), DRAIN_SHARE);
    queues.values().forEach(queue -> queue.tell(new QueueCommand.Drain()));
    stopFurther();
  }

  private void stopOverdue() {
    if (!queues.isEmpty()) {
      world.coverage().hit("keeper.abandonsQueues");
      queues.values().forEach(queue -> queue.tell(new QueueCommand.Abandon()));
      // A queue stays for what the kernel holds of it; the device does not wait for that.
      queues.clear();
      stopFurther();
    } else if (!relocatorDrained) {
      world.coverage().hit("keeper.abandonsRelocator");
      Objects.requireNonNull(relocator).tell(new RelocatorCommand.Abandon());
      relocatorDrained = true;
      stopFurther();
      return;
    }
    if (!metadataAsked) {
      timers.startSingleTimer(new Command.StopOverdue(), DRAIN_SHARE);
    }
  }

  private boolean relocatorAsked;
  private boolean metadataAsked;

  private void stopFurther() {
    if (whenStopped == null || !queues.isEmpty()) {
      return;
    }
    if (!relocatorAsked) {
      relocatorAsked = true;
      Objects.requireNonNull(relocator).tell(new RelocatorCommand.Drain());
    } else if (relocatorDrained && !metadataAsked) {
      metadataAsked = true;
      Objects.requireNonNull(relocator).tell(new RelocatorCommand.Abandon());
      Objects.requireNonNull(metadata)
          .tell(new MetadataCommand.Stop(Duration.ofSeconds(5), metadataReplies));
    }
  }
}
