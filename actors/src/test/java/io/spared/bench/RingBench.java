package io.spared.bench;

import com.sun.management.ThreadMXBean;
import com.typesafe.config.ConfigFactory;
import io.spared.ffi.disk.Disk;
import io.spared.ffi.disk.DiskAddress;
import io.spared.ffi.disk.DiskOpener;
import io.spared.ffi.disk.SystemDiskOpener;
import io.spared.ffi.engine.DiskPort;
import io.spared.ffi.engine.EngineSettings;
import io.spared.ffi.engine.IoRequest.Operation;
import io.spared.ffi.engine.LoopDevice;
import io.spared.ffi.engine.UringEngine;
import io.spared.ffi.world.World;
import io.spared.ring.Ring;
import io.spared.ring.SystemRings;
import java.io.IOException;
import java.lang.management.ManagementFactory;
import java.nio.ByteBuffer;
import java.nio.channels.FileChannel;
import java.nio.file.Files;
import java.nio.file.Path;
import java.nio.file.StandardOpenOption;
import java.util.ArrayDeque;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.Deque;
import java.util.List;
import java.util.Locale;
import java.util.concurrent.CompletableFuture;
import java.util.concurrent.TimeUnit;
import java.util.regex.Matcher;
import java.util.regex.Pattern;
import org.apache.pekko.actor.typed.ActorRef;
import org.apache.pekko.actor.typed.ActorSystem;
import org.apache.pekko.actor.typed.Behavior;
import org.apache.pekko.actor.typed.javadsl.Behaviors;

/**
 * 4 KiB random reads and writes through a ring, raw and under an actor, against fio's io_uring
 * engine on the same disks, interleaved: in every round each contender has its turn, and the
 * figures are medians of the rounds' ratios, so that what slows the machine for a while slows all.
 */
public final class RingBench implements Benchmark {
  private static final int[] DEPTHS = {1, 32, 128};
  private static final long DISK_BYTES = 512L << 20;
  private static final long WARM_UP_NANOS = 400_000_000;
  private static final Operation[] OPERATIONS = {Operation.READ, Operation.WRITE};

  /** For all rounds of a quick run, set-up and warm-up not counted: it ends within 50 s. */
  private static final long QUICK_NANOS = 38_000_000_000L;

  private record Target(String name, Path path) {}

  /** What one contender reached in one round; processor time is that of its own thread. */
  private record Measured(double perSecond, double cpuMicros, double allocatedBytes) {}

  /** Tells the bench's actor what to do. */
  private sealed interface Command {
    record Run(
        Path disk, Operation operation, int depth, long nanos, CompletableFuture<Measured> result)
        implements Command {}

    record Drain() implements Command {}

    record Stop() implements Command {}
  }

  @Override
  public void run(BenchArguments arguments, Figures figures) throws Exception {
    int rounds = arguments.quick() ? 3 : 9;
    long millis = arguments.quick() ? 250 : 700;
    for (int i = 0; i + 1 < arguments.rest().size(); i++) {
      if (arguments.rest().get(i).equals("--rounds")) {
        rounds = Integer.parseInt(arguments.rest().get(i + 1));
      } else if (arguments.rest().get(i).equals("--millis")) {
        millis = Long.parseLong(arguments.rest().get(i + 1));
      }
    }
    Deque<AutoCloseable> closeLast = new ArrayDeque<>();
    try {
      List<Target> targets = targets(closeLast);
      ActorSystem<Void> system =
          ActorSystem.create(
              Behaviors.empty(),
              "bench",
              ConfigFactory.parseString(
                      """
                      pekko.loglevel = WARNING
                      spared.rings.count = 1
                      spared.ring.engine = io_uring
                      """)
                  .withFallback(ConfigFactory.load()));
      closeLast.push(() -> {
        system.terminate();
        system.getWhenTerminated().toCompletableFuture().get(20, TimeUnit.SECONDS);
      });
      int rows = targets.size() * OPERATIONS.length * DEPTHS.length;
      long rowNanos = arguments.quick() ? QUICK_NANOS / rows : Long.MAX_VALUE;
      Ring ring = SystemRings.start(system).ring(0);
      ActorRef<Command> actor = system.systemActorOf(actor(ring), "load", ring.dispatcher());
      for (Target target : targets) {
        for (Operation operation : OPERATIONS) {
          raw(target, operation, 32, WARM_UP_NANOS);
          underActor(actor, target, operation, 32, WARM_UP_NANOS);
        }
      }
      System.out.printf(
          Locale.ROOT,
          "%-6s %-6s %5s | %8s %8s %8s | %6s %6s | %7s %7s %7s | %8s %8s%n",
          "disk",
          "",
          "depth",
          "fio",
          "raw",
          "actor",
          "raw/f",
          "act/f",
          "fio us",
          "raw us",
          "act us",
          "raw B/IO",
          "act B/IO");
      for (Target target : targets) {
        for (Operation operation : OPERATIONS) {
          for (int depth : DEPTHS) {
            compare(figures, actor, target, operation, depth, rounds, millis, rowNanos);
          }
        }
      }
    } finally {
      while (!closeLast.isEmpty()) {
        closeLast.pop().close();
      }
    }
  }

