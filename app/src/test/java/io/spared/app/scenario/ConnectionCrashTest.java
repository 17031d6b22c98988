package io.spared.app.scenario;

import static org.assertj.core.api.Assertions.assertThat;

import io.spared.app.offline.OfflineException;
import io.spared.device.Phase;
import java.io.IOException;
import java.nio.file.Path;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.Timeout;
import org.junit.jupiter.api.io.TempDir;

/** The actor of an NBD connection crashes: its client alone is gone. */
@Timeout(60)
final class ConnectionCrashTest {
  private static final int CRASHES = 5;

  @TempDir Path directory;

  @Test
  void theDeviceAndItsOtherClientsGoOnHoweverOftenAConnectionCrashes()
      throws IOException, OfflineException {
    try (Trial trial = new Trial(directory).create("a").start("a")) {
      assertThat(trial.serves("a")).isTrue();
      trial.client(
          "a",
          steady -> {
            for (int crash = 1; crash <= CRASHES; crash++) {
              int version = crash;
              steady.write(0, Trial.block(0, version));
              // More often than the device itself would survive.
              crashOne(trial, version);
              assertThat(steady.read(0, 4096)).isEqualTo(Trial.block(0, version));
              assertThat(steady.read(4096, 4096)).isEqualTo(Trial.block(1, version));
            }
          });
      assertThat(trial.status("a").phase()).isEqualTo(Phase.ACTIVE);
      assertThat(trial.status("a").restarts()).isZero();
      assertThat(trial.until("a", status -> status.traffic().queues() == 0)).isTrue();
    }
  }

  private static void crashOne(Trial trial, int number) throws IOException {
    try {
      trial.client(
          "a",
          disk -> {
            disk.write(4096, Trial.block(1, number));
            trial.crashActor("/user/spared/nbd-0/connection-" + number);
            assertThat(trial.until("a", status -> status.traffic().queues() == 1)).isTrue();
          });
    } catch (OfflineException cannot) {
      throw new IOException(cannot);
    }
  }
}
