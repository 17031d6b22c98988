package io.spared.sim;

import io.spared.device.CleanStops;
import io.spared.disk.DiskNumber;
import io.spared.format.Epoch;
import io.spared.format.Geometry;
import io.spared.format.Position;
import io.spared.metadata.MetadataCommand;
import io.spared.metadata.MetadataEvent;
import io.spared.metadata.MetadataSettings;
import io.spared.queue.QueuePolicy;
import io.spared.relocation.RelocationPolicy;
import java.time.Duration;
import java.util.ArrayList;
import java.util.List;
import java.util.Objects;
import java.util.Optional;
import java.util.Set;
import java.util.function.UnaryOperator;
import org.apache.pekko.actor.typed.ActorRef;
import org.apache.pekko.actor.typed.ActorSystem;
import org.apache.pekko.actor.typed.javadsl.Behaviors;
import org.jspecify.annotations.Nullable;

/**
 * One run against queues, relocator and metadata under a {@link Keeper}: clients ask, the script
 * does its worst, the daemon dies and comes back; then all disks are well again, and everything
 * must work, every byte must be right, and nothing may be left behind.
 */
final class CoreRun {
  /** What a campaign is made of. */
  record Options(SimScript.Menu menu, long requests, boolean whole) {}

  /** A request, with all that may come of it on failing disks, is answered within this. */
  private static final Duration ANSWER_MAX = Duration.ofMinutes(5);

  private static final Duration STOP_MAX = Duration.ofSeconds(15);
  private static final Duration COPIES_MAX = Duration.ofHours(3);
  private static final Duration SLOW_COPY_MAX = Duration.ofMillis(800);

  /** A copy that takes longer for a commit than this is not in step any more. */
  private static final Duration COPY_LAG = Duration.ofSeconds(6);

  private static final Duration LOOK_AT_COPIES = Duration.ofMillis(20);
  private static final Duration QUIET_BEFORE_SLEEP = Duration.ofSeconds(10);
  private static final Duration RIVAL_LOOK = Duration.ofMillis(150);
  private static final Duration VEIL = Duration.ofSeconds(30);
  private static final Duration AWAKE = Duration.ofMinutes(2);
  private static final Duration WELL_MAX = Duration.ofMinutes(20);
  private static final QueuePolicy QUEUE_POLICY = new QueuePolicy(Duration.ofSeconds(2), 2, 64, 64);
  private static final RelocationPolicy RELOCATION_POLICY =
      new RelocationPolicy(Duration.ofSeconds(20), Duration.ofSeconds(2), 2, 8, 4, 256);

  private final SimWorld world;
  private final SimScript script;
  private final CoreSetup setup;
  private final @Nullable MemoryMetadata memory;
  private final Truth truth;
  private final SimRandom clientRandom;

  private @Nullable SimProcess process;
  private final boolean whole;

  /** Another device in the same daemon. */
  private final @Nullable Neighbour neighbour;

  /** Whether nothing is configured in some lives. */
  private final boolean discovery;

  private final CleanStops cleanStops = CleanStops.inMemory();
  private @Nullable HostedDevice hosted;
  private Keeper.View view = new Keeper.View();
  private @Nullable ActorRef<Keeper.Command> keeper;
  private final List<ActorRef<SimClient.Command>> clients = new ArrayList<>();
  private int lives;
  private boolean powerWasCut;
  private boolean lifeOver;
  private boolean healing;
  private long faultsByHand;
  private final @Nullable CopyAdversary adversary;

  /** All five copies were seen healthy in this life, in which nothing can happen to them. */
  private boolean fiveOfFive;

  private double checkpointFill = 0.3;
  private long checkpoints;
  private boolean veiled;
  private int host;

  /** A daemon that stands still while another host has taken its device over. */
  private @Nullable SimProcess sleeper;

  private @Nullable ActorRef<Keeper.Command> sleepersKeeper;
  private Keeper.View sleepersView = new Keeper.View();
  private boolean fallingAsleep;
  private long submittedBefore;

  /** A second daemon on this host that was given the same device. */
  private @Nullable SimProcess rival;

  private Keeper.View rivalView = new Keeper.View();
  private boolean waking;

