package io.spared.ublk;

import io.spared.ffi.disk.Disk;
import io.spared.ffi.disk.DiskAddress;
import io.spared.ffi.disk.DiskGeometry;
import io.spared.ffi.disk.DiskIdentity;
import io.spared.ffi.engine.DiskPort;
import io.spared.ffi.engine.Engine;
import io.spared.ffi.engine.FileEngine;
import io.spared.ffi.libc.Abi;
import io.spared.ffi.libc.Descriptor;
import io.spared.ffi.libc.Libc;
import io.spared.ffi.libc.Memory;
import io.spared.ffi.libc.NativeException;
import java.nio.ByteBuffer;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.List;
import java.util.Optional;

/** A block device or file, opened for direct I/O and exclusively, without further ado. */
final class TrialDisk implements Disk {
  private final Path path;
  private final Descriptor file;
  private final boolean block;
  private final DiskGeometry geometry;

  TrialDisk(Path path) throws NativeException {
    this.path = path;
    this.block = !Files.isRegularFile(path);
    this.file = Descriptor.open(path, Abi.O_RDWR | Abi.O_DIRECT | (block ? Abi.O_EXCL : 0));
    long size = block ? ioctl(Abi.BLKGETSIZE64) : path.toFile().length();
    int logical = block ? (int) ioctl(Abi.BLKSSZGET) : 512;
    int physical = block ? (int) ioctl(Abi.BLKPBSZGET) : 4096;
    this.geometry = new DiskGeometry(size, logical, physical, 4096, false, true, 0);
  }

  private long ioctl(long request) {
    ByteBuffer answer = Memory.structure(8).putLong(0, 0);
    long result = Libc.ioctl(file, request, Memory.address(answer));
    if (result < 0) {
      throw new IllegalStateException("ioctl " + Long.toHexString(request) + " of " + path);
    }
    return answer.getLong(0);
  }

  @Override
  public DiskAddress address() {
    return new DiskAddress.OfPath(path);
  }

  @Override
  public DiskGeometry geometry() {
    return geometry;
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
    return ((FileEngine) engine)
        .attach(file, block ? FileEngine.FileKind.BLOCK_DEVICE : FileEngine.FileKind.REGULAR);
  }

  @Override
  public void close() {
    file.close();
  }
}
