package io.spared.app.scenario;

import static java.util.Objects.requireNonNull;

import io.spared.app.ctl.Ctl;
import io.spared.app.offline.Creation;
import io.spared.app.offline.OfflineDisks;
import io.spared.app.offline.OfflineException;
import io.spared.ffi.disk.DiskException;
import io.spared.format.Form;
import io.spared.format.Owner;
import java.io.IOException;
import java.io.PrintWriter;
import java.io.StringWriter;
import java.nio.ByteBuffer;
import java.nio.channels.FileChannel;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.nio.file.StandardOpenOption;
import java.util.ArrayList;
import java.util.HashMap;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import java.util.UUID;
import java.util.concurrent.TimeUnit;
import java.util.concurrent.atomic.AtomicReference;
import java.util.random.RandomGenerator;
import java.util.random.RandomGeneratorFactory;
import org.jspecify.annotations.Nullable;

/**
 * The real daemon, killed with SIGKILL while a client writes, and started again, round after round.
 * After every kill the client, on its broken connections, reads everything and compares it with
 * what it was told ({@link SectorTruth}).
 *
 * <p>With {@link Disks#LOCAL} the disks are files, some writes to main fail and are moved, and not
 * even an unflushed write may be missing, since the host lives. With {@link Disks#LOOP} sectors of
 * main become unreadable as well, some writes to the spare fail, with its slots and copies, and
 * some requests take longer. With {@link Disks#VOLATILE} both disks are exports of nbdkit that keep
 * what is written in memory until it is flushed, and these servers are killed together with the
 * daemon: that is a loss of power, after which only what was flushed must be there. With {@link
 * Disks#FILTERED} these servers also fail some reads and writes until then.
 */
public final class KillTrial implements AutoCloseable {
  /** What the device lies on. */
  public enum Disks {
    LOCAL,
    /** The same files under loop devices, which are claimed as block devices are. */
    LOOP,
    VOLATILE,
    /** The same with errors from nbdkit's error filter. */
    FILTERED;

    boolean isRemote() {
      return this == VOLATILE || this == FILTERED;
    }
  }

  private static final long DISK_BYTES = 64L << 20;

  /** The part of the device that is used: small, so that writes meet again and again. */
  private static final int SECTORS = (8 << 20) / SectorTruth.SECTOR_BYTES;

  private static final int SECTOR_BYTES = SectorTruth.SECTOR_BYTES;
  private static final int BAD_PLACES = 6;
  private static final int SPOILED_MAX = 12;
  private static final int HELD = 4;

  private final Path directory;
  private final Disks disks;
  private final Optional<Path> activation;
  private final RandomGenerator random;
  private final SectorTruth truth = new SectorTruth(SECTORS);
  private final List<FarServer> servers = new ArrayList<>();
  private final Map<String, String> loops = new HashMap<>();
  private Optional<DaemonProcess> daemon = Optional.empty();
  private long acknowledged;
  private long flushes;
  private long unanswered;
  private long takenBack;
  private long checked;
  private long unreadable;
  private long remapped;

  /**
   * Makes the device and starts the daemon.
   *
   * @param activation a socket that the daemon is to be given as a service manager does, beside its
   *     own
   */
  public KillTrial(Path directory, Disks disks, Optional<Path> activation, long seed)
      throws IOException, OfflineException {
    this.directory = directory;
    this.disks = disks;
    this.activation = activation;
    this.random = RandomGeneratorFactory.of("Random").create(seed);
    for (String name : List.of("main", "spare")) {
      try (FileChannel channel =
          FileChannel.open(image(name), StandardOpenOption.CREATE_NEW, StandardOpenOption.WRITE)) {
        channel.write(ByteBuffer.allocate(1), DISK_BYTES - 1);
      }
    }
    try {
      attachLoops();
      startServers();
      try (OfflineDisks offline = new OfflineDisks()) {
        new Creation(
                offline,
                new Creation.Request(
                    "a",
                    disk("main"),
                    List.of(disk("spare")),
                    Form.ADOPT,
                    4096,
                    5,
                    false,
                    new Owner(new UUID(1, 2), "trial")))
            .make();
      }
      configure();
      startDaemon();
    } catch (IOException | OfflineException | RuntimeException failed) {
      close();
      throw failed;
    }
  }

