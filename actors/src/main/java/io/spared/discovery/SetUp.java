package io.spared.discovery;

import io.spared.ffi.disk.DiskAddress;
import io.spared.format.Position;
import java.util.List;
import java.util.Optional;
import java.util.UUID;

/**
 * A set-up that was found: which disks belong together.
 *
 * @param name as its metadata says
 * @param position the newest state found on its copies
 * @param adopted main when it was adopted and has a serial number
 */
public record SetUp(
    UUID deviceId,
    String name,
    Position position,
    DiskAddress main,
    List<DiskAddress> spares,
    Optional<AdoptedDisk> adopted) {
  public SetUp {
    spares = List.copyOf(spares);
  }
}
