package io.spared.ffi.system;

import static org.assertj.core.api.Assertions.assertThat;

import java.time.Duration;
import java.util.List;
import org.junit.jupiter.api.Test;

class MachineStoppingTest {
  private static boolean told(String script, Duration wait) {
    return ServiceManager.saysStopping(List.of("sh", "-c", script), wait);
  }

  @Test
  void theMachineStopsOnlyWhenItsManagerSaysSo() {
    Duration wait = Duration.ofSeconds(10);
    // The exit status says only that the machine is not running as usual.
    assertThat(told("echo stopping; exit 1", wait)).isTrue();
    assertThat(told("echo running", wait)).isFalse();
    assertThat(told("echo degraded; exit 1", wait)).isFalse();
    assertThat(told("exit 1", wait)).isFalse();
  }

  @Test
  void aManagerThatIsMissingOrHangsSaysNothing() {
    assertThat(ServiceManager.saysStopping(List.of("/nonexistent"), Duration.ofSeconds(1)))
        .isFalse();
    assertThat(told("exec sleep 20", Duration.ofMillis(50))).isFalse();
  }
}
