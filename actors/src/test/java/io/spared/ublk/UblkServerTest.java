package io.spared.ublk;

import static org.assertj.core.api.Assertions.assertThat;

import com.typesafe.config.ConfigFactory;
import io.spared.device.Answer;
import io.spared.device.DeviceCommand;
import io.spared.device.DeviceSettings;
import io.spared.device.Phase;
import io.spared.ffi.disk.DiskAddress;
import io.spared.ffi.disk.DiskGeometry;
import io.spared.ffi.disk.DiskUse;
import io.spared.ublk.UblkServer.After;
import java.nio.file.Path;
import java.time.Duration;
import java.util.List;
import java.util.Optional;
import java.util.UUID;
import org.apache.pekko.actor.testkit.typed.javadsl.ActorTestKit;
import org.apache.pekko.actor.testkit.typed.javadsl.ManualTime;
import org.apache.pekko.actor.testkit.typed.javadsl.TestProbe;
import org.apache.pekko.actor.typed.ActorRef;
import org.apache.pekko.actor.typed.Behavior;
import org.apache.pekko.actor.typed.DispatcherSelector;
import org.apache.pekko.actor.typed.javadsl.Behaviors;
import org.jspecify.annotations.Nullable;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.Test;

/** The server alone: its frontends are in the hand of the test, and time too. */
class UblkServerTest {
  private static final Duration AGAIN = Duration.ofSeconds(3);

  private final ActorTestKit kit =
      ActorTestKit.create(ManualTime.config().withFallback(ConfigFactory.load()));
  private final ManualTime time = ManualTime.get(kit.system());
  private final TestProbe<DeviceCommand> device = kit.createTestProbe();
  private final TestProbe<FrontendMessage> frontend = kit.createTestProbe();
  private final TestProbe<Answer> person = kit.createTestProbe();
  private ActorRef<UblkReport> owner = kit.<UblkReport>createTestProbe().ref();
  private final TestProbe<ActorRef<UblkUsers.Seen>> lookers = kit.createTestProbe();
  private int crashesOfTheFinder;
  private int frontends;
  private int crashesOfTheServer;

  private final UblkParts parts =
      new UblkParts() {
        @Override
        public Behavior<Object> finder(ActorRef<UblkFinder.Found> replyTo) {
          return Behaviors.setup(context -> {
            if (crashesOfTheFinder > 0) {
              crashesOfTheFinder--;
              throw new IllegalStateException("a defect of the finder");
            }
            replyTo.tell(new UblkFinder.Found(List.of()));
            return Behaviors.stopped();
          });
        }

        @Override
        public Behavior<FrontendMessage> frontend(
            UblkSettings settings,
            UblkShape shape,
            boolean recover,
            ActorRef<DeviceCommand> served,
            ActorRef<UblkReport> reports) {
          if (crashesOfTheServer > 0) {
            crashesOfTheServer--;
            throw new IllegalStateException("a defect");
          }
          owner = reports;
          frontends++;
          return Behaviors.receiveMessage(message -> {
            if (message instanceof FrontendMessage.RetryTime) {
              throw new IllegalStateException("a defect of the frontend");
            }
            frontend.ref().tell(message);
            return Behaviors.same();
          });
        }

        @Override
        public Behavior<Object> users(int number, ActorRef<UblkUsers.Seen> replyTo) {
          return Behaviors.setup(context -> {
            lookers.ref().tell(replyTo);
            return Behaviors.stopped();
          });
        }

        @Override
        public DispatcherSelector dispatcher() {
          return DispatcherSelector.sameAsParent();
        }
      };

  @AfterEach
  void end() {
    kit.shutdownTestKit();
  }

  private ActorRef<UblkServer.Message> server() {
    DeviceSettings settings =
        DeviceSettings.of("a", new DiskAddress.OfPath(Path.of("/dev/none")), List.of());
    return kit.spawn(UblkServer.create(parts, settings, device.ref()));
  }

  /** The device says how it is, when it is asked. */
  private void described(Phase phase) {
    DeviceCommand.DescribeWhenReady ask =
        device.expectMessageClass(DeviceCommand.DescribeWhenReady.class);
    ask.replyTo()
        .tell(
            new DeviceCommand.Description(
                "a",
                Optional.of(new UUID(1, 2)),
                "",
                phase,
                16 << 20,
                512,
                4096,
                false,
                List.of(new DiskGeometry(16 << 20, 512, 4096, 0, true, true, 0))));
  }

