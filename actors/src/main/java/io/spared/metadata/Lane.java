package io.spared.metadata;

import io.spared.ffi.Errno;
import io.spared.ffi.engine.Completions;
import io.spared.ffi.engine.DiskPort;
import io.spared.ffi.engine.Engine;
import io.spared.ffi.engine.IoBuffer;
import io.spared.ffi.engine.IoRequest;
import java.nio.ByteBuffer;
import java.nio.ByteOrder;
import org.jspecify.annotations.Nullable;

/**
 * One request at a time with one buffer. A request that was abandoned keeps both from being used
 * until the kernel lets go: {@link #isFree()} is false until then.
 */
final class Lane {
  /** Hears of the end of the request, and once more with RELEASED after an abandoned one. */
  interface Ended {
    void ended(IoRequest.Outcome outcome, String reason);
  }

  private final Engine engine;
  private final int bufferBytes;
  private final boolean lasting;
  private final IoRequest request;
  private @Nullable IoBuffer buffer;
  private @Nullable DiskPort port;
  private @Nullable Ended handler;
  private boolean inFlight;

  /**
   * @param lasting it is kept while it has no buffer and nothing in flight
   */
  Lane(Engine engine, Completions completions, int bufferBytes, boolean lasting) {
    this.lasting = lasting;
    this.engine = engine;
    this.bufferBytes = bufferBytes;
    this.request = new IoRequest(completions).attach(this);
  }

  boolean isFree() {
    return !inFlight && !request.held();
  }

  /** In flight and not abandoned. */
  boolean isInFlight() {
    return inFlight;
  }

  boolean isLasting() {
    return lasting;
  }

  /** Whether it has a buffer, and so is in use by somebody. */
  boolean isOpen() {
    return buffer != null;
  }

  boolean isHeld() {
    return request.held();
  }

  /** The buffer, whole; null when the pool has none now. Only while the lane is free. */
  @Nullable ByteBuffer buffer() {
    IoBuffer mine = buffer;
    if (mine == null) {
      mine = engine.buffers().take(bufferBytes);
      buffer = mine;
    }
    if (mine == null) {
      return null;
    }
    ByteBuffer bytes = mine.bytes().duplicate().order(ByteOrder.LITTLE_ENDIAN);
    return bytes.clear().limit(bufferBytes);
  }

  /** Writes the first bytes of the buffer, durably. */
  void write(DiskPort to, long offsetBytes, int lengthBytes, long deadlineNanos, Ended ended) {
    submit(IoRequest.Operation.WRITE, to, offsetBytes, lengthBytes, deadlineNanos, ended);
  }

  /** Reads into the buffer from its beginning. */
  void read(DiskPort from, long offsetBytes, int lengthBytes, long deadlineNanos, Ended ended) {
    submit(IoRequest.Operation.READ, from, offsetBytes, lengthBytes, deadlineNanos, ended);
  }

  private void submit(
      IoRequest.Operation operation,
      DiskPort disk,
      long offsetBytes,
      int lengthBytes,
      long deadlineNanos,
      Ended ended) {
    IoBuffer mine = buffer;
    if (mine == null || !isFree()) {
      throw new IllegalStateException("a lane that is not free was used");
    }
    request.transfer(operation, offsetBytes, mine, 0, lengthBytes, deadlineNanos);
    if (operation == IoRequest.Operation.WRITE) {
      request.durable();
    }
    port = disk;
    handler = ended;
    inFlight = true;
    disk.submit(request);
  }

  /** Called for each end of the request that completions bring. */
  void ended(IoRequest.Outcome outcome) {
    inFlight = false;
    Ended who = handler;
    if (who == null) {
      return;
    }
    String reason =
        switch (outcome) {
          case TIMED_OUT -> "no answer in time";
          case CANCELLED -> "given up";
          case FAILED, RELEASED -> kernelsWord();
          case IDLE, IN_FLIGHT, DONE -> "";
        };
    who.ended(outcome, reason);
  }

  /** Why the transfer was not done whole; empty when it was. */
  private String kernelsWord() {
    Errno errno = request.errno();
    if (errno != null) {
      return errno + ", " + errno.meaning();
    }
    return request.transferredBytes() == request.lengthBytes()
        ? ""
        : "only " + request.transferredBytes() + " bytes were moved";
  }

  /** Asks the kernel to give the request up. */
  void cancel() {
    DiskPort disk = port;
    if (inFlight && disk != null) {
      disk.cancel(request);
    }
  }

  /** Gives the buffer back; one under an abandoned request goes back when the kernel lets go. */
  void close() {
    IoBuffer mine = buffer;
    if (mine != null) {
      buffer = null;
      mine.release();
    }
  }
}
