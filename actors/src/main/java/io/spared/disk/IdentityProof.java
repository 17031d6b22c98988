package io.spared.disk;

import io.spared.ffi.disk.Disk;
import io.spared.ffi.disk.DiskException;
import io.spared.ffi.disk.DiskGeometry;
import io.spared.ffi.disk.DiskIdentity;
import io.spared.ffi.disk.DiskOpener;
import java.util.Optional;

/** Looks whether the disk at an address is still the one that was opened. It may block. */
public interface IdentityProof {
  /**
   * Empty when it is; otherwise why not.
   *
   * @throws DiskException when that cannot be said now
   */
  Optional<String> trouble() throws DiskException;

  /** Opens the address once more to look, beside the open disk, and compares what identifies it. */
  static IdentityProof by(DiskOpener opener, Disk disk) {
    return () -> {
      DiskIdentity known = disk.identity();
      DiskGeometry geometry = disk.geometry();
      try (Disk now = opener.open(disk.address(), DiskOpener.Mode.READ)) {
        if (!now.identity().serial().equals(known.serial())
            || !now.identity().wwn().equals(known.wwn())) {
          return Optional.of("another disk is at " + disk.address());
        }
        if (now.geometry().sizeBytes() != geometry.sizeBytes()) {
          return Optional.of(disk.address() + " has another size than before");
        }
        return Optional.empty();
      } catch (DiskException e) {
        return switch (e.reason()) {
          case MISSING, NOT_A_DISK, TOO_SMALL -> Optional.of(String.valueOf(e.getMessage()));
          case BUSY, LINGERING, READ_ONLY, NO_PERMISSION, MOUNTED, UNSUPPORTED, IO -> throw e;
        };
      }
    };
  }
}