  private Path image(String name) {
    return directory.resolve(name + ".img");
  }

  private String disk(String name) {
    return switch (disks) {
      case LOCAL -> image(name).toString();
      case LOOP -> requireNonNull(loops.get(name));
      case VOLATILE, FILTERED -> "nbd:unix:" + directory.resolve(name + ".sock") + ":";
    };
  }

  public Path socket() {
    return directory.resolve("nbd.sock");
  }

  private void configure() throws IOException {
    String listen = "\"unix:" + socket() + "\"" + (activation.isPresent() ? ", \"systemd:0\"" : "");
    Files.writeString(
        directory.resolve("spared.conf"),
        """
        spared {
          data-directory = "%s"
          control.socket = "%s"
          engine { rings = %d, buffers = 16 MiB }
          nbd.listen = [%s]
          defaults { surface-scan = false }
          devices.a { description = "killed now and then", main = "fault:%s", spares = ["fault:%s"] }
        }
        """
            .formatted(
                directory.resolve("data"),
                directory.resolve("control.sock"),
                1 + random.nextInt(2),
                listen,
                disk("main"),
                disk("spare")));
  }

  private void attachLoops() throws IOException {
    if (disks == Disks.LOOP) {
      for (String name : List.of("main", "spare")) {
        loops.put(
            name, run("losetup", "--find", "--show", "--direct-io=on", image(name).toString()));
      }
    }
  }

  private static String run(String... command) throws IOException {
    Process process = new ProcessBuilder(command).redirectErrorStream(true).start();
    String said = new String(process.getInputStream().readAllBytes(), StandardCharsets.UTF_8);
    if (process.onExit().orTimeout(20, TimeUnit.SECONDS).join().exitValue() != 0) {
      throw new IOException(String.join(" ", command) + ": " + said.trim());
    }
    return said.trim();
  }

  private void startServers() throws IOException {
    if (disks.isRemote()) {
      for (String name : List.of("main", "spare")) {
        List<String> command = new ArrayList<>();
        if (disks == Disks.FILTERED) {
          command.add("--filter=error");
        }
        command.addAll(
            List.of("--filter=cache", "file", image(name).toString(), "cache=writeback"));
        if (disks == Disks.FILTERED) {
          // Only while this file is there.
          command.addAll(
              List.of(
                  "error-pread-rate=0.001",
                  "error-pwrite-rate=0.002",
                  "error-file=" + directory.resolve("faults")));
        }
        servers.add(
            FarServer.start(directory.resolve(name + ".sock"), command.toArray(String[]::new)));
      }
    }
  }

  private void startDaemon() throws IOException {
    daemon =
        Optional.of(
            DaemonProcess.start(
                directory.resolve("spared.conf"), directory.resolve("daemon.log"), activation));
  }

  /** Writes, kills in the middle of it, starts again, and checks. */
  public void round() throws IOException, OfflineException {
    try (VerifiedLoad load = connect()) {
      load.writeMore(100);
      spoil();
      load.writeMore(200 + random.nextInt(600));
      if (!disks.isRemote()) {
        // On a slow machine those that meet a bad place may all be under way still.
        while (remapped() == 0) {
          load.writeMore(50);
        }
        // And all that are under way may be answered before the kill, but for these.
        control("fault", "a", "main", "write", "delay=60s", "times=" + HELD);
        load.writeMore(100);
      }
      daemon.orElseThrow().kill();
      Files.deleteIfExists(directory.resolve("faults"));
      boolean powerLost = disks.isRemote();
      if (powerLost) {
        takenBack += truth.unflushed();
        servers.forEach(FarServer::kill);
        servers.clear();
      }
      startServers();
      startDaemon();
      load.goOnAndCheckAll(powerLost);
      acknowledged += load.acknowledged();
      flushes += load.flushes();
      unanswered += load.unanswered();
      checked += load.checked();
      unreadable += load.unreadable();
      remapped();
    }
  }

