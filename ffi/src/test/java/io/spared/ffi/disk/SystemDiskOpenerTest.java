package io.spared.ffi.disk;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import io.spared.ffi.disk.DiskException.Reason;
import io.spared.ffi.disk.DiskOpener.Mode;
import io.spared.ffi.engine.LoopDevice;
import io.spared.ffi.libc.Descriptor;
import java.io.IOException;
import java.io.RandomAccessFile;
import java.nio.ByteBuffer;
import java.nio.ByteOrder;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.List;
import java.util.concurrent.TimeUnit;
import java.util.zip.CRC32;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

class SystemDiskOpenerTest {
  @TempDir private Path directory;

  private final SystemDiskOpener opener = new SystemDiskOpener();
  private int descriptorsBefore;

  @BeforeEach
  void count() {
    descriptorsBefore = Descriptor.openCount();
  }

  @AfterEach
  void nothingStaysOpen() {
    assertThat(Descriptor.openCount()).isEqualTo(descriptorsBefore);
  }

  private Path sparse(String name, long bytes) throws IOException {
    Path file = directory.toRealPath().resolve(name);
    try (RandomAccessFile made = new RandomAccessFile(file.toFile(), "rw")) {
      made.setLength(bytes);
    }
    return file;
  }

  private Disk open(Path path, Mode mode) throws DiskException {
    return opener.open(new DiskAddress.OfPath(path), mode);
  }

  private void refused(Path path, Mode mode, Reason reason, String... parts) {
    assertThatThrownBy(() -> open(path, mode).close())
        .isInstanceOf(DiskException.class)
        .satisfies(e -> assertThat(((DiskException) e).reason()).isEqualTo(reason))
        .satisfies(e -> assertThat(e.getMessage()).contains(parts));
  }

  @Test
  void aFileIsADiskOfItsSize() throws Exception {
    Path file = sparse("disk", (8 << 20) + 100);
    try (Disk disk = open(file, Mode.OWN)) {
      assertThat(disk.geometry().sizeBytes()).isEqualTo(8 << 20);
      assertThat(disk.geometry().logicalSectorBytes()).isIn(512, 4096);
      assertThat(disk.identity().kernelName()).isEqualTo(file.toString());
      assertThat(disk.identity().contents()).isEmpty();
    }
  }

  @Test
  void aDiskThatIsNotThereIsMissing() {
    refused(
        Path.of("/dev/spared-test-none"),
        Mode.READ,
        Reason.MISSING,
        "disk /dev/spared-test-none is not there; plug it in or correct the path");
  }

  @Test
  void aDirectoryIsNotADisk() {
    refused(directory, Mode.READ, Reason.NOT_A_DISK, "is a directory");
    refused(
        Path.of("/dev/null"), Mode.READ, Reason.NOT_A_DISK, "neither a block device nor a file");
  }

  @Test
  void anEmptyFileIsTooSmall() throws Exception {
    refused(sparse("empty", 0), Mode.OWN, Reason.TOO_SMALL, "has a size of 0 bytes");
  }

  @Test
  void aFileOwnedHereIsBusyForAnyOther() throws Exception {
    Path file = sparse("disk", 1 << 20);
    try (Disk disk = open(file, Mode.OWN)) {
      assertThat(disk.geometry().sizeBytes()).isEqualTo(1 << 20);
      refused(file, Mode.OWN, Reason.LINGERING, "disk " + file + " is in use");
      open(file, Mode.READ).close();
    }
    open(file, Mode.OWN).close();
  }

  @Test
  void aBusyFileIsSaidToBeInUseByWhom() throws Exception {
    Path file = sparse("disk", 1 << 20);
    Process holder = new ProcessBuilder("sleep", "60").redirectInput(file.toFile()).start();
    try (Disk disk = open(file, Mode.OWN)) {
      assertThat(disk.geometry().sizeBytes()).isEqualTo(1 << 20);
      refused(file, Mode.OWN, Reason.BUSY, "in use by sleep (process " + holder.pid() + ")");
    } finally {
      holder.destroy();
      assertThat(holder.waitFor(10, TimeUnit.SECONDS)).isTrue();
    }
  }

