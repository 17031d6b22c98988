package io.spared.app;

import com.typesafe.config.Config;
import com.typesafe.config.ConfigFactory;
import io.spared.app.config.ConfigReading;
import io.spared.app.config.DaemonConfig;
import io.spared.app.config.Problem;
import io.spared.app.control.ControlServer;
import io.spared.app.control.Routes;
import io.spared.app.discovery.DiscoveryService;
import io.spared.app.discovery.DiskWatch;
import io.spared.app.discovery.MemoryFiles;
import io.spared.app.files.AddedSpareFiles;
import io.spared.app.files.AuditFile;
import io.spared.app.files.CleanStopFiles;
import io.spared.app.files.HostIdentity;
import io.spared.app.files.OwnFiles;
import io.spared.device.Answer;
import io.spared.device.CleanStops;
import io.spared.device.DeviceSettings;
import io.spared.discovery.DiscoveryCommand;
import io.spared.ffi.NativeAccess;
import io.spared.ffi.disk.FaultPlans;
import io.spared.ffi.system.IoFlusher;
import io.spared.ffi.system.MemoryLock;
import io.spared.ffi.ublk.UblkDriver;
import io.spared.ffi.ublk.UblkException;
import io.spared.ffi.world.World;
import io.spared.host.HostCommand;
import io.spared.host.HostParts;
import io.spared.metadata.MetadataSettings;
import io.spared.monitor.MonitorCommand;
import io.spared.nbd.NbdListenerSettings;
import io.spared.relocation.RelocationPolicy;
import io.spared.ring.SystemRings;
import io.spared.ublk.UblkIdentity;
import io.spared.ublk.UblkKernel;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.time.Duration;
import java.util.ArrayList;
import java.util.HashMap;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Locale;
import java.util.Map;
import java.util.Optional;
import java.util.concurrent.CompletableFuture;
import java.util.concurrent.CompletionStage;
import java.util.concurrent.ExecutionException;
import java.util.concurrent.TimeUnit;
import java.util.concurrent.TimeoutException;
import org.apache.pekko.actor.typed.ActorRef;
import org.apache.pekko.actor.typed.ActorSystem;
import org.apache.pekko.actor.typed.DispatcherSelector;
import org.apache.pekko.actor.typed.javadsl.AskPattern;
import org.slf4j.Logger;
import org.slf4j.LoggerFactory;

/**
 * The daemon's process: reads its configuration, starts the actors, says that it is ready, and ends
 * when told to, within the drain deadline.
 */
public final class Daemon implements AutoCloseable {
  private static final Logger log = LoggerFactory.getLogger(Daemon.class);
  private static final Path CONFIG = Path.of("/etc/spared/spared.conf");
  private static final Duration START_WAIT = Duration.ofSeconds(20);

  /** Beyond the devices' own deadline: messages, sockets, threads. */
  private static final Duration STOP_MARGIN = Duration.ofSeconds(2);

  private final Optional<Path> configFile;
  private final ActorSystem<Guardian.Command> system;
  private final ActorRef<HostCommand> host;
  private final ActorRef<DiscoveryCommand> discovery;
  private final ControlServer control;
  private final DiskWatch watch;
  private DaemonConfig config;
  private volatile boolean handingOver;

  private Daemon(
      Optional<Path> configFile,
      DaemonConfig config,
      ActorSystem<Guardian.Command> system,
      ActorRef<HostCommand> host,
      ActorRef<MonitorCommand> monitor,
      ActorRef<DiscoveryCommand> discovery)
      throws IOException {
    this.configFile = configFile;
    this.config = config;
    this.system = system;
    this.host = host;
    this.discovery = discovery;
    Routes routes =
        new Routes(system, host, monitor, discovery, config, this::reload, this::handOver);
    this.control =
        ControlServer.start(
            system, config.controlSocket(), config.controlConnections(), routes::handle);
    // Last, when nothing can fail any more that would leave its thread behind.
    this.watch = DiskWatch.start(name -> discovery.tell(new DiscoveryCommand.DiskChanged(name)));
    var _ = system.getWhenTerminated().whenComplete((done, failure) -> watch.end());
  }

