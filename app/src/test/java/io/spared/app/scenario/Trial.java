package io.spared.app.scenario;

import io.spared.app.Daemon;
import io.spared.app.config.ConfigReading;
import io.spared.app.files.HostIdentity;
import io.spared.app.offline.Creation;
import io.spared.app.offline.OfflineDisk;
import io.spared.app.offline.OfflineDisks;
import io.spared.app.offline.OfflineException;
import io.spared.device.Answer;
import io.spared.device.DeviceCommand;
import io.spared.device.DeviceStatus;
import io.spared.device.Phase;
import io.spared.ffi.disk.DiskAddress;
import io.spared.ffi.disk.DiskOpener;
import io.spared.ffi.world.World;
import io.spared.format.CopyLayout;
import io.spared.format.CopyPlace;
import io.spared.format.DeviceImage;
import io.spared.format.Extent;
import io.spared.format.ExtentKind;
import io.spared.format.Form;
import io.spared.host.HostCommand;
import io.spared.monitor.Event;
import io.spared.monitor.MonitorCommand;
import io.spared.spare.SpareUsage;
import java.io.IOException;
import java.nio.ByteBuffer;
import java.nio.channels.FileChannel;
import java.nio.file.Files;
import java.nio.file.Path;
import java.nio.file.StandardOpenOption;
import java.time.Duration;
import java.util.ArrayList;
import java.util.HashMap;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import java.util.concurrent.CompletionStage;
import java.util.concurrent.ExecutionException;
import java.util.concurrent.TimeUnit;
import java.util.concurrent.TimeoutException;
import java.util.concurrent.locks.LockSupport;
import java.util.function.Function;
import java.util.function.Predicate;
import org.apache.pekko.actor.typed.ActorRef;
import org.apache.pekko.actor.typed.javadsl.AskPattern;

/** The real daemon over files in a directory, with faults on every disk, and clients over NBD. */
public final class Trial implements AutoCloseable {
  private static final Duration WAIT = Duration.ofSeconds(60);
  private static final long DISK_BYTES = 64L << 20;

  private final Path directory;
  private final Map<String, DeviceImage> images = new HashMap<>();
  private final Map<String, String> spares = new HashMap<>();
  private final List<Path> found = new ArrayList<>();
  private final Map<String, String> mains = new HashMap<>();
  private final Map<String, List<Path>> furtherSpares = new HashMap<>();
  private final StringBuilder configuration = new StringBuilder();
  private Optional<Daemon> daemon = Optional.empty();
  private boolean bare;

  public Trial(Path directory) {
    this.directory = directory;
  }

  /** Makes a device NAME on two new files. */
  public Trial create(String name) throws IOException, OfflineException {
    file(main(name), DISK_BYTES);
    return createOn(name, main(name).toString());
  }

  /** With blocks and a spare of these sizes. */
  public Trial create(String name, int blockBytes, long spareBytes)
      throws IOException, OfflineException {
    file(main(name), DISK_BYTES);
    return createOn(name, main(name).toString(), blockBytes, spareBytes);
  }

  /** With another main disk than a file; a new file is the spare. */
  public Trial createOn(String name, String main) throws IOException, OfflineException {
    return createOn(name, main, 4096, DISK_BYTES);
  }

  private Trial createOn(String name, String main, int blockBytes, long spareBytes)
      throws IOException, OfflineException {
    file(spare(name), spareBytes);
    return make(name, main, spare(name).toString(), Form.ADOPT, blockBytes);
  }

  /** Of another form, on new files: the self-spare form has its spare on a tail of 32 MiB. */
  public Trial create(String name, Form form) throws IOException, OfflineException {
    file(main(name), DISK_BYTES);
    if (form == Form.SELF_SPARE) {
      return make(name, main(name).toString(), "tail:" + (32 << 20) + ":" + main(name), form, 4096);
    }
    file(spare(name), DISK_BYTES);
    return make(name, main(name).toString(), spare(name).toString(), form, 4096);
  }

  private Trial make(String name, String main, String spare, Form form, int blockBytes)
      throws IOException, OfflineException {
    mains.put(name, main);
    spares.put(name, spare);
    try (OfflineDisks disks = new OfflineDisks()) {
      images.put(
          name,
          new Creation(
                  disks,
                  new Creation.Request(
                      name,
                      main,
                      List.of(spare),
                      form,
                      blockBytes,
                      5,
                      false,
                      HostIdentity.owner(directory.resolve("data"))))
              .make()
              .image());
    }
    return this;
  }

  /** An empty disk to become a spare. */
  public Path empty(String file) throws IOException {
    Path path = directory.resolve(file);
    file(path, DISK_BYTES);
    return path;
  }

  public Answer addSpare(String name, Path disk) {
    return host(replyTo ->
        new HostCommand.AddSpare(
            name, new DiskAddress.OfFault(new DiskAddress.OfPath(disk)), -1, replyTo));
  }

  /** As a person names an added spare in the configuration, for the next start of the daemon. */
  public void configureSpare(String name, Path disk) {
    furtherSpares.computeIfAbsent(name, of -> new ArrayList<>()).add(disk);
  }

