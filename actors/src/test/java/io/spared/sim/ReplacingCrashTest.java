package io.spared.sim;

import static org.assertj.core.api.Assertions.assertThat;

import java.util.ArrayList;
import java.util.List;
import java.util.TreeSet;
import java.util.regex.Matcher;
import java.util.regex.Pattern;
import org.junit.jupiter.api.Test;

/**
 * Main of a tiny device is replaced while clients write and flush, and the daemon is killed, or
 * loses its power, at the moments at which anything happened in the run without a crash: before and
 * after every write of the copier, every commit of the cursor and of a region, and every step of
 * the switch. Whatever stood on the disks then, the next daemon serves one of the two disks, and
 * everything that was acknowledged is there.
 *
 * <p>A build takes a part of the moments, evenly; {@code -Dspared.crash.moments=100000} takes all.
 */
class ReplacingCrashTest {
  private static final CoreRun.Options OPTIONS =
      new CoreRun.Options(
          new SimScript.Menu(false, false, false, false, true, false, false), 150, true);
  private static final long MILLI = 1_000_000L;
  private static final long BEGINS = 50 * MILLI;
  private static final long LASTS = 7_000 * MILLI;
  private static final int BLOCK_BYTES = 4096;
  private static final int SECTOR_BYTES = 512;
  private static final long DEVICE_BYTES = 1L << 20;

  /** So slow that the cursor is recorded on the way. */
  private static final long BYTES_PER_SECOND = 256 << 10;

  private static final Pattern MOMENT = Pattern.compile("^(\\d+) .*", Pattern.DOTALL);

  @Test
  void aKillAtEveryMomentOfReplacingMainLosesNothing() {
    crashAtEveryMoment(3, SimAction.Kind.KILL);
  }

  @Test
  void aPowerCutAtEveryMomentOfReplacingMainLosesNothing() {
    crashAtEveryMoment(4, SimAction.Kind.POWER_CUT);
  }

  private static void crashAtEveryMoment(long seed, SimAction.Kind crash) {
    SimResult whole = run(seed, List.of(), 1_000_000);
    assertThat(whole.violation()).isNull();
    assertThat(whole.coverage().count("replace.switched")).isPositive();
    List<Long> moments = moments(whole.lastLines());
    int wanted = Integer.getInteger("spared.crash.moments", 4);
    Coverage coverage = new Coverage();
    int step = Math.max(1, moments.size() / wanted);
    for (int i = 0; i < moments.size(); i += step) {
      long at = moments.get(i);
      SimResult crashed = run(seed, List.of(new SimAction(at, crash, -1, 0, 0)), 0);
      coverage.addAll(crashed.coverage());
      assertThat(crashed.violation()).as(crash + " at " + at + " ns, seed " + seed).isNull();
    }
    assertThat(coverage.count("event.replace.resumed")).as("went on after a crash").isPositive();
    assertThat(coverage.count("replace.switched")).as("and switched").isPositive();
  }

  /** When anything happened, from the command on until the new disk was main. */
  private static List<Long> moments(List<String> lines) {
    TreeSet<Long> moments = new TreeSet<>();
    long base = -1;
    for (String line : lines) {
      Matcher matcher = MOMENT.matcher(line);
      if (!matcher.matches()) {
        continue;
      }
      long nanos = Long.parseLong(matcher.group(1));
      if (line.contains("*** ") && line.contains("REPLACE")) {
        base = nanos - BEGINS;
      } else if (base >= 0 && line.contains("MainSwitched")) {
        moments.add(nanos - base + 1);
        break;
      }
      if (base >= 0) {
        moments.add(nanos - base);
      }
    }
    return new ArrayList<>(moments);
  }

  private static SimResult run(long seed, List<SimAction> further, int traceLines) {
    return CoreRun.changed(
        seed,
        OPTIONS,
        drawn -> {
          List<SimAction> actions = new ArrayList<>();
          actions.add(new SimAction(BEGINS, SimAction.Kind.REPLACE, -1, BYTES_PER_SECOND, 0));
          // Somewhere a sector that main does not give: its block leaves main on the way.
          actions.add(new SimAction(0, SimAction.Kind.DEFECT, 0, seed * 31, 0));
          // It lasts until main is replaced, after a crash too.
          actions.add(new SimAction(LASTS, SimAction.Kind.RESUME, 0, 0, 0));
          actions.addAll(further);
          actions.sort(java.util.Comparator.comparingLong(SimAction::atNanos));
          SimRandom random = new SimRandom(seed);
          return new SimScript(
              BLOCK_BYTES,
              SECTOR_BYTES,
              DEVICE_BYTES,
              1,
              1,
              List.of(
                  Workload.random(random, DEVICE_BYTES / SECTOR_BYTES, 75),
                  Workload.random(random, DEVICE_BYTES / SECTOR_BYTES, 75)),
              actions);
        },
        traceLines);
  }
}
