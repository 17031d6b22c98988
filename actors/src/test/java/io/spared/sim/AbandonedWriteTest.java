package io.spared.sim;

import static org.assertj.core.api.Assertions.assertThat;

import io.spared.device.DeviceCommand;
import io.spared.device.Phase;
import io.spared.relocation.RelocatorCommand;
import io.spared.spare.SpareCommand;
import java.time.Duration;
import java.util.function.Consumer;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.Timeout;

/**
 * Writes that a device leaves behind with a spare that stays open: they may land at any time, and
 * the next life of the device must not have written there before they did.
 */
@Timeout(60)
final class AbandonedWriteTest {
  private static final Duration SOON = Duration.ofSeconds(30);

  @Test
  void afterACrashOfTheDeviceTheyLandBeforeItServesAgain() {
    landBeforeItServesAgain(rig ->
        rig.tell("/device-a-sim-*", new DeviceCommand.Explain(0, DeviceCrashTest.nothing())));
  }

  @Test
  void afterAStopTheyLandBeforeItServesAgain() {
    landBeforeItServesAgain(rig -> {
      HostRig.Device a = rig.device();
      rig.tellDevice(
          a, new DeviceCommand.Stop(true, Duration.ofMillis(500).toNanos(), rig.ignored()));
      rig.until(() -> a.is(s -> s.phase() == Phase.STOPPED), SOON);
      rig.tellDevice(a, new DeviceCommand.Start(rig.ignored()));
    });
  }

  @Test
  void afterACrashOfAPartOnASpareThatAnotherUsesTheyLandBeforeItServesAgain() {
    landBeforeItServesAgain(rig -> {
      for (int spare = 0; spare < 2; spare++) {
        rig.tell(
            "/spares",
            new SpareCommand.Attach(
                rig.device().setup.spareAddress(spare), "another", rig.ignored()));
      }
      rig.runFor(Duration.ofMillis(1));
      rig.tell(
          "/device-a-sim-*/relocator-*", new RelocatorCommand.FromQueue(DeviceCrashTest.nothing()));
    });
  }

  private static void landBeforeItServesAgain(Consumer<HostRig> newLife) {
    for (long seed = 60; seed < 64; seed++) {
      try (HostRig rig = new HostRig(seed, "a")) {
        HostRig.Device a = rig.servingAll();
        // Every block that is written moves to a spare.
        rig.badSectorsOnMain(a, 1024);
        assertThat(rig.until(() -> a.is(s -> s.remaps().remapped() > 20), SOON)).isTrue();
        a.clients.getFirst().tell(new SimClient.Command.Quiet());
        rig.runFor(Duration.ofSeconds(3));
        a.setup.spares.forEach(spare -> spare.faults().stuck = 0.2);
        rig.runFor(Duration.ofMillis(50));
        a.setup.spares.forEach(spare -> spare.faults().stuck = 0);
        // Past the deadline of every request.
        rig.runFor(Duration.ofSeconds(6));
        assertThat(a.setup.spares).anyMatch(spare -> spare.inFlight() > 0);
        // A queue whose host is there holds main for as long as the kernel has anything of it.
        a.clients.getLast().tell(new SimClient.Command.Crash());
        rig.runFor(Duration.ofMillis(1));
        long epoch = a.epoch();

        newLife.accept(rig);
        rig.runFor(Duration.ofSeconds(10));

        String waiting = a.toString();
        // If it serves already, all is written anew; what lands after that is wrong.
        a.clients.getFirst().tell(new SimClient.Command.WriteAndReadAll(() -> {}));
        rig.runFor(Duration.ofSeconds(10));
        a.setup.spares.forEach(SimDrive::answerStuck);
        assertThat(rig.until(() -> a.serves() && a.epoch() > epoch, SOON)).as("%s", a).isTrue();
        rig.runFor(Duration.ofSeconds(1));
        boolean[] read = new boolean[1];
        a.clients.getFirst().tell(new SimClient.Command.ReadAll(() -> read[0] = true));
        assertThat(rig.until(() -> read[0], SOON)).isTrue();
        assertThat(a.setup.truth.violation()).as("seed %s", seed).isNull();
        assertThat(waiting)
            .contains("ASSEMBLING, waits: requests of an earlier start of it are still with");
        assertThat(rig.everythingIsRight(a)).as("%s", a.setup.truth.violation()).isTrue();
        assertThat(rig.leftAfterShutdown()).isEmpty();
      }
    }
  }
}
