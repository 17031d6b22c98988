package io.spared.bench;

import io.spared.app.scenario.Trial;
import io.spared.device.Answer;
import io.spared.device.DeviceCommand;
import io.spared.device.DeviceStatus;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.time.Duration;
import java.util.ArrayList;
import java.util.Comparator;
import java.util.List;
import java.util.Locale;
import java.util.concurrent.TimeUnit;
import java.util.stream.Stream;

/**
 * What looking for damage costs those who use the device: random reads and writes by fio over NBD,
 * in turns with scrub and repair on and off. On means far more than a device does by itself: the
 * surface scan goes on as always, and in each turn of ten seconds all copies of the metadata are
 * read, which happens hourly otherwise, and one of the five is destroyed and repaired.
 *
 * <p>The turns are short and alternate, so that what else the machine does meets both sides alike;
 * each round gives one ratio. A verdict is given only when the rounds allow it: when all of {@link
 * Ratios}' interval for their median lies on one side of what is wanted.
 */
public final class ScrubBench implements Benchmark {
  private static final double IOPS_WANTED = 0.95;
  private static final int COPIES = 5;

  private record Sample(double perSecond, double p99Micros) {}

  @Override
  public void run(BenchArguments arguments, Figures figures) throws Exception {
    int rounds = arguments.quick() ? 6 : 12;
    Duration each = Duration.ofSeconds(10);
    Path directory =
        Files.createTempDirectory(
            Path.of(System.getenv().getOrDefault("SPARED_ROOT", "."), "app/target").toRealPath(),
            "scrub-");
    try (Trial trial = new Trial(directory).bare().create("a").start("a")) {
      if (!trial.serves("a")) {
        throw new IOException("the device does not serve: " + trial.status("a").sentence());
      }
      // Written once, so that no round allocates.
      fio(trial, "write", "1M", 4, Duration.ofMinutes(1), false);
      set(trial, false);
      measure(trial, each);
      compare(trial, rounds, each, figures);
    } finally {
      deleteTree(directory);
    }
  }

  private static void compare(Trial trial, int rounds, Duration each, Figures figures)
      throws Exception {
    DeviceStatus before = trial.status("a");
    double[] perSecond = new double[rounds];
    double[] p99 = new double[rounds];
    System.out.println("round      off IOPS  p99 us       on IOPS  p99 us   on/off");
    for (int round = 0; round < rounds; round++) {
      Sample off;
      Sample on;
      if (round % 2 == 0) {
        off = off(trial, each);
        on = on(trial, each, round);
      } else {
        on = on(trial, each, round);
        off = off(trial, each);
      }
      perSecond[round] = on.perSecond / off.perSecond;
      p99[round] = on.p99Micros / off.p99Micros;
      System.out.printf(
          Locale.ROOT,
          "%5d %12.0f %8.0f %13.0f %7.0f %8.3f%n",
          round + 1,
          off.perSecond,
          off.p99Micros,
          on.perSecond,
          on.p99Micros,
          perSecond[round]);
    }
    set(trial, true);
    DeviceStatus after = trial.status("a");
    Ratios iops = new Ratios(perSecond);
    System.out.println("IOPS on/off: " + iops);
    System.out.println("p99  on/off: " + new Ratios(p99));
    if (iops.tellsFrom(IOPS_WANTED)) {
      figures.atLeast("scrub_iops_ratio", iops.median(), "on/off", IOPS_WANTED);
    } else {
      System.out.printf(
          Locale.ROOT,
          "no verdict: the rounds differ too much to say whether the median is at least %.2f%n",
          IOPS_WANTED);
      figures.report("scrub_iops_ratio", iops.median(), "on/off");
    }
    figures.report("scrub_iops_ratio_low", iops.low(), "on/off");
    figures.report("scrub_iops_ratio_high", iops.high(), "on/off");
    figures.report("scrub_p99_ratio", new Ratios(p99).median(), "on/off");
    // That there was something to yield to.
    figures.atLeast(
        "scrub_repairs",
        (double) (after.repairs().done() - before.repairs().done()),
        "repairs",
        rounds);
    figures.atLeast(
        "scrub_scrubs",
        (double) (after.scrubs().completed() - before.scrubs().completed()),
        "scrubs",
        rounds);
    figures.report("scrub_surface_read", after.scrubs().surfacePercent(), "%");
  }

  private static Sample off(Trial trial, Duration each) throws Exception {
    set(trial, false);
    return measure(trial, each);
  }

  private static Sample on(Trial trial, Duration each, int round) throws Exception {
    set(trial, true);
    trial.destroyCopies("a", round % COPIES);
    trial.begin("a", DeviceCommand.Repair::new);
    trial.begin("a", replyTo -> new DeviceCommand.Scrub(false, replyTo));
    Sample sample = measure(trial, each);
    if (!trial.until("a", status -> status.copies().good() == COPIES)) {
      throw new IOException("the copies were not repaired");
    }
    return sample;
  }

  private static void set(Trial trial, boolean on) throws IOException {
    for (String policy : List.of("surface-scan", "auto-repair")) {
      Answer answer =
          trial.command(
              "a", replyTo -> new DeviceCommand.SetPolicy(policy, on ? "on" : "off", replyTo));
      if (answer instanceof Answer.Refused refused) {
        throw new IOException(refused.sentence());
      }
    }
  }

  private static Sample measure(Trial trial, Duration each) throws Exception {
    return fio(trial, "randrw", "4k", 32, each, true);
  }

  private static Sample fio(
      Trial trial, String pattern, String block, int depth, Duration most, boolean timed)
      throws Exception {
    List<String> command =
        new ArrayList<>(
            List.of(
                "fio",
                "--name=scrub",
                "--ioengine=nbd",
                "--uri=" + trial.uri("a"),
                "--rw=" + pattern,
                "--rwmixread=70",
                "--bs=" + block,
                "--size=64M",
                "--iodepth=" + depth,
                "--norandommap",
                "--randrepeat=0",
                "--output-format=terse",
                "--terse-version=3"));
    if (timed) {
      command.addAll(List.of("--time_based", "--runtime=" + most.toMillis() + "ms"));
    }
    Path output = Files.createTempFile("spared-scrub-bench", ".out");
    try {
      Process process =
          new ProcessBuilder(command)
              .redirectErrorStream(true)
              .redirectOutput(output.toFile())
              .start();
      if (!process.waitFor(60, TimeUnit.SECONDS) || process.exitValue() != 0) {
        process.destroyForcibly();
        throw new IOException(String.join(" ", command) + ": " + Files.readString(output));
      }
      List<String> fields =
          Files.readAllLines(output).stream()
              .filter(line -> line.startsWith("3;fio"))
              .map(line -> List.of(line.split(";", -1)))
              .findFirst()
              .orElseThrow(() -> new IOException("fio printed no figures"));
      int reads = 5;
      int writes = 46;
      return new Sample(
          Double.parseDouble(fields.get(reads + 2)) + Double.parseDouble(fields.get(writes + 2)),
          Math.max(p99(fields, reads), p99(fields, writes)));
    } finally {
      Files.delete(output);
    }
  }

  private static double p99(List<String> fields, int base) {
    return fields.subList(base + 12, base + 32).stream()
        .filter(field -> field.startsWith("99.000000%="))
        .mapToDouble(field -> Double.parseDouble(field.substring("99.000000%=".length())))
        .findFirst()
        .orElse(0);
  }

  private static void deleteTree(Path directory) throws IOException {
    try (Stream<Path> files = Files.walk(directory)) {
      for (Path file : files.sorted(Comparator.reverseOrder()).toList()) {
        Files.delete(file);
      }
    }
  }
}
