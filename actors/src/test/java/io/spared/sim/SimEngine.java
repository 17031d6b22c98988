package io.spared.sim;

import io.spared.ffi.Errno;
import io.spared.ffi.engine.BufferPool;
import io.spared.ffi.engine.Engine;
import io.spared.ffi.engine.IoRequest;
import io.spared.ffi.engine.Ledger;
import java.util.ArrayDeque;
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
  private final SimBuffers buffers;
  private final Ledger ledger = new Ledger();
  private final ArrayDeque<SimOperation> pool = new ArrayDeque<>();
  private final SimEvent alarm;
  private final SimSockets sockets = new SimSockets(this);
  private long submitted;
  private boolean closed;
  private boolean turnAsked;
  private boolean woken;
  private final @Nullable SimExecutor executor;

  public SimEngine(SimWorld world) {
    this(world, "engine");
  }

  public SimEngine(SimWorld world, String name) {
    this.world = world;
    this.name = name;
    this.buffers = new SimBuffers(BUFFERS_BYTES, world.trace().keepsLines());
    this.executor = world.executor();
    this.alarm = new SimEvent.OfRunnable(this::alarmed);
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

  /** Where they were taken, in runs that keep lines of their trace. */
  public String bufferTakers() {
    return buffers.takers();
  }

  @Override
  public SimSockets sockets() {
    return sockets;
  }

  @Override
  public Ledger ledger() {
    return ledger;
  }

  @Override
  public int turn(boolean mayWait) {
    long before = ledger.ended();
    world.runDue();
    ledger.expire(world.nowNanos());
    watchLedger();
    while (mayWait && ledger.ended() == before && !woken) {
      if (!world.step()) {
        break;
      }
    }
    woken = false;
    ledger.signal();
    watchLedger();
    return (int) (ledger.ended() - before);
  }

  @Override
  public void wake() {
    woken = true;
  }

  /** All requests that disks ever took from this engine. */
  public long submitted() {
    return submitted;
  }

  @Override
  public void close() {
    closed = true;
    world.unschedule(alarm);
  }

  public boolean isClosed() {
    return closed;
  }

  SimOperation begin(IoRequest request, SimPort port) {
    if (closed) {
      throw new IllegalStateException("a request to a closed engine: " + request);
    }
    ledger.begin(request, port);
    submitted++;
    SimOperation operation = pool.poll();
    if (operation == null) {
      operation = new SimOperation(this);
    }
    operation.begin(request, port);
    watchLedger();
    return operation;
  }

  void abandoned(IoRequest request, IoRequest.Outcome outcome) {
    if (!closed) {
      ledger.abandon(request, outcome);
      watchLedger();
    }
  }

  void finished(SimOperation operation, int transferredBytes, @Nullable Errno errno) {
    IoRequest request = operation.request();
    recycle(operation);
    if (!closed) {
      ledger.end(request, transferredBytes, errno, null);
      watchLedger();
    }
  }

  void finishedWithoutTransfer(SimOperation operation, IoRequest.Outcome outcome) {
    IoRequest request = operation.request();
    recycle(operation);
    if (!closed) {
      ledger.endWithoutTransfer(request, outcome);
      watchLedger();
    }
  }

  private void recycle(SimOperation operation) {
    operation.request().engineState = null;
    operation.forget();
    pool.push(operation);
  }

  /** Sees to it that this engine has a turn when its book needs one. */
  void watchLedger() {
    if (closed) {
      return;
    }
    long next = ledger.nextEventNanos();
    if (next == Long.MIN_VALUE) {
      // Without an executor, whoever turns this by hand signals.
      if (executor != null && !turnAsked) {
        turnAsked = true;
        executor.ready(this::turnOfDispatcher);
      }
    } else if (next < alarm.atNanos()) {
      world.schedule(alarm, next);
    }
  }

  private void alarmed() {
    if (closed) {
      return;
    }
    alarm.atNanos = SimEvent.NEVER;
    ledger.expire(world.nowNanos());
    watchLedger();
  }

  private void turnOfDispatcher() {
    turnAsked = false;
    if (!closed) {
      ledger.expire(world.nowNanos());
      ledger.signal();
      watchLedger();
    }
  }
}
