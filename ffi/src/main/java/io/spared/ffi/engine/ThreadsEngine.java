package io.spared.ffi.engine;

import io.spared.ffi.libc.Abi;
import io.spared.ffi.libc.Descriptor;
import io.spared.ffi.libc.Libc;
import io.spared.ffi.libc.Memory;
import io.spared.ffi.libc.NativeException;
import io.spared.ffi.world.Clock;
import java.nio.ByteBuffer;
import java.util.ArrayList;
import java.util.HashMap;
import java.util.List;
import java.util.Map;
import java.util.concurrent.ConcurrentLinkedQueue;
import java.util.concurrent.atomic.AtomicInteger;

/**
 * An engine for hosts that forbid io_uring: each disk has a bounded set of threads that block in
 * ordinary calls, and sockets wait in one epoll on the engine's own thread.
 *
 * <p>The threads belong to one disk, so that a disk that hangs keeps its own threads busy and no
 * others. A request that still waits for a thread can always be given up; one that a thread carries
 * out is held until the call returns. System calls rather than FileChannel, since FileChannel hides
 * the errno by which a medium error is told from a lost disk.
 */
public final class ThreadsEngine implements FileEngine {
  private static final int IDLE = 0;
  private static final int PARKED = 1;
  private static final int WOKEN = 2;
  private static final int EVENTS_MAX = 64;

  private final Thread owner = Thread.currentThread();
  private final Clock clock;
  private final Ledger ledger = new Ledger();
  private final SlabPool pool;
  private final int threadsPerDisk;
  private final ThreadsSockets sockets;

  private final Descriptor epoll;
  private final Descriptor wakeCounter;
  private final ByteBuffer memory = Memory.structure(EVENTS_MAX * 16 + 32);
  private final long eventsAddress = Memory.address(memory);
  private final long scratchAddress = eventsAddress + EVENTS_MAX * 16L;
  private final AtomicInteger state = new AtomicInteger(IDLE);

  private final ConcurrentLinkedQueue<ThreadsJob> returned = new ConcurrentLinkedQueue<>();
  private final Map<Long, ThreadsSocket> watched = new HashMap<>();
  private final List<ThreadsDiskPort> ports = new ArrayList<>();
  private List<ThreadsSocket> untried = new ArrayList<>();
  private long nextWatch = 1;
  private boolean closed;

  private ThreadsEngine(
      Clock clock, EngineSettings settings, Descriptor epoll, Descriptor wakeCounter)
      throws NativeException {
    this.clock = clock;
    this.threadsPerDisk = settings.threadsPerDisk();
    this.pool =
        new SlabPool(
            settings.slabChunkBytes(), settings.slabBytes(), (index, chunk, address) -> false);
    this.sockets = new ThreadsSockets(this);
    this.epoll = epoll;
    this.wakeCounter = wakeCounter;
    control(Abi.EPOLL_CTL_ADD, wakeCounter, Abi.EPOLLIN, 0);
  }

  /** Opens an engine for the calling thread. */
  public static ThreadsEngine open(Clock clock, EngineSettings settings) throws NativeException {
    Descriptor epoll = Libc.epoll();
    try {
      return new ThreadsEngine(clock, settings, epoll, Libc.eventCounter(false));
    } catch (NativeException | RuntimeException e) {
      epoll.close();
      throw e;
    }
  }

  @Override
  public String kind() {
    return "threads";
  }

  @Override
  public long nanoTime() {
    return clock.nanoTime();
  }

  @Override
  public BufferPool buffers() {
    return pool;
  }

  @Override
  public Sockets sockets() {
    return sockets;
  }

  @Override
  public Ledger ledger() {
    return ledger;
  }

  @Override
  public DiskPort attach(Descriptor file, FileKind kind, long baseBytes) {
    ThreadsDiskPort port = new ThreadsDiskPort(this, file, kind, baseBytes, threadsPerDisk);
    ports.add(port);
    return port;
  }

  Sockets.Stream stream(Descriptor socket) {
    return sockets.stream(socket);
  }

  @Override
  public String toString() {
    return "up to " + threadsPerDisk + " threads for each disk";
  }

  // For ports and sockets.

  /** From a disk's thread: the job is over. */
  void returned(ThreadsJob job) {
    returned.add(job);
    wake();
  }

  void gone(ThreadsDiskPort port) {
    ports.remove(port);
  }

  /** Begins to watch a socket for becoming readable or writable. */
  long watch(ThreadsSocket socket, Descriptor descriptor) throws NativeException {
    long watch = nextWatch++;
    control(Abi.EPOLL_CTL_ADD, descriptor, Abi.EPOLLIN | Abi.EPOLLOUT | 0x8000_0000, watch);
    watched.put(watch, socket);
    return watch;
  }

