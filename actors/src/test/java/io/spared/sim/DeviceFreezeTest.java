package io.spared.sim;

import static org.assertj.core.api.Assertions.assertThat;

import io.spared.device.Answer;
import io.spared.device.DeviceCommand;
import java.time.Duration;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.Timeout;

/** Freezing and thawing under load, thousands of times, with blocks on the move. */
@Timeout(60)
final class DeviceFreezeTest {
  private static final int ROUNDS = 2000;

  @Test
  void frozenAndThawedThousandsOfTimesUnderLoadNothingIsLost() {
    try (HostRig rig = new HostRig(31, 1_000_000, "a")) {
      HostRig.Device a = rig.servingAll();
      rig.badSectorsOnMain(a, 100);
      long asked = a.setup.book.answered();
      for (int round = 0; round < ROUNDS; round++) {
        assertThat(rig.command(a, DeviceCommand.Freeze::new)).isInstanceOf(Answer.Done.class);
        assertThat(a.setup.main.inFlight()).as("requests on main, round " + round).isZero();
        assertThat(rig.command(a, DeviceCommand.Thaw::new)).isInstanceOf(Answer.Done.class);
      }
      rig.runFor(Duration.ofSeconds(1));
      assertThat(a.setup.book.answered()).isGreaterThan(asked + ROUNDS);
      assertThat(a.status().remaps().remapped()).isPositive();
      assertThat(rig.everythingIsRight(a)).as("%s", a.setup.truth.violation()).isTrue();
      long remapped = a.status().remaps().remapped();
      rig.restart(a);
      assertThat(a.status().remaps().remapped()).isGreaterThanOrEqualTo(remapped);
      assertThat(rig.leftAfterShutdown()).isEmpty();
    }
  }
}