  /** More of the configuration, as it is written. */
  public Trial configure(String line) {
    configuration.append(line).append('\n');
    return this;
  }

  private static void file(Path path, long bytes) throws IOException {
    try (FileChannel channel =
        FileChannel.open(path, StandardOpenOption.CREATE_NEW, StandardOpenOption.WRITE)) {
      channel.write(ByteBuffer.allocate(1), bytes - 1);
    }
  }

  public Path main(String name) {
    return directory.resolve(name + "-main.img");
  }

  public Path spare(String name) {
    return directory.resolve(name + "-spare.img");
  }

  /** For measurements: no faults, and no policy that a command may not change. */
  public Trial bare() {
    bare = true;
    return this;
  }

  /** The daemon finds what stands on these files, and starts it. */
  public Trial startFinding(Path... files) throws IOException {
    found.addAll(List.of(files));
    return start();
  }

  /** The same for another main and no spare but the further ones, as the metadata has it now. */
  public void configure(String name, Path main, Path spare) {
    mains.put(name, main.toString());
    spares.put(name, spare.toString());
  }

  public boolean isThere(String name) {
    Optional<ActorRef<DeviceCommand>> known =
        ask(daemon().host(), replyTo -> new HostCommand.Find(name, replyTo));
    return known.isPresent();
  }

  /** Starts the daemon with these devices. */
  public Trial start(String... names) throws IOException {
    StringBuilder text = new StringBuilder("spared {\n");
    text.append("data-directory = \"").append(directory.resolve("data")).append("\"\n");
    text.append("control.socket = \"").append(socket()).append("\"\n");
    text.append("engine { rings = 1, buffers = 16 MiB }\n");
    text.append("nbd.listen = [\"unix:").append(directory.resolve("nbd.sock")).append("\"]\n");
    text.append("defaults { commit-timeout = 1 s, request-deadline = 2 s, open-deadline = 2 s\n");
    text.append("drain-deadline = 4 s").append(bare ? " }\n" : ", surface-scan = false }\n");
    text.append(configuration);
    if (!found.isEmpty()) {
      text.append("discovery { activate = true, delay = 10 ms, files = [\"");
      text.append(String.join("\", \"", found.stream().map(Path::toString).toList()));
      text.append("\"] }\n");
    }
    String wrapped = bare ? "" : "fault:";
    for (String name : names) {
      text.append("devices.").append(name);
      text.append(" { main = \"").append(wrapped).append(mains.get(name)).append("\"\n");
      text.append("spares = [\"").append(wrapped).append(spares.get(name)).append("\"");
      for (Path more : furtherSpares.getOrDefault(name, List.of())) {
        text.append(", \"").append(wrapped).append(more).append("\"");
      }
      text.append("] }\n");
    }
    Files.writeString(config(), text.append("}\n"));
    ConfigReading reading = ConfigReading.read(Optional.of(config()));
    daemon =
        Optional.of(
            Daemon.start(
                Optional.of(config()),
                reading
                    .config()
                    .orElseThrow(() -> new IOException(reading.problems().toString()))));
    return this;
  }

  /** What the daemon was started with, and reads again when told to. */
  public Path config() {
    return directory.resolve("spared.conf");
  }

  /** The export of a device, as other NBD clients name it. */
  public String uri(String name) {
    return "nbd+unix:///" + name + "?socket=" + directory.resolve("nbd.sock");
  }

  public Path socket() {
    return directory.resolve("c.sock");
  }

  private Daemon daemon() {
    return daemon.orElseThrow();
  }

  public DeviceStatus status(String name) {
    return ask(device(name), DeviceCommand.GetStatus::new);
  }

  public boolean serves(String name) {
    return until(name, status -> status.phase() == Phase.ACTIVE);
  }

  public boolean until(String name, Predicate<DeviceStatus> wanted) {
    return until(() -> wanted.test(status(name)));
  }

  /** Waits for a condition, for a minute at most. */
  public static boolean until(java.util.function.BooleanSupplier wanted) {
    long end = World.real().clock().nanoTime() + WAIT.toNanos();
    while (World.real().clock().nanoTime() < end) {
      if (wanted.getAsBoolean()) {
        return true;
      }
      LockSupport.parkNanos(20_000_000L);
    }
    return false;
  }

  public Answer command(String name, Function<ActorRef<Answer>, DeviceCommand> command) {
    return ask(device(name), command);
  }

  public CompletionStage<Answer> begin(
      String name, Function<ActorRef<Answer>, DeviceCommand> command) {
    return AskPattern.ask(device(name), command::apply, WAIT, daemon().system().scheduler());
  }

  public Answer host(Function<ActorRef<Answer>, HostCommand> command) {
    return ask(daemon().host(), command);
  }

  public Answer fault(String name, String disk, String rule) {
    return command(name, replyTo -> new DeviceCommand.InjectFault(disk, rule, replyTo));
  }

  public Answer stop(String name, boolean force) {
    return command(name, replyTo -> new DeviceCommand.Stop(force, 0, replyTo));
  }

