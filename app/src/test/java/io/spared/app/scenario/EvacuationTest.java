package io.spared.app.scenario;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import io.spared.app.offline.OfflineDisk;
import io.spared.app.offline.OfflineException;
import io.spared.device.Answer;
import io.spared.device.DeviceCommand;
import io.spared.monitor.Event;
import java.io.IOException;
import java.nio.file.Path;
import java.util.List;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.Timeout;
import org.junit.jupiter.api.io.TempDir;

/** Spares that are left by devices that serve: the whole daemon, real files, a real NBD client. */
@Timeout(180)
final class EvacuationTest {
  private static final int FIRST = 10;
  private static final int BLOCKS = 40;

  @TempDir Path directory;

  @Test
  void anEvacuatedSpareGivesUpBlocksAndCopiesAndIsNotNeededAfterwards()
      throws IOException, OfflineException {
    try (Trial trial = withBlocksOnTheFirstSpare(true)) {
      trial.client(
          "a",
          disk -> {
            // The client reads through it all.
            assertThat(evacuate(trial, 0, false)).isInstanceOf(Answer.Done.class);
            check(disk, 1);
            assertThat(Trial.until(() -> members(trial).size() == 1)).isTrue();
            check(disk, 1);
          });
      assertThat(members(trial).get(0)).startsWith("1 ");
      assertThat(trial.until("a", status -> status.copies().good() == 5)).isTrue();
      assertThat(String.join("; ", trial.status("a").copies().each()))
          .contains("spare 1")
          .doesNotContain("spare 0");
      assertThat(trial.status("a").jobs()).isEmpty();
      assertThat(trial.status("a").remaps().remapped()).isEqualTo(BLOCKS);
      assertThat(trial.status("a").remaps().lostSectors()).isZero();
      // All that it had lent is its own again.
      assertThat(Trial.until(() -> trial.lentBytes(trial.spare("a")) <= 0)).isTrue();
      trial.stopDaemon();
      // The configuration still names the old spare, and never named the new one.
      trial.start("a");
      assertThat(trial.serves("a")).isTrue();
      assertThat(members(trial)).hasSize(1);
      trial.client("a", disk -> check(disk, 1));
      // Its number is not given again.
      assertThat(trial.addSpare("a", trial.empty("third.img")).sentence()).contains("spare 2 of a");
    }
  }

  @Test
  void aSpareThatIsTheOnlyOneIsNotLeft() throws IOException, OfflineException {
    try (Trial trial = withBlocksOnTheFirstSpare(false)) {
      Answer refused = evacuate(trial, 0, false);
      assertThat(refused).isInstanceOf(Answer.Refused.class);
      assertThat(refused.sentence()).contains("add one");
      assertThat(evacuate(trial, 7, false).sentence()).contains("no spare 7");
      assertThat(members(trial)).singleElement().asString().contains("IN_SERVICE");
    }
  }

  @Test
  void whatTheMediumDoesNotGiveIsLostByNameAndTheRestMoves() throws IOException, OfflineException {
    try (Trial trial = withBlocksOnTheFirstSpare(true)) {
      long slots = trial.firstSlotBytes("a");
      // One sector of one of the slots; the others of that block can be read.
      trial.fault("a", "spare-0", "read fail=ENODATA range=" + slots / 1024 + "K+512");
      assertThat(evacuate(trial, 0, false)).isInstanceOf(Answer.Done.class);
      assertThat(Trial.until(() -> members(trial).size() == 1)).isTrue();
      assertThat(trial.status("a").remaps().lostSectors()).isEqualTo(1);
      Event lost = trial.event("spare.sectors-lost");
      assertThat(lost.sentence()).contains("sectors " + FIRST * 8 + " of block " + FIRST);
      trial.client(
          "a",
          disk -> {
            assertThatThrownBy(() -> disk.read(FIRST * 4096L, 512)).isInstanceOf(IOException.class);
            assertThat(disk.read(FIRST * 4096L + 512, 512))
                .isEqualTo(Trial.block(FIRST, 1).limit(512));
            disk.write(FIRST * 4096L, Trial.block(FIRST, 1));
            check(disk, 1);
          });
      assertThat(trial.status("a").remaps().lostSectors()).isZero();
    }
  }

