package io.spared.ffi.engine;

import io.spared.ffi.Errno;
import io.spared.ffi.libc.Descriptor;
import io.spared.ffi.uring.UringNumbers;
import org.jspecify.annotations.Nullable;

/**
 * Whoever has requests on an engine's ring for one open file. It keeps the file open, and in the
 * ring's table, until it is detached and the last of its requests has come back: an entry that
 * names the file never reaches another.
 */
abstract class UringPort implements Ledger.Carrier {
  final UringEngine engine;
  private final Descriptor descriptor;
  private final int place;
  private int carried;
  private boolean detached;
  private boolean ended;
  private Runnable whenLeft = () -> {};

  UringPort(UringEngine engine, Descriptor descriptor) {
    this.engine = engine;
    this.descriptor = descriptor.retain();
    this.place = engine.files().add(this);
  }

  /** The file as entries name it: its place in the table, or its number when the table is full. */
  final int file() {
    return place >= 0 ? place : descriptor.number();
  }

  final int entryFlags() {
    return place >= 0 ? UringNumbers.IOSQE_FIXED_FILE : 0;
  }

  final Descriptor descriptor() {
    return descriptor;
  }

  final boolean isDetached() {
    return detached;
  }

  final int carried() {
    return carried;
  }

  /** Takes a request: false when it ended at once, since nothing is taken any more. */
  final boolean take(IoRequest request) {
    engine.begin(request, this);
    carried++;
    if (detached || descriptor.isClosed()) {
      end(request, 0, Errno.ESHUTDOWN, null);
      return false;
    }
    return true;
  }

  /** Pushes the entry for the request, or for the rest of it. There is room. */
  abstract void push(IoRequest request, int slot);

  /** The kernel's word about an entry of this request. */
  abstract void completed(IoRequest request, int slot, int result);

  /** Pushes, or queues the request for the next turn when the ring is full. */
  final void start(IoRequest request) {
    if (engine.isCancelling(request.engineSlot)) {
      engine.endCancelled(request, this);
    } else if (engine.roomFor(request)) {
      push(request, request.engineSlot);
    }
  }

  final void end(
      IoRequest request, int transferredBytes, @Nullable Errno errno, @Nullable Object result) {
    engine.ledger().end(request, transferredBytes, errno, result);
    endedOne();
  }

  final void endedOne() {
    carried--;
    if (detached && carried == 0) {
      left();
    }
  }

  public void whenLeft(Runnable task) {
    whenLeft = task;
  }

  private void left() {
    if (!ended) {
      leave();
      whenLeft.run();
    }
  }

  @Override
  public final void overdue(IoRequest request) {
    engine.overdue(request);
  }

  /** Takes no more requests; lets go of the file when the last one has come back. */
  public void detach() {
    if (!detached) {
      detached = true;
      if (carried == 0) {
        left();
      }
    }
  }

  /** Lets go of the file now: the engine is closed, and no entry will be submitted any more. */
  final void leave() {
    if (!ended) {
      ended = true;
      detached = true;
      engine.files().remove(this, place);
      descriptor.release();
    }
  }
}