  private CoreRun(long seed, Options options, UnaryOperator<SimScript> edited, int traceLines) {
    this.world = new SimWorld(seed, traceLines);
    this.whole = options.whole();
    this.discovery = options.menu().hosted();
    world.onActorFailure(this::crashed);
    this.script = edited.apply(drawn(world, options));
    Geometry geometry = new Geometry(script.blockBytes(), script.sectorBytes(), deviceBytes());
    this.setup =
        neighbourAction().map(action -> action.number() == 1).orElse(false)
            ? CoreSetup.withRoom(world, geometry, script.spares())
            : new CoreSetup(world, geometry, script.spares(), CoreSetup.EXTENTS);
    if (options.menu().replaces()) {
      setup.plugNext();
    }
    if (script.actions().stream().anyMatch(a -> a.kind() == SimAction.Kind.ADD_SPARE)) {
      setup.plugFurther();
    }
    this.truth = setup.truth;
    this.clientRandom = world.random().fork();
    this.memory =
        options.menu().memoryMetadata()
            ? new MemoryMetadata(world, setup.geometry, setup::born)
            : null;
    this.neighbour = neighbour(seed);
    this.adversary =
        options.menu().copies() ? new CopyAdversary(setup, world.random().fork()) : null;
  }

  private long deviceBytes() {
    return script.deviceBytes()
        + script.actions().stream()
            .filter(action -> action.kind() == SimAction.Kind.LARGER)
            .mapToLong(SimAction::number)
            .sum();
  }

  private Optional<SimAction> neighbourAction() {
    return script.actions().stream()
        .filter(action -> action.kind() == SimAction.Kind.NEIGHBOUR)
        .findFirst();
  }

  private @Nullable Neighbour neighbour(long seed) {
    return neighbourAction()
        .map(action ->
            new Neighbour(setup, new SimRandom(SimRandom.mix(~seed) + 1), action.number() == 1))
        .orElse(null);
  }

  static SimResult run(long seed, Options options, @Nullable Set<Integer> kept, int traceLines) {
    return new CoreRun(
            seed, options, script -> kept == null ? script : reduced(script, kept), traceLines)
        .run();
  }

  /** A script that was written down; the seed decides all else. */
  static SimResult run(long seed, Options options, SimScript script) {
    return new CoreRun(seed, options, drawn -> script, 0).run();
  }

  /** A run with a script that is made from the one that the seed draws. */
  static SimResult changed(
      long seed, Options options, UnaryOperator<SimScript> changed, int traceLines) {
    return new CoreRun(seed, options, changed, traceLines).run();
  }

  static SimScript script(long seed, Options options) {
    return drawn(new SimWorld(seed), options);
  }

  private static SimScript drawn(SimWorld world, Options options) {
    SimRandom later = new SimRandom(SimRandom.mix(~world.seed()));
    return SimScript.random(world.random().fork(), options.menu(), options.requests(), later);
  }

  private static SimScript reduced(SimScript whole, Set<Integer> kept) {
    List<SimAction> actions = new ArrayList<>();
    for (int i = 0; i < whole.actions().size(); i++) {
      if (kept.contains(i)) {
        actions.add(whole.actions().get(i));
      }
    }
    return new SimScript(
        whole.blockBytes(),
        whole.sectorBytes(),
        whole.deviceBytes(),
        whole.spares(),
        whole.rings(),
        whole.clients(),
        actions);
  }

  private SimResult run() {
    try {
      live();
    } catch (RuntimeException | AssertionError e) {
      truth.violated("the simulation stopped: " + describe(e));
    }
    SimProcess last = process;
    if (last != null) {
      last.kill(setup.drives());
    }
    if (sleeper != null) {
      sleeper.kill(setup.drives());
    }
    endRival();
    long requests = 0;
    long faults = faultsByHand;
    for (SimDrive drive : setup.drives()) {
      requests += drive.transfers();
      faults += drive.troubles();
    }
    return new SimResult(
        world.seed(),
        truth.violation(),
        world.trace().hash(),
        world.nowNanos(),
        requests,
        setup.book.answered(),
        setup.book.failed(),
        lives,
        faults,
        world.coverage(),
        world.trace().lines());
  }

