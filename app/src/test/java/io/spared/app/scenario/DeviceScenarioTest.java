package io.spared.app.scenario;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import io.spared.app.offline.OfflineException;
import io.spared.device.Answer;
import io.spared.device.DeviceCommand;
import io.spared.device.DeviceStatus;
import io.spared.device.Phase;
import io.spared.ffi.world.World;
import io.spared.host.HostCommand;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.List;
import java.util.concurrent.atomic.AtomicBoolean;
import java.util.concurrent.atomic.AtomicInteger;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.Timeout;
import org.junit.jupiter.api.io.TempDir;

/** The whole daemon, real files, a real NBD client; disks fail by injected faults. */
@Timeout(180)
final class DeviceScenarioTest {
  @TempDir Path directory;

  @Test
  void aWriteThatFailsOnMainIsDurableOnTheSpareBeforeItIsAcknowledged()
      throws IOException, OfflineException {
    try (Trial trial = new Trial(directory).create("a").start("a")) {
      assertThat(trial.serves("a")).isTrue();
      trial.fault("a", "main", "write fail=ENODATA range=40K+4K");
      trial.client("a", disk -> disk.write(40 << 10, Trial.block(10, 1)));
      assertThat(trial.status("a").remaps().remapped()).isEqualTo(1);
      trial.stopDaemon();
      trial.start("a");
      assertThat(trial.serves("a")).isTrue();
      trial.client(
          "a", disk -> assertThat(disk.read(40 << 10, 4096)).isEqualTo(Trial.block(10, 1)));
    }
  }

  @Test
  void aDiskThatTellsOfItsMediumItselfIsAgeing() throws IOException, OfflineException {
    for (String operation : List.of("write", "read")) {
      Path files = Files.createDirectory(directory.resolve(operation));
      try (Trial trial = new Trial(files).create("a").start("a")) {
        assertThat(trial.serves("a")).isTrue();
        assertThat(trial.status("a").disks().getFirst().health()).startsWith("well");
        trial.fault("a", "main", operation + " fail=ENODATA range=40K+4K");
        trial.client(
            "a",
            disk -> {
              if (operation.equals("write")) {
                disk.write(40 << 10, Trial.block(10, 1));
              } else {
                assertThatThrownBy(() -> disk.read(40 << 10, 4096)).isInstanceOf(IOException.class);
              }
            });
        assertThat(trial.until("a", s -> s.disks().getFirst().health().startsWith("ageing")))
            .as("after a %s: %s", operation, trial.status("a").disks().getFirst())
            .isTrue();
        assertThat(trial.status("a").disks().getFirst().mediaErrors()).isPositive();
        assertThat(
                Trial.until(() ->
                    trial.events().stream()
                        .anyMatch(
                            event -> event.sentence().contains("main is ageing: a media fault"))))
            .isTrue();
      }
    }
  }

  @Test
  void aConfiguredDeviceIsRememberedAgainstOlderStatesOfIt() throws IOException, OfflineException {
    try (Trial trial = new Trial(directory).create("a").start("a")) {
      assertThat(trial.serves("a")).isTrue();
      DeviceStatus status = trial.status("a");
      Path file = directory.resolve("data/devices/" + status.uuid() + ".ran");

      assertThat(Trial.until(() -> Files.exists(file))).isTrue();

      assertThat(Files.readString(file))
          .startsWith(status.uuid() + " " + status.epoch().replace('-', ' ') + " ");
    }
  }

  @Test
  void stoppingADeviceThatIsUsedIsRefusedNamingItsUserUnlessForced()
      throws IOException, OfflineException {
    try (Trial trial = new Trial(directory).create("a").start("a")) {
      assertThat(trial.serves("a")).isTrue();
      trial.client(
          "a",
          disk -> {
            disk.write(0, Trial.block(0, 1));
            Answer refused = trial.stop("a", false);
            assertThat(refused).isInstanceOf(Answer.Refused.class);
            assertThat(refused.sentence()).contains("NBD client").contains("--force");
            assertThat(trial.stop("a", true)).isInstanceOf(Answer.Done.class);
            assertThat(trial.status("a").phase()).isEqualTo(Phase.STOPPED);
          });
    }
  }

  @Test
  void aDeviceWhoseMainHangsStopsWithinItsDeadlineAndAnotherServesOn()
      throws IOException, OfflineException {
    try (Trial trial = new Trial(directory).create("a").create("b").start("a", "b")) {
      assertThat(trial.serves("a")).isTrue();
      assertThat(trial.serves("b")).isTrue();
      trial.fault("a", "main", "any hang");
      assertThat(seconds(() -> trial.stop("a", true))).isLessThan(6);
      assertThat(trial.status("a").phase()).isEqualTo(Phase.STOPPED);
      trial.client("b", disk -> disk.write(0, Trial.block(0, 1)));
      assertThat(trial.status("b").phase()).isEqualTo(Phase.ACTIVE);
    }
  }

