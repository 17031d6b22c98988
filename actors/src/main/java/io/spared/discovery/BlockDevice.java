package io.spared.discovery;

import io.spared.ffi.disk.DiskAddress;
import java.util.List;
import java.util.Optional;

/**
 * A disk as the system lists it, before anything of it is read.
 *
 * @param kernelName such as sda1, or the path of a file
 * @param majorMinor such as 8:1; empty for files
 * @param sizeBytes 0 for a drive without a medium
 * @param holders what is built on it: dm-3, md0, a bcache
 * @param deviceMapperUuid of a device-mapper device, such as mpath-3600...
 * @param backingFile of a loop device
 * @param fileSystemKind what udev found on it, such as mpath_member, when it is known
 */
public record BlockDevice(
    DiskAddress address,
    String kernelName,
    String majorMinor,
    long sizeBytes,
    boolean readOnly,
    List<String> holders,
    Optional<String> deviceMapperUuid,
    Optional<String> backingFile,
    Optional<String> fileSystemKind) {
  public BlockDevice {
    holders = List.copyOf(holders);
  }

  /** A file that the configuration names. */
  public static BlockDevice file(DiskAddress.OfPath address, long sizeBytes) {
    return new BlockDevice(
        address,
        address.toString(),
        "",
        sizeBytes,
        false,
        List.of(),
        Optional.empty(),
        Optional.empty(),
        Optional.empty());
  }
}
