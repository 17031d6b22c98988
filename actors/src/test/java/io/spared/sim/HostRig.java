package io.spared.sim;

import io.spared.device.Answer;
import io.spared.device.CleanStops;
import io.spared.device.DeviceCommand;
import io.spared.device.DeviceSettings;
import io.spared.device.DeviceStatus;
import io.spared.device.Phase;
import io.spared.discovery.DiscoveryCommand;
import io.spared.ffi.disk.DiskAddress;
import io.spared.ffi.disk.FaultPlans;
import io.spared.format.Geometry;
import io.spared.format.Owner;
import io.spared.host.AddedSpares;
import io.spared.host.Host;
import io.spared.host.HostCommand;
import io.spared.host.HostParts;
import io.spared.metadata.MetadataSettings;
import io.spared.monitor.AuditLog;
import io.spared.queue.QueueCommand;
import io.spared.relocation.RelocationPolicy;
import io.spared.ublk.UblkKernel;
import java.time.Duration;
import java.util.ArrayList;
import java.util.List;
import java.util.Map;
import java.util.Objects;
import java.util.Optional;
import java.util.TreeMap;
import java.util.UUID;
import java.util.function.BooleanSupplier;
import java.util.function.Consumer;
import java.util.function.Function;
import java.util.function.Predicate;
import org.apache.pekko.actor.typed.ActorRef;
import org.apache.pekko.actor.typed.DispatcherSelector;
import org.apache.pekko.actor.typed.javadsl.ActorContext;
import org.apache.pekko.actor.typed.javadsl.Adapter;
import org.apache.pekko.actor.typed.javadsl.Behaviors;
import org.jspecify.annotations.Nullable;

/**
 * A simulated host with some devices, each under load from two clients that know what must be read.
 * Any actor of it can be made to crash, by a message that none can take.
 */
final class HostRig implements AutoCloseable {
  static final Duration DRAIN = Duration.ofSeconds(10);
  private static final long CALM_NANOS = 5_000_000;
  private static final Duration SERVES = Duration.ofSeconds(60);
  private static final Duration LOOK = Duration.ofMillis(250);
  private static final int SPARES = 2;
  private static final int CLIENTS = 2;

  /** One device and those who use it. */
  static final class Device {
    final String name;
    final CoreSetup setup;
    final List<ActorRef<SimClient.Command>> clients = new ArrayList<>();
    @Nullable ActorRef<DeviceCommand> actor;
    @Nullable DeviceStatus status;
    int timesNotServing;

    Device(String name, CoreSetup setup) {
      this.name = name;
      this.setup = setup;
    }

    boolean serves() {
      return is(status -> status.phase().serves());
    }

    boolean is(Predicate<DeviceStatus> wanted) {
      DeviceStatus now = status;
      return now != null && wanted.test(now);
    }

    /** The counter of its epoch: higher after every assembling. */
    long epoch() {
      DeviceStatus now = status;
      return now == null || now.epoch().indexOf('-') < 0
          ? 0
          : Long.parseLong(now.epoch().substring(0, now.epoch().indexOf('-')));
    }

    DeviceStatus status() {
      return Objects.requireNonNull(status);
    }

    int goodCopies() {
      return status().copies().good();
    }

    long repairs() {
      return status().repairs().done();
    }

    @Override
    public String toString() {
      DeviceStatus now = status;
      return name + (now == null ? " is not known" : ": " + now.phase() + ", " + now.sentence());
    }
  }

  private final long thinkMaxNanos;
  final SimWorld world;
  static final Owner HOST = new Owner(new UUID(1, 1), "sim");
  private final SimOpener opener = new SimOpener();
  SimProcess process;
  final Map<String, Device> devices = new TreeMap<>();
  private @Nullable ActorContext<Runnable> context;
  private @Nullable ActorRef<HostCommand> host;
  boolean hostEnded;

  HostRig(long seed, String... names) {
    this(seed, CALM_NANOS, names);
  }

  /**
   * @param thinkMaxNanos how long a client waits at most between two requests
   */
  HostRig(long seed, long thinkMaxNanos, String... names) {
    this(seed, thinkMaxNanos, setup -> {}, names);
  }

  /**
   * @param prepared does something with the disks of each device before the host begins
   */
  HostRig(long seed, Consumer<CoreSetup> prepared, String... names) {
    this(seed, CALM_NANOS, prepared, names);
  }

