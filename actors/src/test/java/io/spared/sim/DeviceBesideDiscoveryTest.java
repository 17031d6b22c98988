package io.spared.sim;

import static org.assertj.core.api.Assertions.assertThat;

import io.spared.device.Answer;
import io.spared.device.DeviceCommand;
import io.spared.device.Phase;
import io.spared.discovery.DiscoveryCommand;
import java.time.Duration;
import java.util.ArrayList;
import java.util.List;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.Timeout;

/**
 * Discovery looks at all disks and waits for one that never answers; devices that serve notice
 * nothing of it.
 */
@Timeout(60)
final class DeviceBesideDiscoveryTest {
  private static final Duration SOON = Duration.ofMillis(200);

  /** Longer than discovery waits for a disk. */
  private static final Duration SCAN = Duration.ofMinutes(1);

  private final List<DiscoveryCommand.ScanReport> reports = new ArrayList<>();

  private HostRig.Device scanning(HostRig rig) {
    HostRig.Device a = rig.servingAll();
    a.setup.drives().getLast().hang();
    rig.discover(a, reports::add);
    rig.runFor(SOON);
    assertThat(reports).as("the scan waits for the disk that hangs").isEmpty();
    return a;
  }

  private void scanEnds(HostRig rig, HostRig.Device a) {
    assertThat(reports).as("the scan went on meanwhile").isEmpty();
    assertThat(rig.until(() -> !reports.isEmpty(), SCAN)).isTrue();
    assertThat(reports.getFirst().leftAlone()).anyMatch(line -> line.contains("next"));
    a.setup.drives().getLast().resume();
    rig.runFor(SOON);
  }

  @Test
  void aSettingChangesWhileDiscoveryRuns() {
    try (HostRig rig = new HostRig(31, CoreSetup::plugNext, "a")) {
      HostRig.Device a = scanning(rig);
      long asked = rig.world.nowNanos();

      Answer answer =
          rig.command(a, replyTo -> new DeviceCommand.SetPolicy("scrub-interval", "2 h", replyTo));

      assertThat(answer).isInstanceOf(Answer.Done.class);
      assertThat(rig.world.nowNanos() - asked).isLessThan(SOON.toNanos());
      assertThat(rig.until(() -> scrubInterval(a).contains("2 hours"), Duration.ofSeconds(1)))
          .isTrue();
      scanEnds(rig, a);
      assertThat(rig.everythingIsRight(a)).as("%s", a.setup.truth.violation()).isTrue();
      assertThat(rig.leftAfterShutdown()).isEmpty();
    }
  }

  private static String scrubInterval(HostRig.Device device) {
    return String.valueOf(device.status().policy().get("scrub-interval"));
  }

  @Test
  void aDeviceDrainsWhileDiscoveryRuns() {
    try (HostRig rig = new HostRig(32, CoreSetup::plugNext, "a")) {
      HostRig.Device a = scanning(rig);
      long asked = rig.world.nowNanos();

      Answer answer =
          rig.command(a, replyTo -> new DeviceCommand.Stop(true, HostRig.DRAIN.toNanos(), replyTo));

      assertThat(answer).isInstanceOf(Answer.Done.class);
      assertThat(rig.world.nowNanos() - asked).as("no disk of it hangs").isLessThan(SOON.toNanos());
      assertThat(rig.until(() -> a.is(s -> s.phase() == Phase.STOPPED), SOON.multipliedBy(2)))
          .isTrue();
      scanEnds(rig, a);
      assertThat(rig.leftAfterShutdown()).isEmpty();
    }
  }
}
