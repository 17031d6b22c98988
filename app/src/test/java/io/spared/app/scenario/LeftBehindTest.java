package io.spared.app.scenario;

import static org.assertj.core.api.Assertions.assertThat;

import io.spared.app.offline.OfflineException;
import io.spared.device.Answer;
import io.spared.device.DeviceCommand;
import io.spared.device.Phase;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.nio.file.StandardCopyOption;
import java.util.stream.Stream;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.Timeout;
import org.junit.jupiter.api.io.TempDir;

/** Spares that were put back as they were, under a device that the configuration names. */
@Timeout(120)
final class LeftBehindTest {
  @TempDir Path directory;

  @Test
  void aSnapshotOfTheSpareFromTheLastCleanStopIsNotTakenForItWhenTheDeviceHasRunSince()
      throws IOException, OfflineException {
    Path snapshot = directory.resolve("snapshot.img");
    try (Trial trial = new Trial(directory).create("a").start("a")) {
      assertThat(trial.serves("a")).isTrue();
      assertThat(trial.stop("a", false)).isInstanceOf(Answer.Done.class);
      trial.stopDaemon();
      Files.copy(trial.spare("a"), snapshot);
      byte[] current = runAgain(trial);
      Files.copy(snapshot, trial.spare("a"), StandardCopyOption.REPLACE_EXISTING);

      trial.start("a");

      assertThat(trial.until("a", status -> status.phase() == Phase.FAILED)).isTrue();
      assertThat(trial.status("a").sentence())
          .contains("this host has run it at")
          .contains("but its spares are older");
      trial.stopDaemon();
      Files.write(trial.spare("a"), current);
      trial.start("a");
      assertThat(trial.serves("a")).as("the right spare").isTrue();
      trial.client(
          "a", disk -> assertThat(disk.read(40 << 10, 4096)).isEqualTo(Trial.block(10, 1)));
    }
  }

  @Test
  void aSpareFromBeforeItWasLentToTheDeviceIsNotUsed() throws IOException, OfflineException {
    Path snapshot = directory.resolve("snapshot.img");
    try (Trial trial = new Trial(directory).create("a").create("b").start("a", "b")) {
      assertThat(trial.serves("b")).isTrue();
      trial.stopDaemon();
      Files.copy(trial.spare("b"), snapshot);
      trial.start("a", "b");
      assertThat(trial.serves("a")).isTrue();
      assertThat(trial.serves("b")).isTrue();
      assertThat(trial.addSpare("a", trial.spare("b"))).isInstanceOf(Answer.Done.class);
      // No slot of the first spare can be written any more, so the block goes to the other one.
      trial.fault("a", "spare-0", "write fail=ENODATA range=2M+20M");
      trial.fault("a", "main", "write fail=ENODATA range=40K+4K");
      trial.client("a", disk -> disk.write(40 << 10, Trial.block(10, 1)));
      trial.stopDaemon();
      Files.copy(snapshot, trial.spare("b"), StandardCopyOption.REPLACE_EXISTING);
      trial.configureSpare("a", trial.spare("b"));

      trial.start("a", "b");

      assertThat(trial.until("a", status -> status.phase() == Phase.FAILED)).isTrue();
      assertThat(trial.status("a").sentence())
          .contains("spare 1")
          .contains("does not know of all that it has lent");
    }
  }

  @Test
  void aPersonWhoWasToldMayStartItAllTheSame() throws IOException, OfflineException {
    Path snapshot = directory.resolve("snapshot.img");
    try (Trial trial = new Trial(directory).create("a").start("a")) {
      assertThat(trial.serves("a")).isTrue();
      trial.stopDaemon();
      Files.copy(trial.spare("a"), snapshot);
      runAgain(trial);
      Files.copy(snapshot, trial.spare("a"), StandardCopyOption.REPLACE_EXISTING);
      trial.start("a");
      assertThat(trial.until("a", status -> status.phase() == Phase.FAILED)).isTrue();

      assertThat(trial.command("a", DeviceCommand.Start::new)).isInstanceOf(Answer.Done.class);

      assertThat(trial.serves("a")).isTrue();
      trial.stopDaemon();
      trial.start("a");
      assertThat(trial.serves("a")).as("once is enough").isTrue();
    }
  }

  /** A block moves; then the daemon dies: what it writes at a clean stop is not remembered. */
  private byte[] runAgain(Trial trial) throws IOException, OfflineException {
    Path cleanStop;
    try (Stream<Path> records = Files.list(directory.resolve("data").resolve("clean"))) {
      cleanStop = records.findFirst().orElseThrow();
    }
    byte[] lastCleanStop = Files.readAllBytes(cleanStop);
    trial.start("a");
    assertThat(trial.serves("a")).isTrue();
    trial.fault("a", "main", "write fail=ENODATA range=40K+4K");
    trial.client(
        "a",
        disk -> {
          disk.write(40 << 10, Trial.block(10, 1));
          disk.flush();
        });
    trial.stopDaemon();
    Files.write(cleanStop, lastCleanStop);
    return Files.readAllBytes(trial.spare("a"));
  }
}
