package io.spared.ffi.engine;

import io.spared.ffi.Errno;
import io.spared.ffi.libc.Descriptor;
import io.spared.ffi.libc.Libc;
import io.spared.ffi.libc.Memory;
import io.spared.ffi.libc.NativeException;
import io.spared.ffi.uring.Uring;
import io.spared.ffi.uring.UringNumbers;
import io.spared.ffi.uring.UringSettings;
import io.spared.ffi.uring.UringUnavailableException;
import io.spared.ffi.world.Clock;
import java.nio.ByteBuffer;
import java.util.ArrayDeque;
import java.util.Arrays;
import java.util.concurrent.atomic.AtomicInteger;
import java.util.concurrent.atomic.LongAdder;
import org.jspecify.annotations.Nullable;

/**
 * An engine over one io_uring. Opened and used on one thread.
 *
 * <p>Invariants. (1) A request occupies its slot of the ledger from submission to the kernel's
 * completion, whatever was told its owner meanwhile; so a completion finds the request it belongs
 * to, or the engine is closed. (2) The buffer of a request is retained over the same time (by
 * IoRequest), so memory that the kernel may write into is never handed out. (3) A request that ends
 * late ends as RELEASED, and what it brought (an accepted connection) is closed. (4) An engine that
 * is closed while the kernel holds requests keeps its memory reachable for ever.
 *
 * <p>One timeout in the ring stands for all deadlines; it is moved only when an earlier one comes,
 * so deadlines that are not missed cost no system call.
 */
public final class UringEngine implements FileEngine, DriverEngine {
  private static final LongAdder LEFT_BEHIND = new LongAdder();

  /**
   * Threads that the kernel may use for what blocks (flushes, discards, a full device queue). Its
   * own limit, four times the processors, could be used up by one disk that hangs, and then no
   * other disk of this ring would be flushed any more. They are made only when needed.
   */
  private static final int WORKERS_MAX = 512;

  /** How long closing tries to get requests back from the kernel. */
  private static final long CLOSE_NANOS = 20_000_000;

  /** Entries that are worth a call of their own, and which share of all that the kernel has. */
  private static final int EARLY_MIN = 4;

  private static final int EARLY_SHARE = 5;

  /** The kernel's bound for a table of buffers. */
  private static final int BUFFERS_MAX = 1 << 14;

  /** Requests of drivers whose pages may be in the table at a time: two queues of full depth. */
  private static final int PAGES_MAX = 1 << 13;

  private static final long TAG_WAKE = 1L << 56;
  private static final long TAG_TIMEOUT = 2L << 56;
  private static final long TAG_TIMEOUT_MOVED = 3L << 56;
  private static final long TAG_CANCEL = 4L << 56;
  private static final long TAG_IGNORED = 5L << 56;
  private static final int TAG_SHIFT = 56;

  private static final int IDLE = 0;
  private static final int PARKED = 1;
  private static final int WOKEN = 2;

  private static final int ERRNO_INTR = -Errno.EINTR.number();
  private static final int ERRNO_CANCELED = -Errno.ECANCELED.number();

  private final Thread owner;
  private final Clock clock;
  private final Uring ring;
  private final Ledger ledger = new Ledger();
  private final SlabPool pool;
  private final PagesTable pages;
  private final UringFiles files;
  private final UringSockets sockets;
  private final boolean buffersRegistered;

  private final Descriptor wakeCounter;
  private final AtomicInteger state = new AtomicInteger(IDLE);
  private final ByteBuffer scratch = Memory.pages(4096);
  private final long scratchAddress = Memory.address(scratch);
  private @Nullable ByteBuffer zeros;
  private boolean wakeRead;

  private boolean timeoutArmed;
  private long timeoutNanos;

  /** Bytes moved so far, by slot. */
  private int[] progress = new int[0];

  /** Which of several attempts at one operation, by slot. */
  private byte[] steps = new byte[0];

  private int[] generations = new int[0];
  private boolean[] cancelling = new boolean[0];

  private final ArrayDeque<IoRequest> backlog = new ArrayDeque<>();
  private int[] refusedCancels = new int[16];
  private int refusedCancelCount;

  /** Entries that the kernel will still complete, our own included. */
  private int kernelEntries;

  private boolean closed;

  private UringEngine(Clock clock, EngineSettings settings, Uring ring, Descriptor wakeCounter) {
    this.owner = Thread.currentThread();
    this.clock = clock;
    this.ring = ring;
    this.wakeCounter = wakeCounter;
    this.files = new UringFiles(ring, settings.files());
    ring.boundWorkers(WORKERS_MAX, 0);
    int chunks = Math.toIntExact(settings.slabBytes() / settings.slabChunkBytes());
    int places = Math.min(PAGES_MAX, BUFFERS_MAX - chunks);
    this.buffersRegistered = places >= 0 && ring.registerBuffers(chunks + places);
    this.pages = new PagesTable(chunks, buffersRegistered ? places : 0);
    this.pool = new SlabPool(settings.slabChunkBytes(), settings.slabBytes(), this::registerChunk);
    this.sockets = new UringSockets(this);
  }

