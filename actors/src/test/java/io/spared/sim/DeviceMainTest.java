package io.spared.sim;

import static org.assertj.core.api.Assertions.assertThat;

import io.spared.device.DeviceCommand;
import io.spared.device.Phase;
import java.time.Duration;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.Timeout;

/** Main between a clean stop and the next start. */
@Timeout(60)
final class DeviceMainTest {
  private static final Duration SOON = Duration.ofSeconds(30);

  @Test
  void mainThatWasUsedWithoutSparedIsNotServedUntilAPersonStartsItAgain() {
    try (HostRig rig = new HostRig(51, "a")) {
      HostRig.Device a = rig.servingAll();
      long epoch = a.epoch();
      stopped(rig);
      // As mounting an ext file system writes its superblock.
      a.setup.main.poke(1024, new byte[] {1, 2, 3, 4});

      rig.command(a, DeviceCommand.Start::new);

      assertThat(rig.until(() -> a.is(HostRig::failed), SOON)).as("%s", a).isTrue();
      assertThat(a.toString()).contains("written without spared");

      rig.command(a, DeviceCommand.Start::new);

      assertThat(rig.until(a::serves, SOON)).as("%s", a).isTrue();
      assertThat(a.epoch()).as("refused before anything was written").isEqualTo(epoch + 1);
      assertThat(rig.leftAfterShutdown()).isEmpty();
    }
  }

  @Test
  void mainThatWasWrittenElsewhereThanAtItsHeadsIsServed() {
    try (HostRig rig = new HostRig(52, "a")) {
      HostRig.Device a = stopped(rig);
      a.setup.main.poke(512 << 10, new byte[] {1, 2, 3, 4});

      rig.command(a, DeviceCommand.Start::new);

      assertThat(rig.until(a::serves, SOON)).as("%s", a).isTrue();
      assertThat(rig.leftAfterShutdown()).isEmpty();
    }
  }

  @Test
  void headsThatCannotBeReadForbidNothing() {
    try (HostRig rig = new HostRig(53, "a")) {
      HostRig.Device a = stopped(rig);
      a.setup.main.addDefect(3, 1, SimDrive.Defect.UNREADABLE);

      rig.command(a, DeviceCommand.Start::new);

      assertThat(rig.until(a::serves, SOON)).as("%s", a).isTrue();
      rig.restart(a);
      assertThat(rig.leftAfterShutdown()).isEmpty();
    }
  }

  private static HostRig.Device stopped(HostRig rig) {
    HostRig.Device device = rig.servingAll();
    rig.quiet(device);
    rig.command(device, replyTo -> new DeviceCommand.Stop(true, HostRig.DRAIN.toNanos(), replyTo));
    assertThat(rig.until(() -> device.is(s -> s.phase() == Phase.STOPPED), SOON)).isTrue();
    return device;
  }
}
