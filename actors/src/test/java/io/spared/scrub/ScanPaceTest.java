package io.spared.scrub;

import static org.assertj.core.api.Assertions.assertThat;

import org.junit.jupiter.api.Test;

final class ScanPaceTest {
  private static final long MEGABYTE = 1 << 20;

  @Test
  void theWholeDiskIsReadWithinItsPeriod() {
    long bytes = 4_000_000_000_000L;
    long period = 30L * 86_400;
    long rate = ScanPace.plannedBytesPerSecond(bytes, period);
    assertThat(rate * period).isGreaterThanOrEqualTo(bytes);
  }

  @Test
  void itStepsBackWhileTheDiskIsBusyAndNeverBelowTheFloor() {
    ScanPace pace = new ScanPace(64 * MEGABYTE, MEGABYTE);
    assertThat(pace.bytesPerSecond()).isEqualTo(64 * MEGABYTE);
    for (int i = 0; i < 100; i++) {
      pace.took(1_000_000_000L);
      assertThat(pace.bytesPerSecond()).isGreaterThanOrEqualTo(MEGABYTE);
    }
    assertThat(pace.bytesPerSecond()).isEqualTo(MEGABYTE);
  }

  @Test
  void itReturnsToItsPlanOnceTheDiskIsQuiet() {
    ScanPace pace = new ScanPace(64 * MEGABYTE, MEGABYTE);
    for (int i = 0; i < 100; i++) {
      pace.took(1_000_000_000L);
    }
    for (int i = 0; i < 100; i++) {
      pace.took(1_000_000L);
    }
    assertThat(pace.bytesPerSecond()).isEqualTo(64 * MEGABYTE);
  }
}
