package io.spared.app.scenario;

import com.typesafe.config.ConfigFactory;
import io.spared.app.SystemDisks;
import io.spared.app.offline.Creation;
import io.spared.app.offline.OfflineDisk;
import io.spared.app.offline.OfflineDisks;
import io.spared.app.offline.OfflineException;
import io.spared.device.Answer;
import io.spared.device.CleanStops;
import io.spared.device.DeviceCommand;
import io.spared.device.DeviceSettings;
import io.spared.ffi.disk.DiskAddress;
import io.spared.ffi.disk.DiskOpener;
import io.spared.ffi.disk.FaultPlans;
import io.spared.ffi.world.World;
import io.spared.format.Form;
import io.spared.format.Owner;
import io.spared.host.AddedSpares;
import io.spared.host.Host;
import io.spared.host.HostCommand;
import io.spared.host.HostParts;
import io.spared.metadata.MetadataSettings;
import io.spared.monitor.AuditLog;
import io.spared.nbd.NbdLimits;
import io.spared.nbd.NbdListenerSettings;
import io.spared.nbd.TlsSettings;
import io.spared.relocation.RelocationPolicy;
import io.spared.ring.Ring;
import io.spared.ring.Rings;
import io.spared.ring.SystemRings;
import io.spared.ublk.UblkKernel;
import java.io.IOException;
import java.io.RandomAccessFile;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.time.Duration;
import java.util.ArrayList;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import java.util.SplittableRandom;
import java.util.UUID;
import java.util.concurrent.CompletableFuture;
import java.util.concurrent.ExecutionException;
import java.util.concurrent.ExecutorService;
import java.util.concurrent.Executors;
import java.util.concurrent.Future;
import java.util.concurrent.TimeUnit;
import java.util.concurrent.TimeoutException;
import java.util.concurrent.locks.LockSupport;
import java.util.function.Function;
import org.apache.pekko.actor.typed.ActorRef;
import org.apache.pekko.actor.typed.ActorSystem;
import org.apache.pekko.actor.typed.DispatcherSelector;
import org.apache.pekko.actor.typed.Props;
import org.apache.pekko.actor.typed.javadsl.AskPattern;
import org.apache.pekko.actor.typed.javadsl.Behaviors;

/**
 * A host on which devices come and go, several at once: each is created on new disks, served,
 * written through NBD or from within, moved off a fault, and removed, in good order or not.
 */
public final class Lifecycle implements AutoCloseable {
  private static final Duration WAIT = Duration.ofSeconds(60);
  private static final long DISK_BYTES = 64L << 20;
  private static final int BLOCKS = 8;
  private static final int AT_ONCE = 4;
  private static final Duration SETTLES = Duration.ofSeconds(10);

  private final Path directory;
  private final boolean loops;
  private final ActorSystem<Void> system;
  private final Rings rings;
  private final ActorRef<HostCommand> host;
  private final ExecutorService workers = Executors.newFixedThreadPool(AT_ONCE);
  private long cycles;
  private long crashes;

  /**
   * @param loops whether half of the devices have loop devices as disks
   */
  public Lifecycle(Path directory, boolean loops) {
    this.directory = directory;
    this.loops = loops;
    this.system =
        ActorSystem.create(
            Behaviors.empty(),
            "lifecycle",
            ConfigFactory.parseString(
                    "spared.rings.count = 2\npekko.loglevel = ERROR\npekko.jvm-shutdown-hooks = off")
                .withFallback(ConfigFactory.load()));
    this.rings = SystemRings.start(system);
    World world = World.real();
    FaultPlans faults = new FaultPlans(1);
    this.host =
        system.systemActorOf(
            Host.create(
                new HostParts(
                    world,
                    rings,
                    SystemDisks.opener(world, faults),
                    faults,
                    system.dispatchers().lookup(DispatcherSelector.fromConfig("spared.blocking")),
                    new Owner(new UUID(1, 2), "lifecycle"),
                    CleanStops.inMemory(),
                    AddedSpares.none(),
                    List.of(),
                    AuditLog.none(),
                    MetadataSettings.defaults(),
                    RelocationPolicy.DEFAULT,
                    List.of(
                        new NbdListenerSettings(
                            "lifecycle",
                            new NbdListenerSettings.Endpoint.Unix(
                                directory.resolve("nbd.sock"), 0600, Optional.empty()),
                            false,
                            TlsSettings.OFF,
                            NbdLimits.DEFAULTS,
                            Map.of())),
                    Duration.ofSeconds(10),
                    UblkKernel.of(UblkKernel.CONTROL_DEVICE, ""))),
            "spared",
            Props.empty());
  }

