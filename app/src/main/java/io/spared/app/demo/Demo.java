package io.spared.app.demo;

import io.spared.app.files.HostIdentity;
import io.spared.app.offline.Creation;
import io.spared.app.offline.OfflineDisks;
import io.spared.app.offline.OfflineException;
import io.spared.app.offline.Reports;
import io.spared.app.offline.Survey;
import io.spared.device.Answer;
import io.spared.device.DeviceCommand;
import io.spared.device.DeviceStatus;
import io.spared.device.Phase;
import io.spared.ffi.disk.DiskOpener;
import io.spared.ffi.world.World;
import io.spared.format.CopyLayout;
import io.spared.format.CopyPlace;
import io.spared.format.DeviceImage;
import io.spared.format.Form;
import io.spared.monitor.Event;
import java.io.IOException;
import java.io.PrintStream;
import java.nio.ByteBuffer;
import java.nio.channels.FileChannel;
import java.nio.file.Files;
import java.nio.file.Path;
import java.nio.file.StandardOpenOption;
import java.time.Duration;
import java.util.ArrayList;
import java.util.Comparator;
import java.util.List;
import java.util.Locale;
import java.util.Optional;
import java.util.concurrent.CountDownLatch;
import java.util.concurrent.atomic.AtomicLong;
import java.util.concurrent.locks.LockSupport;
import java.util.random.RandomGenerator;
import java.util.stream.Stream;

/**
 * The demonstration: the real daemon over files, with a client that writes and verifies over NBD
 * while disks fail. Every figure of the summary is counted from what happened, and it ends with 0
 * only if every check held.
 */
public final class Demo {
  private static final long DISK_BYTES = 64L << 20;
  private static final int CLIENT_BLOCKS = 2048;
  private static final Duration PATIENCE = Duration.ofSeconds(12);

  private final PrintStream out = System.out;
  private final World world = World.real();
  private final Path directory;
  private final long seed;
  private final RandomGenerator random;
  private final AtomicLong remaps = new AtomicLong();
  private final AtomicLong repaired = new AtomicLong();
  private final AtomicLong damaged = new AtomicLong();
  private final List<String> failed = new ArrayList<>();
  private int checks;
  private long faultsInjected;
  private long copiesDestroyed;

  private Demo(Path directory, long seed) {
    this.directory = directory;
    this.seed = seed;
    this.random = Seeds.random(seed);
  }

  /** The command: {@code demo [--exit] [--seed N]}. */
  public static int run(String[] arguments) {
    boolean exit = false;
    long seed = Seeds.fresh();
    for (int i = 0; i < arguments.length; i++) {
      if (arguments[i].equals("--exit")) {
        exit = true;
      } else if (arguments[i].equals("--seed")
          && i + 1 < arguments.length
          && arguments[i + 1].matches("\\d{1,18}")) {
        seed = Long.parseLong(arguments[++i]);
      } else {
        System.err.println("spared demo: unknown argument " + arguments[i]);
        return 2;
      }
    }
    Path directory = null;
    try {
      directory = Files.createTempDirectory("spared-demo-");
      return new Demo(directory, seed).show(exit);
    } catch (IOException | OfflineException broken) {
      System.err.println("spared demo: " + broken.getMessage());
      return 1;
    } finally {
      if (directory != null) {
        delete(directory);
      }
    }
  }

  private int show(boolean exit) throws IOException, OfflineException {
    long began = world.clock().nanoTime();
    out.println("files as disks in " + directory + ", seed " + seed);
    DeviceImage image = create("archive");
    create("visitor");
    DemoClient client = new DemoClient(DemoHost.uri(directory, "archive"), CLIENT_BLOCKS, seed);
    DeviceStatus last;
    try (DemoHost host = DemoHost.start(directory, "archive", "visitor")) {
      host.follow(this::onEvent);
      check(
          "both devices are assembled and serve",
          host.until("archive", s -> s.phase() == Phase.ACTIVE, PATIENCE)
              && host.until("visitor", s -> s.phase() == Phase.ACTIVE, PATIENCE));
      Thread writing = start(client, "client");
      failMain(host, client);
      // Others each time: a copy that fails again and again is repaired more and more rarely.
      destroyCopies(host, image, 4, 5);
      destroyCopies(host, image, 0, 4);
      removeUnderLoad(host);
      client.stop();
      join(writing);
      check("the client was served to the end", client.end() == null);
      last = host.status("archive");
      Answer stopped = host.command("archive", replyTo -> new DeviceCommand.Stop(true, 0, replyTo));
      check("the device stops when it is told to", stopped instanceof Answer.Done);
    }
    checkOffline();
    try (DemoHost host = DemoHost.start(directory, "archive")) {
      check(
          "after a restart the device assembles from its disks",
          host.until("archive", s -> s.phase() == Phase.ACTIVE, PATIENCE));
      DeviceStatus again = host.status("archive");
      check(
          "every remap is remembered: "
              + last.remaps().remapped()
              + " before, "
              + again.remaps().remapped()
              + " after",
          again.remaps().remapped() == last.remaps().remapped());
      long right = client.verifyAll();
      check(
          right + " blocks hold what was written last, " + client.wrong.get() + " do not",
          client.wrong.get() == 0 && right > 0);
      summary(client, again, began);
      if (!exit) {
        serveUntilInterrupted();
      }
    }
    return failed.isEmpty() ? 0 : 1;
  }