  private static void compare(
      Figures figures,
      ActorRef<Command> actor,
      Target target,
      Operation operation,
      int depth,
      int most,
      long millis,
      long rowNanos)
      throws Exception {
    double[] fio = new double[most];
    double[] raw = new double[most];
    double[] acting = new double[most];
    double[] fioCpu = new double[most];
    double[] rawCpu = new double[most];
    double[] actorCpu = new double[most];
    double[] rawRatio = new double[most];
    double[] actorRatio = new double[most];
    double rawAllocated = Double.MAX_VALUE;
    double actorAllocated = Double.MAX_VALUE;
    long begin = System.nanoTime();
    int rounds = 0;
    // As many as fit into the row's time, and one at least.
    while (rounds == 0
        || (rounds < most && (System.nanoTime() - begin) / rounds * (rounds + 1) < rowNanos)) {
      int round = rounds++;
      // Each contender is first, second and last in turn.
      for (int place = 0; place < 3; place++) {
        switch ((round + place) % 3) {
          case 0 -> {
            Measured measured = fio(target, operation, depth, millis);
            fio[round] = measured.perSecond();
            fioCpu[round] = measured.cpuMicros();
          }
          case 1 -> {
            Measured measured = raw(target, operation, depth, millis * 1_000_000);
            raw[round] = measured.perSecond();
            rawCpu[round] = measured.cpuMicros();
            rawAllocated = Math.min(rawAllocated, measured.allocatedBytes());
          }
          default -> {
            Measured measured = underActor(actor, target, operation, depth, millis * 1_000_000);
            acting[round] = measured.perSecond();
            actorCpu[round] = measured.cpuMicros();
            actorAllocated = Math.min(actorAllocated, measured.allocatedBytes());
          }
        }
      }
      rawRatio[round] = raw[round] / fio[round];
      actorRatio[round] = acting[round] / fio[round];
    }
    String name =
        "ring." + target.name() + "." + operation.name().toLowerCase(Locale.ROOT) + "." + depth;
    System.out.printf(
        Locale.ROOT,
        "%-6s %-6s %5d | %8.0f %8.0f %8.0f | %6.2f %6.2f | %7.2f %7.2f %7.2f | %8.3f %8.3f%n",
        target.name(),
        operation.name().toLowerCase(Locale.ROOT),
        depth,
        median(fio, rounds),
        median(raw, rounds),
        median(acting, rounds),
        median(rawRatio, rounds),
        median(actorRatio, rounds),
        median(fioCpu, rounds),
        median(rawCpu, rounds),
        median(actorCpu, rounds),
        rawAllocated,
        actorAllocated);
    figures.report(name + ".fio", median(fio, rounds), "IOPS");
    // How much processor time an I/O takes does not depend on who else uses the machine.
    figures.report(name + ".fio.cpu", median(fioCpu, rounds), "us/IO");
    figures.report(name + ".raw.cpu", median(rawCpu, rounds), "us/IO");
    figures.report(name + ".actor.cpu", median(actorCpu, rounds), "us/IO");
    if (depth == 1) {
      figures.report(name + ".raw", median(rawRatio, rounds), "of-fio");
      figures.report(name + ".actor", median(actorRatio, rounds), "of-fio");
    } else {
      figures.atLeast(name + ".raw", median(rawRatio, rounds), "of-fio", 0.95);
      figures.atLeast(name + ".actor", median(actorRatio, rounds), "of-fio", 0.90);
    }
    // The smallest round: the compiler and a growing buffer pool allocate too, but only once.
    figures.atMost(name + ".raw.allocated", rawAllocated, "bytes/IO", 0.01);
    figures.report(name + ".actor.allocated", actorAllocated, "bytes/IO");
  }