  void unwatch(long watch, Descriptor descriptor) {
    if (watched.remove(watch) != null && !closed) {
      Libc.epollControl(epoll, Abi.EPOLL_CTL_DEL, descriptor, scratchAddress);
    }
  }

  /** Something was submitted to this socket: it is tried in the next turn. */
  void tryLater(ThreadsSocket socket) {
    untried.add(socket);
  }

  private void control(int operation, Descriptor descriptor, int events, long data)
      throws NativeException {
    int at = EVENTS_MAX * 16;
    memory.putInt(at, events).putLong(at + Abi.EPOLL_EVENT_DATA, data);
    long result = Libc.epollControl(epoll, operation, descriptor, scratchAddress);
    if (result < 0) {
      throw new NativeException("watch " + descriptor, io.spared.ffi.Errno.of((int) -result));
    }
  }

  // Turning.

  @Override
  public int turn(boolean mayWait) {
    if (Thread.currentThread() != owner) {
      throw new IllegalStateException("an engine is turned by the thread that opened it");
    }
    if (closed) {
      throw new IllegalStateException("the engine is closed");
    }
    long before = ledger.ended();
    if (!untried.isEmpty()) {
      List<ThreadsSocket> now = untried;
      untried = new ArrayList<>();
      for (ThreadsSocket socket : now) {
        socket.attempt();
      }
    }
    int timeoutMillis = mayWait ? park() : 0;
    if (timeoutMillis != 0 || !watched.isEmpty()) {
      takeEvents(timeoutMillis);
    }
    if (mayWait) {
      state.set(IDLE);
    }
    takeReturned();
    long next = ledger.nextEventNanos();
    if (next != Ledger.NEVER) {
      long now = nanoTime();
      if (next <= now) {
        ledger.expire(now);
      }
      ledger.signal();
    }
    return (int) (ledger.ended() - before);
  }

  /** How long to wait, in milliseconds: 0 for not at all, -1 for ever. */
  private int park() {
    if (state.get() == WOKEN || !returned.isEmpty() || !untried.isEmpty()) {
      return 0;
    }
    int timeoutMillis = -1;
    long next = ledger.nextEventNanos();
    if (next != Ledger.NEVER) {
      long wait = next == Long.MIN_VALUE ? 0 : next - nanoTime();
      if (wait <= 0) {
        return 0;
      }
      timeoutMillis = (int) Math.min(3_600_000, (wait + 999_999) / 1_000_000);
    }
    return state.compareAndSet(IDLE, PARKED) ? timeoutMillis : 0;
  }

  private void takeEvents(int timeoutMillis) {
    long count = Libc.epollWait(epoll, eventsAddress, EVENTS_MAX, timeoutMillis);
    for (int i = 0; i < count; i++) {
      long watch = memory.getLong(i * Abi.EPOLL_EVENT_BYTES + Abi.EPOLL_EVENT_DATA);
      if (watch == 0) {
        Libc.read(wakeCounter, scratchAddress, 8);
      } else {
        ThreadsSocket socket = watched.get(watch);
        if (socket != null) {
          socket.attempt();
        }
      }
    }
  }

  private void takeReturned() {
    ThreadsJob job = returned.poll();
    while (job != null) {
      job.port().returned(job);
      job = returned.poll();
    }
  }

  @Override
  public void wake() {
    if (state.get() != WOKEN && state.getAndSet(WOKEN) == PARKED) {
      EventCounters.raise(wakeCounter);
    }
  }

  @Override
  public void close() {
    if (closed) {
      return;
    }
    closed = true;
    for (int slot = 0; slot < ledger.slotsEnd(); slot++) {
      IoRequest request = ledger.at(slot);
      if (request != null
          && request.outcome() == IoRequest.Outcome.IN_FLIGHT
          && ledger.carrierAt(slot) instanceof Giver giver) {
        giver.giveUp(request, IoRequest.Outcome.CANCELLED);
      }
    }
    for (ThreadsDiskPort port : List.copyOf(ports)) {
      port.detach();
      port.endThreads();
    }
    for (ThreadsSocket socket : List.copyOf(watched.values())) {
      socket.close();
    }
    takeReturned();
    epoll.close();
    wakeCounter.close();
    ledger.signal();
  }

  /** Whoever can end a request for its owner early. */
  interface Giver extends Ledger.Carrier {
    void giveUp(IoRequest request, IoRequest.Outcome outcome);

    @Override
    default void overdue(IoRequest request) {
      giveUp(request, IoRequest.Outcome.TIMED_OUT);
    }
  }
}