  private DeviceImage create(String name) throws IOException, OfflineException {
    file(DemoHost.main(directory, name));
    file(DemoHost.spare(directory, name));
    try (OfflineDisks disks = new OfflineDisks()) {
      Creation.Made made =
          new Creation(
                  disks,
                  new Creation.Request(
                      name,
                      DemoHost.main(directory, name).toString(),
                      List.of(DemoHost.spare(directory, name).toString()),
                      Form.ADOPT,
                      DemoClient.BLOCK_BYTES,
                      5,
                      false,
                      HostIdentity.owner(directory)))
              .make();
      out.println("created " + made.sentence());
      return made.image();
    }
  }

  private static void file(Path path) throws IOException {
    try (FileChannel channel =
        FileChannel.open(path, StandardOpenOption.CREATE_NEW, StandardOpenOption.WRITE)) {
      channel.write(ByteBuffer.allocate(1), DISK_BYTES - 1);
    }
  }

  // What is shown.

  private void failMain(DemoHost host, DemoClient client) throws IOException {
    until(() -> client.written.get() > 200);
    out.println("main begins to fail: writes to 24 blocks, and 4 blocks that cannot be read");
    for (int i = 0; i < 24; i++) {
      long at = (long) random.nextInt(CLIENT_BLOCKS) * DemoClient.BLOCK_BYTES;
      inject(host, "write fail=ENODATA range=" + at + "+4096");
    }
    for (int i = 0; i < 4; i++) {
      long at = (long) random.nextInt(CLIENT_BLOCKS) * DemoClient.BLOCK_BYTES;
      inject(host, "read fail=ENODATA times=1 range=" + at + "+512");
    }
    long before = client.written.get();
    check(
        "remaps are made while the client writes",
        host.until("archive", s -> s.remaps().remapped() >= 8, PATIENCE));
    check("the client goes on writing", until(() -> client.written.get() > before + 500));
  }

  private void inject(DemoHost host, String rule) throws IOException {
    Answer answer =
        host.command("archive", replyTo -> new DeviceCommand.InjectFault("main", rule, replyTo));
    if (answer instanceof Answer.Done) {
      faultsInjected++;
    } else {
      check("a fault is injected: " + answer.sentence(), false);
    }
  }

  /** Overwrites copies on the spare, beneath the daemon, and waits until all are whole again. */
  private void destroyCopies(DemoHost host, DeviceImage image, int from, int to)
      throws IOException {
    int count = to - from;
    out.println("destroying " + count + " of 5 copies of the metadata beneath the daemon");
    CopyLayout layout = image.placement().orElseThrow().layout();
    try (FileChannel spare =
        FileChannel.open(DemoHost.spare(directory, "archive"), StandardOpenOption.WRITE)) {
      for (CopyPlace place : image.placement().orElseThrow().places().subList(from, to)) {
        noise(spare, place.offsetBytes(), CopyLayout.UNIT_BYTES);
        for (int area = 0; area < 2; area++) {
          noise(spare, place.offsetBytes() + layout.areaOffsetBytes(area), 64 << 10);
        }
        copiesDestroyed++;
      }
      spare.force(true);
    }
    long before = repaired.get();
    host.command("archive", replyTo -> new DeviceCommand.Scrub(false, replyTo));
    boolean mended =
        until(() -> repaired.get() >= before + count)
            && host.until("archive", s -> s.copies().good() == 5, PATIENCE);
    check("five of five copies again after " + count + " were destroyed", mended);
  }

  private void noise(FileChannel file, long offsetBytes, int lengthBytes) throws IOException {
    byte[] bytes = new byte[lengthBytes];
    random.nextBytes(bytes);
    file.write(ByteBuffer.wrap(bytes), offsetBytes);
  }