  static int run(String[] arguments) {
    Optional<Path> file = Files.exists(CONFIG) ? Optional.of(CONFIG) : Optional.empty();
    boolean check = false;
    for (int i = 0; i < arguments.length; i++) {
      if (arguments[i].equals("--check")) {
        check = true;
      } else if (arguments[i].equals("--config") && i + 1 < arguments.length) {
        file = Optional.of(Path.of(arguments[++i]));
      } else {
        System.err.println(
            "spared daemon: unknown argument "
                + arguments[i]
                + "; usage: spared daemon [--config FILE] [--check]");
        return 2;
      }
    }
    ConfigReading reading = ConfigReading.read(file);
    for (Problem problem : reading.problems()) {
      System.err.println("spared daemon: " + problem);
    }
    Optional<DaemonConfig> config = reading.config();
    if (config.isEmpty()) {
      return 2;
    }
    if (check) {
      ConfigReading.missingDisks(config.get()).forEach(System.out::println);
      System.out.println("configuration is good: " + config.get().devices().size() + " devices");
      return 0;
    }
    Optional<String> ownDevice = onItsOwnDevice(file, config.get());
    if (ownDevice.isPresent()) {
      System.err.println("spared daemon: " + ownDevice.get());
      return 1;
    }
    try {
      NativeAccess.prove();
      MemoryLock.lock().ifPresent(log::warn);
      IoFlusher.set().ifPresent(log::warn);
      Daemon daemon = start(file, config.get());
      Runtime.getRuntime().addShutdownHook(new Thread(daemon::close, "stop"));
      log.info(IoFlusher.summary(IoFlusher.threads()));
      System.out.println("spared ready: " + config.get().devices().size() + " devices");
      ServiceManager.ready(config.get().devices().size() + " devices");
      daemon.system.getWhenTerminated().toCompletableFuture().join();
      return daemon.closing ? 0 : 1;
    } catch (IOException | IllegalStateException failed) {
      System.err.println("spared daemon: " + failed.getMessage());
      return 1;
    }
  }

  /** Asked before anything is read there: a device whose daemon is dead does not answer. */
  private static Optional<String> onItsOwnDevice(Optional<Path> file, DaemonConfig config) {
    Map<String, Path> needed = new LinkedHashMap<>();
    needed.put("the data directory", config.dataDirectory());
    needed.put("the control socket", config.controlSocket());
    file.ifPresent(path -> needed.put("the configuration", path));
    needed.put("the program", Path.of(System.getProperty("java.home")));
    needed.put("the working directory", Path.of(""));
    return new OwnFiles(
            Path.of("/proc"), Path.of("/sys"), number -> isSpareds(config.ublkControl(), number))
        .refusal(needed);
  }

  private static boolean isSpareds(Path control, int number) {
    try (UblkDriver driver = UblkDriver.open(control, Path.of("/dev"), World.real().clock())) {
      return driver.device(number).map(device -> UblkIdentity.isOurs(device.tag())).orElse(true);
    } catch (UblkException e) {
      return true;
    }
  }

  /** Starts everything; devices assemble by themselves after that. */
  public static Daemon start(Optional<Path> file, DaemonConfig config) throws IOException {
    ActorSystem<Guardian.Command> system =
        ActorSystem.create(Guardian.create(), "spared", actorConfig(config));
    try {
      HostParts parts = parts(config, system);
      ActorRef<HostCommand> host =
          await(
              AskPattern.<Guardian.Command, ActorRef<HostCommand>>ask(
                  system,
                  replyTo -> new Guardian.Begin(parts, replyTo),
                  START_WAIT,
                  system.scheduler()));
      ActorRef<MonitorCommand> monitor =
          await(
              AskPattern.<HostCommand, ActorRef<MonitorCommand>>ask(
                  host, HostCommand.GetMonitor::new, START_WAIT, system.scheduler()));
      ActorRef<DiscoveryCommand> discovery =
          DiscoveryService.start(system, parts, host, monitor, config);
      Daemon daemon = new Daemon(file, config, system, host, monitor, discovery);
      ServiceManager.watch(system, host);
      for (DeviceSettings device : config.devices()) {
        daemon.add(device);
      }
      return daemon;
    } catch (IOException | RuntimeException failed) {
      system.terminate();
      throw failed;
    }
  }

  private static Config actorConfig(DaemonConfig config) {
    Map<String, Object> values = new HashMap<>();
    values.put("spared.ring.engine", config.engineKind().name().toLowerCase(Locale.ROOT));
    values.put("spared.rings.count", config.rings());
    values.put("spared.ring.slab", config.bufferBytesPerRing() + " B");
    return ConfigFactory.parseMap(values, "spared.conf").withFallback(ConfigFactory.load());
  }