  private HostRig(long seed, long thinkMaxNanos, Consumer<CoreSetup> prepared, String... names) {
    this.thinkMaxNanos = thinkMaxNanos;
    world = new SimWorld(seed);
    for (String name : names) {
      CoreSetup setup =
          new CoreSetup(world, new Geometry(4096, 512, 1 << 20), SPARES, 2, name + "-", opener);
      if (!setup.writeCopies()) {
        throw new IllegalStateException("no metadata");
      }
      setup.writeSpareTables();
      prepared.accept(setup);
      devices.put(name, new Device(name, setup));
    }
    process = new SimProcess(world, 2);
    begin(HOST);
    look();
  }

  /** This host dies, and another begins with the same devices and what is on their disks. */
  void moveTo(Owner owner) {
    for (Device device : devices.values()) {
      process.kill(device.setup.drives());
      device.clients.clear();
      device.actor = null;
      device.status = null;
    }
    hostEnded = false;
    process = new SimProcess(world, 2);
    begin(owner);
  }

  private void begin(Owner owner) {
    SimRandom random = world.random().fork();
    process.start(
        Behaviors.<Runnable>setup(started -> {
          context = started;
          ActorRef<HostCommand> spawned = started.spawn(host(owner, started), "spared");
          started.watchWith(spawned, () -> hostEnded = true);
          host = spawned;
          for (Device device : devices.values()) {
            spawned.tell(new HostCommand.Add(settings(device), started.getSystem().ignoreRef()));
            for (int n = 0; n < CLIENTS; n++) {
              device.clients.add(client(started, device, n, random.fork()));
            }
          }
          return Behaviors.receive(Runnable.class)
              .onAnyMessage(task -> {
                task.run();
                return Behaviors.same();
              })
              .build();
        }));
  }

  private org.apache.pekko.actor.typed.Behavior<HostCommand> host(
      Owner owner, ActorContext<Runnable> started) {
    return Host.create(
        new HostParts(
            world.world(),
            new SimRings(process),
            opener,
            new FaultPlans(world.seed()),
            started
                .getSystem()
                .dispatchers()
                .lookup(DispatcherSelector.fromConfig("spared.blocking")),
            owner,
            CleanStops.inMemory(),
            AddedSpares.none(),
            List.of(),
            AuditLog.none(),
            MetadataSettings.defaults(),
            RelocationPolicy.DEFAULT,
            List.of(),
            Duration.ofSeconds(10),
            UblkKernel.of(UblkKernel.CONTROL_DEVICE, "")));
  }

  private static DeviceSettings settings(Device device) {
    List<DiskAddress> spares = new ArrayList<>();
    for (int s = 0; s < SPARES; s++) {
      spares.add(device.setup.spareAddress(s));
    }
    return new DeviceSettings(
        device.name + "-sim",
        "",
        device.setup.mainAddress(),
        spares,
        DeviceSettings.Frontend.NONE,
        false,
        new DeviceSettings.Deadlines(
            Duration.ofSeconds(10), Duration.ofSeconds(2), Duration.ofSeconds(5), DRAIN),
        new DeviceSettings.Upkeep(
            true,
            false,
            Duration.ofHours(1),
            16 << 20,
            Duration.ofHours(1),
            Duration.ofDays(30),
            1 << 20,
            false),
        Map.of(),
        DeviceSettings.BlockDevice.standard());
  }

  private ActorRef<SimClient.Command> client(
      ActorContext<Runnable> started, Device device, int n, SimRandom random) {
    long sectors = device.setup.truth.sectors();
    Workload load =
        new Workload(
            4, Long.MAX_VALUE, 0.4, 0.005, 0.1, 0.02, 0.02, 0, sectors, 8, thinkMaxNanos, true);
    return started.spawn(
        SimClient.create(
            process.engine(n),
            device.setup.book,
            load,
            random,
            (client, queue) -> () -> openQueue(client, device, queue)),
        "client-" + device.name + "-" + n,
        SimProcess.dispatcher(n));
  }