  /** Several devices at once, each through its whole life. */
  public void round(SplittableRandom random) throws IOException {
    List<Future<?>> all = new ArrayList<>();
    for (int i = 0; i < AT_ONCE; i++) {
      SplittableRandom own = random.split();
      String name = "d" + cycles++;
      boolean nbd = i % 2 == 0;
      boolean loop = loops && i >= AT_ONCE / 2;
      all.add(
          workers.submit(() -> {
            cycle(name, nbd, loop, own);
            return null;
          }));
    }
    for (Future<?> one : all) {
      try {
        one.get(WAIT.toSeconds() * 2, TimeUnit.SECONDS);
      } catch (InterruptedException stop) {
        Thread.currentThread().interrupt();
        throw new IOException(stop);
      } catch (ExecutionException | TimeoutException failed) {
        throw new IOException("a life went wrong: " + failed, failed);
      }
    }
  }

  public long cycles() {
    return cycles;
  }

  /** Clients that were made to crash. */
  public long crashes() {
    return crashes;
  }

  /**
   * What is held now. When that is more than ever before, waits for a while for what ends by
   * itself.
   */
  Census census(Optional<Census> highest) throws IOException {
    long end = System.nanoTime() + SETTLES.toNanos();
    Census now = Census.withoutMemory(system, rings, directory);
    while (highest.isPresent() && !now.isWithin(highest.get()) && System.nanoTime() < end) {
      LockSupport.parkNanos(20_000_000L);
      now = Census.withoutMemory(system, rings, directory);
    }
    Census counted = now.withMemory();
    // What was collected gives its direct memory back on a thread that may come late.
    while (highest.isPresent()
        && counted.of(Census.Kind.DIRECT_BYTES) > highest.get().of(Census.Kind.DIRECT_BYTES)
        && System.nanoTime() < end) {
      LockSupport.parkNanos(20_000_000L);
      counted = counted.withMemory();
    }
    return counted;
  }

  private void cycle(String name, boolean nbd, boolean loop, SplittableRandom random)
      throws IOException {
    Path mainFile = file(name + "-main");
    Path spareFile = file(name + "-spare");
    Path main = loop ? attach(mainFile) : mainFile;
    Path spare = loop ? attach(spareFile) : spareFile;
    try {
      create(name, main, spare);
      live(name, main, spare, nbd, random);
    } finally {
      if (loop) {
        run("losetup", "-d", main.toString());
        run("losetup", "-d", spare.toString());
      }
      Files.delete(mainFile);
      Files.delete(spareFile);
    }
  }

  private void create(String name, Path main, Path spare) throws IOException {
    try (OfflineDisks disks = new OfflineDisks()) {
      new Creation(
              disks,
              new Creation.Request(
                  name,
                  main.toString(),
                  List.of(spare.toString()),
                  Form.ADOPT,
                  4096,
                  5,
                  false,
                  new Owner(new UUID(1, 2), "lifecycle")))
          .make();
    } catch (OfflineException refused) {
      throw new IOException(refused);
    }
  }

  private void live(String name, Path main, Path spare, boolean nbd, SplittableRandom random)
      throws IOException {
    DeviceSettings settings =
        DeviceSettings.of(
            name,
            new DiskAddress.OfFault(new DiskAddress.OfPath(main)),
            List.of(new DiskAddress.OfPath(spare)));
    done(ask(host, replyTo -> new HostCommand.Add(settings, replyTo)));
    ActorRef<DeviceCommand> device = serving(name);
    String rule = "write fail=ENODATA range=" + 4 * random.nextInt(BLOCKS) + "K+4K";
    done(ask(device, replyTo -> new DeviceCommand.InjectFault("main", rule, replyTo)));
    use(name, device, nbd, random);
    switch (random.nextInt(4)) {
      case 0 -> {
        done(ask(device, DeviceCommand.Freeze::new));
        done(ask(device, DeviceCommand.Thaw::new));
      }
      case 1 -> {
        done(ask(device, replyTo -> new DeviceCommand.Stop(true, 0, replyTo)));
        done(ask(device, DeviceCommand.Start::new));
        use(name, serving(name), nbd, random);
      }
      case 2 -> done(ask(device, replyTo -> new DeviceCommand.Scrub(false, replyTo)));
      default -> done(ask(device, DeviceCommand.Repair::new));
    }
    done(ask(host, replyTo -> new HostCommand.Remove(name, true, replyTo)));
  }