  private void live() {
    if (memory == null && !create()) {
      return;
    }
    long begin = world.nowNanos();
    if (script.actions().isEmpty()) {
      setup.book.everythingMustSucceed(true);
    }
    if (adversary != null) {
      // Answers come late, but always before a copy would be given up.
      setup.spares.forEach(drive -> drive.faults().slowMaxNanos = SLOW_COPY_MAX.toNanos());
      setup.lookAtCheckpoint = this::compareCopies;
    }
    for (SimAction action : script.actions()) {
      world.at(begin + action.atNanos(), () -> act(action));
    }
    long scriptEnd = begin + script.lastNanos() + 1_000_000;
    startLife();
    long hardEnd = scriptEnd + Duration.ofMinutes(3).toNanos();
    while (!violated()) {
      world.runUntil(
          () -> violated() || lifeOver || (world.nowNanos() >= scriptEnd && clientsIdle()),
          hardEnd);
      if (lifeOver) {
        endLife();
        startLife();
        if (veiled) {
          waitBehindVeil();
        }
        continue;
      }
      break;
    }
    if (!violated()) {
      heal();
    }
  }

  private boolean violated() {
    if (isViolated()) {
      return true;
    }
    if ((world.steps() & 0xFFF) == 0) {
      lookForLate(setup.book);
      if (neighbour != null) {
        lookForLate(neighbour.setup.book);
      }
    }
    return truth.violation() != null;
  }

  private void lookForLate(ClientBook book) {
    String late = book.unansweredSince(world.nowNanos() - ANSWER_MAX.toNanos());
    if (late != null && !anyStuckForever()) {
      truth.violated(late);
    }
  }

  private boolean isViolated() {
    if (neighbour != null && truth.violation() == null) {
      String there = neighbour.setup.truth.violation();
      if (there != null) {
        truth.violated("the other device: " + there);
      }
    }
    return truth.violation() != null;
  }

  /** Even then requests end; this is only for those who wait at another's fence. */
  private static boolean anyStuckForever() {
    return false;
  }

  private boolean clientsIdle() {
    return setup.book.unanswered() == 0 && view.serving;
  }

  /** A first life only makes the metadata, on disks that are well. */
  private boolean create() {
    if (!setup.writeCopies()) {
      truth.violated("the metadata could not be made");
      return false;
    }
    if (neighbour != null && !neighbour.setup.writeCopies()) {
      truth.violated("the metadata of the other device could not be made");
      return false;
    }
    setup.drives().forEach(SimDrive::powerCut);
    if (whole) {
      setup.writeSpareTables();
      if (neighbour != null && !neighbour.setup.isBorrower()) {
        neighbour.setup.writeSpareTables();
      }
    }
    if (random().nextBoolean()) {
      setup.allowSilentFaults(random());
    }
    return true;
  }

  private SimRandom random() {
    return clientRandom;
  }

  private void startLife() {
    lives++;
    lifeOver = false;
    fiveOfFive = false;
    fallingAsleep = false;
    clients.clear();
    setup.opener = setup.opener.another(host);
    SimProcess born = new SimProcess(world, script.rings(), setup.opener);
    process = born;
    Keeper.View shown = new Keeper.View();
    view = shown;
    Keeper.Parts parts =
        new Keeper.Parts(
            setup,
            born,
            (engine, owner) -> metadata(engine, owner),
            RELOCATION_POLICY,
            QUEUE_POLICY,
            memory == null);
    if (whole) {
      startHost(born, shown);
      return;
    }
    ActorSystem<Runnable> system =
        born.start(
            Behaviors.setup(context -> {
              ActorRef<Keeper.Command> made =
                  context.spawn(
                      Guarded.guard(
                          Keeper.Command.class, Keeper.create(parts, shown), this::crashed),
                      "keeper",
                      SimProcess.dispatcher(0));
              keeper = made;
              for (int i = 0; i < script.clients().size(); i++) {
                int ring = i % script.rings();
                clients.add(
                    context.spawn(
                        Guarded.guard(
                            SimClient.Command.class,
                            SimClient.create(
                                born.engine(ring),
                                setup.book,
                                script.clients().get(i),
                                clientRandom.fork(),
                                (client, queue) ->
                                    () ->
                                        made.tell(
                                            new Keeper.Command.OpenQueue(queue, client.getSelf()))),
                            this::crashed),
                        "client-" + i,
                        SimProcess.dispatcher(ring)));
              }
              return Behaviors.receive(Runnable.class)
                  .onAnyMessage(task -> {
                    task.run();
                    return Behaviors.same();
                  })
                  .build();
            }));
    if (!world.runUntil(() -> keeper != null || truth.violation() != null, Duration.ofSeconds(1))) {
      truth.violated("the actor system " + system.name() + " did not start");
    }
    if (adversary != null) {
      lookAtCopies(shown);
    }
  }

