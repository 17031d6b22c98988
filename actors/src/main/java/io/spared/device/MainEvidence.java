package io.spared.device;

import io.spared.ffi.disk.Disk;
import io.spared.format.DeviceImage;
import io.spared.format.DiskEvidence;
import java.util.Optional;

/**
 * Whether an open disk is the main disk that a device's metadata names. Serial, WWN and size decide
 * and forbid; partition and file-system identifiers may change legitimately and do not.
 */
final class MainEvidence {
  private MainEvidence() {}

  /** Why the disk is not this device's main disk, or nothing when it may be. */
  static Optional<String> contradiction(DeviceImage image, Disk main) {
    DiskEvidence known = image.main().evidence();
    long sizeBytes = main.geometry().sizeBytes();
    if (sizeBytes != known.sizeBytes()) {
      return Optional.of(
          main.address()
              + " has "
              + sizeBytes
              + " bytes, but the main disk of "
              + image.name()
              + " has "
              + known.sizeBytes());
    }
    Optional<String> other = another(known, main);
    if (other.isPresent()) {
      return Optional.of(
          main.address() + " is not the main disk of " + image.name() + ": " + other.get());
    }
    if (main.geometry().logicalSectorBytes() > image.geometry().sectorBytes()) {
      return Optional.of(
          main.address()
              + " has sectors of "
              + main.geometry().logicalSectorBytes()
              + " bytes, "
              + image.name()
              + " was made with "
              + image.geometry().sectorBytes());
    }
    return Optional.empty();
  }

  /** Why the disk is not the one that was recorded, or nothing when it may be. */
  static Optional<String> another(DiskEvidence known, Disk disk) {
    if (disk.geometry().sizeBytes() != known.sizeBytes()) {
      return Optional.of(disk.geometry().sizeBytes() + " bytes instead of " + known.sizeBytes());
    }
    return differs("serial number", known.identity().serial(), disk.identity().serial())
        .or(() -> differs("WWN", known.identity().wwn(), disk.identity().wwn()));
  }

  /** Whether the disk is certainly the one that was recorded. */
  static boolean isProved(DiskEvidence known, Disk disk) {
    boolean serial =
        known.identity().serial().isPresent()
            && known.identity().serial().equals(disk.identity().serial());
    boolean wwn =
        known.identity().wwn().isPresent() && known.identity().wwn().equals(disk.identity().wwn());
    return (serial || wwn) && another(known, disk).isEmpty();
  }

  private static Optional<String> differs(
      String what, Optional<String> known, Optional<String> now) {
    return known.isPresent() && now.isPresent() && !known.get().equals(now.get())
        ? Optional.of(what + " " + now.get() + " instead of " + known.get())
        : Optional.empty();
  }
}
