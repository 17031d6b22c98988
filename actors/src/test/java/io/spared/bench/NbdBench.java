package io.spared.bench;

import io.spared.nbd.NbdRig;
import io.spared.nbd.RigDisk;
import java.io.IOException;
import java.io.RandomAccessFile;
import java.lang.management.ManagementFactory;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.concurrent.CompletableFuture;
import java.util.concurrent.TimeUnit;
import org.jspecify.annotations.Nullable;

/**
 * The NBD frontend against qemu-nbd and nbdkit: the same RAM-backed loop device with direct I/O,
 * the same fio client over a Unix socket, rounds of all servers in turn. Ratios are medians of
 * spared divided by medians of qemu-nbd with io_uring.
 */
public final class NbdBench implements Benchmark {
  private static final long DISK_BYTES = 512L << 20;
  private static final String REFERENCE = "qemu-nbd io_uring";

  private record Case(String name, String pattern, String block, int depth, int connections) {
    boolean isWrite() {
      return pattern.contains("write");
    }

    @Override
    public String toString() {
      return name + "-depth" + depth + "-connections" + connections;
    }
  }

  private record Sample(double rate, double p99Micros, double processorMicros) {}

  /** A server under test: how clients reach it, and the processor time that it has used. */
  private interface Server extends AutoCloseable {
    String uri();

    double processorSeconds() throws IOException;

    @Override
    void close();
  }

  private final Map<String, Server> servers = new LinkedHashMap<>();
  private @Nullable NbdRig rig;

  @Override
  public void run(BenchArguments arguments, Figures figures) throws Exception {
    Path folder = Files.createTempDirectory("spared-bench-nbd");
    Path image = Path.of("/dev/shm", "spared-bench-" + ProcessHandle.current().pid());
    String loop = "";
    try {
      try (RandomAccessFile file = new RandomAccessFile(image.toFile(), "rw")) {
        byte[] bytes = new byte[1 << 20];
        Arrays.fill(bytes, (byte) 0x5a);
        for (long at = 0; at < DISK_BYTES; at += bytes.length) {
          file.write(bytes);
        }
      }
      loop = command("losetup", "--find", "--show", "--direct-io=on", image.toString()).strip();
      measure(arguments, figures, folder, loop);
    } finally {
      servers.values().forEach(Server::close);
      if (!loop.isEmpty()) {
        command("losetup", "--detach", loop);
      }
      Files.deleteIfExists(image);
      try (var files = Files.list(folder)) {
        for (Path file : files.toList()) {
          Files.delete(file);
        }
      }
      Files.delete(folder);
    }
  }

  private void measure(BenchArguments arguments, Figures figures, Path folder, String loop)
      throws Exception {
    boolean quick = arguments.quick();
    RigDisk disk = new RigDisk(Path.of(loop), DISK_BYTES, 512);
    startSpared(folder, disk);
    startProcess(
        REFERENCE,
        folder.resolve("uring.sock"),
        List.of(
            "qemu-nbd",
            "--cache=none",
            "--aio=io_uring",
            "-f",
            "raw",
            "-t",
            "-e",
            "8",
            "-k",
            folder.resolve("uring.sock").toString(),
            loop));
    if (!quick) {
      startProcess(
          "qemu-nbd threads",
          folder.resolve("threads.sock"),
          List.of(
              "qemu-nbd",
              "--cache=none",
              "--aio=threads",
              "-f",
              "raw",
              "-t",
              "-e",
              "8",
              "-k",
              folder.resolve("threads.sock").toString(),
              loop));
      startProcess(
          "nbdkit file",
          folder.resolve("nbdkit.sock"),
          List.of("nbdkit", "-f", "-U", folder.resolve("nbdkit.sock").toString(), "file", loop));
    }
    String only = arguments.rest().isEmpty() ? "" : arguments.rest().getFirst();
    List<Case> cases = cases(quick).stream().filter(c -> c.toString().contains(only)).toList();
    int rounds = quick ? 2 : 3;
    double seconds = 1;
    // The first seconds of a JVM are its compiler's; fio's own jobs are processes and begin warm.
    long warmUntil = System.nanoTime() + TimeUnit.SECONDS.toNanos(quick ? 6 : 20);
    for (int i = 0; System.nanoTime() < warmUntil; i++) {
      Case warm = cases.get(i % cases.size());
      fio(servers.get("spared"), warm, 1);
    }
    System.out.printf(
        "%-40s %-18s %12s %10s %12s %8s%n",
        "case", "server", "I/O per s", "p99 µs", "CPU µs/I/O", "ratio");
    for (Case c : cases) {
      Map<String, List<Sample>> samples = new LinkedHashMap<>();
      for (int round = 0; round < rounds; round++) {
        for (Map.Entry<String, Server> server : servers.entrySet()) {
          samples
              .computeIfAbsent(server.getKey(), _ -> new ArrayList<>())
              .add(fio(server.getValue(), c, seconds));
        }
      }
      report(c, samples, figures);
    }
    if (only.isEmpty() || !quick) {
      allocation(figures, quick);
    }
    NbdRig running = rig;
    if (running != null) {
      servers.remove("spared");
      running.close();
    }
    disk.close();
  }

