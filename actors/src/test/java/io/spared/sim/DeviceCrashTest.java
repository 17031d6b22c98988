package io.spared.sim;

import static org.assertj.core.api.Assertions.assertThat;

import io.spared.device.DeviceCommand;
import io.spared.device.DeviceStatus;
import io.spared.device.LifeCycle;
import io.spared.disk.DiskCommand;
import io.spared.evacuation.EvacuatorCommand;
import io.spared.ffi.engine.IoRequest.Operation;
import io.spared.host.HostCommand;
import io.spared.metadata.MetadataCommand;
import io.spared.monitor.MonitorCommand;
import io.spared.relocation.RelocatorCommand;
import io.spared.replacement.CopierCommand;
import io.spared.scrub.ScrubberCommand;
import io.spared.spare.SpareCommand;
import io.spared.spare.SpareCrash;
import java.time.Duration;
import java.util.List;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.Timeout;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.MethodSource;

/**
 * Each kind of actor of a device crashes under load, again and again; docs/internals/supervision.md
 * says what that means, and here it is so. Another device of the host serves on, and in the end
 * nothing is left.
 */
@Timeout(60)
final class DeviceCrashTest {
  /** Longer than the longest pause before a new assembling, with the assembling. */
  private static final Duration SERVES_AGAIN = Duration.ofSeconds(40);

  private static final Duration SOME_LOAD = Duration.ofSeconds(1);

  /** An actor whose crash means that its device is assembled again from its disks. */
  record Part(String name, String path, Object message) {
    @Override
    public String toString() {
      return name;
    }
  }

  private static final Part RELOCATOR =
      new Part(
          "relocator", "/device-a-sim-*/relocator-*", new RelocatorCommand.FromQueue(nothing()));

  /** Common to both devices: each is assembled for its own. */
  private static final Part SPARES_ACTOR =
      new Part("spare", "/spares/spare-disk-*", SpareCrash.message());

  static List<Part> parts() {
    DiskCommand disk = new DiskCommand.Failed(Operation.READ, nothing(), 0);
    return List.of(
        RELOCATOR,
        SPARES_ACTOR,
        new Part("actor", "/device-a-sim-*", new DeviceCommand.Explain(0, nothing())),
        new Part(
            "metadata", "/device-a-sim-*/metadata-*", new MetadataCommand.GetStatus(nothing())),
        new Part("disk-1", "/device-a-sim-*/disk-1*", disk),
        new Part("disk0", "/device-a-sim-*/disk0*", disk));
  }

  @ParameterizedTest
  @MethodSource("parts")
  void itIsAssembledAgainFromItsDisksThreeTimesAndThenFails(Part crashing) {
    try (HostRig rig = new HostRig(1, "a", "b")) {
      HostRig.Device a = rig.device("a-sim");
      HostRig.Device b = rig.device("b-sim");
      assertThat(rig.until(() -> a.serves() && b.serves(), SERVES_AGAIN)).as("%s", a).isTrue();
      int notServingBefore = b.timesNotServing;

      for (int crash = 1; crash <= LifeCycle.CRASHES_SURVIVED; crash++) {
        rig.runFor(SOME_LOAD);
        long epoch = a.epoch();
        rig.tell(crashing.path(), crashing.message());
        assertThat(rig.until(() -> a.serves() && a.epoch() > epoch, SERVES_AGAIN))
            .as("crash %s: %s", crash, a)
            .isTrue();
      }
      assertThat(rig.everythingIsRight(a)).as("%s", a.setup.truth.violation()).isTrue();

      rig.tell(crashing.path(), crashing.message());
      assertThat(rig.until(() -> a.is(HostRig::failed), SERVES_AGAIN)).as("%s", a).isTrue();
      assertThat(a.toString()).contains("its " + crashing.name()).contains("4th crash");
      rig.runFor(Duration.ofSeconds(1));
      assertThat(HostRig.open(a)).as("disks of a failed device").isEmpty();

      if (!crashing.equals(SPARES_ACTOR)) {
        assertThat(b.timesNotServing).as("%s", b).isEqualTo(notServingBefore);
        assertThat(rig.everythingIsRight(b)).as("%s", b.setup.truth.violation()).isTrue();
      }
      assertThat(rig.leftAfterShutdown()).isEmpty();
    }
  }