  private static double median(double[] values, int count) {
    double[] sorted = Arrays.copyOf(values, count);
    Arrays.sort(sorted);
    int middle = sorted.length / 2;
    return sorted.length % 2 == 1 ? sorted[middle] : (sorted[middle - 1] + sorted[middle]) / 2;
  }

  // Disks.

  private static List<Target> targets(Deque<AutoCloseable> closeLast) throws IOException {
    List<Target> targets = new ArrayList<>();
    Path directory = Files.createTempDirectory(Path.of("").toAbsolutePath(), "ring-bench-");
    closeLast.push(() -> Files.deleteIfExists(directory));
    Path file = directory.resolve("file");
    closeLast.push(() -> Files.deleteIfExists(file));
    fill(file);
    String type = Files.getFileStore(file).type();
    targets.add(new Target(type.equals("ext4") ? "ext4" : type, file));
    Path memory = Files.createTempFile(Path.of("/dev/shm"), "ring-bench-", "");
    closeLast.push(() -> Files.deleteIfExists(memory));
    fill(memory);
    LoopDevice loop = LoopDevice.over(memory);
    closeLast.push(loop);
    targets.add(new Target("loop", loop.path()));
    return targets;
  }

  private static void fill(Path file) throws IOException {
    ByteBuffer piece = ByteBuffer.allocateDirect(1 << 20);
    while (piece.hasRemaining()) {
      piece.put((byte) (piece.position() * 31));
    }
    try (FileChannel to =
        FileChannel.open(file, StandardOpenOption.WRITE, StandardOpenOption.CREATE)) {
      for (long at = 0; at < DISK_BYTES; at += piece.capacity()) {
        piece.clear();
        while (piece.hasRemaining()) {
          to.write(piece, at + piece.position());
        }
      }
      to.force(true);
    }
  }

  private static Disk open(Path path) throws Exception {
    return new SystemDiskOpener().open(new DiskAddress.OfPath(path), DiskOpener.Mode.OWN);
  }

  // Contenders.

  private static Measured fio(Target target, Operation operation, int depth, long millis) {
    String output =
        LoopDevice.run(
            List.of(
                "fio",
                "--name=ring",
                "--filename=" + target.path(),
                "--size=" + DISK_BYTES,
                "--direct=1",
                "--ioengine=io_uring",
                "--rw=" + (operation == Operation.READ ? "randread" : "randwrite"),
                "--bs=4k",
                "--iodepth=" + depth,
                "--time_based",
                "--runtime=" + millis + "ms",
                "--output-format=json"));
    // Reads, writes and trims each have figures of their own, two of them zero.
    double perSecond = largest(output, "iops");
    double requests = largest(output, "total_ios");
    if (perSecond == 0 || requests == 0) {
      throw new IllegalStateException("fio gave no figure: " + output);
    }
    double share = (largest(output, "usr_cpu") + largest(output, "sys_cpu")) / 100;
    return new Measured(perSecond, share * largest(output, "job_runtime") * 1000 / requests, 0);
  }

  private static double largest(String output, String name) {
    double largest = 0;
    Matcher matcher = Pattern.compile("\"" + name + "\" : ([0-9.]+)").matcher(output);
    while (matcher.find()) {
      largest = Math.max(largest, Double.parseDouble(matcher.group(1)));
    }
    return largest;
  }

  private static Measured raw(Target target, Operation operation, int depth, long nanos)
      throws Exception {
    CompletableFuture<Measured> result = new CompletableFuture<>();
    Thread thread =
        new Thread(
            () -> {
              try {
                result.complete(rawHere(target, operation, depth, nanos));
              } catch (Throwable e) {
                result.completeExceptionally(e);
              }
            },
            "raw-ring");
    thread.start();
    Measured measured = result.get(60, TimeUnit.SECONDS);
    thread.join();
    return measured;
  }