  private ActorRef<UblkServer.Message> serving() {
    ActorRef<UblkServer.Message> server = server();
    described(Phase.ACTIVE);
    frontend.awaitAssert(() -> {
      assertThat(frontends).isEqualTo(1);
      return null;
    });
    owner.tell(new UblkReport.Serving(0));
    return server;
  }

  @Test
  void aForcedStopRemovesTheBlockDeviceBeforeTheDeviceIsDrained() {
    ActorRef<UblkServer.Message> server = serving();

    server.tell(new UblkServer.Stop(true, After.REST, 10, person.ref()));
    frontend.expectMessage(new FrontendMessage.Stop(false));
    device.expectNoMessage(Duration.ZERO);

    owner.tell(new UblkReport.Ended("", false));
    DeviceCommand.Stop stop = device.expectMessageClass(DeviceCommand.Stop.class);
    assertThat(stop.force()).isTrue();
    stop.replyTo().tell(new Answer.Done("a is stopped"));
    person.expectMessage(new Answer.Done("a is stopped"));
  }

  /** Who uses the block device, as the next one who looks sees it. */
  private void seen(@Nullable DiskUse use) {
    lookers.receiveMessage().tell(new UblkUsers.Seen(Optional.ofNullable(use)));
  }

  @Test
  void aStopWithoutForceNamesWhoUsesTheBlockDevice() {
    ActorRef<UblkServer.Message> server = serving();
    server.tell(new UblkServer.Stop(false, After.REST, 10, person.ref()));
    seen(new DiskUse("mounted at /mnt/a", true));

    person.expectMessage(
        new Answer.Refused(
            "/dev/ublkb0 is in use, mounted at /mnt/a; end that first, or stop it with force"));
    frontend.expectNoMessage(Duration.ZERO);
    device.expectNoMessage(Duration.ZERO);
  }

  @Test
  void aStopWithoutForceGoesOnWhenLookingForUsersHangs() {
    ActorRef<UblkServer.Message> server = serving();
    server.tell(new UblkServer.Stop(false, After.REST, 10, person.ref()));
    ActorRef<UblkUsers.Seen> late = lookers.receiveMessage();
    time.timePasses(Duration.ofMinutes(1));
    frontend.expectMessage(new FrontendMessage.Stop(true));

    late.tell(new UblkUsers.Seen(Optional.of(new DiskUse("mounted at /mnt/a", true))));
    person.expectNoMessage(Duration.ZERO);
  }

  private ActorRef<UblkServer.Message> ending() {
    ActorRef<UblkServer.Message> server = serving();
    server.tell(new UblkServer.Stop(true, After.END_AND_LEAVE_IF_USED, 10, person.ref()));
    return server;
  }

  @Test
  void aDaemonThatEndsLeavesABlockDeviceThatIsMounted() {
    ending();
    seen(new DiskUse("mounted at /mnt/a", true));
    frontend.expectMessage(new FrontendMessage.HandOver());

    owner.tell(new UblkReport.Ended("", true));
    device.expectMessageClass(DeviceCommand.Stop.class).replyTo().tell(new Answer.Done("stopped"));
    person.expectMessageClass(Answer.Done.class);
  }

  @Test
  void aDaemonThatEndsRemovesABlockDeviceThatNobodyUses() {
    ending();
    seen(null);
    frontend.expectMessage(new FrontendMessage.Stop(true));
    frontend.expectNoMessage(Duration.ZERO);
  }

  @Test
  void aDaemonThatEndsLeavesABlockDeviceOfWhichOnlyTheDriverKnowsThatItIsInUse() {
    ending();
    for (int looks = 0; looks < 2; looks++) {
      seen(null);
      frontend.expectMessage(new FrontendMessage.Stop(true));
      owner.tell(new UblkReport.StopRefused("it is in use"));
      device.expectNoMessage(Duration.ZERO);
      // Not long enough for a user who stays, then long enough.
      time.timePasses(looks == 0 ? Duration.ofMillis(100) : Duration.ofSeconds(10));
    }
    seen(null);
    frontend.expectMessage(new FrontendMessage.Stop(true));
    owner.tell(new UblkReport.StopRefused("it is in use"));
    frontend.expectMessage(new FrontendMessage.HandOver());
  }