  private void startHost(SimProcess born, Keeper.View shown) {
    hosted = null;
    boolean discovers = discovery && clientRandom.chance(0.3) && neighbour == null;
    HostedDevice.Start start = daemonStart(setup.opener, discovers);
    born.start(
        Behaviors.<Runnable>setup(context -> {
          HostedDevice made = new HostedDevice(setup, born, shown, start, context);
          hosted = made;
          Neighbour.Client client =
              (name, number, book, workload, random, opening) -> {
                int ring = number % script.rings();
                return context.spawn(
                    Guarded.guard(
                        SimClient.Command.class,
                        SimClient.create(born.engine(ring), book, workload, random, opening),
                        this::crashed),
                    name,
                    SimProcess.dispatcher(ring));
              };
          for (int i = 0; i < script.clients().size(); i++) {
            clients.add(
                client.spawn(
                    "client-" + i,
                    i,
                    setup.book,
                    script.clients().get(i),
                    clientRandom.fork(),
                    made.opening(i)));
          }
          if (neighbour != null) {
            neighbour.begin(born, start, context, made.host(), client);
          }
          return Behaviors.receive(Runnable.class)
              .onAnyMessage(task -> {
                task.run();
                return Behaviors.same();
              })
              .build();
        }));
    if (!world.runUntil(() -> hosted != null || truth.violation() != null, Duration.ofSeconds(1))) {
      truth.violated("the host did not start");
    }
  }

  private HostedDevice.Start daemonStart(SimOpener opener, boolean discovers) {
    return new HostedDevice.Start(
        opener,
        setup.spareAddresses(),
        discovers,
        cleanStops,
        RELOCATION_POLICY,
        QUEUE_POLICY.requestDeadline());
  }

  /** Whatever the second daemon does, the first goes on, and both never serve at a time. */
  private void startRival() {
    if (!whole || rival != null || lifeOver) {
      return;
    }
    SimOpener opener = setup.opener.another(host);
    SimProcess born = new SimProcess(world, 1, opener);
    rival = born;
    Keeper.View shown = new Keeper.View();
    rivalView = shown;
    born.start(
        Behaviors.<Runnable>setup(context -> {
          HostedDevice made =
              new HostedDevice(setup, born, shown, daemonStart(opener, false), context);
          world.trace().line(() -> "a rival is there: " + made.describe());
          return Behaviors.receive(Runnable.class)
              .onAnyMessage(task -> {
                task.run();
                return Behaviors.same();
              })
              .build();
        }));
    lookAtRival(shown, false);
  }

  /** Both are asked every 25 ms how they are; twice in a row is no mistake. */
  private void lookAtRival(Keeper.View of, boolean before) {
    if (rivalView != of || rival == null) {
      return;
    }
    boolean both = of.serving && view.serving && !lifeOver;
    if (both && before) {
      truth.violated("two daemons serve one device at a time");
    }
    world.coverage().hit(of.serving ? "rival.serves" : "rival.waits");
    world.after(RIVAL_LOOK, () -> lookAtRival(of, both));
  }

  private void endRival() {
    SimProcess other = rival;
    if (other != null) {
      other.kill(setup.drives());
      rival = null;
      rivalView = new Keeper.View();
    }
  }

  private org.apache.pekko.actor.typed.Behavior<MetadataCommand> metadata(
      SimEngine engine, ActorRef<MetadataEvent> owner) {
    MemoryMetadata inMemory = memory;
    if (inMemory != null) {
      return inMemory.writer(owner);
    }
    return Guarded.guard(
        MetadataCommand.class,
        io.spared.metadata.MetadataWriter.create(metadataSettings(), engine, world.world(), owner),
        this::crashed);
  }

  /** Where copies are at stake, they are mended soon and checkpoints come often. */
  private MetadataSettings metadataSettings() {
    MetadataSettings usual = MetadataSettings.defaults();
    return adversary == null
        ? usual
        : new MetadataSettings(
            usual.commitTimeout(),
            usual.readTimeout(),
            true,
            List.of(Duration.ofMillis(50), Duration.ofSeconds(1), Duration.ofSeconds(10)),
            Duration.ofMinutes(1),
            usual.waitingCommitsMax(),
            checkpointFill,
            usual.chunkBytes(),
            usual.chunkPause());
  }

  private void crashed(Throwable thrown) {
    truth.violated("an actor crashed: " + describe(thrown));
  }

