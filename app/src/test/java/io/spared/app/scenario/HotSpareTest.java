package io.spared.app.scenario;

import static org.assertj.core.api.Assertions.assertThat;

import io.spared.app.offline.OfflineException;
import io.spared.device.Answer;
import io.spared.device.DeviceCommand;
import io.spared.device.Phase;
import io.spared.monitor.Event;
import java.io.IOException;
import java.nio.ByteBuffer;
import java.nio.channels.FileChannel;
import java.nio.file.Files;
import java.nio.file.Path;
import java.nio.file.StandardOpenOption;
import java.util.List;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.Timeout;
import org.junit.jupiter.api.io.TempDir;

/** Spares that fail, go away and come back, or are full: the whole daemon, real files. */
@Timeout(180)
final class HotSpareTest {
  private static final int FIRST = 10;
  private static final int BLOCKS = 8;

  @TempDir Path directory;

  @Test
  void aSpareThatStaysAwayIsReplacedByTheHotSpareAndTheDeviceGoesOn()
      throws IOException, OfflineException {
    try (Trial trial = new Trial(directory).create("a")) {
      Path hot = trial.empty("hot.img");
      trial
          .configure("hot-spares = [\"fault:" + hot + "\"]")
          .configure("defaults.failed-after = 1 s")
          .start("a");
      write(trial, 0);
      trial.fault("a", "spare-0", "any fail=ENODEV");
      // The next block that moves finds it out.
      trial.fault("a", "main", "write fail=ENODATA range=80K+4K");
      trial.client(
          "a", disk -> assertThat(fails(() -> disk.write(80 << 10, Trial.block(20, 1)))).isTrue());
      assertThat(Trial.until(() -> members(trial).size() == 2)).isTrue();
      assertThat(members(trial)).anyMatch(m -> m.startsWith("0 ") && m.contains("EVACUATING"));
      assertThat(trial.until("a", status -> status.copies().good() == 5)).isTrue();
      assertThat(trial.event("trouble.spare").sentence()).contains("spare-0");
      Event alert = trial.event("spare.failed:0");
      assertThat(alert.severity()).isEqualTo(Event.Severity.CRITICAL);
      // Blocks move again, to the hot spare.
      trial.client(
          "a",
          disk -> {
            disk.write(80 << 10, Trial.block(20, 2));
            assertThat(disk.read(80 << 10, 4096)).isEqualTo(Trial.block(20, 2));
          });
      // It comes back after all: what is on it moves, and it leaves.
      trial.fault("a", "spare-0", "clear");
      assertThat(Trial.until(() -> members(trial).size() == 1)).isTrue();
      trial.client(
          "a",
          disk -> {
            for (int block = FIRST; block < FIRST + BLOCKS; block++) {
              assertThat(disk.read(block * 4096L, 4096)).isEqualTo(Trial.block(block, 0));
            }
          });
      assertThat(trial.status("a").remaps().lostSectors()).isZero();
    }
  }

  @Test
  void aSpareThatGoesAwayAndComesBackReturnsByItself() throws IOException, OfflineException {
    try (Trial trial = new Trial(directory).create("a").start("a")) {
      write(trial, 0);
      trial.fault("a", "spare-0", "any fail=ENODEV");
      trial.fault("a", "main", "write fail=ENODATA range=80K+4K");
      trial.client(
          "a", disk -> assertThat(fails(() -> disk.write(80 << 10, Trial.block(20, 1)))).isTrue());
      assertThat(trial.until("a", s -> s.phase() == Phase.DEGRADED)).isTrue();
      trial.fault("a", "spare-0", "clear");
      assertThat(trial.serves("a")).isTrue();
      assertThat(trial.until("a", status -> status.copies().good() == 5)).isTrue();
      assertThat(members(trial)).singleElement().asString().contains("IN_SERVICE");
      trial.client(
          "a",
          disk -> {
            disk.write(80 << 10, Trial.block(20, 2));
            assertThat(disk.read(FIRST * 4096L, 4096)).isEqualTo(Trial.block(FIRST, 0));
            assertThat(disk.read(80 << 10, 4096)).isEqualTo(Trial.block(20, 2));
          });
    }
  }

