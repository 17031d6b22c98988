package io.spared.ffi.engine;

import io.spared.ffi.libc.Descriptor;
import io.spared.ffi.libc.Libc;
import io.spared.ffi.libc.Memory;
import java.lang.ref.Reference;
import java.nio.ByteBuffer;

/** Waking through an eventfd from any thread. */
final class EventCounters {
  private static final ByteBuffer ONE = Memory.structure(8).putLong(0, 1);

  private EventCounters() {}

  /**
   * Wakes whoever waits for the counter. It is retained for the time of the call, so that a late
   * waker never writes into another file that got its number after the engine was closed.
   */
  static void raise(Descriptor counter) {
    try {
      counter.retain();
    } catch (IllegalStateException e) {
      // The engine is closed, and nobody waits.
      return;
    }
    try {
      Libc.write(counter, Memory.address(ONE), 8);
    } finally {
      counter.release();
      Reference.reachabilityFence(ONE);
    }
  }
}