  @Test
  void aDeviceWhoseSpareHangsDuringACommitStopsWithinItsDeadline()
      throws IOException, OfflineException {
    try (Trial trial = new Trial(directory).create("a").start("a")) {
      assertThat(trial.serves("a")).isTrue();
      trial.fault("a", "spare-0", "write hang");
      trial.begin("a", replyTo -> new DeviceCommand.SetPolicy("auto-repair", "off", replyTo));
      assertThat(seconds(() -> trial.stop("a", true))).isLessThan(6);
      assertThat(trial.status("a").phase()).isEqualTo(Phase.STOPPED);
    }
  }

  @Test
  void aDeviceThatStopsDuringAScrubOfAHangingSpareKeepsItsDeadline()
      throws IOException, OfflineException {
    try (Trial trial = new Trial(directory).create("a").start("a")) {
      assertThat(trial.serves("a")).isTrue();
      trial.fault("a", "spare-0", "read hang");
      trial.command("a", replyTo -> new DeviceCommand.Scrub(false, replyTo));
      assertThat(seconds(() -> trial.stop("a", true))).isLessThan(6);
    }
  }

  @Test
  void aDeviceThatStopsDuringARelocationOnAHangingSpareKeepsItsDeadline()
      throws IOException, OfflineException {
    try (Trial trial = new Trial(directory).create("a").start("a")) {
      assertThat(trial.serves("a")).isTrue();
      trial.fault("a", "main", "write fail=ENODATA range=0+4K");
      trial.fault("a", "spare-0", "any hang");
      AtomicBoolean ended = new AtomicBoolean();
      Thread writer =
          Thread.ofVirtual()
              .start(() -> {
                try {
                  trial.client("a", disk -> disk.write(0, Trial.block(0, 1)));
                } catch (IOException | OfflineException expected) {
                  ended.set(true);
                }
              });
      assertThat(trial.until("a", status -> status.traffic().queues() > 0)).isTrue();
      assertThat(seconds(() -> trial.stop("a", true))).isLessThan(6);
      assertThat(Trial.until(() -> ended.get() || !writer.isAlive())).isTrue();
    }
  }

  @Test
  void aMissingMainIsWaitedForAndTheDeviceServesOnceItIsThere()
      throws IOException, OfflineException {
    try (Trial trial = new Trial(directory).create("a")) {
      Path away = directory.resolve("away");
      Files.move(trial.main("a"), away);
      trial.start("a");
      assertThat(trial.until("a", status -> status.sentence().startsWith("waits:"))).isTrue();
      assertThat(trial.status("a").phase()).isEqualTo(Phase.ASSEMBLING);
      Files.move(away, trial.main("a"));
      assertThat(trial.serves("a")).isTrue();
    }
  }

  @Test
  void anotherDiskInThePlaceOfMainFailsTheDeviceAndNothingIsWritten()
      throws IOException, OfflineException {
    try (Trial trial = new Trial(directory).create("a")) {
      try (java.nio.channels.FileChannel file =
          java.nio.channels.FileChannel.open(
              trial.main("a"), java.nio.file.StandardOpenOption.WRITE)) {
        file.truncate(32 << 20);
      }
      byte[] before = Files.readAllBytes(trial.spare("a"));
      trial.start("a");
      assertThat(trial.until("a", status -> status.phase() == Phase.FAILED)).isTrue();
      assertThat(trial.status("a").sentence()).contains("bytes");
      trial.stopDaemon();
      assertThat(Files.readAllBytes(trial.spare("a"))).isEqualTo(before);
    }
  }

  @Test
  void oneToFourCopiesDestroyedUnderLoadAreFiveOfFiveAgain() throws IOException, OfflineException {
    try (Trial trial = new Trial(directory).create("a").start("a")) {
      assertThat(trial.serves("a")).isTrue();
      AtomicBoolean stop = new AtomicBoolean();
      AtomicInteger written = new AtomicInteger();
      AtomicInteger failed = new AtomicInteger();
      Thread load = load(trial, stop, written, failed);
      // Different ones each time, since a copy is repaired by itself only three times an hour.
      for (int[] copies : new int[][] {{4}, {0, 1, 2, 3}}) {
        trial.destroyCopies("a", copies);
        trial.command("a", replyTo -> new DeviceCommand.Scrub(false, replyTo));
        assertThat(Trial.until(() -> trial.count("copy.damaged") >= copies.length)).isTrue();
        assertThat(trial.until("a", status -> status.copies().good() == 5)).isTrue();
      }
      stop.set(true);
      join(load);
      assertThat(written.get()).isPositive();
      assertThat(failed.get()).isZero();
    }
  }