  private ActorRef<DeviceCommand> serving(String name) throws IOException {
    Optional<ActorRef<DeviceCommand>> device =
        ask(host, replyTo -> new HostCommand.Find(name, replyTo));
    ActorRef<DeviceCommand> found =
        device.orElseThrow(() -> new IOException("there is no " + name));
    DeviceCommand.Description told = ask(found, DeviceCommand.DescribeWhenReady::new);
    if (!told.phase().serves()) {
      throw new IOException(name + " does not serve: " + told);
    }
    return found;
  }

  private void use(
      String name, ActorRef<DeviceCommand> device, boolean nbd, SplittableRandom random)
      throws IOException {
    int version = random.nextInt(1 << 20);
    if (nbd) {
      useByNbd(name, version);
      return;
    }
    boolean crash = random.nextInt(4) == 0;
    Ring ring = rings.ring(random.nextInt(rings.count()));
    CompletableFuture<String> done = new CompletableFuture<>();
    system.systemActorOf(
        InProcessClient.create(
            device, ring.engine(), BLOCKS, version, crash ? random.nextInt(2 * BLOCKS) : -1, done),
        "client-" + name + "-" + version,
        ring.dispatcher());
    String trouble = get(done);
    if (!crash && !trouble.isEmpty()) {
      throw new IOException(name + ": " + trouble);
    }
    crashes += crash ? 1 : 0;
  }

  private void useByNbd(String name, int version) throws IOException {
    try (OfflineDisks disks = new OfflineDisks()) {
      OfflineDisk disk =
          disks.open("nbd:unix:" + directory.resolve("nbd.sock") + ":" + name, DiskOpener.Mode.OWN);
      for (int block = 0; block < BLOCKS; block++) {
        disk.write(block * 4096L, Trial.block(block, version));
      }
      for (int block = 0; block < BLOCKS; block++) {
        if (!disk.read(block * 4096L, 4096).equals(Trial.block(block, version))) {
          throw new IOException(name + ": block " + block + " reads wrong");
        }
      }
    } catch (OfflineException refused) {
      throw new IOException(refused);
    }
  }

  private static void done(Answer answer) throws IOException {
    if (answer instanceof Answer.Refused refused) {
      throw new IOException(refused.sentence());
    }
  }

  private <C, T> T ask(ActorRef<C> actor, Function<ActorRef<T>, C> question) throws IOException {
    return get(
        AskPattern.<C, T>ask(actor, question::apply, WAIT, system.scheduler())
            .toCompletableFuture());
  }

  private static <T> T get(CompletableFuture<T> future) throws IOException {
    try {
      return future.get(WAIT.toSeconds(), TimeUnit.SECONDS);
    } catch (InterruptedException stop) {
      Thread.currentThread().interrupt();
      throw new IOException(stop);
    } catch (ExecutionException | TimeoutException failed) {
      throw new IOException(failed);
    }
  }

  private Path file(String name) throws IOException {
    Path path = directory.resolve(name + ".img");
    try (RandomAccessFile file = new RandomAccessFile(path.toFile(), "rw")) {
      file.setLength(DISK_BYTES);
    }
    return path;
  }

  private static Path attach(Path file) throws IOException {
    return Path.of(run("losetup", "--find", "--show", file.toString()).strip());
  }

  private static String run(String... command) throws IOException {
    Process process = new ProcessBuilder(command).redirectErrorStream(true).start();
    String said = new String(process.getInputStream().readAllBytes(), StandardCharsets.UTF_8);
    try {
      if (!process.waitFor(WAIT.toSeconds(), TimeUnit.SECONDS) || process.exitValue() != 0) {
        process.destroyForcibly();
        throw new IOException(String.join(" ", command) + ": " + said);
      }
    } catch (InterruptedException stop) {
      Thread.currentThread().interrupt();
      throw new IOException(stop);
    }
    return said;
  }

  /** Whether loop devices can be had here. */
  public static boolean canLoop(Path directory) {
    Path file = directory.resolve("probe.img");
    try {
      try (RandomAccessFile probe = new RandomAccessFile(file.toFile(), "rw")) {
        probe.setLength(1 << 20);
      }
      run("losetup", "-d", attach(file).toString());
      return true;
    } catch (IOException cannot) {
      return false;
    } finally {
      file.toFile().delete();
    }
  }

  @Override
  public void close() throws IOException {
    workers.shutdownNow();
    try {
      this.<HostCommand, HostCommand.Farewell>ask(
          host, replyTo -> new HostCommand.Shutdown(Duration.ofSeconds(10).toNanos(), replyTo));
    } finally {
      system.terminate();
    }
    get(system.getWhenTerminated().toCompletableFuture());
  }
}