  /** Its actor may have ended already, or end before it answers: then nobody else would tell. */
  private static void openQueue(
      ActorContext<SimClient.Command> client, Device device, ActorRef<QueueCommand> queue) {
    ActorRef<DeviceCommand> actor = device.actor;
    if (actor == null) {
      client.getSelf().tell(new SimClient.Command.NotOpened("there is no device yet"));
      return;
    }
    client.unwatch(actor);
    client.watchWith(actor, new SimClient.Command.NotOpened("the device's actor ended"));
    actor.tell(
        new DeviceCommand.OpenQueue(
            client.getSelf().path().name(),
            queue,
            client.messageAdapter(
                DeviceCommand.QueueOpening.class,
                opening ->
                    switch (opening) {
                      case DeviceCommand.QueueOpening.Opened opened ->
                          new SimClient.Command.Opened(opened.context());
                      case DeviceCommand.QueueOpening.NotOpened refused ->
                          new SimClient.Command.NotOpened(refused.sentence());
                    })));
  }

  /** Looks at all devices again and again. */
  private void look() {
    inside(() -> {
      ask(
          HostCommand.Statuses::new,
          (List<DeviceStatus> statuses) -> {
            for (DeviceStatus status : statuses) {
              Device device = device(status.name());
              device.status = status;
              device.timesNotServing += status.phase().serves() ? 0 : 1;
            }
          });
      for (Device device : devices.values()) {
        ask(
            replyTo -> new HostCommand.Find(device.name + "-sim", replyTo),
            (Optional<ActorRef<DeviceCommand>> found) -> device.actor = found.orElse(null));
      }
    });
    world.after(LOOK, this::look);
  }

  Device device(String statusName) {
    for (Device device : devices.values()) {
      if (statusName.equals(device.name + "-sim")) {
        return device;
      }
    }
    throw new IllegalStateException("nobody made " + statusName);
  }

  Device device() {
    return devices.values().iterator().next();
  }

  private void inside(Runnable task) {
    ActorContext<Runnable> now = context;
    if (now != null && !hostEnded) {
      now.getSelf().tell(task);
    }
  }

  private <T> void ask(Function<ActorRef<T>, HostCommand> question, Consumer<T> answered) {
    ActorContext<Runnable> now = context;
    ActorRef<HostCommand> to = host;
    if (now != null && to != null) {
      to.tell(
          question.apply(
              now.spawnAnonymous(
                  Behaviors.receiveMessage(answer -> {
                    answered.accept(answer);
                    return Behaviors.stopped();
                  }))));
    }
  }

  /** Waits until all serve; answers the first. */
  Device servingAll() {
    for (Device device : devices.values()) {
      if (!until(device::serves, SERVES)) {
        throw new IllegalStateException(device.toString());
      }
    }
    return device();
  }

  /** From now on writes to so many sectors of main fail, so that blocks move. */
  void badSectorsOnMain(Device device, int count) {
    long sectors = device.setup.truth.sectors();
    for (int i = 0; i < count; i++) {
      device.setup.main.addDefect(i * (sectors / count), 1, SimDrive.Defect.UNWRITABLE);
    }
  }

  /** Its clients ask for nothing more. */
  void quiet(Device device) {
    device.clients.forEach(client -> client.tell(new SimClient.Command.Quiet()));
    if (!until(() -> device.setup.book.unanswered() == 0, SERVES)) {
      throw new IllegalStateException(device + " does not answer");
    }
  }

  /** Stops it in good order and starts it again. */
  void restart(Device device) {
    command(device, replyTo -> new DeviceCommand.Stop(true, DRAIN.toNanos(), replyTo));
    until(() -> device.is(now -> now.phase() == Phase.STOPPED), SERVES);
    command(device, DeviceCommand.Start::new);
    if (!until(device::serves, SERVES)) {
      throw new IllegalStateException(device.toString());
    }
  }

  /**
   * The host's discovery begins, and looks at the drives of this device.
   *
   * @param found is told what the scan found, at its end
   */
  void discover(Device device, Consumer<DiscoveryCommand.ScanReport> found) {
    inside(() -> {
      ActorContext<Runnable> now = Objects.requireNonNull(context);
      HostedDiscovery.start(
              device.setup,
              new HostedDevice.Start(
                  opener,
                  List.of(),
                  true,
                  CleanStops.inMemory(),
                  RelocationPolicy.DEFAULT,
                  Duration.ofSeconds(2)),
              process,
              now,
              Objects.requireNonNull(host),
              settings(device))
          .tell(
              new DiscoveryCommand.Scan(
                  "by command",
                  true,
                  now.spawnAnonymous(
                      Behaviors.receiveMessage(report -> {
                        found.accept(report);
                        return Behaviors.stopped();
                      }))));
    });
  }

