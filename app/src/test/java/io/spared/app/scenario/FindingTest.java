package io.spared.app.scenario;

import static org.assertj.core.api.Assertions.assertThat;

import io.spared.app.ctl.Ctl;
import io.spared.app.offline.OfflineException;
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

/**
 * A daemon whose configuration names files and no device finds the set-ups that stand on them, and
 * serves them, or does not: the whole daemon, real files, a real NBD client.
 */
@Timeout(180)
final class FindingTest {
  @TempDir Path directory;

  @Test
  void aLabelledSetUpIsFoundAndServedAtEveryStart() throws IOException, OfflineException {
    try (Trial trial = new Trial(directory).create("a", Form.LABELLED)) {
      trial.startFinding(trial.main("a"), trial.spare("a"));
      isFoundAtEveryStart(trial);
    }
  }

  @Test
  void aDiskThatIsItsOwnSpareIsFoundAndServedAtEveryStart() throws IOException, OfflineException {
    try (Trial trial = new Trial(directory).create("a", Form.SELF_SPARE)) {
      trial.startFinding(trial.main("a"));
      isFoundAtEveryStart(trial);
      assertThat(trial.status("a").disks()).hasSize(2);
    }
  }

  @Test
  void anAdoptedSetUpIsFoundAndServedAtEveryStart() throws IOException, OfflineException {
    try (Trial trial = new Trial(directory).create("a")) {
      trial.startFinding(trial.main("a"), trial.spare("a"));
      isFoundAtEveryStart(trial);
    }
  }

  private static void isFoundAtEveryStart(Trial trial) throws IOException, OfflineException {
    assertThat(isServed(trial)).isTrue();
    trial.client("a", disk -> disk.write(5 * 4096L, Trial.block(5, 1)));
    trial.stopDaemon();
    trial.start();
    assertThat(isServed(trial)).isTrue();
    trial.client("a", disk -> assertThat(disk.read(5 * 4096L, 4096)).isEqualTo(Trial.block(5, 1)));
  }

  private static boolean isServed(Trial trial) {
    return Trial.until(() -> trial.isThere("a")) && trial.serves("a");
  }

  @Test
  void aCopyOfMainAndSpareBesideThemForbidsUntilItIsGone() throws IOException, OfflineException {
    try (Trial trial = new Trial(directory).create("a", Form.LABELLED)) {
      Path main = Files.copy(trial.main("a"), directory.resolve("main-copy"));
      Path spare = Files.copy(trial.spare("a"), directory.resolve("spare-copy"));
      trial.startFinding(trial.main("a"), trial.spare("a"), main, spare);

      assertThat(Trial.until(() -> trial.count("discovery.forbidden") > 0)).isTrue();
      assertThat(trial.isThere("a")).isFalse();

      trial.stopDaemon();
      Files.delete(main);
      Files.delete(spare);
      trial.start();
      assertThat(isServed(trial)).isTrue();
    }
  }

  @Test
  void aRestoredSnapshotOfTheSpareIsNotServedThoughItAloneIsThere()
      throws IOException, OfflineException {
    try (Trial trial = new Trial(directory).create("a", Form.LABELLED)) {
      trial.startFinding(trial.main("a"), trial.spare("a"));
      assertThat(isServed(trial)).isTrue();
      trial.stopDaemon();
      Path snapshot = Files.copy(trial.spare("a"), directory.resolve("snapshot"));
      trial.start();
      assertThat(isServed(trial)).isTrue();
      trial.client("a", disk -> disk.write(5 * 4096L, Trial.block(5, 1)));
      trial.stopDaemon();
      Files.copy(snapshot, trial.spare("a"), StandardCopyOption.REPLACE_EXISTING);
      Files.delete(snapshot);

      trial.start();

      StringWriter said = new StringWriter();
      String[] discover = {"--socket", trial.socket().toString(), "discover"};
      Ctl.run(discover, new PrintWriter(said), new PrintWriter(said));
      assertThat(said.toString())
          .contains("forbidden", "these spares were left behind", "the newest copy found is older");
      assertThat(trial.isThere("a")).isFalse();
    }
  }
}
