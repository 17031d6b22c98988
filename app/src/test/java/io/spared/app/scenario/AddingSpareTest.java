package io.spared.app.scenario;

import static org.assertj.core.api.Assertions.assertThat;

import io.spared.app.offline.OfflineException;
import io.spared.device.Answer;
import io.spared.device.DeviceCommand;
import java.io.IOException;
import java.nio.ByteBuffer;
import java.nio.channels.FileChannel;
import java.nio.file.Files;
import java.nio.file.Path;
import java.nio.file.StandardOpenOption;
import java.util.Arrays;
import java.util.List;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.Timeout;
import org.junit.jupiter.api.io.TempDir;

/** Further spares for devices that serve: the whole daemon, real files, a real NBD client. */
@Timeout(180)
final class AddingSpareTest {
  @TempDir Path directory;

  @Test
  void anAddedSpareTakesBlocksAndCopiesAndIsThereAfterARestart()
      throws IOException, OfflineException {
    try (Trial trial = new Trial(directory).create("a").start("a")) {
      assertThat(trial.serves("a")).isTrue();
      Path more = trial.empty("more.img");
      trial.client(
          "a",
          disk -> {
            // The client is connected before the spare comes, and relocates to it afterwards.
            disk.write(0, Trial.block(0, 1));
            Answer answer = trial.addSpare("a", more);
            assertThat(answer).isInstanceOf(Answer.Done.class);
            assertThat(answer.sentence()).contains("spare 1 of a");
            // No slot of the first spare can be written any more, so blocks go to the added one.
            trial.fault("a", "spare-0", "write fail=ENODATA range=2M+20M");
            trial.fault("a", "main", "write fail=ENODATA range=40K+40K");
            for (int block = 10; block < 20; block++) {
              disk.write(block * 4096L, Trial.block(block, 2));
            }
            for (int block = 10; block < 20; block++) {
              assertThat(disk.read(block * 4096L, 4096)).isEqualTo(Trial.block(block, 2));
            }
          });
      assertThat(trial.status("a").remaps().remapped()).isEqualTo(10);
      assertThat(trial.until("a", status -> status.copies().good() == 5)).isTrue();
      assertThat(members(trial)).hasSize(2);
      assertThat(placesOf(trial)).contains("spare 1");
      trial.stopDaemon();
      trial.configureSpare("a", more);
      trial.start("a");
      assertThat(trial.serves("a")).isTrue();
      assertThat(members(trial)).hasSize(2);
      assertThat(trial.status("a").remaps().remapped()).isEqualTo(10);
      trial.client(
          "a",
          disk -> {
            for (int block = 10; block < 20; block++) {
              assertThat(disk.read(block * 4096L, 4096)).isEqualTo(Trial.block(block, 2));
            }
          });
    }
  }

  @Test
  void aDeviceThatIsStoppedAndStartedAgainHasItsAddedSpare() throws IOException, OfflineException {
    try (Trial trial = new Trial(directory).create("a").start("a")) {
      assertThat(trial.serves("a")).isTrue();
      assertThat(trial.addSpare("a", trial.empty("more.img"))).isInstanceOf(Answer.Done.class);
      trial.stop("a", true);
      trial.command("a", DeviceCommand.Start::new);
      assertThat(trial.serves("a")).isTrue();
      assertThat(members(trial)).hasSize(2);
      assertThat(trial.until("a", status -> status.copies().good() == 5)).isTrue();
    }
  }

  @Test
  void aDiskThatHoldsSomethingIsRefusedAndStaysAsItWas() throws IOException, OfflineException {
    try (Trial trial = new Trial(directory).create("a").start("a")) {
      assertThat(trial.serves("a")).isTrue();
      Path used = trial.empty("used.img");
      try (FileChannel file = FileChannel.open(used, StandardOpenOption.WRITE)) {
        file.write(
            ByteBuffer.wrap("somebody's".getBytes(java.nio.charset.StandardCharsets.UTF_8)), 0);
      }
      byte[] before = Files.readAllBytes(used);
      Answer refused = trial.addSpare("a", used);
      assertThat(refused).isInstanceOf(Answer.Refused.class);
      assertThat(refused.sentence()).contains("used.img").contains("not empty");
      assertThat(Arrays.equals(Files.readAllBytes(used), before)).isTrue();
      assertThat(members(trial)).hasSize(1);
    }
  }

  @Test
  void itsOwnDisksAndOthersMainsAndMissingOnesAreRefused() throws IOException, OfflineException {
    try (Trial trial = new Trial(directory).create("a").create("b").start("a", "b")) {
      assertThat(trial.serves("a")).isTrue();
      assertThat(trial.serves("b")).isTrue();
      assertThat(trial.addSpare("a", trial.spare("a")).sentence()).contains("already");
      assertThat(trial.addSpare("a", trial.main("a"))).isInstanceOf(Answer.Refused.class);
      assertThat(trial.addSpare("a", trial.main("b")).sentence()).contains("main disk of b");
      Answer missing = trial.addSpare("a", directory.resolve("nowhere.img"));
      assertThat(missing).isInstanceOf(Answer.Refused.class);
      assertThat(missing.sentence()).contains("nowhere.img");
      assertThat(members(trial)).hasSize(1);
    }
  }

  @Test
  void theSpareOfOneDeviceCanBeLentToAnotherAsWell() throws IOException, OfflineException {
    try (Trial trial = new Trial(directory).create("a").create("b").start("a", "b")) {
      assertThat(trial.serves("a")).isTrue();
      assertThat(trial.serves("b")).isTrue();
      assertThat(trial.addSpare("a", trial.spare("b"))).isInstanceOf(Answer.Done.class);
      assertThat(trial.until("a", status -> status.copies().good() == 5)).isTrue();
      assertThat(trial.until("b", status -> status.copies().good() == 5)).isTrue();
    }
  }

  @Test
  void aSpareThatCannotBeWrittenIsRefusedAndTheDeviceServesOn()
      throws IOException, OfflineException {
    try (Trial trial = new Trial(directory).create("a").start("a")) {
      assertThat(trial.serves("a")).isTrue();
      Path small = directory.resolve("small.img");
      Files.write(small, new byte[1 << 20]);
      assertThat(trial.addSpare("a", small).sentence()).contains("too small");
      trial.client("a", disk -> disk.write(0, Trial.block(0, 1)));
      assertThat(members(trial)).hasSize(1);
    }
  }

  private static List<String> members(Trial trial) {
    return trial.ask(trial.device("a"), DeviceCommand.Members::new);
  }

  private static String placesOf(Trial trial) {
    return String.join("; ", trial.status("a").copies().each());
  }
}
