package io.spared.ublk;

import io.spared.ffi.disk.DiskGeometry;
import java.util.List;

/**
 * What the block device is to look like: sizes of the device, and the disks below, whose habits it
 * has.
 *
 * @param main among the disks, the one whose limits count most
 */
public record UblkShape(
    long sizeBytes, int sectorBytes, int blockBytes, DiskGeometry main, List<DiskGeometry> disks) {
  public UblkShape {
    disks = List.copyOf(disks);
  }
}
