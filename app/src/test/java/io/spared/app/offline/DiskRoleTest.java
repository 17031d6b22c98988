package io.spared.app.offline;

import static org.assertj.core.api.Assertions.assertThat;

import io.spared.ffi.engine.LoopDevice;
import java.io.IOException;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

/** The program of the udev rules, on disks as `create` makes them. */
class DiskRoleTest {
  @TempDir private Path directory;

  private static String diskRole(Object... arguments) throws IOException {
    List<String> command = new ArrayList<>(List.of("sh", "../deploy/udev/disk-role"));
    for (Object argument : arguments) {
      command.add(argument.toString());
    }
    return LoopDevice.run(command).strip();
  }

  @Test
  void sparesAndLabelledDisksAreKnownByTheirMarks() throws IOException {
    OfflineRig rig = new OfflineRig(directory);
    Path main = rig.disk("main", 32);
    Path spare = rig.disk("spare", 32);
    assertThat(diskRole(main) + diskRole(spare)).isEmpty();

    assertThat(rig.ctl("create", "old", "--labelled", "--main", main, "--spare", spare))
        .as(rig.said)
        .isZero();

    assertThat(diskRole(main)).isEqualTo("ID_SPARED_ROLE=main");
    assertThat(diskRole(spare)).isEqualTo("ID_SPARED_ROLE=spare");
  }

  @Test
  void onlyLinksThatDoNotDependOnWhatIsOnTheDiskAreKept() throws IOException {
    assertThat(
            diskRole(
                "--links",
                "disk/by-uuid/1",
                "disk/by-id/ata-OLD",
                "disk/by-id/lvm-pv-uuid-1",
                "disk/by-partlabel/data",
                "disk/by-path/pci-0-part/by-uuid/1",
                "disk/by-path/pci-0"))
        .isEqualTo("ID_SPARED_LINKS=disk/by-id/ata-OLD disk/by-path/pci-0");
  }
}