  private static String describe(Throwable thrown) {
    StringBuilder text = new StringBuilder(thrown.toString());
    int shown = 0;
    for (StackTraceElement frame : thrown.getStackTrace()) {
      if (frame.getClassName().startsWith("io.spared") && shown++ < 6) {
        text.append("\n    at ").append(frame);
      }
    }
    return text.toString();
  }

  /** After a kill, a power cut or a stop: the process is gone. */
  private void endLife() {
    endRival();
    SimProcess dying = Objects.requireNonNull(process);
    if (dying != sleeper) {
      dying.kill(setup.drives());
    }
    keeper = null;
    hosted = null;
    if (memory != null) {
      memory.crashed();
    }
    setup.book.restarted(powerWasCut);
    if (neighbour != null) {
      neighbour.setup.book.restarted(powerWasCut);
    }
    if (truth.writesInFlight() > 0) {
      truth.violated("writes in flight of a dead daemon");
    }
    if (dying != sleeper && !violated()) {
      wakeSleeper();
    }
    powerWasCut = false;
    CopyAdversary worst = adversary;
    if (worst != null && dying != sleeper && fiveOfFive && !violated()) {
      CopiesAgree.check(setup, Position.NONE);
    }
    if (worst != null && dying != sleeper && !healing && fiveOfFive && !violated()) {
      if (clientRandom.chance(0.2)) {
        worst.veil();
        veiled = true;
      } else if (clientRandom.chance(0.9)) {
        worst.strike();
      }
    }
  }

  /** One in a few is enough: a checkpoint stands until the next one of the same copy. */
  private void compareCopies() {
    if (++checkpoints % 4 == 0 && fiveOfFive && sleeper == null && !lifeOver) {
      CopiesAgree.check(setup, setup.acknowledgedBy(world.nowNanos() - COPY_LAG.toNanos()));
    }
  }

  /** Notices when all copies are healthy. */
  private void lookAtCopies(Keeper.View of) {
    ActorRef<Keeper.Command> asked = keeper;
    if (view != of || asked == null || lifeOver) {
      return;
    }
    asked.tell(
        new Keeper.Command.AskCopies(count -> {
          if (view == of) {
            fiveOfFive = count == CoreSetup.COPIES;
          }
        }));
    world.after(LOOK_AT_COPIES, () -> lookAtCopies(of));
  }

  /** With too few copies to be read, nothing may be served; with all of them back, everything. */
  private void waitBehindVeil() {
    if (!until(() -> view.failure != null || view.serving || lifeOver, VEIL)) {
      truth.violated("with most copies unreadable, neither served nor given up");
    } else if (view.serving) {
      truth.violated("served though most copies could not be read");
    }
    Objects.requireNonNull(adversary).unveil();
    veiled = false;
    lifeOver = true;
  }

  /** Lets this daemon stand still once it has nothing to do, and another host begin. */
  private void takeOver() {
    if (adversary == null || sleeper != null || fallingAsleep) {
      return;
    }
    fallingAsleep = true;
    clients.forEach(client -> client.tell(new SimClient.Command.Quiet()));
    Keeper.View of = view;
    world.after(QUIET_BEFORE_SLEEP.dividedBy(2), () -> submittedBefore = submitted());
    world.after(
        QUIET_BEFORE_SLEEP,
        () -> {
          if (view == of
              && !lifeOver
              && submittedBefore == submitted()
              && setup.book.unanswered() == 0
              && fiveOfFive
              && !healing) {
            SimProcess asleep = Objects.requireNonNull(process);
            asleep.pause();
            sleeper = asleep;
            sleepersKeeper = keeper;
            sleepersView = of;
            of.takenOver = true;
            host++;
            lifeOver = true;
            world.coverage().hit("takeOver.asleep");
          }
        });
  }

  private long submitted() {
    return Objects.requireNonNull(process).engines().stream().mapToLong(SimEngine::submitted).sum();
  }

