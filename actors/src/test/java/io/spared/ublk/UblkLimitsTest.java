package io.spared.ublk;

import static org.assertj.core.api.Assertions.assertThat;

import io.spared.ffi.disk.DiskGeometry;
import io.spared.ffi.ublk.UblkDeviceInfo;
import io.spared.ffi.ublk.UblkParameters;
import java.util.List;
import java.util.Set;
import org.junit.jupiter.api.Test;

class UblkLimitsTest {
  private static final UblkDeviceInfo INFO =
      UblkDeviceInfo.wanted(0, 2, 128, 512 << 10, Set.of(), 1);

  private static DiskGeometry disk(int physical, long discardGranularity, boolean rotational) {
    return new DiskGeometry(1 << 30, 512, physical, discardGranularity, rotational, false, 0);
  }

  private static UblkParameters limits(boolean readOnly, DiskGeometry main, DiskGeometry spare) {
    return UblkLimits.of(64 << 20, 512, 4096, main, List.of(main, spare), readOnly, INFO);
  }

  @Test
  void flushesAreAskedForWhateverTheDisksSayOfTheirCache() {
    UblkParameters limits = limits(false, disk(4096, 0, false), disk(512, 0, false));

    assertThat(limits.volatileCache()).isTrue();
    assertThat(limits.forcedUnitAccess()).isTrue();
  }

  @Test
  void aDiskWithoutDiscardGivesADeviceWithoutDiscardButWithZeroing() {
    UblkParameters limits = limits(false, disk(4096, 0, true), disk(512, 4096, false));

    assertThat(limits.maxDiscardBytes()).isZero();
    assertThat(limits.maxWriteZeroesBytes()).isEqualTo(UblkLimits.WRITE_ZEROES_BYTES_MAX);
    assertThat(limits.rotational()).isTrue();
  }

  @Test
  void theCoarsestDiscardGranularityBelowIsTheDevices() {
    UblkParameters limits = limits(false, disk(4096, 4096, false), disk(512, 65536, false));

    assertThat(limits.discardGranularityBytes()).isEqualTo(65536);
    assertThat(limits.maxDiscardBytes()).isEqualTo(UblkLimits.DISCARD_BYTES_MAX);
  }

  @Test
  void aReadOnlyDeviceOffersNeitherDiscardNorZeroing() {
    UblkParameters limits = limits(true, disk(4096, 4096, false), disk(512, 0, false));

    assertThat(limits.readOnly()).isTrue();
    assertThat(limits.maxDiscardBytes()).isZero();
    assertThat(limits.maxWriteZeroesBytes()).isZero();
  }

  @Test
  void physicalSectorsAreNeverLargerThanTheUnitOfRemapping() {
    UblkParameters limits = limits(false, disk(65536, 0, false), disk(512, 0, false));

    assertThat(limits.physicalSectorBytes()).isEqualTo(4096);
    assertThat(limits.maxIoBytes()).isEqualTo(512 << 10);
  }
}