  /** Its actor dies in the middle of whatever it does; another assembles it from its disks. */
  public void crash(String name) {
    ActorRef<DeviceCommand> before = device(name);
    org.apache.pekko.actor.typed.javadsl.Adapter.toClassic(before)
        .tell(
            org.apache.pekko.actor.Kill.getInstance(), org.apache.pekko.actor.ActorRef.noSender());
    until(() -> !device(name).equals(before));
  }

  /** Every actor at this path below the host gets the message, which may be one it cannot take. */
  public void tell(String path, Object message) {
    org.apache.pekko.actor.typed.javadsl.Adapter.toClassic(daemon().system())
        .actorSelection(daemon().host().path().toStringWithoutAddress() + path)
        .tell(message, org.apache.pekko.actor.ActorRef.noSender());
  }

  /** How often events of this kind were told. */
  public long count(String kind) {
    ActorRef<MonitorCommand> monitor = ask(daemon().host(), HostCommand.GetMonitor::new);
    Map<String, Long> counts = ask(monitor, MonitorCommand.Counts::new);
    return counts.getOrDefault(kind, 0L);
  }

  /** The last event of this kind. */
  public Event event(String kind) {
    return events().stream()
        .filter(event -> event.kind().equals(kind))
        .reduce((first, second) -> second)
        .orElseThrow();
  }

  /** What a spare has lent; -1 while it is not open. */
  public long lentBytes(Path disk) {
    List<SpareUsage> usages = ask(daemon().host(), HostCommand.GetSpares::new);
    return usages.stream()
        .filter(usage -> usage.address().endsWith(disk.toString()))
        .mapToLong(SpareUsage::lentBytes)
        .findFirst()
        .orElse(-1);
  }

  /** Where the first block that fails will be on the spare of a fresh device. */
  public long firstSlotBytes(String name) {
    return Optional.ofNullable(images.get(name)).orElseThrow().extents().stream()
        .filter(extent -> extent.kind() == ExtentKind.DATA)
        .mapToLong(Extent::offsetBytes)
        .min()
        .orElseThrow();
  }

  public List<Event> events() {
    ActorRef<MonitorCommand> monitor = ask(daemon().host(), HostCommand.GetMonitor::new);
    return ask(monitor, replyTo -> new MonitorCommand.Recent(0, 1000, replyTo));
  }

  public ActorRef<DeviceCommand> device(String name) {
    Optional<ActorRef<DeviceCommand>> found =
        ask(daemon().host(), replyTo -> new HostCommand.Find(name, replyTo));
    return found.orElseThrow();
  }

  public <C, T> T ask(ActorRef<C> actor, Function<ActorRef<T>, C> question) {
    try {
      return AskPattern.<C, T>ask(actor, question::apply, WAIT, daemon().system().scheduler())
          .toCompletableFuture()
          .get(WAIT.toSeconds(), TimeUnit.SECONDS);
    } catch (InterruptedException interrupted) {
      Thread.currentThread().interrupt();
      throw new IllegalStateException(interrupted);
    } catch (ExecutionException | TimeoutException failed) {
      throw new IllegalStateException(failed);
    }
  }

  /** Something that a client does with the export of a device. */
  public interface Client {
    void use(OfflineDisk disk) throws IOException;
  }

  public void client(String name, Client client) throws IOException, OfflineException {
    try (OfflineDisks disks = new OfflineDisks()) {
      client.use(
          disks.open(
              "nbd:unix:" + directory.resolve("nbd.sock") + ":" + name, DiskOpener.Mode.OWN));
    }
  }

  /** A block's content by its number and version. */
  public static ByteBuffer block(int number, int version) {
    ByteBuffer bytes = ByteBuffer.allocate(4096);
    while (bytes.hasRemaining()) {
      bytes.putInt(number).putInt(version);
    }
    return bytes.flip();
  }

  /** Overwrites copies beneath whoever uses them. */
  public void destroyCopies(String name, int... copies) throws IOException {
    DeviceImage image = images.get(name);
    if (image == null) {
      throw new IOException("no device " + name);
    }
    CopyLayout layout = image.placement().orElseThrow().layout();
    byte[] noise = new byte[16 << 10];
    java.util.Arrays.fill(noise, (byte) 0x5A);
    try (FileChannel file = FileChannel.open(spare(name), StandardOpenOption.WRITE)) {
      for (int copy : copies) {
        CopyPlace place = image.placement().orElseThrow().places().get(copy);
        file.write(ByteBuffer.wrap(noise, 0, CopyLayout.UNIT_BYTES), place.offsetBytes());
        for (int area = 0; area < 2; area++) {
          file.write(ByteBuffer.wrap(noise), place.offsetBytes() + layout.areaOffsetBytes(area));
        }
      }
      file.force(true);
    }
  }

  /** Ends the daemon; the files stay. */
  public void stopDaemon() {
    daemon.ifPresent(Daemon::close);
    daemon = Optional.empty();
  }

  @Override
  public void close() {
    stopDaemon();
  }

  public boolean exists(String file) {
    return Files.exists(directory.resolve(file));
  }
}
