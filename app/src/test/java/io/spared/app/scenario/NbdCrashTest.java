package io.spared.app.scenario;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import io.spared.app.offline.OfflineException;
import io.spared.nbd.NbdFrontend;
import io.spared.nbd.NbdRequest;
import java.io.IOException;
import java.nio.file.Path;
import org.apache.pekko.actor.Kill;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.Timeout;
import org.junit.jupiter.api.io.TempDir;

/**
 * Actors between NBD clients and the devices crash; docs/internals/supervision.md says what for.
 */
@Timeout(120)
final class NbdCrashTest {
  @TempDir Path directory;

  @Test
  void aConnectionEndsAloneAndTheOthersServeOn() throws IOException, OfflineException {
    try (Trial trial = new Trial(directory).create("a").start("a")) {
      assertThat(trial.serves("a")).isTrue();
      trial.client(
          "a",
          first -> {
            first.write(0, Trial.block(0, 1));
            try {
              trial.client(
                  "a",
                  second -> {
                    second.write(4096, Trial.block(1, 1));
                    long opened = trial.count("queue.opened");
                    // Those of the first client, which looked at the export by one of its own.
                    trial.tell("/nbd-0/connection-0", Kill.getInstance());
                    trial.tell("/nbd-0/connection-1", Kill.getInstance());
                    assertThat(second.read(4096, 4096)).isEqualTo(Trial.block(1, 1));
                    // A read is asked again by the client on a new connection, a write in doubt is
                    // not.
                    do {
                      assertThat(first.read(0, 4096)).isEqualTo(Trial.block(0, 1));
                    } while (trial.count("queue.opened") == opened);
                    first.write(8192, Trial.block(2, 1));
                  });
            } catch (OfflineException refused) {
              throw new IOException(refused);
            }
            assertThat(first.read(4096, 4096)).isEqualTo(Trial.block(1, 1));
          });
      assertThat(trial.status("a").restarts()).isZero();
    }
  }

  @Test
  void aListenerIsStartedAgainAndItsClientsComeBack() throws IOException, OfflineException {
    try (Trial trial = new Trial(directory).create("a").start("a")) {
      assertThat(trial.serves("a")).isTrue();
      trial.client(
          "a",
          disk -> {
            disk.write(0, Trial.block(0, 1));
            trial.tell("/nbd-0", new NbdFrontend.Stop(nothing(), nothing()));
            assertThat(trial.until("a", s -> s.traffic().queues() == 0)).isTrue();
          });
      assertThat(Trial.until(() -> reads(trial, 0, 1))).isTrue();
      assertThat(trial.status("a").restarts()).isZero();
    }
  }

  @Test
  void exportsGoOnWithWhatTheyKnow() throws IOException, OfflineException {
    try (Trial trial = new Trial(directory).create("a").start("a")) {
      assertThat(trial.serves("a")).isTrue();
      trial.client("a", disk -> disk.write(0, Trial.block(0, 1)));
      for (int crash = 0; crash < 3; crash++) {
        trial.tell("/nbd-requests", new NbdRequest.ListExports(nothing(), nothing()));
        assertThat(reads(trial, 0, 1)).isTrue();
      }
      assertThatThrownBy(() -> trial.client("b", disk -> {})).isInstanceOf(OfflineException.class);
    }
  }

  private static boolean reads(Trial trial, int block, int version) {
    boolean[] right = new boolean[1];
    try {
      trial.client(
          "a",
          disk -> right[0] = disk.read(block * 4096L, 4096).equals(Trial.block(block, version)));
    } catch (IOException | OfflineException notYet) {
      return false;
    }
    return right[0];
  }

  /** What no message may carry: whoever takes it crashes. */
  @SuppressWarnings({"NullAway", "TypeParameterUnusedInFormals"})
  private static <T> T nothing() {
    return null;
  }
}