  /**
   * Opens an engine for the calling thread.
   *
   * @throws UringUnavailableException when this host gives no io_uring that will do
   */
  public static UringEngine open(Clock clock, EngineSettings settings)
      throws UringUnavailableException, NativeException {
    Uring ring =
        Uring.open(
            UringSettings.data(
                settings.submissions(), settings.completions(), settings.longEntries()));
    try {
      return new UringEngine(clock, settings, ring, Libc.eventCounter(true));
    } catch (NativeException | RuntimeException e) {
      ring.close();
      throw e;
    }
  }

  /** How many requests engines of this process left to the kernel when they were closed. */
  public static long leftBehind() {
    return LEFT_BEHIND.sum();
  }

  private boolean registerChunk(int index, ByteBuffer chunk, long address) {
    return buffersRegistered && ring.updateBuffer(index, address, chunk.capacity());
  }

  @Override
  public String kind() {
    return "io_uring";
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
    return new UringDiskPort(this, file, kind, baseBytes);
  }

  @Override
  public DriverPort driver(Descriptor file) {
    return new UringDriverPort(this, file);
  }

  @Override
  public @Nullable IoBuffer takePages() {
    return pages.take();
  }

  @Override
  public boolean hasLongEntries() {
    return ring.hasWideCommands();
  }

  @Override
  public String toString() {
    return ring + (buffersRegistered ? ", buffers registered" : ", buffers not registered");
  }

  // For ports.

  UringFiles files() {
    return files;
  }

  /** Enters a request for this port and readies the state of its slot. */
  int begin(IoRequest request, UringPort port) {
    int slot = ledger.begin(request, port);
    if (slot >= progress.length) {
      int size = Math.max(256, Integer.highestOneBit(slot) * 2);
      progress = Arrays.copyOf(progress, size);
      steps = Arrays.copyOf(steps, size);
      generations = Arrays.copyOf(generations, size);
      cancelling = Arrays.copyOf(cancelling, size);
    }
    progress[slot] = 0;
    steps[slot] = 0;
    cancelling[slot] = false;
    generations[slot] = (generations[slot] + 1) & 0xff_ffff;
    return slot;
  }

  int progress(int slot) {
    return progress[slot];
  }

  void progressed(int slot, int bytes) {
    progress[slot] += bytes;
  }

  int step(int slot) {
    return steps[slot];
  }

  void step(int slot, int step) {
    steps[slot] = (byte) step;
    progress[slot] = 0;
  }

  boolean isCancelling(int slot) {
    return cancelling[slot];
  }

  private long userData(int slot) {
    return (long) generations[slot] << 32 | slot;
  }

  /**
   * Makes room for one entry, and keeps the order of requests: false when the request has to wait
   * in the backlog, where it was put.
   */
  boolean roomFor(IoRequest request) {
    if (backlog.isEmpty() && room()) {
      return true;
    }
    backlog.add(request);
    return false;
  }

  private boolean room() {
    if (ring.space() > 0) {
      return true;
    }
    ring.enter(0);
    return ring.space() > 0;
  }

  void push(
      int slot,
      int opcode,
      int entryFlags,
      int file,
      long offset,
      long address,
      int length,
      int operationFlags,
      int bufferIndex) {
    ring.push(
        opcode,
        entryFlags,
        file,
        offset,
        address,
        length,
        operationFlags,
        bufferIndex,
        userData(slot));
    kernelEntries++;
    keepBusy();
  }

  /**
   * One call for all that a turn brought would leave a disk that holds few requests idle meanwhile;
   * so once a good part of what it held is waiting, that part goes first.
   */
  private void keepBusy() {
    int waiting = ring.unsubmitted();
    if (waiting >= EARLY_MIN && waiting * EARLY_SHARE >= kernelEntries) {
      ring.submit();
    }
  }

  void pushCommand(
      int slot,
      int entryFlags,
      int file,
      int command,
      long address,
      long payloadFirst,
      long payloadSecond) {
    ring.pushCommand(
        entryFlags, file, command, address, 0, 0, userData(slot), payloadFirst, payloadSecond);
    kernelEntries++;
  }

  void pushWideCommand(
      int slot,
      int entryFlags,
      int file,
      int command,
      long payloadFirst,
      long payloadSecond,
      long payloadThird,
      long payloadFourth) {
    ring.pushWideCommand(
        entryFlags,
        file,
        command,
        userData(slot),
        payloadFirst,
        payloadSecond,
        payloadThird,
        payloadFourth);
    kernelEntries++;
  }

