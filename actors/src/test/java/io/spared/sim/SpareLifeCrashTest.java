package io.spared.sim;

import static org.assertj.core.api.Assertions.assertThat;

import java.util.ArrayList;
import java.util.List;
import org.junit.jupiter.api.Test;

/**
 * The whole daemon is killed, or loses its power, at moments all over the coming and the leaving of
 * spares, while clients write and blocks move: whatever stood on disk then, everything that was
 * acknowledged is there afterwards, and what was begun goes on.
 */
class SpareLifeCrashTest {
  private static final CoreRun.Options OPTIONS =
      new CoreRun.Options(new SimScript.Menu(false, false, false, false), 120, true);
  private static final long MILLI = 1_000_000L;

  @Test
  void aKillAtAnyMomentOfAnEvacuationLosesNothing() {
    runs(SimAction.Kind.EVACUATE, SimAction.Kind.KILL, 1, 10);
  }

  @Test
  void aPowerCutAtAnyMomentOfAnEvacuationLosesNothing() {
    runs(SimAction.Kind.EVACUATE, SimAction.Kind.POWER_CUT, 101, 10);
  }

  @Test
  void aPowerCutAtAnyMomentOfAnAdditionLosesNothing() {
    runs(SimAction.Kind.ADD_SPARE, SimAction.Kind.POWER_CUT, 201, 10);
  }

  @Test
  void withoutACrashTheSpareIsLeftAndEverythingIsThere() {
    SimResult result = run(7, SimAction.Kind.EVACUATE, SimAction.Kind.SCRUB, 1);
    assertThat(result.violation()).isNull();
    assertThat(result.lives()).isLessThanOrEqualTo(2);
  }

  /** For a long campaign: {@code -Dspared.crash.seeds=1000}. */
  private static void runs(
      SimAction.Kind change, SimAction.Kind crash, long firstSeed, int standard) {
    int seeds = Integer.getInteger("spared.crash.seeds", standard);
    for (int i = 0; i < seeds; i++) {
      long seed = firstSeed + i;
      // Later and later, and by its seed somewhere between.
      long after = (1L << i % 10) * MILLI / 4 + (seed * 7919 % 1000) * MILLI / 1000;
      assertThat(run(seed, change, crash, after).violation())
          .as(change + " " + crash + " seed " + seed)
          .isNull();
    }
  }

  private static SimResult run(
      long seed, SimAction.Kind change, SimAction.Kind crash, long afterNanos) {
    return CoreRun.changed(
        seed,
        OPTIONS,
        drawn -> {
          List<SimAction> actions = new ArrayList<>();
          for (int i = 0; i < 6; i++) {
            actions.add(new SimAction(0, SimAction.Kind.DEFECT, 0, seed * 31 + i, 0));
          }
          long begins = 50 * MILLI;
          actions.add(new SimAction(begins, change, -1, 0, 0));
          actions.add(new SimAction(begins + afterNanos, crash, -1, 0, 0));
          actions.add(new SimAction(begins + afterNanos + 2000 * MILLI, change, -1, 0, 0));
          actions.add(
              new SimAction(begins + afterNanos + 2000 * MILLI + afterNanos, crash, -1, 0, 0));
          return new SimScript(
              drawn.blockBytes(),
              drawn.sectorBytes(),
              drawn.deviceBytes(),
              2,
              drawn.rings(),
              drawn.clients(),
              actions);
        },
        0);
  }
}