  @Test
  void anOldCopyOfASpareUnderItsNameIsNotTakenForTheSpareThatWentAway()
      throws IOException, OfflineException {
    try (Trial trial = new Trial(directory).create("a").start("a")) {
      write(trial, 0);
      byte[] lastMonth = Files.readAllBytes(trial.spare("a"));
      trial.fault("a", "main", "write fail=ENODATA range=80K+8K");
      trial.client(
          "a",
          disk -> {
            disk.write(FIRST * 4096L, Trial.block(FIRST, 1));
            disk.write(80 << 10, Trial.block(20, 1));
            disk.flush();
          });
      byte[] now = Files.readAllBytes(trial.spare("a"));
      trial.fault("a", "spare-0", "any fail=ENODEV");
      trial.client(
          "a", disk -> assertThat(fails(() -> disk.write(84 << 10, Trial.block(21, 1)))).isTrue());
      assertThat(trial.until("a", s -> s.phase() == Phase.DEGRADED)).isTrue();

      overwrite(trial.spare("a"), lastMonth);
      trial.fault("a", "spare-0", "clear");

      assertThat(Trial.until(() -> trial.count("spare.another-state") == 1)).isTrue();
      assertThat(trial.event("spare.another-state").sentence()).contains("old copy");
      trial.client("a", disk -> assertThat(fails(() -> disk.read(FIRST * 4096L, 4096))).isTrue());
      assertThat(trial.count("spare.back")).isZero();
      // The true one comes back after all.
      overwrite(trial.spare("a"), now);
      assertThat(trial.serves("a")).isTrue();
      trial.client(
          "a", disk -> assertThat(disk.read(FIRST * 4096L, 4096)).isEqualTo(Trial.block(FIRST, 1)));
    }
  }

  private static void overwrite(Path file, byte[] bytes) throws IOException {
    try (FileChannel channel = FileChannel.open(file, StandardOpenOption.WRITE)) {
      channel.write(ByteBuffer.wrap(bytes), 0);
    }
  }

  @Test
  void aSpareWhoseSlotsFailOneAfterTheOtherIsLeftOnceThereIsAnother()
      throws IOException, OfflineException {
    try (Trial trial = new Trial(directory).create("a").start("a")) {
      write(trial, 0);
      // Beyond the slots that are used, all that are tried fail.
      long next = trial.firstSlotBytes("a") / 1024 + BLOCKS * 4;
      trial.fault("a", "spare-0", "write fail=ENODATA range=" + next + "K+400K");
      trial.fault("a", "main", "write fail=ENODATA range=400K+400K");
      trial.client(
          "a",
          disk -> {
            for (int block = 100; block < 108; block++) {
              int number = block;
              assertThat(fails(() -> disk.write(number * 4096L, Trial.block(number, 1)))).isTrue();
            }
          });
      assertThat(Trial.until(() -> trial.count("hot-spare.none") > 0)).isTrue();
      assertThat(trial.event("spare.failed:0").sentence()).contains("slots have failed");
      assertThat(trial.event("hot-spare.none").sentence()).contains("add one");
      assertThat(trial.addSpare("a", trial.empty("more.img"))).isInstanceOf(Answer.Done.class);
      assertThat(Trial.until(() -> members(trial).size() == 1)).isTrue();
      assertThat(members(trial).get(0)).startsWith("1 ");
      trial.client(
          "a",
          disk -> {
            assertThat(disk.read(FIRST * 4096L, 4096)).isEqualTo(Trial.block(FIRST, 0));
            disk.write(100 * 4096L, Trial.block(100, 2));
          });
      assertThat(trial.status("a").remaps().lostSectors()).isZero();
    }
  }

  @Test
  void warningsComeAt80And90And95PerCentAndThenTheHotSpare() throws IOException, OfflineException {
    try (Trial trial = new Trial(directory).create("a", 4096, 30L << 20)) {
      Path hot = trial.empty("hot.img");
      trial.configure("hot-spares = [\"fault:" + hot + "\"]").start("a");
      assertThat(trial.serves("a")).isTrue();
      trial.fault("a", "main", "write fail=ENODATA range=1M+32M");
      trial.client(
          "a",
          disk -> {
            for (int block = 256; members(trial).size() == 1 && block < 8192; block++) {
              disk.write(block * 4096L, Trial.block(block, 1));
            }
          });
      assertThat(members(trial)).hasSize(2);
      assertThat(trial.event("hot-spare.offered").sentence()).contains("hot.img");
      assertThat(
              trial.events().stream()
                  .filter(event -> event.kind().equals("slots.low"))
                  .map(Event::severity)
                  .toList())
          .contains(Event.Severity.WARNING, Event.Severity.CRITICAL);
      assertThat(trial.until("a", s -> s.remaps().freeSlots() > 100)).isTrue();
    }
  }

  /** Blocks on the first spare, flushed. */
  private static void write(Trial trial, int version) throws IOException, OfflineException {
    assertThat(trial.serves("a")).isTrue();
    trial.fault("a", "main", "write fail=ENODATA range=" + FIRST * 4 + "K+" + BLOCKS * 4 + "K");
    trial.client(
        "a",
        disk -> {
          for (int block = FIRST; block < FIRST + BLOCKS; block++) {
            disk.write(block * 4096L, Trial.block(block, version));
          }
          disk.flush();
        });
  }

  private interface Attempt {
    void run() throws IOException;
  }

  private static boolean fails(Attempt attempt) {
    try {
      attempt.run();
      return false;
    } catch (IOException failed) {
      return true;
    }
  }

  private static List<String> members(Trial trial) {
    return trial.ask(trial.device("a"), DeviceCommand.Members::new);
  }
}
