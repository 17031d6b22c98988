package io.spared.discovery;

import static org.assertj.core.api.Assertions.assertThat;

import io.spared.ffi.disk.DiskAddress;
import java.nio.file.Path;
import java.util.List;
import java.util.Optional;
import java.util.Set;
import org.junit.jupiter.api.Test;

class EligibilityTest {
  private static BlockDevice device(String name) {
    return new BlockDevice(
        new DiskAddress.OfPath(Path.of("/dev/" + name)),
        name,
        "8:0",
        1L << 40,
        false,
        List.of(),
        Optional.empty(),
        Optional.empty(),
        Optional.empty());
  }

  private static Optional<String> obstacle(BlockDevice device) {
    return Eligibility.obstacle(device, Set.of("ublkb3", "/d/served"));
  }

  @Test
  void anOrdinaryDiskIsLookedAt() {
    assertThat(obstacle(device("sda"))).isEmpty();
    assertThat(obstacle(device("nvme0n1"))).isEmpty();
  }

  @Test
  void whatSparedServesIsNeverOpened() {
    assertThat(obstacle(device("ublkb3"))).get().asString().contains("served by spared");
  }

  @Test
  void aDeviceOfADeadDaemonIsNeverOpenedSinceItWouldWaitForEver() {
    assertThat(obstacle(device("ublkb7"))).isPresent();
    assertThat(obstacle(device("nbd0"))).isPresent();
  }

  @Test
  void aLoopOverWhatSparedServesIsNeverOpened() {
    BlockDevice loop =
        new BlockDevice(
            new DiskAddress.OfPath(Path.of("/dev/loop1")),
            "loop1",
            "7:1",
            1L << 30,
            false,
            List.of(),
            Optional.empty(),
            Optional.of("/d/served"),
            Optional.empty());

    assertThat(obstacle(loop)).isPresent();
  }

  @Test
  void aDiskWithHoldersBelongsToThem() {
    BlockDevice held =
        new BlockDevice(
            new DiskAddress.OfPath(Path.of("/dev/sdb")),
            "sdb",
            "8:16",
            1L << 40,
            false,
            List.of("dm-3"),
            Optional.empty(),
            Optional.empty(),
            Optional.empty());

    assertThat(obstacle(held)).get().asString().contains("dm-3");
  }

  @Test
  void aPathOfAMultipathDeviceIsNotADiskButTheDeviceOnTopIs() {
    BlockDevice path =
        new BlockDevice(
            new DiskAddress.OfPath(Path.of("/dev/sdb")),
            "sdb",
            "8:16",
            1L << 40,
            false,
            List.of(),
            Optional.empty(),
            Optional.empty(),
            Optional.of("mpath_member"));
    BlockDevice top =
        new BlockDevice(
            new DiskAddress.OfPath(Path.of("/dev/dm-0")),
            "dm-0",
            "254:0",
            1L << 40,
            false,
            List.of(),
            Optional.of("mpath-36001405abc"),
            Optional.empty(),
            Optional.empty());

    assertThat(obstacle(path)).get().asString().contains("multipath");
    assertThat(obstacle(top)).isEmpty();
  }
}
