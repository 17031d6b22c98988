package io.spared.nbd;

import static org.assertj.core.api.Assertions.assertThat;

import io.spared.ffi.disk.Disk;
import io.spared.nbd.NbdRig.Export;
import java.io.RandomAccessFile;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.List;
import java.util.Random;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

/** The frontend against the clients that people use. */
class NbdToolsTest {
  private static final long DISK_BYTES = 64L << 20;

  @TempDir Path folder;
  private Disk disk;
  private NbdRig rig;

  @BeforeEach
  void serve() throws Exception {
    Path file = folder.resolve("disk");
    try (RandomAccessFile made = new RandomAccessFile(file.toFile(), "rw")) {
      made.setLength(DISK_BYTES);
    }
    disk = new RigDisk(file, DISK_BYTES, 512);
    rig = NbdRig.overUnix(folder.resolve("nbd.sock"), Export.of("disk", disk));
  }

  @AfterEach
  void stop() throws Exception {
    rig.close();
    disk.close();
  }

  @Test
  void nbdinfoSeesTheExportAndItsConstraints() throws Exception {
    Tool.needs("nbdinfo", "libnbd-bin");
    String output = Tool.run("nbdinfo", rig.uri("disk")).succeeded().output();
    assertThat(output)
        .contains("export-size: " + DISK_BYTES)
        .contains("can_multi_conn: true")
        .contains("can_fua: true")
        .contains("can_df: true")
        .contains("block_size_minimum: 512")
        .contains("block_size_maximum: 33554432")
        .contains("base:allocation")
        .contains("spared:remap");
    assertThat(Tool.run("nbdinfo", "--list", rig.uri("disk")).succeeded().output())
        .contains("export=\"disk\"");
  }

  @Test
  void nbdinfoDrawsTheStateOfADisk() throws Exception {
    Tool.needs("nbdinfo", "libnbd-bin");
    Export sick = Export.of("sick", disk);
    sick.table().put(16, 0, 3, 0b100, 0);
    sick.table().put(17, 0, 4, 0, 0);
    sick.table().putPending(100, 1, 0);
    sick.table().publish();
    try (NbdRig other = NbdRig.overUnix(folder.resolve("sick.sock"), sick)) {
      String map =
          Tool.run("nbdinfo", "--map=spared:remap", other.uri("sick")).succeeded().output();
      assertThat(map.lines().map(line -> line.strip().replaceAll(" +", " ")))
          .containsExactly(
              "0 65536 0",
              "65536 1024 1",
              "66560 512 5",
              "67072 6656 1",
              "73728 335872 0",
              "409600 4096 2",
              "413696 " + (DISK_BYTES - 413696) + " 0");
    }
  }

  @Test
  void nbdcopyBringsARandomImageThereAndBack() throws Exception {
    Tool.needs("nbdcopy", "libnbd-bin");
    Path image = folder.resolve("image");
    byte[] bytes = new byte[(int) DISK_BYTES];
    new Random(1).nextBytes(bytes);
    Files.write(image, bytes);
    Path back = folder.resolve("back");
    Tool.run("nbdcopy", "--flush", image.toString(), rig.uri("disk")).succeeded();
    Tool.run("nbdcopy", rig.uri("disk"), back.toString()).succeeded();
    assertThat(Files.mismatch(image, back)).isEqualTo(-1);
  }

  @Test
  void qemuImgComparesChecksAndConverts() throws Exception {
    Tool.needs("qemu-img", "qemu-utils");
    Path image = folder.resolve("image");
    byte[] bytes = new byte[(int) DISK_BYTES];
    new Random(2).nextBytes(bytes);
    Files.write(image, bytes);
    Tool.run(
            "qemu-img",
            "convert",
            "-n",
            "-f",
            "raw",
            "-O",
            "raw",
            image.toString(),
            rig.uri("disk"))
        .succeeded();
    Tool.run("qemu-img", "compare", "-f", "raw", "-F", "raw", image.toString(), rig.uri("disk"))
        .succeeded();
  }

  @Test
  void qemuIoReadsWhatItWroteZeroedAndDiscarded() throws Exception {
    Tool.needs("qemu-io", "qemu-utils");
    String output =
        Tool.run(
                "qemu-io",
                "-f",
                "raw",
                "-c",
                "write -P 0xab 1M 3M",
                "-c",
                "write -f -P 0xcd 5M 64k",
                "-c",
                "read -P 0xab 1M 3M",
                "-c",
                "write -z 2M 1M",
                "-c",
                "read -P 0 2M 1M",
                "-c",
                "read -P 0xcd 5M 64k",
                "-c",
                "discard 6M 1M",
                "-c",
                "flush",
                rig.uri("disk"))
            .succeeded()
            .output();
    assertThat(output).doesNotContain("Pattern verification failed").doesNotContain("error");
  }

  @Test
  void fioVerifiesOverSeveralConnections() throws Exception {
    Tool.needs("fio", "fio");
    Tool.run(
            List.of(
                "fio",
                "--name=verify",
                "--ioengine=nbd",
                "--uri=" + rig.uri("disk"),
                "--rw=randwrite",
                "--bsrange=512-256k",
                "--bs_unaligned=0",
                "--blockalign=512",
                "--size=16m",
                "--numjobs=4",
                "--offset_increment=16m",
                "--iodepth=16",
                "--verify=crc32c",
                "--verify_state_save=0",
                "--do_verify=1",
                "--verify_fatal=1",
                "--group_reporting"))
        .succeeded();
  }
}