  /**
   * The host that was given up goes on, without clients, and looks after its copies: whatever it
   * finds there, nothing of the newer history may be lost by it.
   */
  private void wakeSleeper() {
    SimProcess awake = sleeper;
    ActorRef<Keeper.Command> itsKeeper = sleepersKeeper;
    if (awake == null || itsKeeper == null) {
      return;
    }
    if (!powerWasCut) {
      world.coverage().hit("takeOver.awake");
      waking = true;
      if (!until(() -> setup.spares.stream().allMatch(drive -> drive.inFlight() == 0), AWAKE)) {
        truth.violated("what a dead host asked of its spares does not end");
      }
      Epoch own = Objects.requireNonNull(sleepersView.image).position().epoch();
      TakenOver met = new TakenOver(setup, own);
      awake.resume();
      itsKeeper.tell(new Keeper.Command.Mend(true));
      world.runUntil(this::violated, world.nowNanos() + AWAKE.toNanos());
      itsKeeper.tell(new Keeper.Command.Mend(false));
      world.runUntil(this::violated, world.nowNanos() + AWAKE.toNanos());
      met.check(sleepersView.fenced);
      waking = false;
    }
    awake.kill(setup.drives());
    sleeper = null;
    sleepersKeeper = null;
  }

  private void act(SimAction action) {
    if (healing || waking || truth.violation() != null) {
      return;
    }
    world.trace().line(() -> world.nowNanos() + " *** " + action);
    world.coverage().hit("script." + action.kind());
    SimDrive drive = action.disk() < 0 ? setup.main : setup.drives().get(action.disk());
    SimFaults faults = drive.faults();
    switch (action.kind()) {
      case RATE_SLOW -> faults.slow = action.rate();
      case SLUGGISH -> {
        faults.slow = action.rate();
        faults.slowMaxNanos = action.number();
      }
      case NEIGHBOUR, LARGER -> {} // It is there from the beginning.
      case BUSY_MACHINE -> world.taskCostMaxNanos(action.number());
      case CHECKPOINT_FILL -> checkpointFill = action.rate();
      case WORK ->
          clients.forEach(client -> client.tell(new SimClient.Command.More(action.number())));
      case RATE_STUCK -> faults.stuck = action.rate();
      case RATE_NEW_DEFECT -> faults.newDefect = action.rate();
      case RATE_TRANSIENT_MEDIA -> faults.transientMedia = action.rate();
      case RATE_TRANSPORT -> faults.transport = action.rate();
      case RATE_FLUSH_FAILS -> faults.flushFails = action.rate();
      case RATE_MISDIRECTED -> faults.misdirected = action.rate();
      case RATE_STALE -> faults.stale = action.rate();
      case RATE_TORN_UNREADABLE -> faults.tornSectorUnreadable = action.rate();
      case RATE_COMMIT_INDETERMINATE -> {
        if (memory != null) {
          memory.indeterminate = action.rate();
        }
      }
      case RATE_COMMIT_REFUSED -> {
        if (memory != null) {
          memory.refused = action.rate();
        }
      }
      case DEFECT -> defect(drive, action);
      case ROT -> setup.rot(drive);
      case HANG -> drive.hang();
      case RESUME -> drive.resume();
      case STALL -> drive.stall(action.number());
      case DISAPPEAR -> drive.disappear();
      case REAPPEAR -> drive.reappear();
      case KILL -> lifeOver = true;
      case POWER_CUT -> {
        if (!lifeOver) {
          endRival();
          Objects.requireNonNull(process).kill(setup.drives());
          setup.drives().forEach(SimDrive::powerCut);
          powerWasCut = true;
          lifeOver = true;
        }
      }
      case STOP -> stop();
      case TAKE_OVER -> takeOver();
      case CLOCK_JUMP -> world.jumpWallClock(Duration.ofSeconds(action.number()));
      case REPLACE, CANCEL_REPLACE, EVACUATE, CANCEL_EVACUATION -> {
        ActorRef<Keeper.Command> to = keeper;
        if (!whole && to != null) {
          to.tell(new Keeper.Command.MoveAway((int) action.number()));
          return;
        }
        if (action.kind() == SimAction.Kind.EVACUATE) {
          setup.copiesMayMove();
        }
        HostedDevice device = hosted;
        if (device != null && !lifeOver) {
          device.command(action.kind(), action.number());
        }
      }
      case SCRUB -> {
        command(action.kind());
        tellMetadata(true);
      }
      case REPAIR -> {
        command(action.kind());
        tellMetadata(false);
      }
      case ADD_SPARE -> {
        setup.copiesMayMove();
        command(action.kind());
      }
      case FREEZE, THAW, STOP_DEVICE, START_DEVICE, REMOVE_DEVICE -> command(action.kind());
      case SWAP -> setup.swap(action.disk());
      case KEEP_IMAGE -> setup.keepImage(action.disk());
      case RETURN_OLDER -> setup.returnOlder(action.disk());
      case FOREIGN_COPY -> setup.foreignCopy((int) action.number());
      case RIVAL -> startRival();
      case CUT_AFTER_COMMIT, CUT_AFTER_CHECKPOINT ->
          setup.arm(
              action.kind(),
              () -> {
                world.coverage().hit("moment." + action.kind());
                act(new SimAction(action.atNanos(), SimAction.Kind.POWER_CUT, -1, 0, 0));
              });
    }
  }

