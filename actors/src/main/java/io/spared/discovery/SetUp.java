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
 * @param adoptedSerial the serial number of main when it was adopted, and so looks like any disk
 */
public record SetUp(
    UUID deviceId,
    String name,
    Position position,
    DiskAddress main,
    List<DiskAddress> spares,
    Optional<String> adoptedSerial) {
  public SetUp {
    spares = List.copyOf(spares);
  }
}
