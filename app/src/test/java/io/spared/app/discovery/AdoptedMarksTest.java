package io.spared.app.discovery;

import static org.assertj.core.api.Assertions.assertThat;

import io.spared.discovery.AdoptedDisk;
import io.spared.ffi.engine.LoopDevice;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.List;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

/** What is told to udev, and that the program of the udev rules reads it in the same way. */
class AdoptedMarksTest {
  @TempDir private Path scratch;
  private AdoptedMarks marks;

  /** A disk sdb with a partition sdb1, as sysfs shows them. */
  @BeforeEach
  void makeDisk() throws IOException {
    file("sys/devices/x/block/sdb/dev", "8:16");
    file("sys/devices/x/block/sdb/uevent", "");
    file("sys/devices/x/block/sdb/sdb1/dev", "8:17");
    file("sys/devices/x/block/sdb/sdb1/partition", "1\n");
    file("sys/devices/x/block/sdb/sdb1/uevent", "");
    // Page 0x80: four bytes of header, and padding.
    file("sys/devices/x/block/sdb/device/vpd_pg80", "\0\0\0\10  WD/1 \0");
    Path blocks = Files.createDirectories(scratch.resolve("sys/class/block"));
    Files.createSymbolicLink(blocks.resolve("sdb"), scratch.resolve("sys/devices/x/block/sdb"));
    Files.createSymbolicLink(
        blocks.resolve("sdb1"), scratch.resolve("sys/devices/x/block/sdb/sdb1"));
    marks = new AdoptedMarks(scratch.resolve("adopted"), scratch);
  }

  private void file(String path, String text) throws IOException {
    Path file = scratch.resolve(path);
    Files.createDirectories(file.getParent());
    Files.writeString(file, text);
  }

  private String uevent(String name) throws IOException {
    return Files.readString(scratch.resolve("sys/class/block").resolve(name).resolve("uevent"));
  }

  /** What disk-role says of a disk without a mark on it. */
  private String role(String devicePath) throws IOException {
    Path empty = Files.write(scratch.resolve("empty"), new byte[65536]);
    return LoopDevice.run(
            List.of(
                "env",
                "SPARED_SYS=" + scratch.resolve("sys"),
                "SPARED_ADOPTED=" + scratch.resolve("adopted"),
                "DEVPATH=" + devicePath,
                "sh",
                "../deploy/udev/disk-role",
                empty.toString()))
        .strip();
  }

  @Test
  void anAdoptedDiskIsMarkedAndShownToUdevWithItsPartitions() throws IOException {
    assertThat(role("/devices/x/block/sdb")).isEmpty();

    marks.mark(new AdoptedDisk("WD/1", "sdb"));

    assertThat(scratch.resolve("adopted/WD_1")).isEmptyFile();
    assertThat(role("/devices/x/block/sdb")).isEqualTo("ID_SPARED_ROLE=adopted");
    assertThat(uevent("sdb")).isEqualTo("change");
    assertThat(uevent("sdb1")).isEqualTo("change");
  }

  @Test
  void ofADiskWhosePartitionWasAdoptedOnlyThatPartitionIsMarked() throws IOException {
    marks.mark(new AdoptedDisk("WD/1", "sdb1"));

    assertThat(role("/devices/x/block/sdb/sdb1")).isEqualTo("ID_SPARED_ROLE=adopted");
    assertThat(role("/devices/x/block/sdb")).isEmpty();
    assertThat(uevent("sdb1")).isEqualTo("change");
    assertThat(uevent("sdb")).isEmpty();
  }

  @Test
  void aDiskWhoseRoleUdevKnowsIsNotShownAgain() throws IOException {
    file("run/udev/data/b8:16", "S:disk/by-id/x\nE:ID_SPARED_ROLE=adopted\n");

    marks.mark(new AdoptedDisk("WD/1", "sdb"));

    assertThat(uevent("sdb")).isEmpty();
  }

  @Test
  void withoutTheRulesADiskIsShownOnce() throws IOException {
    marks.mark(new AdoptedDisk("WD/1", "sdb"));
    file("sys/devices/x/block/sdb/uevent", "");

    marks.mark(new AdoptedDisk("WD/1", "sdb"));

    assertThat(uevent("sdb")).isEmpty();
  }
}
