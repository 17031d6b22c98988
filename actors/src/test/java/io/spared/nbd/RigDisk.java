package io.spared.nbd;

import io.spared.ffi.disk.Disk;
import io.spared.ffi.disk.DiskAddress;
import io.spared.ffi.disk.DiskGeometry;
import io.spared.ffi.disk.DiskIdentity;
import io.spared.ffi.engine.DiskPort;
import io.spared.ffi.engine.Engine;
import io.spared.ffi.engine.FileEngine;
import io.spared.ffi.libc.Abi;
import io.spared.ffi.libc.Descriptor;
import java.io.IOException;
import java.nio.file.Path;
import java.util.List;
import java.util.Optional;

/** A file or block device with direct I/O and nothing around it: the disk of measurements. */
public final class RigDisk implements Disk {
  private final Path path;
  private final long sizeBytes;
  private final int sectorBytes;
  private final FileEngine.FileKind kind;
  private final Descriptor descriptor;

  public RigDisk(Path path, long sizeBytes, int sectorBytes) throws IOException {
    this.path = path;
    this.sizeBytes = sizeBytes;
    this.sectorBytes = sectorBytes;
    this.kind =
        path.startsWith("/dev/") && !path.startsWith("/dev/shm")
            ? FileEngine.FileKind.BLOCK_DEVICE
            : FileEngine.FileKind.REGULAR;
    this.descriptor = Descriptor.open(path, Abi.O_RDWR | Abi.O_DIRECT);
  }

  @Override
  public DiskAddress address() {
    return new DiskAddress.OfPath(path);
  }

  @Override
  public DiskGeometry geometry() {
    return new DiskGeometry(sizeBytes, sectorBytes, 4096, 4096, false, true, 1 << 20);
  }

  @Override
  public DiskIdentity identity() {
    return new DiskIdentity(
        path.toString(),
        Optional.empty(),
        Optional.empty(),
        Optional.empty(),
        List.of(),
        List.of());
  }

  @Override
  public DiskPort attach(Engine engine) {
    return ((FileEngine) engine).attach(descriptor, kind);
  }

  @Override
  public void close() {
    descriptor.close();
  }
}
