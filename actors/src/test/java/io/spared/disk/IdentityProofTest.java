package io.spared.disk;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import io.spared.ffi.disk.Disk;
import io.spared.ffi.disk.DiskAddress;
import io.spared.ffi.disk.DiskException;
import io.spared.ffi.disk.DiskGeometry;
import io.spared.ffi.disk.DiskOpener;
import io.spared.sim.SimDrive;
import io.spared.sim.SimOpener;
import io.spared.sim.SimWorld;
import java.nio.file.Path;
import org.junit.jupiter.api.Test;

class IdentityProofTest {
  private static final DiskAddress ADDRESS = new DiskAddress.OfPath(Path.of("/dev/main"));

  private final SimWorld world = new SimWorld(1);
  private final SimDrive drive = new SimDrive(world, "main", 1 << 20, 512);
  private final SimOpener opener = new SimOpener().plug(ADDRESS, drive);
  private final Disk disk = open();
  private final IdentityProof proof = IdentityProof.by(opener, disk);

  private Disk open() {
    try {
      return opener.open(ADDRESS, DiskOpener.Mode.OWN);
    } catch (DiskException e) {
      throw new AssertionError(e);
    }
  }

  @Test
  void theSameDiskIsItselfAndNothingStaysOpen() throws DiskException {
    assertThat(proof.trouble()).isEmpty();
    assertThat(drive.openHandles()).isEqualTo(1);
  }

  @Test
  void aDiskOfAnotherSerialIsAnother() throws DiskException {
    opener.plug(ADDRESS, new SimDrive(world, "other", 1 << 20, 512));
    assertThat(proof.trouble()).hasValueSatisfying(why -> assertThat(why).contains("/dev/main"));
  }

  @Test
  void aDiskOfAnotherSizeIsAnotherWhateverItsSerialSays() throws DiskException {
    opener.plug(
        ADDRESS,
        new SimDrive(
            world,
            "main",
            "SN-main",
            new DiskGeometry(2 << 20, 512, 4096, 512, true, true, 1 << 20)));
    assertThat(proof.trouble()).isPresent();
  }

  @Test
  void noDiskAtTheAddressIsNotTheDisk() throws DiskException {
    drive.disappear();
    assertThat(proof.trouble()).isPresent();
    drive.reappear();
    assertThat(proof.trouble()).isEmpty();
  }

  @Test
  void aDiskThatCannotBeOpenedNowIsNotCalledAnother() {
    for (DiskException.Reason reason :
        new DiskException.Reason[] {
          DiskException.Reason.BUSY, DiskException.Reason.NO_PERMISSION, DiskException.Reason.IO
        }) {
      IdentityProof cannotSay =
          IdentityProof.by(
              (address, mode) -> {
                throw new DiskException(reason, "not now");
              },
              disk);
      assertThatThrownBy(cannotSay::trouble)
          .isInstanceOfSatisfying(
              DiskException.class, e -> assertThat(e.reason()).isEqualTo(reason));
    }
  }
}