  /** For questions whose answer nobody wants. */
  <T> ActorRef<T> ignored() {
    return Objects.requireNonNull(context).getSystem().ignoreRef();
  }

  void tellDevice(Device device, DeviceCommand command) {
    Objects.requireNonNull(device.actor).tell(command);
  }

  Answer command(Device device, Function<ActorRef<Answer>, DeviceCommand> command) {
    Answer[] answer = new Answer[1];
    inside(() -> {
      ActorRef<DeviceCommand> actor = device.actor;
      ActorContext<Runnable> now = context;
      if (actor != null && now != null) {
        actor.tell(
            command.apply(
                now.spawnAnonymous(
                    Behaviors.receiveMessage(said -> {
                      answer[0] = said;
                      return Behaviors.stopped();
                    }))));
      }
    });
    if (!until(() -> answer[0] != null, Duration.ofMinutes(1))) {
      throw new IllegalStateException(device + " does not answer");
    }
    return answer[0];
  }

  Answer ofHost(Function<ActorRef<Answer>, HostCommand> command) {
    Answer[] answer = new Answer[1];
    inside(() -> ask(command, (Answer said) -> answer[0] = said));
    if (!until(() -> answer[0] != null, Duration.ofMinutes(1))) {
      throw new IllegalStateException("the host does not answer");
    }
    return answer[0];
  }

  /**
   * Every actor at this path gets the message.
   *
   * @param path below the host, with wildcards
   */
  void tell(String path, Object message) {
    inside(() -> {
      ActorContext<Runnable> now = context;
      if (now != null) {
        Adapter.toClassic(now.getSystem())
            .actorSelection("/user/spared" + path)
            .tell(message, org.apache.pekko.actor.ActorRef.noSender());
      }
    });
  }

  boolean until(BooleanSupplier condition, Duration atMost) {
    return world.runUntil(condition, atMost);
  }

  void runFor(Duration duration) {
    world.runFor(duration);
  }

  /** Every sector written and read; what was read meanwhile was right. */
  boolean everythingIsRight(Device device) {
    boolean[] done = new boolean[1];
    device.clients.getFirst().tell(new SimClient.Command.WriteAndReadAll(() -> done[0] = true));
    return until(() -> done[0] || device.setup.truth.violation() != null, Duration.ofMinutes(5))
        && device.setup.truth.violation() == null;
  }

  /** Whether the host ended when told to. */
  boolean shutdown() {
    boolean[] stopped = new boolean[1];
    inside(() ->
        ask(
            replyTo -> new HostCommand.Shutdown(DRAIN.toNanos(), replyTo),
            (HostCommand.Farewell farewell) -> stopped[0] = true));
    return until(() -> stopped[0], DRAIN.plusSeconds(5));
  }

  /** Shuts the host down; what is left of it then, in words. */
  List<String> leftAfterShutdown() {
    List<String> left = new ArrayList<>();
    if (!shutdown()) {
      left.add("the host");
    }
    runFor(Duration.ofSeconds(5));
    left.addAll(left());
    return left;
  }

  /** What is in use now: buffers, requests, disks. */
  List<String> left() {
    List<String> left = new ArrayList<>();
    for (SimEngine engine : process.engines()) {
      if (engine.inFlight() + engine.held() > 0) {
        left.add(engine.inFlight() + " requests and " + engine.held() + " held");
      }
      if (engine.buffersTaken() > 0) {
        left.add(engine.buffersTaken() + " buffers" + engine.bufferTakers());
      }
    }
    for (Device device : devices.values()) {
      left.addAll(open(device));
    }
    return left;
  }

  /** The disks of this device that somebody holds open. */
  static List<String> open(Device device) {
    return device.setup.drives().stream()
        .filter(SimDrive::isClaimed)
        .map(drive -> drive.name() + " is open")
        .toList();
  }

  static boolean failed(DeviceStatus status) {
    return status.phase() == Phase.FAILED;
  }

  @Override
  public void close() {
    for (Device device : devices.values()) {
      process.kill(device.setup.drives());
    }
  }
}
