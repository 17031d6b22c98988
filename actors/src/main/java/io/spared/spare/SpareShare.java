package io.spared.spare;

import io.spared.ffi.disk.Disk;
import io.spared.ffi.disk.DiskAddress;
import io.spared.ffi.disk.DiskGeometry;
import io.spared.ffi.disk.DiskIdentity;
import io.spared.ffi.engine.DiskPort;
import io.spared.ffi.engine.Engine;

/**
 * A spare disk as one of its users has it: it knows when the last request of this user has come
 * back. The disk itself cannot tell, since it stays open for others.
 *
 * <p>Used on any thread: queues of a device attach on their rings.
 */
final class SpareShare implements Disk {
  private final Disk disk;
  private final Runnable empty;
  private int ports;
  private boolean over;

  /**
   * @param empty runs once, on any thread, when this is over and the disk has nothing of it any
   *     more
   */
  SpareShare(Disk disk, Runnable empty) {
    this.disk = disk;
    this.empty = empty;
  }

  /** Its user is gone: whoever attaches now gets a port that takes nothing. */
  void end() {
    synchronized (this) {
      if (over) {
        return;
      }
      over = true;
      if (ports > 0) {
        return;
      }
    }
    empty.run();
  }

  private void portLeft() {
    synchronized (this) {
      ports--;
      if (!over || ports > 0) {
        return;
      }
    }
    empty.run();
  }

  @Override
  public DiskPort attach(Engine engine) {
    DiskPort port = disk.attach(engine);
    synchronized (this) {
      if (!over) {
        ports++;
        port.whenLeft(this::portLeft);
        return port;
      }
    }
    port.detach();
    return port;
  }

  @Override
  public DiskAddress address() {
    return disk.address();
  }

  @Override
  public DiskGeometry geometry() {
    return disk.geometry();
  }

  @Override
  public DiskIdentity identity() {
    return disk.identity();
  }

  @Override
  public void close() {
    throw new UnsupportedOperationException(disk.address() + " is not its user's to close");
  }

  @Override
  public String toString() {
    return disk.toString();
  }
}
