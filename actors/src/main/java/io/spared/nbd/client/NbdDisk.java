package io.spared.nbd.client;

import io.spared.ffi.disk.Disk;
import io.spared.ffi.disk.DiskAddress;
import io.spared.ffi.disk.DiskGeometry;
import io.spared.ffi.disk.DiskIdentity;
import io.spared.ffi.engine.DiskPort;
import io.spared.ffi.engine.Engine;
import io.spared.nbd.wire.NbdProtocol;
import java.util.List;
import java.util.Optional;

/**
 * An export of another server as a disk. Each engine gets a connection of its own. Nobody is kept
 * from using the same export elsewhere: NBD has no claim to take, so exclusivity between hosts is
 * not promised.
 */
public final class NbdDisk implements Disk {
  /** Longer transfers are cut by their users; every server takes so much. */
  private static final int TRANSFER_BYTES_MAX = 1 << 20;

  private final DiskAddress.OfNbd address;
  private final NbdAddress remote;
  private final RemoteExport export;
  private final RemoteCache cache = new RemoteCache();
  private volatile boolean closed;

  NbdDisk(DiskAddress.OfNbd address, NbdAddress remote, RemoteExport export) {
    this.address = address;
    this.remote = remote;
    this.export = export;
  }

  @Override
  public DiskAddress address() {
    return address;
  }

  @Override
  public DiskGeometry geometry() {
    int sectorBytes = Math.max(512, export.minimumBlockBytes());
    return new DiskGeometry(
        export.sizeBytes() / sectorBytes * sectorBytes,
        sectorBytes,
        Math.max(sectorBytes, export.preferredBlockBytes()),
        export.has(NbdProtocol.FLAG_SEND_TRIM) ? export.preferredBlockBytes() : 0,
        export.has(NbdProtocol.FLAG_ROTATIONAL),
        export.has(NbdProtocol.FLAG_SEND_FLUSH),
        (int) Math.min(TRANSFER_BYTES_MAX, export.payloadBytes() / sectorBytes * sectorBytes));
  }

  @Override
  public DiskIdentity identity() {
    return new DiskIdentity(
        address.toString(),
        Optional.empty(),
        Optional.empty(),
        Optional.empty(),
        List.of(),
        List.of());
  }

  @Override
  public DiskPort attach(Engine engine) {
    return new NbdPort(engine, remote, export, cache, () -> closed);
  }

  @Override
  public void close() {
    closed = true;
  }

  @Override
  public String toString() {
    return address.toString();
  }
}
