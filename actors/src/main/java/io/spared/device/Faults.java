package io.spared.device;

import io.spared.ffi.disk.Disk;

/** Faults for disks that were opened as {@code fault:}, as people write them. */
final class Faults {
  private Faults() {}

  static Answer inject(Disk disk, String rule, String range) {
    return new Answer.Refused(
        disk.address() + ": faults (" + rule + " " + range + ") need a disk named fault:...");
  }
}
