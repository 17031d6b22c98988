package io.spared.ffi.disk;

import io.spared.ffi.engine.DiskPort;
import io.spared.ffi.engine.Engine;
import io.spared.ffi.engine.FileEngine;
import io.spared.ffi.libc.Descriptor;

/** A block device or a regular file that is open. */
final class PathDisk implements Disk {
  private final DiskAddress address;
  private final Descriptor file;
  private final FileEngine.FileKind kind;
  private final DiskGeometry geometry;
  private final DiskIdentity identity;
  private final long baseBytes;

  /**
   * @param baseBytes where it begins in the file
   */
  PathDisk(
      DiskAddress address,
      Descriptor file,
      FileEngine.FileKind kind,
      DiskGeometry geometry,
      DiskIdentity identity,
      long baseBytes) {
    this.address = address;
    this.file = file;
    this.kind = kind;
    this.geometry = geometry;
    this.identity = identity;
    this.baseBytes = baseBytes;
  }

  @Override
  public DiskAddress address() {
    return address;
  }

  @Override
  public DiskGeometry geometry() {
    return geometry;
  }

  @Override
  public DiskIdentity identity() {
    return identity;
  }

  @Override
  public DiskPort attach(Engine engine) {
    if (!(engine instanceof FileEngine fileEngine)) {
      throw new IllegalArgumentException(
          "the disk " + address + " cannot be used by an engine of kind " + engine.kind());
    }
    return fileEngine.attach(file, kind, baseBytes);
  }

  /** Ports see that it is closed; the descriptor goes when the last of them is done with it. */
  @Override
  public void close() {
    file.close();
  }

  @Override
  public String toString() {
    return address.toString();
  }
}
