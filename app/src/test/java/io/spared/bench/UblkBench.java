package io.spared.bench;

import java.io.IOException;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Locale;
import java.util.Map;
import java.util.TreeMap;

/**
 * A ublk device over a RAM disk in the test VM, against that disk bare, kernel loop with direct I/O
 * and dm-linear: fio, the contenders in turn, ratios of medians. A second, identical device shows
 * by how much two runs of the same differ; a third has 100,000 remaps beside the range that is
 * used, a fourth does without copying. The processor time is the whole guest's, each contender is
 * warmed before each load.
 */
public final class UblkBench implements Benchmark {
  private static final double ONE_JOB_WANTED = 0.6;
  private static final double FOUR_JOBS_WANTED = 0.9;
  private static final double REMAPPED_WANTED = 0.95;

  /** Pattern, size, depth and jobs: what contenders are compared in. */
  private record Load(String pattern, String size, int depth, int jobs) {
    @Override
    public String toString() {
      return pattern + "_" + size + "_" + depth + "x" + jobs;
    }
  }

  private static final class Measured {
    final List<Double> iops = new ArrayList<>();
    final List<Double> micros = new ArrayList<>();

    /** Of the server's process alone. */
    final List<Double> user = new ArrayList<>();

    final List<Double> system = new ArrayList<>();
  }

  @Override
  public void run(BenchArguments arguments, Figures figures) throws Exception {
    Path root = Path.of(System.getenv().getOrDefault("SPARED_ROOT", "."));
    String which = arguments.quick() ? "bench:quick" : "bench:full";
    int code =
        new ProcessBuilder(root.resolve("test-vm/run").toString(), "--kernel", "newest", which)
            .inheritIO()
            .start()
            .waitFor();
    Path file = root.resolve("target/test-vm/newest/bench/figures");
    if (code != 0 || !Files.exists(file)) {
      throw new IOException(
          "test-vm/run " + which + " ended with " + code + "; see target/test-vm/newest/bench");
    }
    Map<Load, Map<String, Measured>> all = new LinkedHashMap<>();
    for (String line : Files.readAllLines(file, StandardCharsets.UTF_8)) {
      String[] fields = line.split(" ", -1);
      Load load =
          new Load(fields[0], fields[1], Integer.parseInt(fields[2]), Integer.parseInt(fields[3]));
      Measured measured =
          all.computeIfAbsent(load, key -> new TreeMap<>())
              .computeIfAbsent(fields[4], key -> new Measured());
      measured.iops.add(Double.valueOf(fields[5]));
      measured.micros.add(Double.valueOf(fields[6]));
      measured.user.add(Double.valueOf(fields[7]));
      measured.system.add(Double.valueOf(fields[8]));
    }
    System.out.println(
        "| load | depth x jobs | bare IOPS | loop | linear | spared | spared / bare | / loop |"
            + " / linear | again / spared | remapped / spared | zero copy / spared | bare us |"
            + " loop us | spared us | its server's, user | system | zero copy us | its server's, user |"
            + " system |");
    all.forEach((load, contenders) -> row(load, contenders, figures));
  }

  private static void row(Load load, Map<String, Measured> contenders, Figures figures) {
    double bare = iops(contenders, "bare");
    double loop = iops(contenders, "loop");
    double linear = iops(contenders, "linear");
    double spared = iops(contenders, "spared");
    double again = iops(contenders, "again");
    double remapped = iops(contenders, "remapped");
    double pages = iops(contenders, "pages");
    System.out.printf(
        Locale.ROOT,
        "| %s %s | %d x %d | %.0f | %.0f | %.0f | %.0f | %.2f | %.2f | %.2f | %.2f | %.2f | %.2f |"
            + " %.1f | %.1f | %.1f | %.1f | %.1f | %.1f | %.1f | %.1f |%n",
        load.size,
        load.pattern,
        load.depth,
        load.jobs,
        bare,
        loop,
        linear,
        spared,
        spared / bare,
        spared / loop,
        spared / linear,
        again / spared,
        remapped / spared,
        pages / spared,
        micros(contenders, "bare"),
        micros(contenders, "loop"),
        micros(contenders, "spared"),
        median(contenders.getOrDefault("spared", new Measured()).user),
        median(contenders.getOrDefault("spared", new Measured()).system),
        micros(contenders, "pages"),
        median(contenders.getOrDefault("pages", new Measured()).user),
        median(contenders.getOrDefault("pages", new Measured()).system));
    figures.atLeast(
        "ublk_of_loop_" + load,
        spared / loop,
        "ratio",
        load.jobs == 1 ? ONE_JOB_WANTED : FOUR_JOBS_WANTED);
    double spread = Math.abs(again / spared - 1);
    figures.atLeast(
        "ublk_remapped_" + load, remapped / spared, "ratio", Math.min(REMAPPED_WANTED, 1 - spread));
  }

  private static double iops(Map<String, Measured> contenders, String name) {
    return median(contenders.getOrDefault(name, new Measured()).iops);
  }

  private static double micros(Map<String, Measured> contenders, String name) {
    return median(contenders.getOrDefault(name, new Measured()).micros);
  }

  private static double median(List<Double> values) {
    double[] sorted = values.stream().mapToDouble(Double::doubleValue).toArray();
    Arrays.sort(sorted);
    return sorted.length == 0 ? Double.NaN : sorted[sorted.length / 2];
  }
}
