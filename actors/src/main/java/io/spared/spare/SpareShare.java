package io.spared.spare;

import io.spared.disk.LentDisk;
import io.spared.ffi.disk.Disk;
import io.spared.ffi.engine.DiskPort;
import io.spared.ffi.engine.Engine;

/**
 * A spare disk as one of its users has it: it knows when the last request of this user has come
 * back. The disk itself cannot tell, since it stays open for others.
 *
 * <p>Used on any thread: queues of a device attach on their rings.
 */
final class SpareShare extends LentDisk {
  private final Runnable empty;
  private int ports;
  private boolean over;

  /**
   * @param empty runs once, on any thread, when this is over and the disk has nothing of it any
   *     more
   */
  SpareShare(Disk disk, Runnable empty) {
    super(disk);
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
}
