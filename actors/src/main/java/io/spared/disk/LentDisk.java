package io.spared.disk;

import io.spared.ffi.disk.Disk;
import io.spared.ffi.disk.DiskAddress;
import io.spared.ffi.disk.DiskGeometry;
import io.spared.ffi.disk.DiskIdentity;

/** A disk as somebody has it who may attach to it and not close it. */
public abstract class LentDisk implements Disk {
  protected final Disk disk;

  protected LentDisk(Disk disk) {
    this.disk = disk;
  }

  @Override
  public final DiskAddress address() {
    return disk.address();
  }

  @Override
  public final DiskGeometry geometry() {
    return disk.geometry();
  }

  @Override
  public final DiskIdentity identity() {
    return disk.identity();
  }

  @Override
  public final void close() {
    throw new UnsupportedOperationException(disk.address() + " is not its user's to close");
  }

  @Override
  public final String toString() {
    return disk.toString();
  }
}