  private static List<Case> cases(boolean quick) {
    List<Case> cases = new ArrayList<>();
    for (int connections : quick ? new int[] {1} : new int[] {1, 4}) {
      for (int depth : quick ? new int[] {1, 32} : new int[] {1, 32, 128}) {
        cases.add(new Case("randread-4k", "randread", "4k", depth, connections));
        cases.add(new Case("randwrite-4k", "randwrite", "4k", depth, connections));
      }
      cases.add(new Case("read-1m", "read", "1m", 8, connections));
      cases.add(new Case("write-1m", "write", "1m", 8, connections));
    }
    return cases;
  }

  private static void report(Case c, Map<String, List<Sample>> samples, Figures figures) {
    double reference = median(samples, REFERENCE, s -> s.rate());
    double referenceP99 = median(samples, REFERENCE, s -> s.p99Micros());
    for (String server : samples.keySet()) {
      double rate = median(samples, server, s -> s.rate());
      System.out.printf(
          "%-40s %-18s %12.0f %10.0f %12.2f %8.2f%n",
          c,
          server,
          rate,
          median(samples, server, s -> s.p99Micros()),
          median(samples, server, s -> s.processorMicros()),
          rate / reference);
    }
    double wanted =
        c.block().equals("1m") ? 1.5 : c.depth() == 1 ? 1.0 : c.depth() == 32 ? 1.3 : 1.2;
    figures.atLeast(
        "nbd-" + c + "-ratio",
        median(samples, "spared", s -> s.rate()) / reference,
        "ratio",
        wanted);
    figures.atMost(
        "nbd-" + c + "-p99",
        median(samples, "spared", s -> s.p99Micros()) / referenceP99,
        "ratio",
        1.0);
  }

  private static double median(
      Map<String, List<Sample>> samples,
      String server,
      java.util.function.ToDoubleFunction<Sample> value) {
    double[] values =
        samples.getOrDefault(server, List.of()).stream().mapToDouble(value).sorted().toArray();
    return values.length == 0 ? Double.NaN : values[values.length / 2];
  }

  /** Bytes that the rings' threads allocate for one request, once everything is made. */
  private void allocation(Figures figures, boolean quick) throws Exception {
    Server spared = servers.get("spared");
    if (spared == null) {
      return;
    }
    // From the middle of a run, without the connection's own beginning and end.
    double window = quick ? 2 : 4;
    for (int depth : new int[] {1, 32}) {
      Case c = new Case("randread-4k", "randread", "4k", depth, 1);
      CompletableFuture<Sample> running =
          CompletableFuture.supplyAsync(() -> {
            try {
              return fio(spared, c, window + 2);
            } catch (Exception e) {
              throw new IllegalStateException(e);
            }
          });
      TimeUnit.MILLISECONDS.sleep(1500);
      long before = ringBytes();
      TimeUnit.MILLISECONDS.sleep((long) (window * 1000));
      double bytes = ringBytes() - before;
      double requests = running.get(60, TimeUnit.SECONDS).rate() * window;
      System.out.printf(
          "allocation at depth %d: %.2f bytes a request (%.0f requests)%n",
          depth, bytes / requests, requests);
      figures.atMost("nbd-allocation-depth" + depth, bytes / requests, "B/request", 1.0);
    }
  }

  private static long ringBytes() {
    com.sun.management.ThreadMXBean threads =
        (com.sun.management.ThreadMXBean) ManagementFactory.getThreadMXBean();
    long bytes = 0;
    for (long id : threads.getAllThreadIds()) {
      var info = threads.getThreadInfo(id);
      if (info != null && info.getThreadName().contains("ring")) {
        bytes += threads.getThreadAllocatedBytes(id);
      }
    }
    return bytes;
  }

