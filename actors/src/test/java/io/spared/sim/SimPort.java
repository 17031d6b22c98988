package io.spared.sim;

import io.spared.ffi.Errno;
import io.spared.ffi.engine.DiskPort;
import io.spared.ffi.engine.IoRequest;
import io.spared.ffi.engine.Ledger;

/** One simulated disk as seen from one simulated engine. */
final class SimPort implements DiskPort, Ledger.Carrier {
  private final SimDisk disk;
  private final SimEngine engine;
  private boolean detached;
  private int inFlight;
  private Runnable whenLeft = () -> {};

  SimPort(SimDisk disk, SimEngine engine) {
    this.disk = disk;
    this.engine = engine;
  }

  SimDrive drive() {
    return disk.drive();
  }

  SimDisk disk() {
    return disk;
  }

  @Override
  public void submit(IoRequest request) {
    SimOperation operation = engine.begin(request, this);
    if (detached) {
      engine.finished(operation, 0, Errno.ESHUTDOWN);
    } else {
      inFlight++;
      disk.inFlight++;
      disk.drive().arrive(operation);
    }
  }

  @Override
  public boolean takesPages() {
    return drive().takesPages();
  }

  @Override
  public void overdue(IoRequest request) {
    if (request.engineState instanceof SimOperation operation) {
      disk.drive().deadlineReached(operation);
    }
  }

  @Override
  public void cancel(IoRequest request) {
    if (request.outcome() == IoRequest.Outcome.IN_FLIGHT
        && request.engineState instanceof SimOperation operation) {
      disk.drive().cancelAsked(operation);
    }
  }

  @Override
  public void detach() {
    if (!detached) {
      detached = true;
      disk.ports--;
      if (inFlight == 0) {
        whenLeft.run();
      }
    }
  }

  @Override
  public void whenLeft(Runnable task) {
    whenLeft = task;
  }

  /** One of its requests is not in the drive any more. */
  void leftDrive() {
    inFlight--;
    disk.inFlight--;
    if (detached && inFlight == 0 && !engine.isClosed()) {
      whenLeft.run();
    }
  }
}
