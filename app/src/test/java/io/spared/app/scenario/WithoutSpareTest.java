package io.spared.app.scenario;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import io.spared.app.ctl.Ctl;
import io.spared.app.offline.OfflineDisk;
import io.spared.app.offline.OfflineException;
import io.spared.device.Answer;
import io.spared.device.DeviceCommand;
import io.spared.device.Phase;
import io.spared.monitor.Event;
import java.io.IOException;
import java.io.PrintWriter;
import java.io.StringWriter;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.Timeout;
import org.junit.jupiter.api.io.TempDir;

/** Spares that never come back, given up by a person: the whole daemon, real files, the client. */
@Timeout(180)
final class WithoutSpareTest {
  private static final int FIRST = 10;
  private static final int BLOCKS = 40;

  @TempDir Path directory;

  /** What the client said, and its exit code. */
  private record Said(int code, String text) {}

  @Test
  void aSpareLostWhileTheDeviceWasDownIsGivenUpOnlyWithItsLossNamed()
      throws IOException, OfflineException {
    try (Trial trial = withBlocksOnTheFirstSpare("")) {
      Path lost = lostWhileDown(trial);
      String sentence = trial.status("a").sentence();
      assertThat(sentence).contains("spared ctl start a --without-spare 0");

      Said shown = ctl(trial, "start", "a", "--without-spare", "0");
      assertThat(shown.code()).isEqualTo(1);
      assertThat(shown.text())
          .contains("40 blocks, sectors 80-399 (320 in all)")
          .contains("Nothing was changed")
          .contains("--without-spare 0 --accept-loss 40");
      Said other = ctl(trial, "start", "a", "--without-spare", "spare-0", "--accept-loss", "39");
      assertThat(other.code()).isEqualTo(1);
      assertThat(other.text()).contains("you accept to lose 39 blocks, but");
      Said another = ctl(trial, "start", "a", "--without-spare", "0,7", "--accept-loss", "40");
      assertThat(another.text()).contains("a has no spare 7; it has [0, 1]");
      assertThat(trial.status("a").phase()).isEqualTo(Phase.ASSEMBLING);

      Said done = ctl(trial, "start", "a", "--without-spare", "0", "--accept-loss", "40");
      assertThat(done.text()).contains("spare 0 is given up, and lost with it: 40 blocks");
      assertThat(done.code()).isZero();
      assertThat(trial.event("spare.given-up").severity()).isEqualTo(Event.Severity.CRITICAL);
      assertThat(audit()).contains("start --without-spare [0] --accept-loss 40");
      // From the first moment on, and for good.
      trial.client("a", disk -> assertAllLost(disk));
      assertThat(Trial.until(() -> members(trial).size() == 1)).isTrue();
      assertThat(members(trial).get(0)).startsWith("1 ");
      assertThat(trial.status("a").remaps().lostSectors()).isEqualTo(BLOCKS * 8);
      assertThat(trial.until("a", status -> status.copies().good() == 5)).isTrue();
      trial.client(
          "a",
          disk -> {
            assertAllLost(disk);
            assertThat(disk.read(0, 4096)).isEqualTo(Trial.block(0, 1));
            disk.write(FIRST * 4096L, Trial.block(FIRST, 2));
            disk.flush();
            assertThat(disk.read(FIRST * 4096L, 4096)).isEqualTo(Trial.block(FIRST, 2));
          });

      trial.stopDaemon();
      Files.move(lost, trial.spare("a"));
      trial.start("a");
      assertThat(trial.serves("a")).isTrue();
      assertThat(Trial.until(() -> trial.count("spare.stranger") == 1)).isTrue();
      trial.client(
          "a",
          disk -> {
            assertThat(disk.read(FIRST * 4096L, 4096)).isEqualTo(Trial.block(FIRST, 2));
            assertThatThrownBy(() -> disk.read((FIRST + 1) * 4096L, 4096))
                .isInstanceOf(IOException.class);
          });
    }
  }

  @Test
  void aSpareThatComesBackBeforeItsBlocksHaveMovedStaysGivenUp()
      throws IOException, OfflineException {
    try (Trial trial = withBlocksOnTheFirstSpare("defaults.move-rate = 64 KiB")) {
      Path lost = lostWhileDown(trial);
      assertThat(ctl(trial, "start", "a", "--without-spare", "0", "--accept-loss", "40").code())
          .isZero();
      trial.stopDaemon();
      Files.move(lost, trial.spare("a"));

      trial.start("a");

      assertThat(trial.serves("a")).isTrue();
      assertThat(trial.event("spare.given-up").sentence()).contains("it is not used");
      assertThat(members(trial)).anyMatch(member -> member.startsWith("0 "));
      trial.client("a", disk -> assertAllLost(disk));
      assertThat(Trial.until(() -> members(trial).size() == 1)).isTrue();
      trial.client("a", disk -> assertAllLost(disk));
    }
  }

