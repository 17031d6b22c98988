package io.spared.sim;

import io.spared.ffi.Errno;
import io.spared.ffi.engine.BufferPool;
import io.spared.ffi.engine.Completions;
import io.spared.ffi.engine.Engine;
import io.spared.ffi.engine.IoRequest;
import io.spared.ffi.engine.Sockets;
import java.util.ArrayDeque;
import java.util.ArrayList;
import org.jspecify.annotations.Nullable;

/**
 * An engine whose disks are simulated. Under actors its turns are tasks of the simulated
 * dispatcher; in a plain test {@link #turn} is called by hand, and a turn that may wait lets
 * simulated time pass until something of this engine ends.
 *
 * <p>A closed engine is a dead process: its requests go on in the simulated kernel, and change
 * disks, but nobody hears of them.
 */
public final class SimEngine implements Engine {
  private static final long BUFFERS_BYTES = 16L << 20;

  private final SimWorld world;
  private final String name;
  private final SimBuffers buffers = new SimBuffers(BUFFERS_BYTES);
  private final ArrayList<Completions> touched = new ArrayList<>();
  private final ArrayDeque<SimOperation> pool = new ArrayDeque<>();
  private int inFlight;
  private int held;
  private int ended;
  private long submitted;
  private boolean closed;
  private boolean turnAsked;
  private boolean woken;

  public SimEngine(SimWorld world) {
    this(world, "engine");
  }

  public SimEngine(SimWorld world, String name) {
    this.world = world;
    this.name = name;
  }

  public SimWorld world() {
    return world;
  }

  public String name() {
    return name;
  }

  @Override
  public String kind() {
    return "simulated";
  }

  @Override
  public long nanoTime() {
    return world.nowNanos();
  }

  @Override
  public BufferPool buffers() {
    return buffers;
  }

  /** Buffers that are not back: a leak, when nothing is in flight and all owners are gone. */
  public int buffersTaken() {
    return buffers.taken();
  }

  @Override
  public Sockets sockets() {
    throw new UnsupportedOperationException("sockets are not simulated");
  }

  @Override
  public int turn(boolean mayWait) {
    int before = ended;
    world.runDue();
    while (mayWait && ended == before && !woken) {
      if (!world.step()) {
        break;
      }
    }
    woken = false;
    signalAll();
    return ended - before;
  }

  @Override
  public void wake() {
    woken = true;
  }

  @Override
  public int inFlight() {
    return inFlight;
  }

  @Override
  public int held() {
    return held;
  }

  /** All requests that this engine ever took. */
  public long submitted() {
    return submitted;
  }

  @Override
  public void close() {
    closed = true;
  }

  public boolean isClosed() {
    return closed;
  }

  SimOperation begin(IoRequest request, SimPort port) {
    if (closed) {
      throw new IllegalStateException("a request to a closed engine: " + request);
    }
    request.submitted();
    inFlight++;
    submitted++;
    SimOperation operation = pool.poll();
    if (operation == null) {
      operation = new SimOperation(this);
    }
    operation.begin(request, port);
    return operation;
  }

  /** The owner's end without the kernel's word. */
  void abandoned(IoRequest request, IoRequest.Outcome outcome) {
    inFlight--;
    held++;
    if (!closed) {
      request.abandoned(outcome);
      touch(request.completions());
    }
  }

  void finished(SimOperation operation, int transferredBytes, @Nullable Errno errno) {
    IoRequest request = operation.request();
    if (request.held()) {
      held--;
    } else {
      inFlight--;
    }
    if (!closed) {
      request.ended(transferredBytes, errno, null);
      touch(request.completions());
    }
    recycle(operation);
  }

  void finishedWithoutTransfer(SimOperation operation, IoRequest.Outcome outcome) {
    inFlight--;
    IoRequest request = operation.request();
    if (!closed) {
      request.endedWithoutTransfer(outcome);
      touch(request.completions());
    }
    recycle(operation);
  }

  private void recycle(SimOperation operation) {
    operation.request().engineState = null;
    operation.forget();
    pool.push(operation);
  }

  private void touch(Completions completions) {
    ended++;
    if (!completions.touched) {
      completions.touched = true;
      touched.add(completions);
    }
    SimExecutor executor = world.executor();
    if (executor != null && !turnAsked) {
      turnAsked = true;
      executor.ready(this::signalAll);
    }
  }

  private void signalAll() {
    turnAsked = false;
    for (int i = 0; i < touched.size(); i++) {
      Completions completions = touched.get(i);
      completions.touched = false;
      completions.signal();
    }
    touched.clear();
  }
}