  @Test
  void aDaemonThatEndsWaitsForALookAtItsBlockDevice() {
    ending();
    seen(new DiskUse("open in udev-worker (process 12)", false));
    frontend.expectNoMessage(Duration.ZERO);
    time.timePasses(Duration.ofMillis(100));
    seen(null);
    frontend.expectMessage(new FrontendMessage.Stop(true));
  }

  @Test
  void aFrontendThatEndedByItselfIsFollowedByAnother() {
    serving();
    owner.tell(new UblkReport.Ended("queue 0: it crashed", false));
    device.expectNoMessage(Duration.ZERO);
    time.timePasses(AGAIN);
    described(Phase.ACTIVE);
    frontend.awaitAssert(() -> {
      assertThat(frontends).isEqualTo(2);
      return null;
    });
  }

  @Test
  void aFinderThatCrashesIsFollowedByAnother() {
    crashesOfTheFinder = 1;
    server();
    described(Phase.ACTIVE);
    device.awaitAssert(() -> {
      time.timePasses(AGAIN);
      described(Phase.ACTIVE);
      return null;
    });
    frontend.awaitAssert(() -> {
      assertThat(frontends).isEqualTo(1);
      return null;
    });
  }

  @Test
  void aDeviceThatWasStoppedIsServedAgainWhenItIsStarted() {
    ActorRef<UblkServer.Message> server = serving();
    server.tell(new UblkServer.Stop(true, After.REST, 10, person.ref()));
    owner.tell(new UblkReport.Ended("", false));
    device.expectMessageClass(DeviceCommand.Stop.class).replyTo().tell(new Answer.Done("stopped"));
    person.expectMessageClass(Answer.Done.class);

    time.timePasses(AGAIN);
    described(Phase.STOPPED);
    time.timePasses(AGAIN);
    described(Phase.ACTIVE);

    frontend.awaitAssert(() -> {
      assertThat(frontends).isEqualTo(2);
      return null;
    });
  }

  @Test
  void aStopThatTheDeviceRefusesHasItServedAgain() {
    ActorRef<UblkServer.Message> server = serving();
    server.tell(new UblkServer.Stop(false, After.END, 10, person.ref()));
    seen(null);
    frontend.expectMessage(new FrontendMessage.Stop(true));
    owner.tell(new UblkReport.Ended("", false));
    device.expectMessageClass(DeviceCommand.Stop.class).replyTo().tell(new Answer.Refused("used"));
    person.expectMessage(new Answer.Refused("used"));

    time.timePasses(AGAIN);
    described(Phase.ACTIVE);
    frontend.awaitAssert(() -> {
      assertThat(frontends).isEqualTo(2);
      return null;
    });
  }

  @Test
  void aCrashOfTheServerHasTheBlockDeviceRemovedAndMadeAnew() {
    crashesOfTheServer = 1;
    server();
    described(Phase.ACTIVE);
    time.timePasses(Duration.ZERO);
    // The crash is noticed by its timer: nothing else is asked of the device before.
    device.awaitAssert(() -> {
      time.timePasses(AGAIN);
      described(Phase.ACTIVE);
      return null;
    });
    frontend.awaitAssert(() -> {
      assertThat(frontends).isEqualTo(1);
      return null;
    });
  }

  @Test
  void aFrontendThatEndsWithoutALastReportEndsTheServerToo() {
    ActorRef<UblkServer.Message> server = serving();
    TestProbe<Object> watch = kit.createTestProbe();

    kit.system()
        .classicSystem()
        .actorSelection(server.path() + "/frontend-*")
        .tell(new FrontendMessage.RetryTime(), org.apache.pekko.actor.ActorRef.noSender());

    watch.expectTerminated(server);
  }

  @Test
  void whenTheDevicesActorEndsTheBlockDeviceGoesAndTheServerWithIt() {
    ActorRef<UblkServer.Message> server = serving();
    TestProbe<Object> watch = kit.createTestProbe();

    device.stop();
    frontend.expectMessage(new FrontendMessage.Stop(false));
    owner.tell(new UblkReport.Ended("", false));

    watch.expectTerminated(server);
  }
}