  private static HostParts parts(DaemonConfig config, ActorSystem<?> system) throws IOException {
    MetadataSettings standard = MetadataSettings.defaults();
    Path data = config.dataDirectory();
    World world = World.real();
    FaultPlans faults = new FaultPlans(world.random().nextLong());
    return new HostParts(
        world,
        SystemRings.start(system),
        SystemDisks.opener(world, faults),
        faults,
        system.dispatchers().lookup(DispatcherSelector.fromConfig("spared.blocking")),
        HostIdentity.owner(data),
        new CleanStopFiles(
            data.resolve("clean"), new MemoryFiles(data.resolve("devices"), CleanStops.inMemory())),
        new AddedSpareFiles(data.resolve("spares"), Path.of("/dev/disk/by-id")),
        config.hotSpares(),
        new AuditFile(data.resolve("audit.log")),
        new MetadataSettings(
            config.defaults().deadlines().commit(),
            config.defaults().deadlines().request(),
            config.defaults().upkeep().autoRepair(),
            standard.repairDelays(),
            standard.repairLaterDelay(),
            standard.waitingCommitsMax(),
            standard.checkpointFill(),
            standard.chunkBytes(),
            standard.chunkPause()),
        RelocationPolicy.DEFAULT,
        listeners(config),
        config.defaults().deadlines().open(),
        UblkKernel.of(config.ublkControl(), System.getProperty("os.version", "")));
  }

  private static List<NbdListenerSettings> listeners(DaemonConfig config) throws IOException {
    for (NbdListenerSettings listener : config.nbdListeners()) {
      if (listener.endpoint() instanceof NbdListenerSettings.Endpoint.Unix unix) {
        Path directory = unix.path().toAbsolutePath().getParent();
        if (directory != null) {
          Files.createDirectories(directory);
        }
      }
    }
    return config.nbdListeners();
  }

  private void add(DeviceSettings device) {
    AskPattern.<HostCommand, Answer>ask(
            host, replyTo -> new HostCommand.Add(device, replyTo), START_WAIT, system.scheduler())
        .whenComplete((answer, failure) -> {
          if (answer instanceof Answer.Refused refused) {
            log.error("{}: {}", device.name(), refused.sentence());
          }
        });
  }

  /** Ends as when told to by a signal, but leaves block devices to the next daemon. */
  private Answer handOver() {
    handingOver = true;
    new Thread(() -> System.exit(0), "hand-over").start();
    return new Answer.Done("ending; the block devices wait for the next daemon: start it now");
  }

  /** Reads the configuration again; what is good is applied, what needs a restart is said. */
  private CompletionStage<Answer> reload() {
    ServiceManager.reloading();
    ConfigReading reading = ConfigReading.read(configFile);
    Optional<DaemonConfig> next = reading.config();
    if (next.isEmpty()) {
      ServiceManager.reloaded();
      return CompletableFuture.completedFuture(
          new Answer.Refused(
              "nothing was changed: "
                  + String.join(
                      "; ", reading.problems().stream().map(Problem::toString).toList())));
    }
    DaemonConfig before = config;
    config = next.get();
    return AskPattern.<HostCommand, List<DeviceSettings>>ask(
            host, HostCommand.Devices::new, START_WAIT, system.scheduler())
        .thenCompose(running -> apply(before, next.get(), running))
        .whenComplete((answer, failure) -> ServiceManager.reloaded());
  }

  private CompletionStage<Answer> apply(
      DaemonConfig before, DaemonConfig after, List<DeviceSettings> running) {
    List<String> said = new ArrayList<>();
    if (!before.controlSocket().equals(after.controlSocket())
        || before.rings() != after.rings()
        || before.engineKind() != after.engineKind()
        || before.bufferBytesPerRing() != after.bufferBytesPerRing()
        || !before.nbdListeners().equals(after.nbdListeners())
        || !before.hotSpares().equals(after.hotSpares())
        || !before.dataDirectory().equals(after.dataDirectory())) {
      said.add(
          "sockets, rings, buffers, hot spares and the data directory need a restart of the"
              + " daemon");
    }
    CompletionStage<List<String>> all = CompletableFuture.completedFuture(said);
    Map<String, DeviceSettings> known = new HashMap<>();
    running.forEach(device -> known.put(device.name(), device));
    for (DeviceSettings device : after.devices()) {
      if (!known.containsKey(device.name())) {
        add(device);
        said.add(device.name() + ": added");
      } else if (!device.equals(known.get(device.name()))) {
        all = all.thenCombine(reconfigure(device), Daemon::with);
      }
    }
    for (DeviceSettings device : before.devices()) {
      if (after.devices().stream().noneMatch(d -> d.name().equals(device.name()))) {
        said.add(device.name() + ": not configured any more; it goes on until spared ctl remove");
      }
    }
    return all.thenApply(lines ->
        new Answer.Done(lines.isEmpty() ? "nothing had changed" : String.join("; ", lines)));
  }

