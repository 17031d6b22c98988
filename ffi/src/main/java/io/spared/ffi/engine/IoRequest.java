package io.spared.ffi.engine;

import io.spared.ffi.Errno;
import org.jspecify.annotations.Nullable;

/**
 * One request to a disk or a socket: a mutable object that its owner keeps and uses again, so that
 * an I/O allocates nothing.
 *
 * <p>It ends exactly once for its owner: it appears in its {@link Completions} as DONE, FAILED,
 * TIMED_OUT or CANCELLED. If the kernel still holds it then ({@link #held()}), it appears there
 * once more, later, as RELEASED, with what the kernel said at last; until that moment neither the
 * request nor its buffer may be used again. The buffer takes care of itself: an engine retains it
 * when the request is submitted and releases it when the kernel lets go.
 */
public final class IoRequest {
  /** What is asked for. */
  public enum Operation {
    READ,
    WRITE,
    /** Everything acknowledged before becomes durable. */
    FLUSH,
    DISCARD,
    WRITE_ZEROES,
    RECEIVE,
    SEND,
    ACCEPT,
    CONNECT,
    /** A command to a driver (ublk). */
    COMMAND,
    /** Nothing: completes by itself; for measurements and for deadlines of the owner's own. */
    NOTHING
  }

  /** How it stands. */
  public enum Outcome {
    /** Not submitted, or its owner has taken its result. */
    IDLE,
    IN_FLIGHT,
    /**
     * For disks: all bytes were moved. For sockets: {@link #transferredBytes()} were, and 0 means
     * that the peer closed.
     */
    DONE,
    FAILED,
    TIMED_OUT,
    CANCELLED,
    /** The kernel let go of a request that had already ended for its owner. */
    RELEASED
  }

  private final Completions completions;
  private @Nullable Object attachment;

  private Operation operation = Operation.NOTHING;
  private long offsetBytes;
  private int lengthBytes;
  private @Nullable IoBuffer buffer;
  private int bufferOffsetBytes;
  private boolean durable;
  private boolean withoutHoles;
  private long deadlineNanos;

  private Outcome outcome = Outcome.IDLE;
  private int transferredBytes;
  private @Nullable Errno errno;
  private boolean held;
  private @Nullable Object result;

  /** For engines: their own bookkeeping for this request while it is in flight. */
  public @Nullable Object engineState;

  /** For engines: a number of their own. */
  public int engineSlot = -1;

  public IoRequest(Completions completions) {
    this.completions = completions;
  }

  /** Prepares a transfer. The deadline is in the engine's {@link Engine#nanoTime()}. */
  public IoRequest transfer(
      Operation operation,
      long offsetBytes,
      IoBuffer buffer,
      int bufferOffsetBytes,
      int lengthBytes,
      long deadlineNanos) {
    prepare(operation, offsetBytes, lengthBytes, deadlineNanos);
    this.buffer = buffer;
    this.bufferOffsetBytes = bufferOffsetBytes;
    return this;
  }

  /**
   * Prepares an operation that moves no bytes: FLUSH, DISCARD, WRITE_ZEROES (lengths up to 2^31-1),
   * NOTHING.
   */
  public IoRequest plain(
      Operation operation, long offsetBytes, int lengthBytes, long deadlineNanos) {
    prepare(operation, offsetBytes, lengthBytes, deadlineNanos);
    return this;
  }

  private void prepare(Operation operation, long offsetBytes, int lengthBytes, long deadlineNanos) {
    if (outcome == Outcome.IN_FLIGHT || held) {
      throw new IllegalStateException("request used again before it ended: " + this);
    }
    this.operation = operation;
    this.offsetBytes = offsetBytes;
    this.lengthBytes = lengthBytes;
    this.deadlineNanos = deadlineNanos;
    this.buffer = null;
    this.bufferOffsetBytes = 0;
    this.durable = false;
    this.withoutHoles = false;
    this.outcome = Outcome.IDLE;
    this.transferredBytes = 0;
    this.errno = null;
    this.result = null;
  }

  /** A write that is durable when it is done (RWF_DSYNC). */
  public IoRequest durable() {
    durable = true;
    return this;
  }

  /** WRITE_ZEROES that leave the range allocated, so that later writes there cannot lack room. */
  public IoRequest withoutHoles() {
    withoutHoles = true;
    return this;
  }

  public IoRequest attach(@Nullable Object attachment) {
    this.attachment = attachment;
    return this;
  }

  public Completions completions() {
    return completions;
  }

  public @Nullable Object attachment() {
    return attachment;
  }

  public Operation operation() {
    return operation;
  }

  public long offsetBytes() {
    return offsetBytes;
  }

  public int lengthBytes() {
    return lengthBytes;
  }

  public @Nullable IoBuffer buffer() {
    return buffer;
  }

  public int bufferOffsetBytes() {
    return bufferOffsetBytes;
  }

  public boolean isDurable() {
    return durable;
  }

  public boolean isWithoutHoles() {
    return withoutHoles;
  }

  public long deadlineNanos() {
    return deadlineNanos;
  }

  public Outcome outcome() {
    return outcome;
  }

  public int transferredBytes() {
    return transferredBytes;
  }

  /** Why it FAILED (or what the kernel said at last, for RELEASED); null otherwise. */
  public @Nullable Errno errno() {
    return errno;
  }

  /** True from an end without the kernel's word until RELEASED. */
  public boolean held() {
    return held;
  }

  /** What an ACCEPT or a COMMAND brought. */
  public @Nullable Object result() {
    return result;
  }

  /** For engines: the request is on its way. Retains the buffer. */
  public void submitted() {
    if (outcome == Outcome.IN_FLIGHT || held) {
      throw new IllegalStateException("submitted twice: " + this);
    }
    outcome = Outcome.IN_FLIGHT;
    IoBuffer b = buffer;
    if (b != null) {
      b.retain();
    }
  }

  /** For engines: the kernel's word. Delivers DONE or FAILED, or RELEASED after an earlier end. */
  public void ended(int transferredBytes, @Nullable Errno errno, @Nullable Object result) {
    IoBuffer b = buffer;
    if (held) {
      held = false;
      outcome = Outcome.RELEASED;
    } else {
      if (outcome != Outcome.IN_FLIGHT) {
        throw new IllegalStateException("ended twice: " + this);
      }
      outcome = errno == null ? Outcome.DONE : Outcome.FAILED;
    }
    this.transferredBytes = transferredBytes;
    this.errno = errno;
    this.result = result;
    if (b != null) {
      b.release();
    }
    completions.add(this);
  }

  /** For engines: ends for the owner while the kernel may still carry it out. */
  public void abandoned(Outcome timedOutOrCancelled) {
    if (outcome != Outcome.IN_FLIGHT) {
      throw new IllegalStateException("abandoned when not in flight: " + this);
    }
    outcome = timedOutOrCancelled;
    held = true;
    completions.add(this);
  }

  /** For engines: ends for the owner, and the kernel never had it or has let go. */
  public void endedWithoutTransfer(Outcome timedOutOrCancelled) {
    if (outcome != Outcome.IN_FLIGHT) {
      throw new IllegalStateException("ended when not in flight: " + this);
    }
    outcome = timedOutOrCancelled;
    IoBuffer b = buffer;
    if (b != null) {
      b.release();
    }
    completions.add(this);
  }

  @Override
  public String toString() {
    return operation
        + " "
        + lengthBytes
        + " bytes at "
        + offsetBytes
        + ": "
        + outcome
        + (errno == null ? "" : " " + errno)
        + (held ? ", held by the kernel" : "");
  }
}