  private void command(SimAction.Kind kind) {
    HostedDevice device = hosted;
    if (device != null && !lifeOver) {
      device.command(kind);
    }
  }

  private void tellMetadata(boolean scrub) {
    ActorRef<Keeper.Command> to = keeper;
    if (to != null && memory == null) {
      to.tell(new Keeper.Command.Mend(scrub));
    }
  }

  private void defect(SimDrive drive, SimAction action) {
    SimRandom here = new SimRandom(action.number());
    long sectors;
    long from = 0;
    if (action.disk() - 1 == DiskNumber.MAIN) {
      sectors = truth.sectors();
    } else {
      from = (1L << 20) / drive.geometry().logicalSectorBytes();
      sectors = drive.geometry().sizeBytes() / drive.geometry().logicalSectorBytes() - from;
    }
    SimDrive.Defect[] kinds = SimDrive.Defect.values();
    drive.addDefect(
        from + here.below(sectors), here.geometric(0.8, 40), kinds[here.below(kinds.length)]);
  }

  private void stop() {
    if (lifeOver || (!whole && !view.serving)) {
      return;
    }
    long begun = world.nowNanos();
    Keeper.View stopping = view;
    tellToStop(() -> lifeOver = true);
    world.after(
        STOP_MAX,
        () -> {
          if (view == stopping && !stopping.stopped && !lifeOver) {
            truth.violated(
                "stopping took more than " + (world.nowNanos() - begun) / 1_000_000 + " ms");
          }
        });
  }

  private void tellToStop(Runnable stopped) {
    HostedDevice device = hosted;
    if (device != null) {
      device.shutdown(stopped);
    } else {
      Objects.requireNonNull(keeper).tell(new Keeper.Command.Stop(stopped));
    }
  }

  // The end: all is well.

  private void heal() {
    healing = true;
    setup.healed = true;
    world.trace().line(() -> world.nowNanos() + " *** all disks are well");
    endRival();
    boolean replugged = setup.unswap();
    setup.takeForeignCopyAway();
    for (SimDrive drive : setup.drives()) {
      drive.faults().clear();
      drive.clearDefects();
      drive.resume();
      replugged |= drive.plugging() > 0 || !drive.isPresent();
      drive.reappear();
    }
    command(SimAction.Kind.THAW);
    command(SimAction.Kind.START_DEVICE);
    if (memory != null) {
      memory.indeterminate = 0;
      memory.refused = 0;
    }
    world.runUntil(this::violated, world.nowNanos() + ANSWER_MAX.toNanos() / 2);
    if (violated()) {
      return;
    }
    quiet();
    if (!until(() -> setup.book.unanswered() == 0 || lifeOver || view.failure != null, WELL_MAX)) {
      truth.violated("with all disks well, " + setup.book.unansweredSince(Long.MAX_VALUE));
      return;
    }
    boolean restartOther = neighbour != null && !isOtherWell(neighbour);
    if (violated()) {
      return;
    }
    boolean restart =
        replugged
            || restartOther
            || sleeper != null
            || setup.book.flushHasFailed()
            || view.failure != null
            || lifeOver;
    if (restart || world.random().nextBoolean()) {
      endLife();
      startLife();
    }
    if (!until(() -> view.serving, WELL_MAX)) {
      truth.violated(
          "with all disks well the device does not serve: "
              + (hosted == null ? view.failure : hosted.describe()));
      return;
    }
    Neighbour other = neighbour;
    if (other != null && !until(other::serves, WELL_MAX)) {
      truth.violated("with all disks well the other device does not serve: " + other.describe());
      return;
    }
    world.runUntil(this::violated, world.nowNanos() + Duration.ofMinutes(2).toNanos());
    if (violated() || clients.isEmpty()) {
      return;
    }
    quiet();
    until(() -> setup.book.unanswered() == 0, WELL_MAX);
    if (!readAndWriteAll(setup, clients.getFirst())) {
      return;
    }
    if (other != null) {
      until(() -> other.setup.book.unanswered() == 0, WELL_MAX);
      if (!readAndWriteAll(other.setup, other.client())) {
        return;
      }
    }
    endWell();
  }

