package io.spared.bench;

import io.spared.ffi.engine.IoBuffer;
import io.spared.queue.DeviceDoubts;
import io.spared.queue.DeviceQueue;
import io.spared.queue.DeviceRequest;
import io.spared.queue.QueueCommand;
import io.spared.queue.QueueContext;
import io.spared.queue.QueueHost;
import io.spared.queue.QueuePolicy;
import io.spared.remap.RemapTable;
import io.spared.sim.SimEngine;
import io.spared.sim.SimWorld;
import java.lang.management.ManagementFactory;
import java.util.Collection;
import java.util.List;
import java.util.Map;
import java.util.Objects;
import org.openjdk.jmh.results.RunResult;
import org.openjdk.jmh.runner.Runner;
import org.openjdk.jmh.runner.options.Options;
import org.openjdk.jmh.runner.options.OptionsBuilder;
import org.openjdk.jmh.runner.options.TimeValue;

/**
 * What the heart costs: looking up, by JMH; memory of an entry; and a whole request through a queue
 * whose disks are instant, with what it allocates.
 */
public final class CoreBench implements Benchmark {
  private static final int BLOCK = 4096;

  @Override
  public void run(BenchArguments arguments, Figures figures) throws Exception {
    memory(figures);
    lookups(arguments, figures);
    queue(arguments, figures);
  }

  private static void lookups(BenchArguments arguments, Figures figures) throws Exception {
    boolean quick = arguments.quick();
    Options options =
        new OptionsBuilder()
            .include("^" + CoreLookups.class.getName().replace(".", "\\.") + "\\.")
            .include("^" + CoreMemory.class.getName().replace(".", "\\.") + "\\.")
            .forks(quick ? 1 : 3)
            .warmupIterations(quick ? 1 : 3)
            .warmupTime(TimeValue.seconds(1))
            .measurementIterations(quick ? 2 : 5)
            .measurementTime(TimeValue.seconds(1))
            .shouldFailOnError(true)
            // The collector is the launcher's, which is the daemon's; two would be refused.
            .jvmArgsAppend("-Xms1200m", "-Xmx1200m")
            .build();
    Collection<RunResult> results = new Runner(options).run();
    for (RunResult result : results) {
      double nanos = result.getPrimaryResult().getScore();
      switch (result.getPrimaryResult().getLabel()) {
        case "cleanRange" -> figures.atMost("core.lookup.clean-range", nanos, "ns", 25);
        case "hit" -> figures.atMost("core.lookup.hit-of-10M", nanos, "ns", 80);
        case "miss" -> figures.atMost("core.lookup.miss-in-10M", nanos, "ns", 80);
        case "chain" -> figures.report("core.lookup.dependent-chain", nanos, "ns");
        case "memory" -> figures.report("core.memory.independent", nanos, "ns");
        case "memoryChain" -> figures.report("core.memory.dependent", nanos, "ns");
        default -> throw new IllegalStateException("an unknown result");
      }
    }
  }

  private static long usedBytes() throws InterruptedException {
    long least = Long.MAX_VALUE;
    for (int i = 0; i < 4; i++) {
      System.gc();
      least = Math.min(least, ManagementFactory.getMemoryMXBean().getHeapMemoryUsage().getUsed());
    }
    return least;
  }

  private static void memory(Figures figures) throws InterruptedException {
    CoreLookups.table(10_000, 4);
    long before = usedBytes();
    long begin = System.nanoTime();
    RemapTable table = CoreLookups.table(CoreLookups.REMAPS, 3);
    double seconds = (System.nanoTime() - begin) / 1e9;
    double each = (double) (usedBytes() - before) / table.remapCount();
    figures.atMost("core.table.heap-per-remap", each, "bytes", 32);
    figures.report("core.table.fill-10M", seconds, "s");
    // By wall time a change has the collector's and the neighbours' pauses in it, by the thread's
    // own
    // processor time it has not.
    var threads = ManagementFactory.getThreadMXBean();
    long slowest = 0;
    long slowestOwn = 0;
    long sum = 0;
    int changes = 20_000;
    for (int i = 0; i < changes; i++) {
      long ownAt = threads.getCurrentThreadCpuTime();
      long at = System.nanoTime();
      table.put(i * 53_687L, 0, i, 0, 0);
      long took = System.nanoTime() - at;
      slowest = Math.max(slowest, took);
      slowestOwn = Math.max(slowestOwn, threads.getCurrentThreadCpuTime() - ownAt);
      sum += took;
    }
    figures.report("core.table.change-with-10M", (double) sum / changes, "ns");
    figures.report("core.table.slowest-change-with-10M", slowest / 1e3, "us");
    figures.report("core.table.slowest-change-with-10M.processor", slowestOwn / 1e3, "us");
  }