  @Test
  void allFiveCopiesDestroyedWhileRunningAreRewrittenFromMemory()
      throws IOException, OfflineException {
    try (Trial trial = new Trial(directory).create("a").start("a")) {
      assertThat(trial.serves("a")).isTrue();
      trial.fault("a", "main", "write fail=ENODATA range=8K+4K");
      trial.client("a", disk -> disk.write(8 << 10, Trial.block(2, 7)));
      trial.destroyCopies("a", 0, 1, 2, 3, 4);
      trial.command("a", replyTo -> new DeviceCommand.Scrub(false, replyTo));
      assertThat(Trial.until(() -> trial.count("copy.damaged") >= 5)).isTrue();
      assertThat(trial.until("a", status -> status.copies().good() == 5)).isTrue();
      trial.stopDaemon();
      trial.start("a");
      assertThat(trial.serves("a")).isTrue();
      assertThat(trial.status("a").remaps().remapped()).isEqualTo(1);
      trial.client("a", disk -> assertThat(disk.read(8 << 10, 4096)).isEqualTo(Trial.block(2, 7)));
    }
  }

  @Test
  void allFiveCopiesDestroyedAtRestFailTheDeviceAndNothingIsWritten()
      throws IOException, OfflineException {
    try (Trial trial = new Trial(directory).create("a")) {
      trial.destroyCopies("a", 0, 1, 2, 3, 4);
      byte[] before = Files.readAllBytes(trial.spare("a"));
      trial.start("a");
      assertThat(trial.until("a", status -> status.phase() == Phase.FAILED)).isTrue();
      trial.stopDaemon();
      assertThat(Files.readAllBytes(trial.spare("a"))).isEqualTo(before);
    }
  }

  @Test
  void freezeAndThawUnderLoadLoseNothing() throws IOException, OfflineException {
    try (Trial trial = new Trial(directory).create("a").start("a")) {
      assertThat(trial.serves("a")).isTrue();
      AtomicBoolean stop = new AtomicBoolean();
      AtomicInteger written = new AtomicInteger();
      AtomicInteger failed = new AtomicInteger();
      Thread load = load(trial, stop, written, failed);
      for (int round = 0; round < 50; round++) {
        assertThat(trial.command("a", DeviceCommand.Freeze::new)).isInstanceOf(Answer.Done.class);
        assertThat(trial.command("a", DeviceCommand.Thaw::new)).isInstanceOf(Answer.Done.class);
      }
      int after = written.get();
      assertThat(Trial.until(() -> written.get() > after + 10)).isTrue();
      stop.set(true);
      join(load);
      assertThat(failed.get()).isZero();
    }
  }

  @Test
  void devicesComeAndGoWhileOthersServe() throws IOException, OfflineException {
    try (Trial trial = new Trial(directory).create("a").create("b").start("a", "b")) {
      assertThat(trial.serves("a")).isTrue();
      assertThat(trial.serves("b")).isTrue();
      assertThat(trial.host(replyTo -> new HostCommand.Remove("b", true, replyTo)))
          .isInstanceOf(Answer.Done.class);
      DeviceStatus status = trial.status("a");
      assertThat(status.phase()).isEqualTo(Phase.ACTIVE);
      assertThatThrownBy(() -> trial.status("b")).isInstanceOf(Exception.class);
    }
  }

  @Test
  void aStoppedDeviceIsStartedAgainAndRefusesWhatDoesNotFitMeanwhile()
      throws IOException, OfflineException {
    try (Trial trial = new Trial(directory).create("a").start("a")) {
      assertThat(trial.serves("a")).isTrue();
      assertThat(trial.stop("a", false)).isInstanceOf(Answer.Done.class);
      Answer refused = trial.command("a", DeviceCommand.Freeze::new);
      assertThat(refused.sentence()).contains("is stopped; start it first");
      assertThat(trial.command("a", DeviceCommand.Start::new)).isInstanceOf(Answer.Done.class);
      assertThat(trial.serves("a")).isTrue();
    }
  }

  private static Thread load(
      Trial trial, AtomicBoolean stop, AtomicInteger written, AtomicInteger failed) {
    return Thread.ofPlatform()
        .start(() -> {
          try {
            trial.client(
                "a",
                disk -> {
                  while (!stop.get()) {
                    int block = written.get() % 1000;
                    disk.write((long) block * 4096, Trial.block(block, written.get()));
                    if (!disk.read((long) block * 4096, 4096)
                        .equals(Trial.block(block, written.get()))) {
                      failed.incrementAndGet();
                    }
                    written.incrementAndGet();
                  }
                });
          } catch (IOException | OfflineException broken) {
            failed.incrementAndGet();
          }
        });
  }

  private static void join(Thread thread) {
    try {
      thread.join(java.time.Duration.ofSeconds(30));
    } catch (InterruptedException stop) {
      Thread.currentThread().interrupt();
    }
  }

  private static double seconds(java.util.function.Supplier<Answer> command) {
    long began = World.real().clock().nanoTime();
    assertThat(command.get()).isInstanceOf(Answer.Done.class);
    return (World.real().clock().nanoTime() - began) / 1e9;
  }
}
