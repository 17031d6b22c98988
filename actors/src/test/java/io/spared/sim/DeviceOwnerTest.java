package io.spared.sim;

import static org.assertj.core.api.Assertions.assertThat;

import io.spared.device.DeviceCommand;
import io.spared.format.Owner;
import java.time.Duration;
import java.util.UUID;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.Timeout;

/** A configured device whose metadata another host wrote last. */
@Timeout(60)
final class DeviceOwnerTest {
  private static final Duration SOON = Duration.ofSeconds(30);
  private static final Owner OTHER = new Owner(new UUID(2, 2), "other");

  @Test
  void aDeviceThatAnotherHostHasNotStoppedWaitsForAPerson() {
    try (HostRig rig = new HostRig(61, "a")) {
      HostRig.Device a = serving(rig);

      rig.moveTo(OTHER);

      assertRefused(rig, a);

      rig.command(a, DeviceCommand.Start::new);

      assertRefused(rig, a);
      assertThat(HostRig.open(a)).isEmpty();
    }
  }

  @Test
  void whoTakesItOverServesItUnderANewEpochAndOwnsItFromThenOn() {
    try (HostRig rig = new HostRig(62, "a")) {
      HostRig.Device a = serving(rig);
      long epoch = a.epoch();
      rig.moveTo(OTHER);
      assertRefused(rig, a);

      rig.command(a, replyTo -> new DeviceCommand.Start(true, java.util.Optional.empty(), replyTo));

      assertThat(rig.until(a::serves, SOON)).as("%s", a).isTrue();
      assertThat(a.epoch()).as("refused before anything was written").isEqualTo(epoch + 1);
      assertThat(rig.everythingIsRight(a)).as(a.setup.truth.violation()).isTrue();

      rig.quiet(a);
      rig.moveTo(OTHER);
      assertThat(rig.until(a::serves, SOON)).as("%s", a).isTrue();

      rig.quiet(a);
      rig.moveTo(HostRig.HOST);
      assertThat(rig.until(() -> a.is(HostRig::failed), SOON)).as("%s", a).isTrue();
      assertThat(a.toString()).contains("host other (" + OTHER.hostId() + ") owns it");
    }
  }

  @Test
  void aDeviceThatAnotherHostStoppedCleanlyStartsByItself() {
    try (HostRig rig = new HostRig(63, "a")) {
      HostRig.Device a = serving(rig);
      long epoch = a.epoch();
      assertThat(rig.leftAfterShutdown()).isEmpty();

      rig.moveTo(OTHER);

      assertThat(rig.until(a::serves, SOON)).as("%s", a).isTrue();
      assertThat(a.epoch()).isEqualTo(epoch + 1);
      assertThat(rig.everythingIsRight(a)).as(a.setup.truth.violation()).isTrue();
      assertThat(rig.leftAfterShutdown()).isEmpty();
    }
  }

  /** Served, in a second epoch (the first is of whoever created it), and nothing is asked of it. */
  private static HostRig.Device serving(HostRig rig) {
    HostRig.Device device = rig.servingAll();
    rig.restart(device);
    rig.quiet(device);
    return device;
  }

  private static void assertRefused(HostRig rig, HostRig.Device device) {
    assertThat(rig.until(() -> device.is(HostRig::failed), SOON)).as("%s", device).isTrue();
    assertThat(device.toString())
        .contains("host sim (" + HostRig.HOST.hostId() + ") owns it since epoch 2-")
        .contains("has not stopped it cleanly")
        .contains("spared ctl start a-sim --take-over");
  }
}
