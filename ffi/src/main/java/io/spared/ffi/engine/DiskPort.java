package io.spared.ffi.engine;

/** One disk as seen from one engine. Used on the engine's thread only. */
public interface DiskPort {
  /**
   * Takes a prepared READ, WRITE, FLUSH, DISCARD or WRITE_ZEROES. It never throws for what a disk
   * may do and never completes within the call: the end comes in a later signal. Short transfers
   * are continued inside; DONE means all of it.
   */
  void submit(IoRequest request);

  /**
   * Whether it takes buffers without memory ({@link IoBuffer#hasMemory}): ports of the engine's own
   * ring do.
   */
  default boolean takesPages() {
    return false;
  }

  /**
   * Asks the kernel to give a request up. It ends once, as CANCELLED or with whatever came first.
   */
  void cancel(IoRequest request);

  /** No more requests from here; those in flight end as they end. */
  void detach();

  /**
   * Runs a task on the engine's thread once this port is detached and the last of its requests has
   * come back, those that were abandoned too: from then on nothing that was asked for here changes
   * the disk. Never, if the engine is closed before. One task for each port, named before the port
   * is used.
   */
  void whenLeft(Runnable task);
}
