package io.spared.bench;

import java.io.BufferedReader;
import java.io.IOException;
import java.io.InputStreamReader;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.List;
import java.util.concurrent.TimeUnit;

/**
 * Starts the daemon from the image with an empty configuration, again and again: how long until its
 * ready line, and what is resident once it is idle. {@code --collectors} repeats that for the
 * collectors that were to choose from.
 */
public final class StartBench implements Benchmark {
  private static final double START_WANTED_MS = 1000;
  private static final double RESIDENT_WANTED_MB = 200;
  private static final double ANSWER_WANTED_MS = 300;
  private static final List<String> COLLECTORS = List.of("Serial", "G1", "Z", "Shenandoah");
  private static final long IDLE_MILLIS = 1500;

  private record Start(double readyMs, double residentMb, double answerMs, double stopMs) {}

  @Override
  public void run(BenchArguments arguments, Figures figures) throws Exception {
    Path root = Path.of(System.getenv().getOrDefault("SPARED_ROOT", "."));
    Path program = root.resolve("app/target/dist/bin/spared");
    int rounds = arguments.quick() ? 5 : 15;
    Start median = measure("as configured", program, rounds, "");
    if (arguments.rest().contains("--collectors")) {
      for (String collector : COLLECTORS) {
        Start start =
            measure(collector, program, rounds, "-XX:-UseShenandoahGC -XX:+Use" + collector + "GC");
        figures.report("start_ready_" + collector, start.readyMs, "ms");
        figures.report("start_resident_" + collector, start.residentMb, "MB");
      }
    }
    figures.atMost("start_ready", median.readyMs, "ms", START_WANTED_MS);
    figures.atMost("start_resident_idle", median.residentMb, "MB", RESIDENT_WANTED_MB);
    figures.atMost("ctl_first_answer", median.answerMs, "ms", ANSWER_WANTED_MS);
    figures.report("start_stop", median.stopMs, "ms");
  }

  private static Start measure(String name, Path program, int rounds, String options)
      throws IOException, InterruptedException {
    // The first start reads the image from disk; it is shown, not counted.
    double first = start(program, options).readyMs;
    double[] ready = new double[rounds];
    double[] resident = new double[rounds];
    double[] answer = new double[rounds];
    double[] stop = new double[rounds];
    for (int i = 0; i < rounds; i++) {
      Start start = start(program, options);
      ready[i] = start.readyMs;
      resident[i] = start.residentMb;
      answer[i] = start.answerMs;
      stop[i] = start.stopMs;
    }
    Start median = new Start(median(ready), median(resident), median(answer), median(stop));
    System.out.printf(
        "%-14s first %5.0f ms, median of %d: ready %5.0f ms (worst %5.0f), resident %4.0f MB,"
            + " client's answer %4.0f ms, stop %5.0f ms%n",
        name,
        first,
        rounds,
        median.readyMs,
        ready[rounds - 1],
        median.residentMb,
        median.answerMs,
        median.stopMs);
    return median;
  }

  private static double median(double[] values) {
    Arrays.sort(values);
    return values[values.length / 2];
  }

  private static Start start(Path program, String options)
      throws IOException, InterruptedException {
    Path scratch = Files.createTempDirectory("spared-start-");
    try {
      return start(program, options, scratch);
    } finally {
      deleteTree(scratch);
    }
  }

  private static Start start(Path program, String options, Path scratch)
      throws IOException, InterruptedException {
    ProcessBuilder builder = new ProcessBuilder(DaemonCommand.empty(program, scratch));
    builder.redirectErrorStream(true);
    builder.environment().put("SPARED_JAVA_OPTIONS", options);
    builder.environment().remove("NOTIFY_SOCKET");
    long begin = System.nanoTime();
    Process process = builder.start();
    List<String> said = new ArrayList<>();
    try (BufferedReader reader =
        new BufferedReader(
            new InputStreamReader(process.getInputStream(), StandardCharsets.UTF_8))) {
      String line;
      while ((line = reader.readLine()) != null && !DaemonCommand.isReady(line)) {
        said.add(line);
      }
      if (line == null) {
        throw new IOException("the daemon ended before it was ready: " + String.join("\n", said));
      }
      double readyMs = (System.nanoTime() - begin) / 1e6;
      Thread.sleep(IDLE_MILLIS);
      double residentMb = residentKb(process.pid()) / 1000.0 * 1.024;
      double answerMs = answer(program, scratch);
      long stop = System.nanoTime();
      process.destroy();
      if (!process.waitFor(20, TimeUnit.SECONDS)) {
        throw new IOException("the daemon did not stop within 20 s of SIGTERM");
      }
      return new Start(readyMs, residentMb, answerMs, (System.nanoTime() - stop) / 1e6);
    } finally {
      process.destroyForcibly();
    }
  }

  /** From the client's start to its end, as a person at a prompt waits for it. */
  private static double answer(Path program, Path scratch)
      throws IOException, InterruptedException {
    long begin = System.nanoTime();
    Process client =
        new ProcessBuilder(DaemonCommand.status(program, scratch))
            .redirectErrorStream(true)
            .start();
    String said = new String(client.getInputStream().readAllBytes(), StandardCharsets.UTF_8);
    if (!client.waitFor(20, TimeUnit.SECONDS) || client.exitValue() != 0) {
      client.destroyForcibly();
      throw new IOException("the client got no answer: " + said);
    }
    return (System.nanoTime() - begin) / 1e6;
  }

  private static long residentKb(long pid) throws IOException {
    for (String line : Files.readAllLines(Path.of("/proc", Long.toString(pid), "status"))) {
      if (line.startsWith("VmRSS:")) {
        return Long.parseLong(line.replaceAll("[^0-9]", ""));
      }
    }
    throw new IOException("no VmRSS for " + pid);
  }

  private static void deleteTree(Path directory) throws IOException {
    try (var files = Files.walk(directory)) {
      for (Path file : files.sorted(java.util.Comparator.reverseOrder()).toList()) {
        Files.delete(file);
      }
    }
  }
}