  /** One queue, one request at a time, disks that have done everything at once. */
  private static final class Loop implements QueueHost {
    final RemapTable table = new RemapTable(CoreLookups.GEOMETRY);
    final InstantDisk main = new InstantDisk();
    final InstantDisk spare = new InstantDisk();
    final SimEngine engine = new SimEngine(new SimWorld(1));
    final DeviceQueue queue;
    final DeviceRequest request;
    final IoBuffer buffer = Objects.requireNonNull(engine.buffers().take(1 << 20));
    long completed;
    long failed;

    Loop() {
      for (long block = 0; block < 1 << 20; block += 32) {
        table.put(block, 0, 3 * block, 0, 0);
      }
      table.publish();
      queue =
          new DeviceQueue(
              new QueueContext(
                  0,
                  CoreLookups.GEOMETRY,
                  table,
                  main,
                  Map.of(0, spare),
                  QueuePolicy.DEFAULT,
                  new DeviceDoubts(),
                  report -> {}),
              engine,
              () -> {},
              this);
      queue.handle(new QueueCommand.Begin(List.of()));
      request = Objects.requireNonNull(queue.newRequest());
    }

    @Override
    public void completed(DeviceRequest ended) {
      completed++;
      failed += ended.errno() == null ? 0 : 1;
    }

    @Override
    public void closed() {}

    void one(long offsetBytes, int lengthBytes, boolean write) {
      if (write) {
        request.write(offsetBytes, lengthBytes, buffer, 0, false);
      } else {
        request.read(offsetBytes, lengthBytes, buffer, 0);
      }
      queue.submit(request);
      queue.completionsReady();
    }
  }

  private static void queue(BenchArguments arguments, Figures figures) {
    int rounds = arguments.quick() ? 300_000 : 2_000_000;
    long clean = 1L << 40;
    measure(
        figures,
        "read-4k-clean",
        rounds,
        (loop, i) -> loop.one(clean + (i & 0xFFFF) * 4096L, BLOCK, false));
    measure(
        figures,
        "write-4k-clean",
        rounds,
        (loop, i) -> loop.one(clean + (i & 0xFFFF) * 4096L, BLOCK, true));
    measure(
        figures,
        "write-4k-remapped",
        rounds,
        (loop, i) -> loop.one((i & 0x7FFF) * 32L * BLOCK, BLOCK, true));
    measure(
        figures,
        "write-1m-with-8-remaps",
        rounds / 20,
        (loop, i) -> loop.one((i & 0xFFF) * (1L << 20), 1 << 20, true));
  }

  /** One request of a kind, the i-th. */
  private interface Round {
    void run(Loop loop, int i);
  }

  private static void measure(Figures figures, String name, int rounds, Round round) {
    Loop loop = new Loop();
    for (int i = 0; i < rounds; i++) {
      round.run(loop, i);
    }
    var threads = (com.sun.management.ThreadMXBean) ManagementFactory.getThreadMXBean();
    double best = Double.MAX_VALUE;
    double bytes = Double.MAX_VALUE;
    for (int repeat = 0; repeat < 5; repeat++) {
      long allocatedBefore = threads.getCurrentThreadAllocatedBytes();
      long begin = System.nanoTime();
      for (int i = 0; i < rounds; i++) {
        round.run(loop, i);
      }
      best = Math.min(best, (double) (System.nanoTime() - begin) / rounds);
      bytes =
          Math.min(
              bytes,
              (double) (threads.getCurrentThreadAllocatedBytes() - allocatedBefore) / rounds);
    }
    if (loop.failed > 0 || loop.completed != 6L * rounds) {
      throw new IllegalStateException("requests failed or were forgotten: " + loop.failed);
    }
    figures.report("core.queue." + name, best, "ns");
    figures.atMost("core.queue." + name + ".allocated", bytes, "bytes", 0.1);
  }
}