  private void startSpared(Path folder, RigDisk disk) throws Exception {
    NbdRig started = NbdRig.overUnix(folder.resolve("spared.sock"), NbdRig.Export.of("disk", disk));
    rig = started;
    servers.put(
        "spared",
        new Server() {
          @Override
          public String uri() {
            return started.uri("disk");
          }

          @Override
          public double processorSeconds() throws IOException {
            return processorSecondsOf(ProcessHandle.current().pid());
          }

          @Override
          public void close() {
            started.close();
          }
        });
  }

  private void startProcess(String name, Path socket, List<String> command) throws Exception {
    Process process =
        new ProcessBuilder(command)
            .redirectErrorStream(true)
            .redirectOutput(ProcessBuilder.Redirect.DISCARD)
            .start();
    long untilNanos = System.nanoTime() + TimeUnit.SECONDS.toNanos(5);
    while (!Files.exists(socket)) {
      if (System.nanoTime() > untilNanos || process.waitFor(20, TimeUnit.MILLISECONDS)) {
        process.destroyForcibly();
        System.out.println(name + " does not start here and is left out");
        return;
      }
    }
    servers.put(
        name,
        new Server() {
          @Override
          public String uri() {
            return "nbd+unix:///?socket=" + socket;
          }

          @Override
          public double processorSeconds() throws IOException {
            return processorSecondsOf(process.pid());
          }

          @Override
          public void close() {
            process.destroy();
            process.onExit().orTimeout(5, TimeUnit.SECONDS).join();
          }
        });
  }

  /** User and system time of all of a process's threads; the clock has ticks of 10 ms. */
  private static double processorSecondsOf(long pid) throws IOException {
    String stat = Files.readString(Path.of("/proc/" + pid + "/stat"));
    List<String> fields = List.of(stat.substring(stat.lastIndexOf(')') + 2).split(" ", -1));
    return (Long.parseLong(fields.get(11)) + Long.parseLong(fields.get(12))) / 100.0;
  }

  private static Sample fio(@Nullable Server server, Case c, double seconds) throws Exception {
    if (server == null) {
      throw new IllegalStateException("no such server");
    }
    double before = server.processorSeconds();
    String output =
        command(
            "fio",
            "--name=bench",
            "--ioengine=nbd",
            "--uri=" + server.uri(),
            "--rw=" + c.pattern(),
            "--bs=" + c.block(),
            "--size=" + DISK_BYTES,
            "--iodepth=" + c.depth(),
            "--numjobs=" + c.connections(),
            "--time_based",
            "--runtime=" + (long) (seconds * 1000) + "ms",
            "--group_reporting",
            "--norandommap",
            "--randrepeat=0",
            "--output-format=terse",
            "--terse-version=3");
    double used = server.processorSeconds() - before;
    List<String> fields =
        output
            .lines()
            .filter(line -> line.startsWith("3;fio"))
            .map(line -> List.of(line.split(";", -1)))
            .findFirst()
            .orElseThrow(() -> new IOException("fio printed no figures: " + output));
    int base = c.isWrite() ? 46 : 5;
    double rate = Double.parseDouble(fields.get(base + 2));
    double p99 =
        fields.subList(base + 12, base + 32).stream()
            .filter(field -> field.startsWith("99.000000%="))
            .mapToDouble(field -> Double.parseDouble(field.substring(11)))
            .findFirst()
            .orElse(Double.NaN);
    return new Sample(rate, p99, used * 1e6 / Math.max(1, rate * seconds));
  }

  private static String command(String... command) throws Exception {
    Path output = Files.createTempFile("spared-bench", ".out");
    try {
      Process process =
          new ProcessBuilder(command)
              .redirectErrorStream(true)
              .redirectOutput(output.toFile())
              .start();
      if (!process.waitFor(60, TimeUnit.SECONDS)) {
        process.destroyForcibly();
        throw new IOException(String.join(" ", command) + " does not end");
      }
      String text = Files.readString(output);
      if (process.exitValue() != 0) {
        throw new IOException(String.join(" ", command) + ": " + text);
      }
      return text;
    } finally {
      Files.delete(output);
    }
  }
}