  @Test
  void afterItFailedAPersonStartsItAgain() {
    try (HostRig rig = new HostRig(7, "a")) {
      HostRig.Device a = rig.device();
      for (int crash = 0; crash <= LifeCycle.CRASHES_SURVIVED; crash++) {
        assertThat(rig.until(a::serves, SERVES_AGAIN)).as("%s", a).isTrue();
        rig.runFor(SOME_LOAD);
        rig.tell(RELOCATOR.path(), RELOCATOR.message());
        rig.until(() -> !a.serves(), SERVES_AGAIN);
      }
      assertThat(rig.until(() -> a.is(HostRig::failed), SERVES_AGAIN)).as("%s", a).isTrue();

      rig.command(a, DeviceCommand.Start::new);

      assertThat(rig.until(a::serves, SERVES_AGAIN)).as("%s", a).isTrue();
      assertThat(rig.everythingIsRight(a)).as("%s", a.setup.truth.violation()).isTrue();
      assertThat(rig.leftAfterShutdown()).isEmpty();
    }
  }

  @Test
  void aScrubberIsMadeAnewAndNobodyNotices() {
    try (HostRig rig = new HostRig(11, "a")) {
      HostRig.Device a = rig.device();
      assertThat(rig.until(a::serves, SERVES_AGAIN)).isTrue();
      int notServing = a.timesNotServing;
      long epoch = a.epoch();
      for (int crash = 0; crash < 5; crash++) {
        rig.tell("/device-a-sim-*/scrubber*", new ScrubberCommand.SetPlan(nothing()));
        rig.runFor(SOME_LOAD);
      }
      assertThat(rig.everythingIsRight(a)).as("%s", a.setup.truth.violation()).isTrue();
      assertThat(a.timesNotServing).isEqualTo(notServing);
      assertThat(a.epoch()).isEqualTo(epoch);
      assertThat(rig.leftAfterShutdown()).isEmpty();
    }
  }

  @Test
  void aFrontendsQueueEndsByItselfAndTheOthersServeOn() {
    try (HostRig rig = new HostRig(12, 1_000_000, "a")) {
      HostRig.Device a = rig.device();
      assertThat(rig.until(a::serves, SERVES_AGAIN)).isTrue();
      rig.runFor(SOME_LOAD);
      int notServing = a.timesNotServing;
      long epoch = a.epoch();

      a.clients.getLast().tell(new SimClient.Command.Crash());

      assertThat(rig.until(() -> a.is(s -> s.traffic().queues() == 1), SOME_LOAD))
          .as("%s", a.setup.truth.violation())
          .isTrue();
      rig.runFor(Duration.ofSeconds(5));
      assertThat(rig.everythingIsRight(a)).as("%s", a.setup.truth.violation()).isTrue();
      assertThat(a.timesNotServing).isEqualTo(notServing);
      assertThat(a.epoch()).isEqualTo(epoch);
      assertThat(rig.leftAfterShutdown()).isEmpty();
    }
  }

  @Test
  void theMonitorIsMadeAnewAndNobodyNotices() {
    try (HostRig rig = new HostRig(13, "a")) {
      HostRig.Device a = rig.device();
      assertThat(rig.until(a::serves, SERVES_AGAIN)).isTrue();
      int notServing = a.timesNotServing;
      for (int crash = 0; crash < 4; crash++) {
        rig.tell("/monitor", new MonitorCommand.Counts(nothing()));
        rig.runFor(SOME_LOAD);
      }
      assertThat(rig.everythingIsRight(a)).as("%s", a.setup.truth.violation()).isTrue();
      assertThat(a.timesNotServing).isEqualTo(notServing);
      assertThat(rig.leftAfterShutdown()).isEmpty();
    }
  }

  @Test
  void anEvacuatorIsMadeAnewAndTheSpareIsLeftInTheEnd() {
    try (HostRig rig = new HostRig(17, "a")) {
      HostRig.Device a = rig.servingAll();
      rig.badSectorsOnMain(a, 100);
      assertThat(rig.until(() -> a.is(s -> s.remaps().remapped() > 20), SERVES_AGAIN)).isTrue();
      long epoch = a.epoch();
      int notServing = a.timesNotServing;

      // So slowly that its blocks, 18 of them, are on their way for more than a second.
      rig.command(a, replyTo -> new DeviceCommand.SetPolicy("move-rate", "64 KiB", replyTo));
      rig.command(a, replyTo -> new DeviceCommand.Evacuate(0, false, replyTo));
      assertThat(rig.until(() -> a.is(s -> moved(s) >= 4), SOME_LOAD)).as("%s", a).isTrue();
      rig.tell("/device-a-sim-*/evacuator*", new EvacuatorCommand.FlowEnded(1, nothing()));
      rig.runFor(Duration.ofMillis(100));
      long movedAtCrash = moved(a.status());
      rig.runFor(Duration.ofMillis(500));
      assertThat(moved(a.status())).as("nobody moves blocks yet: %s", a).isEqualTo(movedAtCrash);

      assertThat(rig.until(() -> a.is(s -> s.jobs().isEmpty()), Duration.ofMinutes(5)))
          .as("%s", a)
          .isTrue();
      assertThat(a.status().disks()).noneMatch(disk -> disk.role().equals("spare-0"));
      assertThat(rig.everythingIsRight(a)).as("%s", a.setup.truth.violation()).isTrue();
      assertThat(a.timesNotServing).isEqualTo(notServing);
      assertThat(a.epoch()).isEqualTo(epoch);
      assertThat(rig.leftAfterShutdown()).isEmpty();
    }
  }

