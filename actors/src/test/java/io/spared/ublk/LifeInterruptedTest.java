package io.spared.ublk;

import static org.assertj.core.api.Assertions.assertThat;

import io.spared.ffi.Errno;
import io.spared.ffi.ublk.UblkDeviceState;
import io.spared.ffi.ublk.UblkFeature;
import java.util.ArrayList;
import java.util.EnumSet;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.Set;
import java.util.function.Consumer;
import org.junit.jupiter.api.Test;

/**
 * Every phase, interrupted by everything, under a driver that then works, refuses, or says nothing:
 * a table of all of them, none left out.
 */
class LifeInterruptedTest {
  private static final List<Set<UblkFeature>> KERNELS =
      List.of(
          EnumSet.allOf(UblkFeature.class),
          EnumSet.range(UblkFeature.URING_CMD_COMP_IN_TASK, UblkFeature.ZONED),
          Set.of());

  private static final List<UblkDeviceState> FOUND =
      List.of(UblkDeviceState.UNKNOWN, UblkDeviceState.QUIESCED, UblkDeviceState.DEAD);

  /** What interrupts. */
  private static Map<String, Consumer<ModelDriver>> interruptions() {
    Map<String, Consumer<ModelDriver>> all = new LinkedHashMap<>();
    all.put("stop", driver -> driver.happened(new LifeFact.StopAsked(false, false)));
    all.put("stop if unused", driver -> driver.happened(new LifeFact.StopAsked(false, true)));
    all.put("hand over", driver -> driver.happened(new LifeFact.StopAsked(true, false)));
    all.put("start deadline", driver -> driver.happened(new LifeFact.StartDeadline()));
    all.put("crash", driver -> driver.happened(new LifeFact.Crashed("a defect")));
    all.put(
        "queue fails",
        driver -> {
          if (driver.queues > 0) {
            driver.happened(new LifeFact.QueueFailed(1, "no memory"));
          }
        });
    all.put(
        "file refused",
        driver -> {
          if (driver.wantsFile) {
            driver.wantsFile = false;
            driver.happened(new LifeFact.NotOpened("not allowed", Errno.EACCES));
          }
        });
    for (Errno errno : List.of(Errno.ETIMEDOUT, Errno.EINVAL, Errno.EBUSY, Errno.ENOMEM)) {
      all.put(
          "refused " + errno,
          driver -> List.copyOf(driver.open).forEach(command -> driver.refuse(command, errno)));
    }
    return all;
  }

  /** How the driver behaves from then on. */
  private enum Then {
    WORKS,
    /** Every command ends at its deadline only, after the life's own deadlines. */
    SILENT,
    /** As silent, and what it was asked is done when nobody waits any more. */
    LATE
  }

  private static void goOn(ModelDriver driver, Then then) {
    // A life that the interruption did not concern is stopped in the end, like every other.
    if (then == Then.WORKS) {
      while (driver.step()) {
        // Until nothing happens by itself.
      }
    }
    driver.happened(new LifeFact.StopAsked(false, false));
    List<Command> late = new ArrayList<>();
    for (int i = 0; i < 12; i++) {
      if (then == Then.WORKS) {
        while (driver.step()) {
          // As above.
        }
      }
      driver.happened(new LifeFact.StartDeadline()).happened(new LifeFact.StopDeadline());
      if (then != Then.WORKS) {
        for (Command command : List.copyOf(driver.open)) {
          late.add(command);
          driver.refuse(command, Errno.ETIMEDOUT);
        }
      }
    }
    if (then == Then.LATE) {
      late.stream().distinct().filter(LifeInterruptedTest::mayComeLate).forEach(driver::answer);
      while (driver.step()) {
        // What was asked because of it.
      }
    }
  }

  /** Deleting is the last: what was done late before it is undone by it. */
  private static boolean mayComeLate(Command command) {
    return command == Command.ADD_DEV || command == Command.SET_PARAMS;
  }

  @Test
  void everyPhaseCanBeInterruptedByEverythingAndLeavesNothingBehind() {
    int rows = 0;
    Set<LifePhase> seen = EnumSet.noneOf(LifePhase.class);
    for (Set<UblkFeature> kernel : KERNELS) {
      for (UblkDeviceState found : FOUND) {
        for (LifePhase phase : LifePhase.values()) {
          for (Map.Entry<String, Consumer<ModelDriver>> interruption : interruptions().entrySet()) {
            for (Then then : Then.values()) {
              ModelDriver driver = new ModelDriver(kernel, found);
              if (!reach(driver, phase)) {
                continue;
              }
              seen.add(phase);
              rows++;
              String row =
                  phase + ", found " + found + ": " + interruption.getKey() + ", then " + then;
              boolean handsOver =
                  phase == LifePhase.QUIESCING
                      || (phase == LifePhase.SERVING && interruption.getKey().equals("hand over"));
              interruption.getValue().accept(driver);
              goOn(driver, then);
              boolean stillFound =
                  found == UblkDeviceState.QUIESCED
                      || (found == UblkDeviceState.DEAD
                          && phase.compareTo(LifePhase.REMOVING_DEAD) <= 0);
              check(driver, row, handsOver || stillFound, then);
            }
          }
        }
      }
    }
    assertThat(seen).containsExactlyInAnyOrder(LifePhase.values());
    assertThat(rows).isGreaterThan(1000);
  }

  private static boolean reach(ModelDriver driver, LifePhase phase) {
    return switch (phase) {
      case QUIESCING -> {
        boolean serves = driver.until(LifePhase.SERVING);
        driver.happened(new LifeFact.StopAsked(true, false));
        // Without the command, what is begun ends at once here.
        yield serves && driver.life.phase() == phase;
      }
      case WRITING_BACK, STOPPING, CLOSING, DELETING, ENDED -> {
        boolean serves = driver.until(LifePhase.SERVING);
        driver.happened(new LifeFact.StopAsked(false, false));
        if (phase == LifePhase.CLOSING) {
          driver.until(LifePhase.STOPPING);
          driver.open.remove(Command.STOP_DEV);
          driver.happened(new LifeFact.Done(Command.STOP_DEV));
        }
        yield serves && driver.until(phase);
      }
      case FEATURES,
          FINDING,
          REMOVING_DEAD,
          ADDING,
          SETTING,
          CLAIMING,
          READING,
          OPENING,
          FETCHING,
          STARTING,
          SERVING ->
          driver.until(phase);
    };
  }

  private static void check(ModelDriver driver, String row, boolean mayStay, Then then) {
    assertThat(driver.ends).as("%s: ends, %s", row, driver.life).hasSize(1);
    boolean left = driver.ends.getFirst().left();
    if (then == Then.WORKS) {
      assertThat(driver.fileOpen).as("%s: the file is open", row).isFalse();
      assertThat(driver.queues).as("%s: queues", row).isZero();
      assertThat(driver.exists).as("%s: what is said of the device", row).isEqualTo(left);
      assertThat(driver.exists && !mayStay).as("%s: a device is left", row).isFalse();
    } else if (driver.exists) {
      // A driver that does not even delete keeps it, and that is said.
      assertThat(left || driver.open.contains(Command.DEL_DEV_ASYNC))
          .as("%s: a device is left without a word", row)
          .isTrue();
    }
  }
}
