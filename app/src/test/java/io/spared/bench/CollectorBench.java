package io.spared.bench;

import java.io.BufferedReader;
import java.io.IOException;
import java.io.InputStreamReader;
import java.nio.charset.StandardCharsets;
import java.nio.file.Path;
import java.util.List;
import java.util.concurrent.TimeUnit;
import java.util.regex.Matcher;
import java.util.regex.Pattern;

/**
 * How long each collector stops the world while another thread allocates as fast as it can beside
 * 100 MB of live data, in the daemon's heap: the longest pause that the collector logs, and the
 * longest that a thread which wants to run every millisecond had to wait. What the daemon uses was
 * chosen by this and by {@code ./spared bench start --collectors}.
 */
public final class CollectorBench implements Benchmark {
  private static final Pattern PAUSE = Pattern.compile("Pause .* (\\d+[.]\\d+)ms");
  private static final double PAUSE_WANTED_MS = 5;

  private record Pauses(double longestPauseMs, double longestWaitMs, double allocatedGbPerSecond) {}

  @Override
  public void run(BenchArguments arguments, Figures figures) throws Exception {
    int seconds = arguments.quick() ? 5 : 20;
    System.out.printf(
        "%-12s %14s %14s %12s%n", "collector", "longest pause", "longest wait", "allocated");
    for (String collector : List.of("Serial", "G1", "Z", "Shenandoah")) {
      Pauses pauses = storm(collector, seconds);
      System.out.printf(
          "%-12s %11.1f ms %11.1f ms %7.2f GB/s%n",
          collector, pauses.longestPauseMs, pauses.longestWaitMs, pauses.allocatedGbPerSecond);
      if (collector.equals("Shenandoah")) {
        figures.atMost("longest_pause_Shenandoah", pauses.longestPauseMs, "ms", PAUSE_WANTED_MS);
      } else {
        figures.report("longest_pause_" + collector, pauses.longestPauseMs, "ms");
      }
      figures.report("longest_wait_" + collector, pauses.longestWaitMs, "ms");
    }
  }

  private static Pauses storm(String collector, int seconds)
      throws IOException, InterruptedException {
    Process process =
        new ProcessBuilder(
                Path.of(System.getProperty("java.home"), "bin", "java").toString(),
                "-XX:+Use" + collector + "GC",
                "-Xms512m",
                "-Xmx512m",
                "-Xlog:gc",
                "-cp",
                System.getProperty("java.class.path"),
                AllocationStorm.class.getName(),
                Integer.toString(seconds))
            .redirectErrorStream(true)
            .start();
    double longestPause = 0;
    double longestWait = Double.NaN;
    double allocated = Double.NaN;
    try (BufferedReader reader =
        new BufferedReader(
            new InputStreamReader(process.getInputStream(), StandardCharsets.UTF_8))) {
      String line;
      while ((line = reader.readLine()) != null) {
        Matcher pause = PAUSE.matcher(line);
        if (pause.find()) {
          longestPause = Math.max(longestPause, Double.parseDouble(pause.group(1)));
        } else if (line.startsWith("storm ")) {
          String[] words = line.split(" ", -1);
          longestWait = Double.parseDouble(words[1]);
          allocated = Double.parseDouble(words[2]);
        }
      }
    }
    if (!process.waitFor(10, TimeUnit.SECONDS) || process.exitValue() != 0) {
      process.destroyForcibly();
      throw new IOException("the storm under " + collector + " failed");
    }
    return new Pauses(longestPause, longestWait, allocated);
  }
}
