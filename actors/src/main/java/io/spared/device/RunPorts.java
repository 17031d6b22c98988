package io.spared.device;

import io.spared.disk.LentDisk;
import io.spared.ffi.disk.Disk;
import io.spared.ffi.engine.DiskPort;
import io.spared.ffi.engine.Engine;
import io.spared.ffi.engine.IoRequest;
import java.util.Collections;
import java.util.IdentityHashMap;
import java.util.List;
import java.util.Set;

/**
 * The ports of one run of a device, on its home ring.
 *
 * <p>Invariant: every port that the device or a part of it attached is detached when the run ends,
 * however its user ended. It holds because there is no other way to a port: the device attaches
 * through {@link #attach}, its parts are given disks as {@link #disk} makes them, and both enter
 * the port here before anybody has it. So a part that throws half-made, or while it gives back,
 * keeps nothing open; a disk with a port still attached would be busy at the next assembling, for
 * ever. Detaching ends nothing that is with the kernel: it only takes no more requests.
 *
 * <p>Queues are not parts: they live on other rings, and their hosts give back for them ({@link
 * io.spared.queue.DeviceQueue#hostEnded}).
 */
final class RunPorts {
  private final Set<DiskPort> attached = Collections.newSetFromMap(new IdentityHashMap<>());

  DiskPort attach(Disk disk, Engine home) {
    Kept port = new Kept(disk.attach(home));
    attached.add(port);
    return port;
  }

  /** The disk for a part of the device: it may attach to it, and not close it. */
  Disk disk(Disk disk) {
    return new View(disk);
  }

  /** Those that are attached now. */
  int count() {
    return attached.size();
  }

  void detachAll() {
    List.copyOf(attached).forEach(DiskPort::detach);
  }

  private final class Kept implements DiskPort {
    private final DiskPort port;

    Kept(DiskPort port) {
      this.port = port;
    }

    @Override
    public void submit(IoRequest request) {
      port.submit(request);
    }

    @Override
    public void cancel(IoRequest request) {
      port.cancel(request);
    }

    @Override
    public void detach() {
      attached.remove(this);
      port.detach();
    }

    @Override
    public void whenLeft(Runnable task) {
      port.whenLeft(task);
    }
  }

  private final class View extends LentDisk {
    View(Disk disk) {
      super(disk);
    }

    @Override
    public DiskPort attach(Engine engine) {
      return RunPorts.this.attach(disk, engine);
    }
  }
}