  @Test
  void withItsCopierTheDeviceIsAssembledAgainAndTheCopyGoesOn() {
    try (HostRig rig = new HostRig(18, CoreSetup::plugNext, "a")) {
      HostRig.Device a = rig.servingAll();
      rig.command(
          a, replyTo -> new DeviceCommand.Replace(CoreSetup.address("next"), 1 << 17, replyTo));
      rig.runFor(SOME_LOAD);
      assertThat(a.status().replacing()).isPresent();
      long epoch = a.epoch();

      rig.tell("/device-a-sim-*/copier*", new CopierCommand.Copy(nothing(), nothing()));

      assertThat(rig.until(() -> a.serves() && a.epoch() > epoch, SERVES_AGAIN))
          .as("%s", a)
          .isTrue();

      assertThat(rig.until(() -> a.is(s -> s.replacing().isEmpty()), Duration.ofMinutes(2)))
          .as("%s", a)
          .isTrue();
      assertThat(a.status().disks().getFirst().address()).contains("next");
      assertThat(rig.everythingIsRight(a)).as("%s", a.setup.truth.violation()).isTrue();
      assertThat(rig.leftAfterShutdown()).isEmpty();
    }
  }

  @Test
  void withoutTheOwnerOfTheSparesTheHostEndsAndKeepsNoDisk() {
    try (HostRig rig = new HostRig(14, "a", "b")) {
      assertThat(rig.until(rig.device()::serves, SERVES_AGAIN)).isTrue();
      rig.runFor(SOME_LOAD);

      rig.tell(
          "/spares",
          new SpareCommand.TakeBack(
              new java.util.UUID(0, 0), new java.util.UUID(0, 0), 0, 0, nothing()));

      assertThat(rig.until(() -> rig.hostEnded, SERVES_AGAIN)).isTrue();
      rig.runFor(Duration.ofSeconds(5));
      assertThat(rig.left()).isEmpty();
    }
  }

  @Test
  void withoutTheHostsActorNothingIsKeptOpen() {
    try (HostRig rig = new HostRig(15, "a", "b")) {
      assertThat(rig.until(rig.device()::serves, SERVES_AGAIN)).isTrue();
      rig.runFor(SOME_LOAD);

      rig.tell("", new HostCommand.Find("a", nothing()));

      assertThat(rig.until(() -> rig.hostEnded, SERVES_AGAIN)).isTrue();
      rig.runFor(Duration.ofSeconds(5));
      assertThat(rig.left()).isEmpty();
    }
  }

  @Test
  void aDeviceThatIsRemovedGivesItsSparesBackHoweverOftenItWasAssembled() {
    try (HostRig rig = new HostRig(16, "a")) {
      HostRig.Device a = rig.device();
      assertThat(rig.until(a::serves, SERVES_AGAIN)).isTrue();
      a.setup.main.disappear();
      rig.tell(RELOCATOR.path(), RELOCATOR.message());
      rig.runFor(Duration.ofMinutes(1));
      a.setup.main.reappear();
      assertThat(rig.until(a::serves, SERVES_AGAIN)).as("%s", a).isTrue();

      rig.ofHost(replyTo -> new HostCommand.Remove("a-sim", true, replyTo));
      rig.runFor(Duration.ofSeconds(1));

      assertThat(HostRig.open(a)).isEqualTo(List.of());
    }
  }

  /** Of the evacuation that goes on; -1 where none does. */
  private static long moved(DeviceStatus status) {
    return status.jobs().stream().mapToLong(DeviceStatus.Job::done).findFirst().orElse(-1);
  }

  /** What no message may carry: whoever takes it crashes. */
  @SuppressWarnings({"NullAway", "TypeParameterUnusedInFormals"})
  static <T> T nothing() {
    return null;
  }
}