  private void removeUnderLoad(DemoHost host) throws IOException {
    out.println("removing a device while a client writes to it");
    DemoClient visitor =
        new DemoClient(DemoHost.uri(directory, "visitor"), CLIENT_BLOCKS, seed + 1);
    Thread writing = start(visitor, "visitor");
    check("the second device is written to", until(() -> visitor.written.get() > 50));
    Answer kept = host.command("visitor", replyTo -> new DeviceCommand.Stop(false, 0, replyTo));
    check(
        "stopping it without force is refused: " + kept.sentence(), kept instanceof Answer.Refused);
    long began = world.clock().nanoTime();
    Answer removed = host.remove("visitor");
    double seconds = (world.clock().nanoTime() - began) / 1e9;
    check(
        String.format(Locale.ROOT, "it is removed within its deadline of 5 s, in %.2f s", seconds),
        removed instanceof Answer.Done && seconds < 7);
    visitor.stop();
    join(writing);
    check("not one block of it read wrong", visitor.wrong.get() == 0);
  }

  private void checkOffline() throws IOException, OfflineException {
    try (OfflineDisks disks = new OfflineDisks()) {
      Survey survey =
          Survey.of(
              disks,
              List.of(DemoHost.spare(directory, "archive").toString()),
              DiskOpener.Mode.READ,
              Optional.empty(),
              true);
      boolean healthy =
          survey.devices().values().stream()
              .allMatch(found -> Reports.code(found.verdict()) == Reports.HEALTHY);
      check("at rest, all copies are whole and agree", healthy && !survey.devices().isEmpty());
    }
  }

  private void serveUntilInterrupted() {
    out.println(
        "serving until interrupted: nbd+unix:///archive?socket="
            + directory.resolve("nbd.sock")
            + ", ./spared ctl --socket "
            + directory.resolve("control.sock")
            + " status");
    CountDownLatch interrupted = new CountDownLatch(1);
    Thread here = Thread.currentThread();
    Runtime.getRuntime()
        .addShutdownHook(
            new Thread(
                () -> {
                  interrupted.countDown();
                  join(here);
                },
                "demo-stop"));
    try {
      interrupted.await();
    } catch (InterruptedException stop) {
      Thread.currentThread().interrupt();
    }
  }

  private void summary(DemoClient client, DeviceStatus status, long beganNanos) {
    out.println();
    line("blocks written", client.written.get());
    line("blocks verified", client.verified.get());
    line("blocks wrong", client.wrong.get());
    line("errors told to the client", client.errors.get());
    line("faults injected", faultsInjected);
    line("blocks moved", remaps.get());
    line("blocks on the spare now", status.remaps().remapped());
    line("sectors lost", status.remaps().lostSectors());
    line("copies destroyed", copiesDestroyed);
    line("copies found damaged", damaged.get());
    line("copies repaired", repaired.get());
    line("checks held", checks - failed.size());
    line("checks failed", failed.size());
    out.printf(
        Locale.ROOT, "%-28s %.1f s%n", "time", (world.clock().nanoTime() - beganNanos) / 1e9);
    failed.forEach(sentence -> out.println("FAILED: " + sentence));
  }

  private void line(String name, long value) {
    out.printf(Locale.ROOT, "%-28s %d%n", name, value);
  }

  private void onEvent(Event event) {
    switch (event.kind()) {
      case "remap.committed" -> {
        remaps.incrementAndGet();
        out.println("  " + event.device() + ": " + event.sentence());
      }
      case "copy.repaired" -> {
        repaired.incrementAndGet();
        out.println("  " + event.device() + ": " + event.sentence());
      }
      case "copy.damaged" -> {
        damaged.incrementAndGet();
        out.println("  " + event.device() + ": " + event.sentence());
      }
      default -> {
        if (event.severity().compareTo(Event.Severity.WARNING) >= 0) {
          out.println("  " + event.device() + ": " + event.sentence());
        }
      }
    }
  }

  private void check(String sentence, boolean held) {
    checks++;
    out.println((held ? "ok: " : "FAILED: ") + sentence);
    if (!held) {
      failed.add(sentence);
    }
  }

  private boolean until(java.util.function.BooleanSupplier wanted) {
    long end = world.clock().nanoTime() + PATIENCE.toNanos();
    while (world.clock().nanoTime() < end) {
      if (wanted.getAsBoolean()) {
        return true;
      }
      LockSupport.parkNanos(20_000_000L);
    }
    return false;
  }

  private static Thread start(Runnable work, String name) {
    Thread thread = new Thread(work, name);
    thread.setDaemon(true);
    thread.start();
    return thread;
  }

  private static void join(Thread thread) {
    try {
      thread.join(PATIENCE);
    } catch (InterruptedException stop) {
      Thread.currentThread().interrupt();
    }
  }

  private static void delete(Path directory) {
    try (Stream<Path> files = Files.walk(directory)) {
      for (Path file : files.sorted(Comparator.reverseOrder()).toList()) {
        Files.deleteIfExists(file);
      }
    } catch (IOException left) {
      System.err.println(
          "spared demo: " + directory + " could not be removed: " + left.getMessage());
    }
  }
}
