package io.spared.ffi.engine;

/**
 * One thread's way to disks and sockets. Everything but {@link #wake()} is called on that thread.
 * Requests go in through the ports of disks and sockets ({@link io.spared.ffi.disk.Disk#attach}),
 * and come back through their {@link Completions}.
 *
 * <p>{@link #turn} is the whole life of an engine: it submits what was queued, waits if it may and
 * nothing is there, takes what ended, times out what is late, and signals each owner once. A
 * dispatcher calls it in a loop; a test calls it by hand.
 */
public interface Engine extends AutoCloseable {
  /** "io_uring", "threads" or "simulated". */
  String kind();

  long nanoTime();

  BufferPool buffers();

  Sockets sockets();

  /**
   * The engine's book, for those who carry requests out: the engine itself, and ports of disks made
   * in software.
   */
  Ledger ledger();

  /** Takes a NOTHING request, which ends DONE in the turn at or after its deadline. */
  default void timer(IoRequest request) {
    Timers.begin(this, request);
  }

  /** Gives up a request taken by {@link #timer}; it ends CANCELLED if it had not ended. */
  default void cancelTimer(IoRequest request) {
    Timers.cancel(this, request);
  }

  /**
   * One turn.
   *
   * @param mayWait whether to wait for something to end, for a deadline, or for {@link #wake()}
   * @return how many requests ended
   */
  int turn(boolean mayWait);

  /** From any thread: the current or next waiting turn returns at once. */
  void wake();

  /** Requests in flight, and those abandoned to the kernel. */
  default int inFlight() {
    return ledger().inFlight();
  }

  default int held() {
    return ledger().held();
  }

  /**
   * Ends the engine without waiting for what the kernel holds; its memory is then left alone for
   * ever.
   */
  @Override
  void close();
}
