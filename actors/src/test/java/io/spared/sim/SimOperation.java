package io.spared.sim;

import io.spared.ffi.engine.IoRequest;
import org.jspecify.annotations.Nullable;

/**
 * A request inside the simulated kernel. It may move a part of its sectors early, and finishes at
 * its own time, which may be long after its deadline, or never.
 */
final class SimOperation extends SimEvent {
  private final SimEngine engine;
  private @Nullable IoRequest request;
  private @Nullable SimPort port;

  long arrivalOrder;
  long partNanos;
  long finishNanos;
  int partFromBytes;
  int partToBytes;
  boolean partMoved;
  SimDrive.@Nullable CachedWrite partWrite;
  int indexInDrive;
  boolean doomed;

  SimOperation(SimEngine engine) {
    this.engine = engine;
  }

  void begin(IoRequest request, SimPort port) {
    this.request = request;
    this.port = port;
    partNanos = NEVER;
    finishNanos = NEVER;
    partFromBytes = 0;
    partToBytes = 0;
    partMoved = false;
    partWrite = null;
    doomed = false;
    request.engineState = this;
  }

  void forget() {
    request = null;
    port = null;
    partWrite = null;
  }

  SimEngine engine() {
    return engine;
  }

  IoRequest request() {
    IoRequest r = request;
    if (r == null) {
      throw new IllegalStateException("an operation that is over");
    }
    return r;
  }

  SimPort port() {
    SimPort p = port;
    if (p == null) {
      throw new IllegalStateException("an operation that is over");
    }
    return p;
  }

  boolean isOver() {
    return request == null;
  }

  /** Waits for whatever comes first: the early part or the finish. */
  void await() {
    engine.world().schedule(this, partMoved ? finishNanos : Math.min(partNanos, finishNanos));
  }

  @Override
  void happen() {
    long now = engine.world().nowNanos();
    SimDrive drive = port().drive();
    if (finishNanos <= now) {
      drive.finish(this);
    } else {
      partMoved = true;
      drive.movePart(this);
      await();
    }
  }
}