  /** The device assembles while we knock. */
  private VerifiedLoad connect() throws IOException {
    AtomicReference<@Nullable VerifiedLoad> made = new AtomicReference<>();
    AtomicReference<@Nullable Exception> last = new AtomicReference<>();
    Trial.until(() -> {
      try {
        made.set(new VerifiedLoad(socket(), "a", truth, random));
      } catch (IOException | DiskException notYet) {
        last.set(notYet);
      }
      return made.get() != null;
    });
    VerifiedLoad load = made.get();
    if (load == null) {
      throw new IOException("the export is not served", last.get());
    }
    return load;
  }

  /** From now on the disks fail in some places or now and then, until the daemon is another one. */
  private void spoil() throws IOException {
    if (disks == Disks.FILTERED) {
      Files.createFile(directory.resolve("faults"));
    }
    if (disks.isRemote()) {
      return;
    }
    if (disks == Disks.LOOP) {
      for (int i = 0; i < BAD_PLACES; i++) {
        int first = random.nextInt(SECTORS - SPOILED_MAX);
        int count = 1 + random.nextInt(SPOILED_MAX);
        truth.spoils(first, count);
        control(
            "fault",
            "a",
            "main",
            "read",
            "until-written=ENODATA",
            "range=" + (long) first * SECTOR_BYTES + "+" + count * SECTOR_BYTES);
      }
      control("fault", "a", "spare-0", "write", "fail=ENODATA", "rate=0.01", "times=4");
      control("fault", "a", "main", "any", "delay=4ms", "rate=0.05");
      control("fault", "a", "spare-0", "any", "delay=8ms", "rate=0.2");
    }
    for (int i = 0; i < BAD_PLACES; i++) {
      long block = random.nextInt(SECTORS / 8);
      control("fault", "a", "main", "write", "fail=ENODATA", "range=" + block * 4 + "K+16K");
    }
  }

  /** What the control interface answers. */
  public String control(String... words) throws IOException {
    List<String> command =
        new ArrayList<>(List.of("--socket", directory.resolve("control.sock").toString()));
    command.addAll(List.of(words));
    StringWriter answer = new StringWriter();
    PrintWriter out = new PrintWriter(answer);
    int code = Ctl.run(command.toArray(String[]::new), out, out);
    out.flush();
    if (code != 0) {
      throw new IOException(String.join(" ", words) + ": " + answer);
    }
    return answer.toString();
  }

  /** Kills the daemon without any load of ours, and starts it again. */
  public void killAndStart() throws IOException {
    daemon.orElseThrow().kill();
    startDaemon();
  }

  /** Blocks that live on the spare now. */
  public long remapped() throws IOException {
    java.util.regex.Matcher number =
        java.util.regex.Pattern.compile("\"remapped\"\\s*:\\s*(\\d+)")
            .matcher(control("--json", "status", "a"));
    if (!number.find()) {
      throw new IOException("the status does not say how many blocks are remapped");
    }
    remapped = Long.parseLong(number.group(1));
    return remapped;
  }

  public long acknowledged() {
    return acknowledged;
  }

  public long flushes() {
    return flushes;
  }

  /** Writes that were under way when the daemon was killed. */
  public long unanswered() {
    return unanswered;
  }

  /** Reads beside the writes whose bytes were right. */
  public long checked() {
    return checked;
  }

  /** Sectors that were lost with the places that became unreadable, as found after each restart. */
  public long unreadable() {
    return unreadable;
  }

  /** Sectors that the losses of power could take back. */
  public long takenBack() {
    return takenBack;
  }

  @Override
  public void close() {
    daemon.ifPresent(DaemonProcess::close);
    daemon = Optional.empty();
    servers.forEach(FarServer::close);
    servers.clear();
    loops.values().forEach(KillTrial::detach);
    loops.clear();
  }

  private static void detach(String loop) {
    try {
      run("losetup", "--detach", loop);
    } catch (IOException stays) {
      System.err.println("left behind: " + stays.getMessage());
    }
  }

  @Override
  public String toString() {
    return disks
        + ": "
        + acknowledged
        + " writes and "
        + flushes
        + " flushes acknowledged, "
        + unanswered
        + " under way when it was killed, "
        + remapped
        + " blocks remapped, "
        + takenBack
        + " sectors were unflushed when power was lost";
  }
}
