package io.spared.sim;

import static org.assertj.core.api.Assertions.assertThat;

import io.spared.device.Answer;
import io.spared.device.DeviceCommand;
import io.spared.device.Phase;
import java.time.Duration;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.Timeout;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.EnumSource;

/**
 * Every disk stops answering, for ever, at whatever moment: a stop keeps its deadline all the same.
 */
@Timeout(60)
final class DeviceDrainTest {
  private static final long BUSY_NANOS = 2_000_000;

  /** What the device does when its disks stop answering. */
  enum Moment {
    IDLE,
    UNDER_LOAD,
    METADATA_WRITE,
    RELOCATION,
    REPAIR,
    METADATA_SCRUB,
    SURFACE_SCAN,
    FREEZE
  }

  private static void begin(Moment moment, HostRig rig, HostRig.Device device) {
    switch (moment) {
      case IDLE -> rig.quiet(device);
      case UNDER_LOAD -> {}
      case METADATA_WRITE ->
          rig.tellDevice(device, new DeviceCommand.SetPolicy("auto-repair", "off", rig.ignored()));
      case RELOCATION -> rig.badSectorsOnMain(device, 200);
      case REPAIR -> {
        device.setup.destroyCopy(0);
        device.setup.destroyCopy(3);
        rig.tellDevice(device, new DeviceCommand.Repair(rig.ignored()));
      }
      case METADATA_SCRUB -> rig.tellDevice(device, new DeviceCommand.Scrub(false, rig.ignored()));
      case SURFACE_SCAN -> rig.tellDevice(device, new DeviceCommand.Scrub(true, rig.ignored()));
      case FREEZE -> rig.tellDevice(device, new DeviceCommand.Freeze(rig.ignored()));
    }
  }

  @ParameterizedTest
  @EnumSource(Moment.class)
  void aStopEndsWithinItsDeadlineAndEverythingGoesBackWhenTheDisksLetGo(Moment moment) {
    try (HostRig rig = new HostRig(1, BUSY_NANOS, "a")) {
      HostRig.Device a = rig.servingAll();
      rig.runFor(Duration.ofMillis(200));
      begin(moment, rig, a);
      // Into the middle of it: disks answer within milliseconds.
      rig.runFor(Duration.ofMillis(2));
      a.setup.drives().forEach(SimDrive::hang);
      rig.runFor(Duration.ofMillis(50));

      stopsInTime(rig, a);

      a.setup.drives().forEach(SimDrive::resume);
      assertThat(rig.leftAfterShutdown()).isEmpty();
    }
  }

  @Test
  void aDeviceWhoseDisksHangWhileItIsAssembledStopsAtOnce() {
    try (HostRig rig = new HostRig(2, "a", "b")) {
      HostRig.Device a = rig.device("a-sim");
      a.setup.drives().forEach(SimDrive::hang);
      assertThat(rig.until(rig.device("b-sim")::serves, Duration.ofMinutes(1))).isTrue();
      assertThat(a.status().phase()).isEqualTo(Phase.ASSEMBLING);

      stopsInTime(rig, a);

      a.setup.drives().forEach(SimDrive::resume);
      assertThat(rig.leftAfterShutdown()).isEmpty();
    }
  }

  @Test
  void aHostWhoseDisksAllHangShutsDownWithinItsDeadline() {
    try (HostRig rig = new HostRig(3, "a", "b")) {
      rig.servingAll();
      rig.devices.values().forEach(each -> each.setup.drives().forEach(SimDrive::hang));
      rig.runFor(Duration.ofMillis(50));
      long before = rig.world.nowNanos();

      assertThat(rig.shutdown()).isTrue();

      assertThat(rig.world.nowNanos() - before).isLessThanOrEqualTo(HostRig.DRAIN.toNanos());
    }
  }

  private static void stopsInTime(HostRig rig, HostRig.Device device) {
    long before = rig.world.nowNanos();
    Answer answer =
        rig.command(
            device, replyTo -> new DeviceCommand.Stop(true, HostRig.DRAIN.toNanos(), replyTo));
    assertThat(answer).isInstanceOf(Answer.Done.class);
    assertThat(rig.world.nowNanos() - before).isLessThanOrEqualTo(HostRig.DRAIN.toNanos());
    assertThat(rig.until(() -> device.is(s -> s.phase() == Phase.STOPPED), Duration.ofSeconds(1)))
        .as("%s", device)
        .isTrue();
  }
}
