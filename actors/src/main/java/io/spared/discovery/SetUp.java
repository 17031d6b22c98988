package io.spared.discovery;

import io.spared.ffi.disk.DiskAddress;
import io.spared.format.Position;
import java.util.List;
import java.util.UUID;

/**
 * A set-up that was found: which disks belong together.
 *
 * @param name as its metadata says
 * @param position the newest state found on its copies
 */
public record SetUp(
    UUID deviceId, String name, Position position, DiskAddress main, List<DiskAddress> spares) {
  public SetUp {
    spares = List.copyOf(spares);
  }
}
