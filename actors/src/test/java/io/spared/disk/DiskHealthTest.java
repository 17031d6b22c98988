package io.spared.disk;

import static org.assertj.core.api.Assertions.assertThat;

import io.spared.disk.DiskReport.Health;
import io.spared.ffi.Errno;
import java.time.Duration;
import org.junit.jupiter.api.Test;

class DiskHealthTest {
  private static final long SIZE_BYTES = 4L << 40;
  private static final long REGION = SIZE_BYTES / 64;
  private static final long SECOND = Duration.ofSeconds(1).toNanos();
  private static final DiskPolicy POLICY = DiskPolicy.DEFAULT;

  private final DiskHealth health = new DiskHealth(POLICY, SIZE_BYTES);

  private void fail(int regions, long nowNanos) {
    for (int i = 0; i < regions; i++) {
      health.failed(Errno.EIO, i * REGION, nowNanos);
    }
  }

  @Test
  void errorsOfUncertainKindAreTheDisksOnlyInManyRegionsWithinTheWindow() {
    fail(POLICY.distantErrorsMax() - 1, 0);
    assertThat(health.hasManyDistantErrors(0)).isFalse();
    health.failed(Errno.EIO, 63 * REGION, POLICY.errorsWindow().toNanos());
    assertThat(health.hasManyDistantErrors(POLICY.errorsWindow().toNanos())).isTrue();
    assertThat(health.hasManyDistantErrors(POLICY.errorsWindow().toNanos() + 1)).isFalse();
  }

  @Test
  void aScratchOfAnyNumberOfErrorsIsOnePlaceAndHidesNoDistantOnes() {
    for (int i = 0; i < 5000; i++) {
      health.failed(Errno.EIO, i * 512L, 0);
    }
    assertThat(health.hasManyDistantErrors(0)).isFalse();
    fail(POLICY.distantErrorsMax(), SECOND);
    assertThat(health.hasManyDistantErrors(SECOND)).isTrue();
  }

  @Test
  void faultsThatTheKernelCallsTheMediumsAreNeverTheDisks() {
    for (int i = 0; i < 64; i++) {
      health.failed(Errno.ENODATA, i * REGION, 0);
    }
    assertThat(health.hasManyDistantErrors(0)).isFalse();
    assertThat(health.health()).isEqualTo(Health.AGEING);
  }

  @Test
  void aDiskThatIsGoneStaysGone() {
    for (Errno gone : new Errno[] {Errno.ENXIO, Errno.ENODEV, Errno.ENOMEDIUM}) {
      DiskHealth another = new DiskHealth(POLICY, SIZE_BYTES);
      another.failed(gone, 0, 0);
      String reason = another.reason();
      another.proved(true, 0);
      another.failed(Errno.ETIMEDOUT, 0, 0);
      another.failed(Errno.ENODATA, 0, 0);
      assertThat(another.health()).isEqualTo(Health.GONE);
      assertThat(another.reason()).isEqualTo(reason);
    }
  }

  @Test
  void aDoubtfulDiskThatProvesItselfIsWellOrAgeingAsItsMediumIs() {
    health.failed(Errno.ETIMEDOUT, 0, 0);
    assertThat(health.health()).isEqualTo(Health.DOUBTFUL);
    health.proved(false, 0);
    assertThat(health.health()).isEqualTo(Health.WELL);
    health.failed(Errno.ENOLINK, 0, 0);
    health.failed(Errno.ENODATA, 0, 0);
    assertThat(health.health()).isEqualTo(Health.DOUBTFUL);
    health.proved(false, 0);
    assertThat(health.health()).isEqualTo(Health.AGEING);
    assertThat(health.hasMediaFaults()).isTrue();
  }

  @Test
  void whatSaysNothingOfTheDiskChangesNothing() {
    health.failed(Errno.ENOSPC, 0, 0);
    health.failed(Errno.EOPNOTSUPP, 0, 0);
    health.failed(Errno.EIO, 0, 0);
    assertThat(health.health()).isEqualTo(Health.WELL);
  }
}