  private static Measured rawHere(Target target, Operation operation, int depth, long nanos)
      throws Exception {
    EngineSettings settings = EngineSettings.DEFAULT.withLongEntries();
    try (Disk disk = open(target.path());
        UringEngine engine = UringEngine.open(World.real().clock(), settings)) {
      DiskPort port = disk.attach(engine);
      RingLoad[] holder = new RingLoad[1];
      RingLoad load =
          new RingLoad(engine, port, operation, DISK_BYTES, depth, () -> holder[0].drain());
      holder[0] = load;
      load.begin();
      long settled = engine.nanoTime() + nanos / 10;
      while (engine.nanoTime() < settled) {
        engine.turn(true);
      }
      ThreadMXBean threads = (ThreadMXBean) ManagementFactory.getThreadMXBean();
      long doneBefore = load.done();
      long cpuBefore = threads.getCurrentThreadCpuTime();
      long allocatedBefore = threads.getCurrentThreadAllocatedBytes();
      long start = engine.nanoTime();
      long end = start + nanos;
      long now = start;
      while (now < end) {
        engine.turn(true);
        now = engine.nanoTime();
      }
      long allocated = threads.getCurrentThreadAllocatedBytes() - allocatedBefore;
      long cpu = threads.getCurrentThreadCpuTime() - cpuBefore;
      long done = load.done() - doneBefore;
      load.stop();
      while (!load.isIdle()) {
        engine.turn(true);
      }
      load.release();
      port.detach();
      return new Measured(
          done * 1e9 / (now - start), cpu / 1000.0 / done, (double) allocated / done);
    }
  }

  private static Measured underActor(
      ActorRef<Command> actor, Target target, Operation operation, int depth, long nanos)
      throws Exception {
    CompletableFuture<Measured> result = new CompletableFuture<>();
    actor.tell(new Command.Run(target.path(), operation, depth, nanos, result));
    return result.get(60, TimeUnit.SECONDS);
  }

  private static Behavior<Command> actor(Ring ring) {
    return Behaviors.setup(context -> {
      Command.Drain drain = new Command.Drain();
      LoadRun[] run = new LoadRun[1];
      return Behaviors.receiveMessage(message -> {
        switch (message) {
          case Command.Run begin -> {
            run[0] = new LoadRun(ring, begin, () -> context.getSelf().tell(drain));
            run[0].begin();
          }
          case Command.Drain ignored -> run[0].drain();
          case Command.Stop ignored -> {
            return Behaviors.stopped();
          }
        }
        return Behaviors.same();
      });
    });
  }

  /** One measured run inside the actor; time is looked at once per message. */
  private static final class LoadRun {
    private final Ring ring;
    private final Command.Run command;
    private final Disk disk;
    private final DiskPort port;
    private final RingLoad load;
    private final ThreadMXBean threads = (ThreadMXBean) ManagementFactory.getThreadMXBean();
    private long start;
    private long doneBefore;
    private long allocatedBefore;
    private boolean measuring;
    private boolean over;
    private double perSecond;
    private double cpuMicros;
    private long cpuBefore;
    private double allocatedBytes;

    LoadRun(Ring ring, Command.Run command, Runnable signal) {
      this.ring = ring;
      this.command = command;
      try {
        this.disk = open(command.disk());
      } catch (Exception e) {
        throw new IllegalStateException(e);
      }
      this.port = disk.attach(ring.engine());
      this.load =
          new RingLoad(
              ring.engine(), port, command.operation(), DISK_BYTES, command.depth(), signal);
    }

    void begin() {
      start = ring.engine().nanoTime();
      load.begin();
    }

    void drain() {
      load.drain();
      if (over) {
        end();
        return;
      }
      long now = ring.engine().nanoTime();
      if (!measuring) {
        if (now - start > command.nanos() / 10) {
          measuring = true;
          start = now;
          doneBefore = load.done();
          cpuBefore = threads.getCurrentThreadCpuTime();
          allocatedBefore = threads.getCurrentThreadAllocatedBytes();
        }
      } else if (now - start >= command.nanos()) {
        long allocated = threads.getCurrentThreadAllocatedBytes() - allocatedBefore;
        long done = load.done() - doneBefore;
        perSecond = done * 1e9 / (now - start);
        allocatedBytes = (double) allocated / done;
        cpuMicros = (threads.getCurrentThreadCpuTime() - cpuBefore) / 1000.0 / done;
        over = true;
        load.stop();
      }
    }

    private void end() {
      if (load.isIdle() && !command.result().isDone()) {
        load.release();
        port.detach();
        disk.close();
        command.result().complete(new Measured(perSecond, cpuMicros, allocatedBytes));
      }
    }
  }
}