  private static List<String> with(List<String> lines, String line) {
    List<String> more = new ArrayList<>(lines);
    more.add(line);
    return more;
  }

  private CompletionStage<String> reconfigure(DeviceSettings device) {
    return AskPattern.<HostCommand, Answer>ask(
            host,
            replyTo -> new HostCommand.Reconfigure(device, replyTo),
            START_WAIT,
            system.scheduler())
        .thenApply(Answer::sentence);
  }

  /** The host's actor, for clients within the process. */
  public ActorRef<HostCommand> host() {
    return host;
  }

  public ActorSystem<?> system() {
    return system;
  }

  private volatile boolean closing;

  /** Drains every device within the deadline and ends. */
  @Override
  public void close() {
    closing = true;
    watch.end();
    ServiceManager.stopping();
    Duration drain = config.defaults().deadlines().drain();
    for (DeviceSettings device : config.devices()) {
      if (device.deadlines().drain().compareTo(drain) > 0) {
        drain = device.deadlines().drain();
      }
    }
    long drainNanos = drain.toNanos();
    HostCommand.BlockDevices blockDevices = blockDevices();
    try {
      stopDiscovery();
      HostCommand.Farewell farewell =
          AskPattern.<HostCommand, HostCommand.Farewell>ask(
                  host,
                  replyTo -> new HostCommand.Shutdown(drainNanos, blockDevices, replyTo),
                  drain.plus(STOP_MARGIN),
                  system.scheduler())
              .toCompletableFuture()
              .get(drainNanos + STOP_MARGIN.toNanos(), TimeUnit.NANOSECONDS);
      farewell.leftBehind().forEach(left -> log.warn("left behind: {}", left));
    } catch (InterruptedException interrupted) {
      Thread.currentThread().interrupt();
    } catch (ExecutionException | TimeoutException late) {
      log.error("not everything ended in time: {}", late.toString());
    }
    watch.close();
    control.close();
    system.terminate();
    try {
      system
          .getWhenTerminated()
          .toCompletableFuture()
          .get(STOP_MARGIN.toNanos(), TimeUnit.NANOSECONDS);
    } catch (InterruptedException interrupted) {
      Thread.currentThread().interrupt();
    } catch (ExecutionException | TimeoutException late) {
      log.error("the actors did not end in time: {}", late.toString());
    }
  }

  /**
   * Who uses one when the machine goes down uses it in vain, and would keep the machine waiting.
   * Otherwise its users wait for the next daemon and notice nothing.
   */
  private HostCommand.BlockDevices blockDevices() {
    if (handingOver) {
      return HostCommand.BlockDevices.LEFT;
    }
    if (!ServiceManager.isMachineStopping()) {
      return HostCommand.BlockDevices.LEFT_IF_USED;
    }
    log.info("the machine goes down: block devices are removed, also where they are in use");
    return HostCommand.BlockDevices.REMOVED;
  }

  /** First, so that nothing is activated while everything else ends. */
  private void stopDiscovery() throws InterruptedException {
    try {
      AskPattern.<DiscoveryCommand, DiscoveryCommand.Stopped>ask(
              discovery, DiscoveryCommand.Stop::new, STOP_MARGIN, system.scheduler())
          .toCompletableFuture()
          .get(STOP_MARGIN.toNanos(), TimeUnit.NANOSECONDS)
          .abandoned()
          .forEach(disk -> log.warn("{}: still being opened by discovery", disk));
    } catch (ExecutionException | TimeoutException late) {
      log.warn("discovery did not end in time: {}", late.toString());
    }
  }

  private static <T> T await(CompletionStage<T> stage) throws IOException {
    try {
      return stage.toCompletableFuture().get(START_WAIT.toNanos(), TimeUnit.NANOSECONDS);
    } catch (InterruptedException interrupted) {
      Thread.currentThread().interrupt();
      throw new IOException("interrupted while the daemon started", interrupted);
    } catch (ExecutionException | TimeoutException failed) {
      throw new IOException("the daemon does not start: " + failed, failed);
    }
  }
}