  private void quiet() {
    clients.forEach(client -> client.tell(new SimClient.Command.Quiet()));
    if (neighbour != null) {
      neighbour.quiet();
    }
  }

  /** Whether it need not be started anew. */
  private boolean isOtherWell(Neighbour other) {
    ClientBook book = other.setup.book;
    if (!until(() -> book.unanswered() == 0 || lifeOver || other.hasFailed(), WELL_MAX)) {
      truth.violated(
          "with all disks well, of the other device " + book.unansweredSince(Long.MAX_VALUE));
    }
    return book.unanswered() == 0 && !book.flushHasFailed() && !other.hasFailed();
  }

  /** Reads what stands there, before it is all written anew; then everything has to work. */
  private boolean readAndWriteAll(CoreSetup of, ActorRef<SimClient.Command> client) {
    boolean[] read = new boolean[1];
    client.tell(new SimClient.Command.ReadAll(() -> read[0] = true));
    if (!until(() -> read[0], WELL_MAX)) {
      truth.violated("with all disks well, reading everything does not end");
      return false;
    }
    if (violated()) {
      return false;
    }
    of.book.everythingMustSucceed(true);
    boolean[] done = new boolean[1];
    client.tell(new SimClient.Command.WriteAndReadAll(() -> done[0] = true));
    if (!until(() -> done[0], WELL_MAX)) {
      truth.violated("with all disks well, writing and reading everything does not end");
      return false;
    }
    if (!of.truth.unreadable().isEmpty()) {
      truth.violated(
          "with all disks well and everything written, sectors "
              + of.truth.unreadable()
              + " cannot be read");
      return false;
    }
    return !violated();
  }

  /** Five of five copies, once disks are well. */
  private boolean copiesAreWhole() {
    if (memory != null) {
      return true;
    }
    int[] healthy = {-1};
    boolean whole =
        until(
            () -> {
              HostedDevice device = hosted;
              if (device != null) {
                healthy[0] = device.healthyCopies();
              } else if (world.steps() % 10_000 == 0) {
                Objects.requireNonNull(keeper)
                    .tell(new Keeper.Command.AskCopies(count -> healthy[0] = count));
              }
              return healthy[0] == CoreSetup.COPIES;
            },
            COPIES_MAX);
    Neighbour other = neighbour;
    if (whole
        && other != null
        && !until(() -> other.healthyCopies() == CoreSetup.COPIES, COPIES_MAX)) {
      truth.violated(
          "with all disks well, " + other.healthyCopies() + " copies of the other are whole");
    }
    if (!whole) {
      truth.violated(
          "with all disks well, " + healthy[0] + " of " + CoreSetup.COPIES + " copies are whole");
    }
    return whole && truth.violation() == null;
  }

  private void endWell() {
    if (!copiesAreWhole()) {
      return;
    }
    boolean[] stopped = new boolean[1];
    long begun = world.nowNanos();
    tellToStop(() -> stopped[0] = true);
    if (!until(() -> stopped[0], STOP_MAX)) {
      truth.violated(
          "with all disks well, stopping took more than "
              + (world.nowNanos() - begun) / 1_000_000
              + " ms");
      return;
    }
    world.runUntil(this::violated, world.nowNanos() + Duration.ofSeconds(10).toNanos());
    checkNothingIsLeft();
  }

  private void checkNothingIsLeft() {
    for (SimEngine engine : Objects.requireNonNull(process).engines()) {
      if (engine.inFlight() != 0 || engine.held() != 0) {
        truth.violated(
            engine.inFlight() + " requests in flight and " + engine.held() + " held after a stop");
      }
      if (engine.buffersTaken() != 0) {
        truth.violated(
            engine.buffersTaken()
                + " buffers of "
                + engine.name()
                + " leaked"
                + engine.bufferTakers());
      }
    }
    for (SimDrive drive : setup.drives()) {
      if (drive.openHandles() != 0 || drive.isClaimed()) {
        truth.violated(drive.name() + " is still open after a stop");
      }
    }
  }

  private boolean until(java.util.function.BooleanSupplier condition, Duration atMost) {
    boolean came =
        world.runUntil(
            () -> isViolated() || condition.getAsBoolean(), world.nowNanos() + atMost.toNanos());
    return came || isViolated();
  }
}
