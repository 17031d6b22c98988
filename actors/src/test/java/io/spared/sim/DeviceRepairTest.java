package io.spared.sim;

import static org.assertj.core.api.Assertions.assertThat;

import io.spared.device.Answer;
import io.spared.device.DeviceCommand;
import io.spared.device.Phase;
import io.spared.host.HostCommand;
import java.time.Duration;
import java.util.Arrays;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.Timeout;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.ValueSource;

/** Copies are destroyed beneath devices that serve under load; all of it in simulated time. */
@Timeout(60)
final class DeviceRepairTest {
  private static final long BUSY_NANOS = 2_000_000;
  private static final int ALL = CoreSetup.COPIES;
  private static final Duration SOON = Duration.ofMinutes(1);

  /** A copy that was repaired three times within an hour waits for up to another. */
  private static final Duration IN_THE_END = Duration.ofHours(3);

  @ParameterizedTest
  @ValueSource(ints = {1, 2, 3, 4, 5})
  void destroyedCopiesAreFiveOfFiveAgainUnderLoad(int destroyed) {
    try (HostRig rig = new HostRig(destroyed, BUSY_NANOS, "a")) {
      HostRig.Device a = rig.servingAll();
      rig.badSectorsOnMain(a, 40);
      rig.runFor(Duration.ofSeconds(1));
      long remapped = a.status().remaps().remapped();
      assertThat(remapped).isPositive();

      for (int copy = 0; copy < destroyed; copy++) {
        a.setup.destroyCopy(copy);
      }
      rig.command(a, replyTo -> new DeviceCommand.Scrub(false, replyTo));

      assertThat(rig.until(() -> a.goodCopies() < ALL, SOON)).isTrue();
      assertThat(rig.until(() -> a.goodCopies() == ALL, SOON)).as("%s", a).isTrue();
      assertThat(rig.everythingIsRight(a)).as("%s", a.setup.truth.violation()).isTrue();
      rig.restart(a);
      assertThat(a.status().remaps().remapped()).isGreaterThanOrEqualTo(remapped);
      assertThat(rig.leftAfterShutdown()).isEmpty();
    }
  }

  @Test
  void corruptionAgainAndAgainInQuickSuccessionIsMendedInTheEnd() {
    try (HostRig rig = new HostRig(21, "a")) {
      HostRig.Device a = rig.servingAll();
      for (int i = 0; i < 60; i++) {
        a.setup.destroyCopy(i % ALL);
        rig.command(a, replyTo -> new DeviceCommand.Scrub(false, replyTo));
        rig.runFor(Duration.ofMillis(100));
      }

      assertThat(a.status().phase().serves()).isTrue();
      rig.quiet(a);
      assertThat(rig.until(() -> a.goodCopies() == ALL, IN_THE_END)).as("%s", a).isTrue();
      rig.restart(a);
      assertThat(rig.everythingIsRight(a)).as("%s", a.setup.truth.violation()).isTrue();
      assertThat(rig.leftAfterShutdown()).isEmpty();
    }
  }

  @Test
  void aSpareThatIsLostDuringItsRepairLeavesReadsAndPlainWritesAndIsMendedWhenItIsBack() {
    try (HostRig rig = new HostRig(22, "a")) {
      HostRig.Device a = rig.servingAll();
      SimDrive spare = a.setup.spares.get(1);
      a.setup.destroyCopy(1);
      a.setup.destroyCopy(3);
      spare.stall(Duration.ofSeconds(1).toNanos());
      rig.command(a, replyTo -> new DeviceCommand.Scrub(false, replyTo));
      spare.disappear();

      assertThat(rig.until(() -> a.is(s -> s.phase() == Phase.DEGRADED), SOON))
          .as("%s", a)
          .isTrue();
      assertThat(rig.everythingIsRight(a)).as("%s", a.setup.truth.violation()).isTrue();

      spare.reappear();
      rig.restart(a);
      assertThat(rig.until(() -> a.goodCopies() == ALL, IN_THE_END)).as("%s", a).isTrue();
      assertThat(rig.leftAfterShutdown()).isEmpty();
    }
  }

  @Test
  void severalDevicesRepairAtOnce() {
    try (HostRig rig = new HostRig(23, "a", "b", "c", "d")) {
      rig.servingAll();
      for (HostRig.Device device : rig.devices.values()) {
        for (int copy = 0; copy < 4; copy++) {
          device.setup.destroyCopy(copy);
        }
        rig.command(device, replyTo -> new DeviceCommand.Scrub(false, replyTo));
      }
      for (HostRig.Device device : rig.devices.values()) {
        assertThat(rig.until(() -> device.repairs() >= 4 && device.goodCopies() == ALL, SOON))
            .as("%s", device)
            .isTrue();
        assertThat(rig.everythingIsRight(device)).as("%s", device.setup.truth.violation()).isTrue();
      }
      assertThat(rig.leftAfterShutdown()).isEmpty();
    }
  }

  @Test
  void aDeviceIsRemovedDuringItsRepairWithinItsDeadline() {
    try (HostRig rig = new HostRig(24, "a", "b")) {
      HostRig.Device a = rig.servingAll();
      for (int copy = 0; copy < 4; copy++) {
        a.setup.destroyCopy(copy);
      }
      // Slow enough that the repair is still under way.
      a.setup.spares.forEach(spare -> spare.stall(Duration.ofSeconds(2).toNanos()));
      rig.tellDevice(a, new DeviceCommand.Repair(rig.ignored()));
      rig.runFor(Duration.ofMillis(200));
      long before = rig.world.nowNanos();

      Answer removed = rig.ofHost(replyTo -> new HostCommand.Remove("a-sim", true, replyTo));

      assertThat(removed).isInstanceOf(Answer.Done.class);
      assertThat(rig.world.nowNanos() - before).isLessThan(HostRig.DRAIN.toNanos());
      rig.runFor(Duration.ofSeconds(5));
      assertThat(HostRig.open(a)).isEmpty();
      assertThat(rig.leftAfterShutdown()).isEmpty();
    }
  }

  @Test
  void repairAndScrubsEndUnderHeavyLoad() {
    try (HostRig rig = new HostRig(25, 200_000, "a")) {
      HostRig.Device a = rig.servingAll();
      rig.badSectorsOnMain(a, 20);
      for (int[] copies : new int[][] {{0, 1}, {2, 3, 4}}) {
        Arrays.stream(copies).forEach(a.setup::destroyCopy);
        rig.command(a, replyTo -> new DeviceCommand.Scrub(false, replyTo));
        rig.command(a, replyTo -> new DeviceCommand.Scrub(true, replyTo));
        assertThat(rig.until(() -> a.goodCopies() < ALL, SOON)).isTrue();
        assertThat(rig.until(() -> a.goodCopies() == ALL, SOON)).as("%s", a).isTrue();
      }
      assertThat(rig.until(() -> a.is(s -> s.scrubs().completed() >= 2), SOON)).isTrue();
      assertThat(rig.everythingIsRight(a)).as("%s", a.setup.truth.violation()).isTrue();
      assertThat(rig.leftAfterShutdown()).isEmpty();
    }
  }
}
