package io.spared.sim;

import java.util.ArrayList;
import java.util.List;
import java.util.Set;
import java.util.TreeSet;
import org.jspecify.annotations.Nullable;

/** Many runs: their counts together, and what is said of one that failed. */
final class CoreCampaign {
  static final CoreRun.Options QUEUES =
      new CoreRun.Options(new SimScript.Menu(true, false, true, false), 1200, false);
  static final CoreRun.Options WITH_WRITER =
      new CoreRun.Options(new SimScript.Menu(true, true, false, true), 800, false);
  static final CoreRun.Options WHOLE =
      new CoreRun.Options(
          new SimScript.Menu(true, true, false, true, false, false, true), 800, true);
  static final CoreRun.Options COPIES =
      new CoreRun.Options(
          new SimScript.Menu(true, false, false, false, false, true, false), 2400, false);

  static final CoreRun.Options REPLACING =
      new CoreRun.Options(
          new SimScript.Menu(true, true, false, true, true, false, false), 800, true);

  static final String AGAIN = "again: ./spared soak sim";
  private static final int SHRINK_RUNS_MAX = 200;
  private static final int LINES_SHOWN = 60;

  private final Coverage coverage = new Coverage();
  private long runs;
  private long lives;
  private long diskRequests;
  private long clientRequests;
  private long simulatedNanos;
  private long faults;

  static CoreRun.Options options(String kind) {
    return switch (kind) {
      case "queues" -> QUEUES;
      case "writer" -> WITH_WRITER;
      case "copies" -> COPIES;
      case "daemon" -> WHOLE;
      case "replacing" -> REPLACING;
      default -> throw new IllegalArgumentException("no kind of run " + kind);
    };
  }

  synchronized void take(SimResult result) {
    runs++;
    lives += result.lives();
    diskRequests += result.diskRequests();
    clientRequests += result.clientRequests();
    simulatedNanos += result.simulatedNanos();
    faults += result.faults();
    coverage.addAll(result.coverage());
  }

  synchronized void addAll(CoreCampaign other) {
    runs += other.runs;
    lives += other.lives;
    diskRequests += other.diskRequests;
    clientRequests += other.clientRequests;
    simulatedNanos += other.simulatedNanos;
    faults += other.faults;
    coverage.addAll(other.coverage);
  }

  Coverage coverage() {
    return coverage;
  }

  long runs() {
    return runs;
  }

  long lives() {
    return lives;
  }

  long diskRequests() {
    return diskRequests;
  }

  synchronized String summary(double seconds) {
    return String.format(
        "%d runs, %d lives, %.1f h simulated, %d disk requests, %d client requests, %d faults;"
            + " %.1f runs and %.0f disk requests a second",
        runs,
        lives,
        simulatedNanos / 3.6e12,
        diskRequests,
        clientRequests,
        faults,
        runs / seconds,
        diskRequests / seconds);
  }

  /**
   * For broken variants, whose classes are loaded apart: plain types only.
   *
   * @return null when nothing was found, else in which run, and on further lines what
   */
  public static @Nullable String hunt(String kind, long firstSeed, int runsMax) {
    for (int i = 0; i < runsMax; i++) {
      SimResult result = CoreRun.run(firstSeed + i, options(kind), null, 0);
      if (result.violation() != null) {
        return (i + 1) + "\n" + result.violation();
      }
    }
    return null;
  }

  /** A failing seed for people: what was wrong, the shortest script found, the last lines. */
  static String explain(String kind, long seed, @Nullable Set<Integer> only) {
    CoreRun.Options options = options(kind);
    SimScript script = CoreRun.script(seed, options);
    List<Integer> kept = new ArrayList<>();
    if (only == null) {
      for (int i = 0; i < script.actions().size(); i++) {
        kept.add(i);
      }
      kept = shrink(seed, options, kept);
    } else {
      kept.addAll(only);
    }
    SimResult shown = CoreRun.run(seed, options, new TreeSet<>(kept), 4000);
    StringBuilder text = new StringBuilder();
    text.append("seed ").append(seed).append(" (").append(kind).append("): ");
    text.append(shown.violation() == null ? "nothing wrong" : shown.violation()).append('\n');
    text.append("script, ").append(kept.size()).append(" of ").append(script.actions().size());
    text.append(" actions, ").append(script.clients().size()).append(" clients, ");
    text.append(script.spares()).append(" spares, sectors of ").append(script.sectorBytes());
    text.append(", blocks of ").append(script.blockBytes()).append(":\n");
    for (int i : kept) {
      text.append("  ").append(script.actions().get(i)).append('\n');
    }
    List<String> lines = shown.lastLines();
    for (String line : lines.subList(Math.max(0, lines.size() - LINES_SHOWN), lines.size())) {
      text.append("    ").append(line).append('\n');
    }
    text.append(AGAIN).append(" --minutes 0 --seed ").append(seed);
    text.append(" --kind ").append(kind).append(" --only ");
    text.append(kept.isEmpty() ? "none" : kept.toString().replaceAll("[\\[\\] ]", ""));
    return text.toString();
  }

  /** Leaves out actions, halves first, then single ones, for as long as the run still fails. */
  private static List<Integer> shrink(long seed, CoreRun.Options options, List<Integer> all) {
    List<Integer> kept = all;
    int runsLeft = SHRINK_RUNS_MAX;
    for (int size = Math.max(1, kept.size() / 2); size >= 1; size /= 2) {
      boolean shrunk = true;
      while (shrunk && runsLeft > 0) {
        shrunk = false;
        for (int from = 0; from < kept.size() && runsLeft > 0; from += size) {
          List<Integer> without = new ArrayList<>(kept.subList(0, from));
          without.addAll(kept.subList(Math.min(kept.size(), from + size), kept.size()));
          runsLeft--;
          if (CoreRun.run(seed, options, new TreeSet<>(without), 0).violation() != null) {
            kept = without;
            shrunk = true;
            break;
          }
        }
      }
    }
    return kept;
  }
}
