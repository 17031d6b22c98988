package io.spared.ffi.disk;

import java.util.List;
import java.util.Optional;

/**
 * By what a disk is known again.
 *
 * @param kernelName such as sdb, or the path of a file
 * @param contents what stands on it: partition tables and file systems with their identifiers
 */
public record DiskIdentity(
    String kernelName,
    Optional<String> model,
    Optional<String> serial,
    Optional<String> wwn,
    List<String> links,
    List<Content> contents) {

  /** A partition table or file system found on the disk, such as ("ext4", "uuid ...", "label"). */
  public record Content(
      String kind, Optional<String> uuid, Optional<String> label, long endBytes) {}
}
