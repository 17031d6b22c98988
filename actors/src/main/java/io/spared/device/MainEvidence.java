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
    Optional<String> serial =
        differs("serial number", known.identity().serial(), main.identity().serial());
    if (serial.isPresent()) {
      return Optional.of(
          main.address() + " is not the main disk of " + image.name() + ": " + serial.get());
    }
    Optional<String> wwn = differs("WWN", known.identity().wwn(), main.identity().wwn());
    if (wwn.isPresent()) {
      return Optional.of(
          main.address() + " is not the main disk of " + image.name() + ": " + wwn.get());
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

  private static Optional<String> differs(
      String what, Optional<String> known, Optional<String> now) {
    return known.isPresent() && now.isPresent() && !known.get().equals(now.get())
        ? Optional.of(what + " " + now.get() + " instead of " + known.get())
        : Optional.empty();
  }
}