  @Test
  void aLoopDeviceIsABlockDeviceWithItsGeometry() throws Exception {
    Path file = sparse("disk", 16 << 20);
    try (LoopDevice loop = LoopDevice.over(file, "--sector-size", "4096");
        Disk disk = open(loop.path(), Mode.OWN)) {
      assertThat(disk.geometry().sizeBytes()).isEqualTo(16 << 20);
      assertThat(disk.geometry().logicalSectorBytes()).isEqualTo(4096);
      assertThat(disk.identity().kernelName()).isEqualTo(loop.path().getFileName().toString());
      refused(loop.path(), Mode.OWN, Reason.LINGERING, "disk " + loop.path() + " is in use");
      refused(file, Mode.OWN, Reason.BUSY, "in use by " + loop.path());
    }
  }

  @Test
  void aReadOnlyDeviceIsRefusedForOwning() throws Exception {
    Path file = sparse("disk", 1 << 20);
    try (LoopDevice loop = LoopDevice.over(file, "--read-only")) {
      refused(loop.path(), Mode.OWN, Reason.READ_ONLY, "is read-only");
      open(loop.path(), Mode.READ).close();
    }
  }

  @Test
  void aMountedDeviceIsRefusedAndSaysWhere() throws Exception {
    Path file = sparse("disk", 32 << 20);
    LoopDevice.run(List.of("mkfs.ext4", "-q", file.toString()));
    Path mountPoint = Files.createDirectory(directory.toRealPath().resolve("mount point"));
    try (LoopDevice loop = LoopDevice.over(file)) {
      LoopDevice.run(List.of("mount", loop.path().toString(), mountPoint.toString()));
      try {
        refused(loop.path(), Mode.OWN, Reason.MOUNTED, "is mounted at " + mountPoint);
      } finally {
        LoopDevice.run(List.of("umount", mountPoint.toString()));
      }
      open(loop.path(), Mode.OWN).close();
    }
  }

  @Test
  void fileSystemsAreRecognisedWithTheirEnd() throws Exception {
    String uuid = "0b5e1c1a-7f2e-4a63-9a2c-7d4de5c4f001";
    Path ext4 = sparse("ext4", 64 << 20);
    LoopDevice.run(
        List.of("mkfs.ext4", "-q", "-U", uuid, "-L", "old", "-b", "4096", ext4.toString(), "8000"));
    assertContent(ext4, "ext4", uuid, "old", 8000L * 4096);
    Path xfs = sparse("xfs", 400L << 20);
    LoopDevice.run(
        List.of(
            "mkfs.xfs",
            "-q",
            "-m",
            "uuid=" + uuid,
            "-L",
            "old",
            "-d",
            "size=320m",
            xfs.toString()));
    assertContent(xfs, "xfs", uuid, "old", 320L << 20);
    Path btrfs = sparse("btrfs", 200L << 20);
    LoopDevice.run(
        List.of("mkfs.btrfs", "-q", "-U", uuid, "-L", "old", "-b", "160m", btrfs.toString()));
    assertContent(btrfs, "btrfs", uuid, "old", 160L << 20);
  }

  private void assertContent(Path file, String kind, String uuid, String label, long endBytes)
      throws Exception {
    try (Disk disk = open(file, Mode.READ)) {
      assertThat(disk.identity().contents()).hasSize(1);
      DiskIdentity.Content content = disk.identity().contents().getFirst();
      assertThat(content.kind()).isEqualTo(kind);
      assertThat(content.uuid()).contains(uuid);
      assertThat(content.label()).contains(label);
      assertThat(content.endBytes()).isEqualTo(endBytes);
    }
  }

  @Test
  void aPartitionTableEndsWithItsBackupAndIsFoundByEitherHeader() throws Exception {
    Path file = sparse("gpt", 16 << 20);
    long last = (16 << 20) / 512 - 1;
    writeGptHeader(file, 1, last);
    writeGptHeader(file, last, 1);
    for (boolean firstDamaged : new boolean[] {false, true}) {
      if (firstDamaged) {
        try (RandomAccessFile damaged = new RandomAccessFile(file.toFile(), "rw")) {
          damaged.seek(512 + 60);
          damaged.write(0xff);
        }
      }
      try (Disk disk = open(file, Mode.READ)) {
        DiskIdentity.Content content = disk.identity().contents().getFirst();
        assertThat(content.kind()).isEqualTo("gpt");
        assertThat(content.uuid()).contains("0b5e1c1a-7f2e-4a63-9a2c-7d4de5c4f002");
        assertThat(content.endBytes()).isEqualTo(16 << 20);
      }
    }
  }