  @Test
  void aSpareThatIsThereIsNotGivenUpByAStart() throws IOException, OfflineException {
    try (Trial trial = withBlocksOnTheFirstSpare("")) {
      Said served = ctl(trial, "start", "a", "--without-spare", "0", "--accept-loss", "40");
      assertThat(served.code()).isEqualTo(1);
      assertThat(served.text()).contains("served already", "evacuate a N --give-up");
      assertThat(trial.stop("a", false)).isInstanceOf(Answer.Done.class);

      Said there = ctl(trial, "start", "a", "--without-spare", "0", "--accept-loss", "40");

      assertThat(there.code()).isEqualTo(1);
      assertThat(there.text()).contains("spare 0 is there", "nothing is given up");
      assertThat(trial.serves("a")).isTrue();
      assertThat(members(trial)).hasSize(2).allMatch(member -> member.contains("IN_SERVICE"));
      trial.client("a", disk -> check(disk));
    }
  }

  @Test
  void aSpareThatIsAwayWhileTheDeviceServesIsGivenUpAndDoesNotComeBack()
      throws IOException, OfflineException {
    try (Trial trial = withBlocksOnTheFirstSpare("defaults.move-rate = 64 KiB")) {
      trial.fault("a", "spare-0", "any fail=ENODEV");
      trial.client("a", disk -> assertThatThrownBy(() -> check(disk)));
      assertThat(trial.until("a", status -> status.phase() == Phase.DEGRADED)).isTrue();

      Said done = ctl(trial, "evacuate", "a", "0", "--give-up");

      assertThat(done.code()).as(done.text()).isZero();
      trial.fault("a", "spare-0", "clear");
      assertThat(Trial.until(() -> trial.count("spare.given-up") == 1)).isTrue();
      assertThat(trial.count("spare.back")).isZero();
      assertThat(Trial.until(() -> members(trial).size() == 1)).isTrue();
      trial.client("a", disk -> assertAllLost(disk));
      assertThat(trial.status("a").remaps().lostSectors()).isEqualTo(BLOCKS * 8);
      assertThat(trial.until("a", status -> status.copies().good() == 5)).isTrue();
      assertThat(trial.serves("a")).isTrue();
    }
  }

  /** Two spares; all blocks and three of the five copies are on the first. */
  private Trial withBlocksOnTheFirstSpare(String setting) throws IOException, OfflineException {
    Trial trial = new Trial(directory).create("a").configure(setting).start("a");
    assertThat(trial.serves("a")).isTrue();
    trial.fault("a", "main", "write fail=ENODATA range=" + FIRST * 4 + "K+" + BLOCKS * 4 + "K");
    trial.client(
        "a",
        disk -> {
          disk.write(0, Trial.block(0, 1));
          for (int block = FIRST; block < FIRST + BLOCKS; block++) {
            disk.write(block * 4096L, Trial.block(block, 1));
          }
          disk.flush();
        });
    assertThat(trial.addSpare("a", trial.empty("more.img"))).isInstanceOf(Answer.Done.class);
    assertThat(trial.until("a", status -> status.copies().good() == 5)).isTrue();
    return trial;
  }

  /** The daemon is started again, and waits for the first spare. */
  private Path lostWhileDown(Trial trial) throws IOException {
    trial.stopDaemon();
    Path lost = directory.resolve("lost.img");
    Files.move(trial.spare("a"), lost);
    trial.start("a");
    assertThat(trial.until("a", status -> status.sentence().contains("not there"))).isTrue();
    return lost;
  }

  private static void check(OfflineDisk disk) throws IOException {
    for (int block = FIRST; block < FIRST + BLOCKS; block++) {
      assertThat(disk.read(block * 4096L, 4096)).isEqualTo(Trial.block(block, 1));
    }
  }

  private static void assertAllLost(OfflineDisk disk) {
    for (int block = FIRST; block < FIRST + BLOCKS; block++) {
      long at = block * 4096L;
      assertThatThrownBy(() -> disk.read(at, 4096)).isInstanceOf(IOException.class);
    }
  }

  private String audit() throws IOException {
    return Files.readString(directory.resolve("data").resolve("audit.log"));
  }

  private static Said ctl(Trial trial, String... words) {
    List<String> all = new ArrayList<>(List.of("--socket", trial.socket().toString()));
    all.addAll(List.of(words));
    StringWriter said = new StringWriter();
    PrintWriter out = new PrintWriter(said, true);
    int code = Ctl.run(all.toArray(new String[0]), out, out);
    return new Said(code, said.toString());
  }

  private static List<String> members(Trial trial) {
    return trial.ask(trial.device("a"), DeviceCommand.Members::new);
  }
}
