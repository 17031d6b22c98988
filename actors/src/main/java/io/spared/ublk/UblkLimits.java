package io.spared.ublk;

import io.spared.ffi.disk.DiskGeometry;
import io.spared.ffi.ublk.UblkDeviceInfo;
import io.spared.ffi.ublk.UblkParameters;
import java.util.Collection;

/**
 * The limits of a block device, from those of the disks below it.
 *
 * <p>A volatile cache is announced always, with forced unit access: whether the disks below have
 * one is not sure to be known, and without it the kernel would never send a flush, so that nothing
 * could keep invariant 10.
 */
public final class UblkLimits {
  /** One discard covers at most this much: longer ones are many requests, so that none is slow. */
  public static final long DISCARD_BYTES_MAX = 1L << 30;

  /** Zeroes may have to be written, and a slow disk must do that within a request's deadline. */
  public static final long WRITE_ZEROES_BYTES_MAX = 64L << 20;

  private UblkLimits() {}

  /**
   * The limits of a device of so many bytes over these disks.
   *
   * @param sizeBytes what the device serves
   * @param logicalSectorBytes of the device
   * @param blockBytes the unit of remapping: a request of one block never touches two places
   * @param main the main disk, whose habits the device has
   * @param disks all disks below, main among them
   */
  public static UblkParameters of(
      long sizeBytes,
      int logicalSectorBytes,
      int blockBytes,
      DiskGeometry main,
      Collection<DiskGeometry> disks,
      boolean readOnly,
      UblkDeviceInfo info) {
    int physical = Math.max(logicalSectorBytes, Math.min(main.physicalSectorBytes(), blockBytes));
    boolean rotational = false;
    long granularity = logicalSectorBytes;
    boolean discards = main.discardGranularityBytes() > 0;
    for (DiskGeometry disk : disks) {
      rotational |= disk.rotational();
      granularity = Math.max(granularity, disk.discardGranularityBytes());
    }
    granularity = Math.min(granularity, 1 << 30);
    int largest = info.maxIoBytes() / 4096 * 4096;
    return new UblkParameters(
        sizeBytes,
        logicalSectorBytes,
        Integer.highestOneBit(physical),
        0,
        largest,
        readOnly,
        rotational,
        true,
        true,
        (int) Long.highestOneBit(granularity),
        discards && !readOnly ? DISCARD_BYTES_MAX : 0,
        readOnly ? 0 : WRITE_ZEROES_BYTES_MAX);
  }
}