  /** A header as the UEFI specification lays it out. */
  private static void writeGptHeader(Path file, long sector, long other) throws IOException {
    ByteBuffer header = ByteBuffer.allocate(92).order(ByteOrder.LITTLE_ENDIAN);
    header.put("EFI PART".getBytes(StandardCharsets.US_ASCII)).putInt(0x10000).putInt(92);
    header.putInt(0).putInt(0).putLong(sector).putLong(other).putLong(34).putLong(32734);
    header.putInt(0x0b5e1c1a).putShort((short) 0x7f2e).putShort((short) 0x4a63);
    header.order(ByteOrder.BIG_ENDIAN).putLong(0x9a2c7d4de5c4f002L);
    CRC32 crc = new CRC32();
    crc.update(header.array());
    header.order(ByteOrder.LITTLE_ENDIAN).putInt(16, (int) crc.getValue());
    try (RandomAccessFile to = new RandomAccessFile(file.toFile(), "rw")) {
      to.seek(sector * 512);
      to.write(header.array());
    }
  }

  @Test
  void serialModelAndWwnComeFromSysfsOrUdev() throws Exception {
    Path root = directory.resolve("root");
    Path disk = root.resolve("sys/devices/sdx");
    Files.createDirectories(disk.resolve("device"));
    Files.createDirectories(disk.resolve("queue"));
    Files.createDirectories(disk.resolve("sdx1/holders/dm-0"));
    Files.createDirectories(root.resolve("sys/dev/block"));
    Files.createDirectories(root.resolve("sys/block/dm-0/dm"));
    Files.createDirectories(root.resolve("run/udev/data"));
    Files.createSymbolicLink(root.resolve("sys/dev/block/8:16"), disk);
    Files.writeString(disk.resolve("device/model"), "ST4000 OLD   \n");
    Files.write(disk.resolve("device/vpd_pg80"), new byte[] {0, (byte) 0x80, 0, 3, 'W', '1', '2'});
    Files.writeString(disk.resolve("queue/rotational"), "1\n");
    Files.writeString(disk.resolve("queue/write_cache"), "write through\n");
    Files.writeString(disk.resolve("sdx1/partition"), "1\n");
    Files.writeString(disk.resolve("sdx1/dev"), "8:17\n");
    Files.writeString(root.resolve("sys/block/dm-0/dm/name"), "vg-home\n");
    Files.writeString(
        root.resolve("run/udev/data/b8:16"),
        "S:disk/by-diskseq/9\nS:disk/by-id/ata-ST4000\nE:ID_WWN=0x5000c500\n");
    DeviceNode node = new DeviceNode(new HostFiles(root), 8, 16);
    assertThat(node.kernelName()).isEqualTo("sdx");
    assertThat(node.model()).contains("ST4000 OLD");
    assertThat(node.serial()).contains("W12");
    assertThat(node.wwn()).contains("0x5000c500");
    assertThat(node.links()).containsExactly("/dev/disk/by-id/ata-ST4000");
    assertThat(node.rotational()).isTrue();
    assertThat(node.volatileCache()).isFalse();
    assertThat(node.holders()).containsExactly("dm-0 (vg-home)");
    assertThat(node.numbers()).contains("8:16", "8:17");
  }

  @Test
  void memoryDisksOfOneNameAreOneDisk() throws Exception {
    DiskAddress address = DiskAddress.parse("memory:1M,a");
    try (Disk disk = opener.open(address, Mode.OWN)) {
      assertThat(disk.geometry().sizeBytes()).isEqualTo(1 << 20);
      assertThatThrownBy(() -> opener.open(address, Mode.OWN).close())
          .isInstanceOf(DiskException.class)
          .hasMessageContaining("is in use in this process");
      opener.open(DiskAddress.parse("memory:1M,b"), Mode.OWN).close();
    }
    opener.open(address, Mode.OWN).close();
  }
}