  /** Zeros to write from. */
  ByteBuffer zeros() {
    ByteBuffer memory = zeros;
    if (memory == null) {
      memory = Memory.pages(1 << 20);
      zeros = memory;
    }
    return memory;
  }

  /** The owner wants the request back; it ends as CANCELLED or by what comes first. */
  void cancel(IoRequest request) {
    if (request.outcome() != IoRequest.Outcome.IN_FLIGHT) {
      return;
    }
    if (backlog.remove(request)) {
      endUnsubmitted(request, IoRequest.Outcome.CANCELLED);
    } else if (!cancelling[request.engineSlot]) {
      cancelling[request.engineSlot] = true;
      askBack(request);
    }
  }

  /** The deadline passed: what the kernel can give back comes back, the rest is held. */
  void overdue(IoRequest request) {
    if (backlog.remove(request)) {
      endUnsubmitted(request, IoRequest.Outcome.TIMED_OUT);
    } else {
      askBack(request);
      ledger.abandon(request, IoRequest.Outcome.TIMED_OUT);
    }
  }

  private void endUnsubmitted(IoRequest request, IoRequest.Outcome outcome) {
    UringPort port = portOf(request);
    ledger.endWithoutTransfer(request, outcome);
    port.endedOne();
  }

  private void askBack(IoRequest request) {
    if (room()) {
      ring.push(
          UringNumbers.IORING_OP_ASYNC_CANCEL,
          0,
          -1,
          0,
          userData(request.engineSlot),
          0,
          0,
          0,
          TAG_CANCEL | userData(request.engineSlot));
      kernelEntries++;
    }
  }

  private UringPort portOf(IoRequest request) {
    if (ledger.carrierAt(request.engineSlot) instanceof UringPort port) {
      return port;
    }
    throw new IllegalStateException("not a request of this engine: " + request);
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
    if (!backlog.isEmpty()) {
      drainBacklog();
    }
    boolean wait = mayWait && ring.ready() == 0 && mayPark();
    if (wait) {
      ring.enter(1);
      state.set(IDLE);
    } else if (ring.unsubmitted() > 0 || ring.wantsEnter()) {
      ring.enter(0);
    }
    if (ring.ready() > 0) {
      takeCompletions();
    }
    long next = ledger.nextEventNanos();
    if (next != Ledger.NEVER) {
      if (next <= nanoTime()) {
        ledger.expire(nanoTime());
      }
      ledger.signal();
    }
    return (int) (ledger.ended() - before);
  }

  /** Prepares to wait; false when there is something to do, or somebody woke us meanwhile. */
  private boolean mayPark() {
    if (state.get() == WOKEN) {
      state.set(IDLE);
      return false;
    }
    long next = ledger.nextEventNanos();
    if (next != Ledger.NEVER) {
      long now = nanoTime();
      if (next <= now || !armTimeout(next, now)) {
        return false;
      }
    }
    if (!wakeRead) {
      if (!room()) {
        return false;
      }
      ring.push(
          UringNumbers.IORING_OP_READ,
          0,
          wakeCounter.number(),
          0,
          scratchAddress,
          8,
          0,
          0,
          TAG_WAKE);
      kernelEntries++;
      wakeRead = true;
    }
    if (state.compareAndSet(IDLE, PARKED)) {
      return true;
    }
    state.set(IDLE);
    return false;
  }

  /** Sees to it that the ring wakes by this time; false when it cannot just now. */
  private boolean armTimeout(long atNanos, long nowNanos) {
    if (timeoutArmed && timeoutNanos <= atNanos) {
      return true;
    }
    if (!room()) {
      return false;
    }
    long wait = atNanos - nowNanos;
    // Alternating places, since an entry's time is read when it is submitted, which is soon.
    scratch.putLong(64, wait / 1_000_000_000L).putLong(72, wait % 1_000_000_000L);
    if (timeoutArmed) {
      ring.push(
          UringNumbers.IORING_OP_TIMEOUT_REMOVE,
          0,
          -1,
          scratchAddress + 64,
          TAG_TIMEOUT,
          0,
          UringNumbers.IORING_TIMEOUT_UPDATE,
          0,
          TAG_TIMEOUT_MOVED);
    } else {
      ring.push(
          UringNumbers.IORING_OP_TIMEOUT, 0, -1, 0, scratchAddress + 64, 1, 0, 0, TAG_TIMEOUT);
      timeoutArmed = true;
    }
    kernelEntries++;
    timeoutNanos = atNanos;
    return true;
  }

