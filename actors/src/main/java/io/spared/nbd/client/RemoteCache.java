package io.spared.nbd.client;

import java.util.concurrent.atomic.AtomicBoolean;
import java.util.concurrent.atomic.AtomicLong;

/**
 * What a remote export acknowledged and may still lose, counted over all connections to it.
 *
 * <p>A connection that breaks may mean that the server died, and with it what it had acknowledged
 * and not flushed. A new server flushes happily what it never had. So when a connection breaks
 * while anything acknowledged is unflushed, every later flush fails until the disk is opened anew
 * (invariant 10). Only a flush that began after a write was acknowledged covers it, hence the count
 * taken at its begin.
 */
final class RemoteCache {
  private final AtomicLong acknowledged = new AtomicLong();
  private final AtomicLong flushed = new AtomicLong();
  private final AtomicBoolean lost = new AtomicBoolean();

  void writeAcknowledged() {
    acknowledged.incrementAndGet();
  }

  /** The count to give back to {@link #flushEnded}. */
  long flushBegins() {
    return acknowledged.get();
  }

  void flushEnded(long countAtBegin) {
    flushed.accumulateAndGet(countAtBegin, Math::max);
  }

  void connectionBroke() {
    if (acknowledged.get() > flushed.get()) {
      lost.set(true);
    }
  }

  boolean mayHaveLost() {
    return lost.get();
  }
}
