package io.spared.app.offline;

import static io.spared.app.offline.OfflineRig.bytes;
import static io.spared.app.offline.OfflineRig.words;
import static org.assertj.core.api.Assertions.assertThat;

import io.spared.app.SystemDisks;
import io.spared.ffi.disk.Disk;
import io.spared.ffi.disk.DiskAddress;
import io.spared.ffi.disk.DiskOpener;
import io.spared.ffi.disk.FaultPlans;
import io.spared.ffi.engine.LoopDevice;
import io.spared.ffi.world.World;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.Map;
import java.util.concurrent.atomic.AtomicBoolean;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

/** Disks that are not what a tool was told: one sentence each, and nothing is changed. */
final class WrongDisksTest {
  @TempDir Path directory;
  private OfflineRig rig;
  private Path main;
  private Path spare;

  @BeforeEach
  void aDevice() throws IOException {
    rig = new OfflineRig(directory);
    main = rig.disk("main.img", 32);
    spare = rig.disk("spare.img", 64);
    rig.create("first", main, spare);
  }

  @Test
  void aReadOnlyDisk() throws Exception {
    Map<Path, byte[]> before = bytes(spare);
    try (LoopDevice loop = LoopDevice.over(spare, "--read-only")) {
      rig.refused(before, words("repair", loop.path(), "--yes"), "is read-only");
      rig.refused(before, words("corrupt", loop.path(), "--copies", "1", "--yes"), "is read-only");
      assertThat(rig.ctl("check", loop.path())).as(rig.said).isZero();
    }
  }

  @Test
  void aDiskInUseByAProcess() throws Exception {
    try (OfflineDisks elsewhere = new OfflineDisks()) {
      elsewhere.open(spare.toString(), DiskOpener.Mode.OWN);
      rig.refused(bytes(spare), words("repair", spare, "--yes"), "spare.img", "is in use");
      elsewhere.open(main.toString(), DiskOpener.Mode.OWN);
      rig.refused(
          bytes(main, spare),
          words("create", "b", "--main", main, "--spare", spare),
          "main.img",
          "is in use");
    }
  }

  /** As the kernel has it that takes a program's ring apart after the program has ended. */
  @Test
  void aDiskThatIsInUseForAMomentMoreIsWaitedFor() throws Exception {
    Disk held =
        SystemDisks.opener(World.real(), new FaultPlans(1))
            .open(new DiskAddress.OfPath(spare), DiskOpener.Mode.OWN);
    Thread tool = Thread.currentThread();
    AtomicBoolean over = new AtomicBoolean();
    Thread lettingGo =
        Thread.ofPlatform()
            .start(() -> {
              while (tool.getState() != Thread.State.TIMED_WAITING && !over.get()) {
                Thread.onSpinWait();
              }
              held.close();
            });
    try (OfflineDisks disks = new OfflineDisks()) {
      assertThat(disks.open(spare.toString(), DiskOpener.Mode.OWN)).isNotNull();
    } finally {
      over.set(true);
      lettingGo.join();
    }
  }

  @Test
  void aDiskUnderALoopDevice() throws Exception {
    Map<Path, byte[]> before = bytes(spare);
    try (LoopDevice loop = LoopDevice.over(spare)) {
      rig.refused(before, words("repair", spare, "--yes"), "is in use by", loop.path().toString());
    }
  }

  @Test
  void anUnpluggedSpareOfTwo() throws IOException {
    Path other = rig.disk("other.img", 64);
    Path second = rig.disk("second.img", 32);
    assertThat(rig.ctl("create", "two", "--main", second, "--spare", spare, "--spare", other))
        .as(rig.said)
        .isZero();
    Map<Path, byte[]> before = bytes(spare, second);
    assertThat(rig.ctl("check", spare)).isNotZero();
    assertThat(rig.said).contains("other.img) is in service and not there; attach it");
    Files.delete(other);
    rig.refused(before, words("check", other), "other.img", "is not there");
    rig.refused(before, words("export", "--main", second, "--spare", other), "is not there");
  }

  @Test
  void aTruncatedMain() throws IOException {
    OfflineRig.resize(main, 31);
    rig.refused(
        bytes(main, spare),
        words("export", "--main", main, "--spare", spare),
        "main.img",
        "it was truncated or is another");
  }

  @Test
  void aTruncatedSpare() throws IOException {
    OfflineRig.resize(spare, 20);
    Map<Path, byte[]> before = bytes(spare);
    assertThat(rig.ctl("check", spare)).isNotZero();
    assertThat(rig.said).as(rig.said).contains("damaged, copies 1 of 3");
    assertThat(Files.readAllBytes(spare)).isEqualTo(before.get(spare));
  }

  @Test
  void mainAndSpareSwapped() throws IOException {
    rig.refused(
        bytes(main, spare),
        words("export", "--main", spare, "--spare", main),
        "spare.img",
        "is a spare; name the main disk");
    rig.refused(
        bytes(main, spare),
        words("create", "b", "--main", spare, "--spare", main),
        "is a spare already");
  }

  @Test
  void twoMainsOfOneSize() throws IOException {
    Path twin = rig.disk("twin.img", 32);
    rig.refused(
        bytes(main, spare, twin),
        words("export", "--main", twin, "--spare", spare),
        "twin.img",
        "only its size speaks for it");
    assertThat(rig.ctl("export", "--main", twin, "--spare", spare, "--force")).isZero();
    assertThat(rig.said.strip()).isEqualTo("0 65536 linear " + twin + " 0");
  }

  @Test
  void theSpareOfAnotherDevice() throws IOException {
    Path otherMain = rig.disk("other-main.img", 48);
    Path otherSpare = rig.disk("other-spare.img", 64);
    rig.create("other", otherMain, otherSpare);
    rig.refused(
        bytes(main, otherSpare),
        words("export", "--main", main, "--spare", otherSpare),
        "main.img",
        "is not the main disk of any device on these spares");
  }

  @Test
  void aSectorIsExplainedWithoutADaemonAndOneThatIsNotThereRefused() throws IOException {
    assertThat(rig.ctl("explain", spare, "2049")).as(rig.said).isZero();
    assertThat(rig.said).contains("sector 2049 is in block 256, on main at byte 1049088");
    rig.refused(
        bytes(main, spare), words("explain", spare, "65536"), "first has sectors 0 to 65535");
    rig.refused(bytes(main), words("explain", main, "0"), "no device", "can be loaded");
  }
}
