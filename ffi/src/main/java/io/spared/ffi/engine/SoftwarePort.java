package io.spared.ffi.engine;

import io.spared.ffi.Errno;
import org.jspecify.annotations.Nullable;

/**
 * A port of a disk made in software (memory, faults, a remote export): keeps the promises of {@link
 * DiskPort} about deadlines, cancelling and exactly one end, so that the disk only has to carry
 * requests out and say when.
 */
public abstract class SoftwarePort implements DiskPort, Ledger.Carrier {
  private final Engine engine;
  private boolean detached;
  private int carried;
  private boolean left;
  private Runnable whenLeft = () -> {};

  protected SoftwarePort(Engine engine) {
    this.engine = engine;
  }

  protected final Engine engine() {
    return engine;
  }

  /** Requests taken and not yet let go of. */
  protected final int carried() {
    return carried;
  }

  protected final boolean isDetached() {
    return detached;
  }

  /** Begins to carry the request out. It must not end within this call: see {@link #soon}. */
  protected abstract void begin(IoRequest request);

  /**
   * The owner gives the request up, by deadline or by cancelling. True when it is certain that it
   * will no longer touch the disk or its buffer: it then ends at once and must be forgotten. False
   * when it may still be carried out: it is held, and {@link #end} must be called when it is over.
   */
  protected abstract boolean giveUp(IoRequest request);

  /** Runs a task in the next turn. */
  protected final void soon(Runnable task) {
    engine.ledger().later(Long.MIN_VALUE, task);
  }

  /** The request is over: carried out whole when the errno is null. */
  protected final void end(IoRequest request, @Nullable Errno errno) {
    carried--;
    engine.ledger().end(request, errno == null ? request.lengthBytes() : 0, errno, null);
    leaveIfEmpty();
  }

  @Override
  public final void submit(IoRequest request) {
    engine.ledger().begin(request, this);
    carried++;
    if (detached) {
      end(request, Errno.ESHUTDOWN);
    } else {
      begin(request);
    }
  }

  @Override
  public final void cancel(IoRequest request) {
    if (request.outcome() == IoRequest.Outcome.IN_FLIGHT) {
      finish(request, IoRequest.Outcome.CANCELLED);
    }
  }

  @Override
  public final void overdue(IoRequest request) {
    finish(request, IoRequest.Outcome.TIMED_OUT);
  }

  private void finish(IoRequest request, IoRequest.Outcome outcome) {
    if (giveUp(request)) {
      carried--;
      engine.ledger().endWithoutTransfer(request, outcome);
      leaveIfEmpty();
    } else {
      engine.ledger().abandon(request, outcome);
    }
  }

  private void leaveIfEmpty() {
    if (detached && carried == 0 && !left) {
      left = true;
      idle();
      whenLeft.run();
    }
  }

  @Override
  public void whenLeft(Runnable task) {
    whenLeft = task;
  }

  @Override
  public final void detach() {
    if (!detached) {
      detached = true;
      leaving();
      leaveIfEmpty();
    }
  }

  /** Detached just now; what would be held for ever may be let go of. */
  protected void leaving() {}

  /** Detached, and nothing is carried any more. */
  protected void idle() {}
}
