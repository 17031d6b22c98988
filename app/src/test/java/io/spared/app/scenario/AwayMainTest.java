package io.spared.app.scenario;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import io.spared.app.ctl.Ctl;
import io.spared.app.offline.OfflineException;
import io.spared.device.Phase;
import io.spared.format.Form;
import java.io.IOException;
import java.io.PrintWriter;
import java.io.StringWriter;
import java.nio.file.Files;
import java.nio.file.Path;
import java.nio.file.StandardCopyOption;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.Timeout;
import org.junit.jupiter.api.io.TempDir;

/** Main goes away under a device that serves: the whole daemon, real files, a real NBD client. */
@Timeout(180)
final class AwayMainTest {
  @TempDir Path directory;

  @Test
  void aMainThatIsProvedAndWasFlushedReturnsByItself() throws IOException, OfflineException {
    try (Trial trial = new Trial(directory).create("a", Form.LABELLED).start("a")) {
      assertThat(trial.serves("a")).isTrue();
      writeAndFlush(trial);
      goesAway(trial);

      trial.fault("a", "main", "clear");

      assertThat(Trial.until(() -> trial.count("main.back") == 1)).isTrue();
      assertThat(trial.serves("a")).isTrue();
      trial.client(
          "a",
          disk -> {
            assertThat(disk.read(5 * 4096L, 4096)).isEqualTo(Trial.block(5, 1));
            disk.write(6 * 4096L, Trial.block(6, 2));
            disk.flush();
          });
    }
  }

  @Test
  void whatMayNotHaveBeenFlushedMakesTheNextFlushFailAndAPersonDecides()
      throws IOException, OfflineException {
    try (Trial trial = new Trial(directory).create("a", Form.LABELLED).start("a")) {
      assertThat(trial.serves("a")).isTrue();
      // No flush since the start: what a client before it left in the cache is not known.
      goesAway(trial);

      trial.fault("a", "main", "clear");

      assertThat(Trial.until(() -> trial.count("main.away") == 1)).isTrue();
      assertThat(trial.event("main.away").sentence()).contains("not all that was written");
      trial.client(
          "a",
          disk -> {
            assertThatThrownBy(disk::flush).isInstanceOf(IOException.class);
            assertThatThrownBy(() -> disk.write(6 * 4096L, Trial.block(6, 3)))
                .isInstanceOf(IOException.class);
          });
      assertThat(trial.status("a").phase()).isEqualTo(Phase.DEGRADED);
      assertThat(trial.count("main.back")).isZero();
      ctl(trial, "stop", "a", "--force");
      ctl(trial, "start", "a");
      assertThat(trial.serves("a")).isTrue();
    }
  }

  @Test
  void whereNothingShowsThatItIsTheSameAPersonDecides() throws IOException, OfflineException {
    try (Trial trial = new Trial(directory).create("a").start("a")) {
      assertThat(trial.serves("a")).isTrue();
      writeAndFlush(trial);
      goesAway(trial);

      trial.fault("a", "main", "clear");

      assertThat(Trial.until(() -> trial.count("main.away") == 1)).isTrue();
      assertThat(trial.event("main.away").sentence())
          .contains("neither a serial number nor a label");
      assertThat(trial.count("main.back")).isZero();
    }
  }

  @Test
  void anotherDiskUnderItsNameIsNotTaken() throws IOException, OfflineException {
    try (Trial trial =
        new Trial(directory).create("a", Form.LABELLED).create("b", Form.LABELLED).start("a")) {
      assertThat(trial.serves("a")).isTrue();
      writeAndFlush(trial);
      goesAway(trial);

      Files.copy(trial.main("b"), trial.main("a"), StandardCopyOption.REPLACE_EXISTING);
      trial.fault("a", "main", "clear");

      assertThat(Trial.until(() -> trial.count("main.away") == 1)).isTrue();
      assertThat(trial.count("main.back")).isZero();
      assertThat(trial.status("a").phase()).isEqualTo(Phase.DEGRADED);
    }
  }

  private static void writeAndFlush(Trial trial) throws IOException, OfflineException {
    trial.client(
        "a",
        disk -> {
          disk.write(5 * 4096L, Trial.block(5, 1));
          disk.flush();
        });
  }

  private static void goesAway(Trial trial) throws IOException, OfflineException {
    trial.fault("a", "main", "any fail=ENODEV");
    trial.client(
        "a", disk -> assertThatThrownBy(() -> disk.read(0, 4096)).isInstanceOf(IOException.class));
    assertThat(trial.until("a", s -> s.phase() == Phase.DEGRADED)).isTrue();
  }

  private static void ctl(Trial trial, String... words) {
    String[] all = new String[words.length + 2];
    all[0] = "--socket";
    all[1] = trial.socket().toString();
    System.arraycopy(words, 0, all, 2, words.length);
    StringWriter out = new StringWriter();
    assertThat(Ctl.run(all, new PrintWriter(out), new PrintWriter(out)))
        .as(out.toString())
        .isZero();
  }
}
