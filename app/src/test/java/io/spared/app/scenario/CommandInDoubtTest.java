package io.spared.app.scenario;

import static org.assertj.core.api.Assertions.assertThat;

import io.spared.app.ctl.Ctl;
import io.spared.app.offline.OfflineException;
import io.spared.format.Form;
import java.io.IOException;
import java.io.PrintWriter;
import java.io.StringWriter;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import java.util.concurrent.CompletableFuture;
import java.util.concurrent.ExecutionException;
import java.util.concurrent.TimeUnit;
import java.util.concurrent.TimeoutException;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.Timeout;
import org.junit.jupiter.api.io.TempDir;

/** Commands of which nobody knows yet whether they were done: the whole daemon, and its client. */
@Timeout(120)
final class CommandInDoubtTest {
  @TempDir Path directory;

  /** What the client said, and its exit code. */
  private record Said(int code, String text) {}

  @Test
  void aConversionWhoseCommitDoesNotEndIsInDoubtAndDoneOnceItDoes()
      throws IOException, OfflineException {
    try (Trial trial = new Trial(directory).create("a", Form.LABELLED).start("a")) {
      assertThat(trial.serves("a")).isTrue();
      trial.fault("a", "spare-0", "write hang");

      Said said = ctl(trial, "convert", "a", "adopt");

      assertThat(said.code()).as(said.text()).isEqualTo(5);
      assertThat(said.text()).contains("nobody knows yet whether it is durable");
      trial.fault("a", "spare-0", "clear");
      trial.fault("a", "spare-0", "release");
      assertThat(Trial.until(() -> ctl(trial, "status", "a").text().contains("form adopt")))
          .isTrue();
    }
  }

  @Test
  void whoWaitsForACommitOfADeviceThatCrashesIsToldAtOnce()
      throws IOException,
          OfflineException,
          InterruptedException,
          ExecutionException,
          TimeoutException {
    try (Trial trial = new Trial(directory).create("a")) {
      trial.configure("defaults.commit-timeout = 5 minutes").start("a");
      assertThat(trial.serves("a")).isTrue();
      trial.fault("a", "spare-0", "write hang");
      CompletableFuture<Said> set =
          CompletableFuture.supplyAsync(
              () -> ctl(trial, "set", "a", "auto-repair=off"), task -> new Thread(task).start());
      // In force at once, and not durable.
      assertThat(
              trial.until(
                  "a",
                  status -> String.valueOf(status.policy().get("auto-repair")).contains("off")))
          .isTrue();

      trial.crash("a");

      Said said = set.get(20, TimeUnit.SECONDS);
      assertThat(said.code()).as(said.text()).isEqualTo(5);
      assertThat(said.text()).contains("nobody knows yet whether it is done");
    }
  }

  private static Said ctl(Trial trial, String... words) {
    List<String> all = new ArrayList<>(List.of("--socket", trial.socket().toString()));
    all.addAll(List.of(words));
    StringWriter said = new StringWriter();
    PrintWriter out = new PrintWriter(said, true);
    int code = Ctl.run(all.toArray(new String[0]), out, out);
    return new Said(code, said.toString());
  }
}
