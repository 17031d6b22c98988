package io.spared.ffi.disk;

import static org.assertj.core.api.Assertions.assertThat;

import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.Optional;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

/** A machine of files: /dev/ublkb0 (259:7) with one partition (259:8). */
class DiskUseTest {
  private static final Path DEVICE = Path.of("/dev/ublkb0");

  @TempDir Path root;

  private void file(String path, String text) throws IOException {
    Path file = root.resolve(path);
    Files.createDirectories(file.getParent());
    Files.writeString(file, text);
  }

  @BeforeEach
  void machine() throws IOException {
    file("sys/block/ublkb0/dev", "259:7");
    file("sys/block/ublkb0/ublkb0p1/dev", "259:8");
    file("sys/block/ublkb0/ublkb0p1/partition", "1");
    Files.createDirectories(root.resolve("sys/dev/block"));
    Files.createSymbolicLink(root.resolve("sys/dev/block/259:7"), Path.of("../../block/ublkb0"));
    file("proc/self/mountinfo", "22 1 8:1 / / rw - ext4 /dev/sda1 rw\n");
    file("proc/swaps", "Filename Type Size Used Priority\n");
  }

  private Optional<DiskUse> use() {
    HostFiles files = new HostFiles(root);
    return DiskUse.of(files, new DeviceNode(files, 259, 7), DEVICE);
  }

  @Test
  void nobodyUsesADeviceThatIsOnlyThere() {
    assertThat(use()).isEmpty();
  }

  @Test
  void aMountedPartitionIsAUseOfItsDisk() throws IOException {
    file("proc/self/mountinfo", "30 22 259:8 / /mnt/a rw - ext4 /dev/ublkb0p1 rw\n");
    assertThat(use()).contains(new DiskUse("mounted at /mnt/a", true));
  }

  @Test
  void aFileSystemWithANumberOfItsOwnIsKnownByItsSource() throws IOException {
    file("proc/self/mountinfo", "30 22 0:44 / /mnt/b rw - btrfs /dev/ublkb0p1 rw\n");
    assertThat(use()).contains(new DiskUse("mounted at /mnt/b", true));
  }

  @Test
  void swapAndDevicesBuiltOnItAreLasting() throws IOException {
    file("proc/swaps", "Filename Type Size Used Priority\n/dev/ublkb0p1 partition 1 0 -2\n");
    assertThat(use()).contains(new DiskUse("swap space", true));
    file("proc/swaps", "Filename Type Size Used Priority\n");

    file("sys/block/ublkb0/holders/dm-0", "");
    file("sys/block/dm-0/dm/name", "archive");
    assertThat(use()).contains(new DiskUse("used by dm-0 (archive)", true));
  }

  @Test
  void aProgramThatHasItOpenIsNamedAndMayBePassing() throws IOException {
    file("proc/12/comm", "fio");
    Files.createDirectories(root.resolve("proc/12/fd"));
    Files.createSymbolicLink(root.resolve("proc/12/fd/3"), DEVICE);
    assertThat(use()).contains(new DiskUse("open in fio (process 12)", false));
  }
}