  @Test
  void anEvacuationGoesOnAfterARestartAndCanBeTakenBack() throws IOException, OfflineException {
    try (Trial trial = withBlocksOnTheFirstSpare(true)) {
      // Nothing can be read of it now, and not for the medium's fault.
      trial.fault("a", "spare-0", "read fail=ETIMEDOUT");
      assertThat(evacuate(trial, 0, false)).isInstanceOf(Answer.Done.class);
      // The first block that fails counts at once; that all are tried again is known at the end.
      assertThat(
              trial.until(
                  "a",
                  s -> s.jobs().stream().anyMatch(job -> job.sentence().contains("tried again"))))
          .isTrue();
      assertThat(trial.status("a").jobs().get(0).failed()).isPositive();
      assertThat(members(trial)).anyMatch(member -> member.contains("EVACUATING"));
      assertThat(cancel(trial, 0)).isInstanceOf(Answer.Done.class);
      assertThat(members(trial)).allMatch(member -> member.contains("IN_SERVICE"));
      assertThat(cancel(trial, 0)).isInstanceOf(Answer.Refused.class);
      assertThat(evacuate(trial, 0, false)).isInstanceOf(Answer.Done.class);
      trial.stopDaemon();
      trial.start("a");
      assertThat(trial.serves("a")).isTrue();
      assertThat(Trial.until(() -> members(trial).size() == 1)).isTrue();
      trial.client("a", disk -> check(disk, 1));
      assertThat(trial.status("a").remaps().lostSectors()).isZero();
    }
  }

  @Test
  void aSpareThatIsGivenUpLosesWhatItDoesNotGiveAndNothingElse()
      throws IOException, OfflineException {
    try (Trial trial = withBlocksOnTheFirstSpare(true)) {
      long slots = trial.firstSlotBytes("a");
      trial.fault("a", "spare-0", "read fail=ENOLINK range=" + slots / 1024 + "K+8K");
      assertThat(evacuate(trial, 0, true)).isInstanceOf(Answer.Done.class);
      assertThat(Trial.until(() -> members(trial).size() == 1)).isTrue();
      assertThat(trial.status("a").remaps().lostSectors()).isEqualTo(16);
      trial.client(
          "a",
          disk -> {
            assertThatThrownBy(() -> disk.read(FIRST * 4096L, 512)).isInstanceOf(IOException.class);
            disk.write(FIRST * 4096L, Trial.block(FIRST, 1));
            disk.write((FIRST + 1) * 4096L, Trial.block(FIRST + 1, 1));
            check(disk, 1);
          });
    }
  }

  /** A device with one spare, on which blocks are, and if wanted another one. */
  private Trial withBlocksOnTheFirstSpare(boolean another) throws IOException, OfflineException {
    Trial trial = new Trial(directory).create("a").start("a");
    assertThat(trial.serves("a")).isTrue();
    trial.fault("a", "main", "write fail=ENODATA range=" + FIRST * 4 + "K+" + BLOCKS * 4 + "K");
    trial.client("a", disk -> write(disk, 1));
    assertThat(trial.status("a").remaps().remapped()).isEqualTo(BLOCKS);
    if (another) {
      assertThat(trial.addSpare("a", trial.empty("more.img"))).isInstanceOf(Answer.Done.class);
    }
    return trial;
  }

  private static void write(OfflineDisk disk, int version) throws IOException {
    for (int block = FIRST; block < FIRST + BLOCKS; block++) {
      disk.write(block * 4096L, Trial.block(block, version));
    }
  }

  private static void check(OfflineDisk disk, int version) throws IOException {
    for (int block = FIRST; block < FIRST + BLOCKS; block++) {
      assertThat(disk.read(block * 4096L, 4096)).isEqualTo(Trial.block(block, version));
    }
  }

  private static Answer evacuate(Trial trial, int spare, boolean giveUp) {
    return trial.command("a", replyTo -> new DeviceCommand.Evacuate(spare, giveUp, replyTo));
  }

  private static Answer cancel(Trial trial, int spare) {
    return trial.command("a", replyTo -> new DeviceCommand.CancelEvacuation(spare, replyTo));
  }

  private static List<String> members(Trial trial) {
    return trial.ask(trial.device("a"), DeviceCommand.Members::new);
  }
}
