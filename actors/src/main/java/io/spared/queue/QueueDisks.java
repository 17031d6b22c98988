package io.spared.queue;

import io.spared.disk.DiskNumber;
import io.spared.ffi.disk.Disk;
import io.spared.ffi.engine.DiskPort;
import io.spared.ffi.engine.Engine;
import io.spared.remap.Place;
import java.util.Map;
import org.jspecify.annotations.Nullable;

/** The ports of one queue to the disks of its device. */
final class QueueDisks {
  static final int DISKS_MAX = 1 + 64;

  private final Engine engine;
  private final @Nullable DiskPort[] ports = new DiskPort[DISKS_MAX];
  private final int[] maxTransferBytes = new int[DISKS_MAX];

  /** Disks that have said that they cannot write zeroes by themselves. */
  private final boolean[] writesZeroesByHand = new boolean[DISKS_MAX];

  QueueDisks(Engine engine, Disk main, Map<Integer, Disk> spares) {
    this.engine = engine;
    attach(DiskNumber.MAIN, main);
    spares.forEach(this::attach);
  }

  void attach(int disk, Disk attached) {
    detach(disk);
    ports[disk + 1] = attached.attach(engine);
    int max = attached.geometry().maxTransferBytes();
    maxTransferBytes[disk + 1] = max > 0 ? max : Integer.MAX_VALUE;
    writesZeroesByHand[disk + 1] = false;
  }

  void detach(int disk) {
    DiskPort port = ports[disk + 1];
    if (port != null) {
      port.detach();
      ports[disk + 1] = null;
    }
  }

  void detachAll() {
    for (int disk = DiskNumber.MAIN; disk < DISKS_MAX - 1; disk++) {
      detach(disk);
    }
  }

  /** Null while the disk is not there. */
  @Nullable DiskPort port(int disk) {
    return ports[disk + 1];
  }

  /** Whether all that are there move the kernel's pages. */
  boolean takePages() {
    for (DiskPort port : ports) {
      if (port != null && !port.takesPages()) {
        return false;
      }
    }
    return true;
  }

  int maxTransferBytes(int disk) {
    return maxTransferBytes[disk + 1];
  }

  boolean writesZeroesByHand(int disk) {
    return writesZeroesByHand[disk + 1];
  }

  void writeZeroesByHand(int disk) {
    writesZeroesByHand[disk + 1] = true;
  }

  static int diskOf(long place) {
    return Place.isSlot(place) ? Place.spare(place) : DiskNumber.MAIN;
  }
}