  private void drainBacklog() {
    int bound = backlog.size();
    while (bound-- > 0 && room()) {
      IoRequest request = backlog.remove();
      portOf(request).push(request, request.engineSlot);
    }
  }

  private void takeCompletions() {
    while (ring.take()) {
      kernelEntries--;
      long userData = ring.userData();
      if (userData >>> TAG_SHIFT == 0) {
        completed((int) userData, ring.result());
      } else {
        completedOwn(userData, ring.result());
      }
    }
    ring.taken();
    if (refusedCancelCount > 0) {
      endRefusedCancels();
    }
  }

  private void completed(int slot, int result) {
    IoRequest request = ledger.at(slot);
    if (request == null) {
      throw new IllegalStateException("a completion for a slot without a request");
    }
    if (ledger.carrierAt(slot) instanceof UringPort port) {
      boolean givenUp = result == ERRNO_CANCELED || result == ERRNO_INTR;
      if (givenUp && cancelling[slot] && !request.held()) {
        endCancelled(request, port);
      } else {
        port.completed(request, slot, result);
      }
    }
  }

  void endCancelled(IoRequest request, UringPort port) {
    ledger.endWithoutTransfer(request, IoRequest.Outcome.CANCELLED);
    port.endedOne();
  }

  private void completedOwn(long userData, int result) {
    long tag = userData & (0xffL << TAG_SHIFT);
    if (tag == TAG_WAKE) {
      wakeRead = false;
    } else if (tag == TAG_TIMEOUT) {
      timeoutArmed = false;
    } else if (tag == TAG_TIMEOUT_MOVED) {
      if (result < 0) {
        // It ran out just before it was moved; its own completion says so too.
        timeoutArmed = false;
      }
    } else if (tag == TAG_CANCEL && result < 0) {
      int slot = (int) userData;
      int generation = (int) (userData >>> 32) & 0xff_ffff;
      if (generations[slot] == generation) {
        if (refusedCancelCount == refusedCancels.length) {
          refusedCancels = Arrays.copyOf(refusedCancels, refusedCancelCount * 2);
        }
        refusedCancels[refusedCancelCount++] = slot;
      }
    }
  }

  /**
   * The kernel cannot give these back. Whoever asked gets them as CANCELLED and held, unless they
   * ended in the same batch.
   */
  private void endRefusedCancels() {
    for (int i = 0; i < refusedCancelCount; i++) {
      int slot = refusedCancels[i];
      IoRequest request = ledger.at(slot);
      if (request != null && cancelling[slot] && request.outcome() == IoRequest.Outcome.IN_FLIGHT) {
        ledger.abandon(request, IoRequest.Outcome.CANCELLED);
      }
    }
    refusedCancelCount = 0;
  }

  @Override
  public void wake() {
    if (state.get() != WOKEN && state.getAndSet(WOKEN) == PARKED) {
      EventCounters.raise(wakeCounter);
    }
  }

  // Closing.

  @Override
  public void close() {
    if (closed) {
      return;
    }
    closed = true;
    while (true) {
      IoRequest waiting = backlog.poll();
      if (waiting == null) {
        break;
      }
      endUnsubmitted(waiting, IoRequest.Outcome.CANCELLED);
    }
    takeBack();
    int left = kernelEntries;
    for (int slot = 0; slot < ledger.slotsEnd(); slot++) {
      IoRequest request = ledger.at(slot);
      if (request != null && request.outcome() == IoRequest.Outcome.IN_FLIGHT) {
        ledger.abandon(request, IoRequest.Outcome.CANCELLED);
      }
    }
    files.close();
    ring.close();
    wakeCounter.close();
    if (left > 0) {
      LEFT_BEHIND.add(left);
      Uring.leaveAlone(this);
    }
    ledger.signal();
  }

  /** Asks the kernel for all that it still has, and takes what comes within a short time. */
  private void takeBack() {
    for (int slot = 0; slot < ledger.slotsEnd(); slot++) {
      IoRequest request = ledger.at(slot);
      if (request != null && request.outcome() == IoRequest.Outcome.IN_FLIGHT) {
        cancelling[slot] = true;
      }
    }
    long end = nanoTime() + CLOSE_NANOS;
    if (room()) {
      ring.push(
          UringNumbers.IORING_OP_ASYNC_CANCEL,
          0,
          -1,
          0,
          0,
          0,
          UringNumbers.IORING_ASYNC_CANCEL_ALL | UringNumbers.IORING_ASYNC_CANCEL_ANY,
          0,
          TAG_IGNORED);
      kernelEntries++;
    }
    do {
      int result = ring.enterUntil(1, end - nanoTime());
      if (ring.ready() > 0) {
        takeCompletions();
      } else if (result == -Errno.ETIME.number()) {
        break;
      }
    } while (kernelEntries > 0 && nanoTime() < end);
  }
}
