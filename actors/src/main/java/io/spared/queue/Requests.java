package io.spared.queue;

import io.spared.ffi.Errno;
import io.spared.ffi.engine.IoBuffer;
import java.util.ArrayDeque;
import org.jspecify.annotations.Nullable;

/**
 * The requests of one queue: those that the host may prepare, and those that it submitted, in a
 * list that costs nothing to join or leave. Each submitted one ends once, and is then the host's
 * again, unless the host is gone.
 */
final class Requests {
  private final QueueContext context;
  private final Turn turn;
  private final QueueHost host;
  private final QueueStatistics statistics = new QueueStatistics();
  private final ArrayDeque<DeviceRequest> pool = new ArrayDeque<>();
  private @Nullable DeviceRequest newest;
  private int out;
  private int unfinished;
  private int begun;
  private boolean hostGone;

  Requests(QueueContext context, Turn turn, QueueHost host) {
    this.context = context;
    this.turn = turn;
    this.host = host;
  }

  /** Null when {@link QueuePolicy#requestsMax} are out. */
  @Nullable DeviceRequest prepare() {
    DeviceRequest request = pool.pollLast();
    if (request != null) {
      out++;
      return request;
    }
    if (out >= turn.policy().requestsMax()) {
      return null;
    }
    out++;
    return new DeviceRequest();
  }

  void recycle(DeviceRequest request) {
    if (request.submitted) {
      throw new IllegalStateException("given back before it ended: " + request);
    }
    request.buffer = null;
    out--;
    if (out + pool.size() < turn.policy().requestsMax()) {
      pool.addLast(request);
    }
  }

  /** Whether it lies within the device, in whole sectors, and its buffer has the room. */
  boolean isValid(DeviceRequest request) {
    if (request.operation == DeviceRequest.Operation.FLUSH) {
      return true;
    }
    long deviceBytes = context.geometry().deviceBytes();
    int sectorBytes = context.geometry().sectorBytes();
    if (request.offsetBytes < 0
        || request.lengthBytes <= 0
        || request.lengthBytes > deviceBytes
        || request.offsetBytes > deviceBytes - request.lengthBytes
        || ((request.offsetBytes | request.lengthBytes) & (sectorBytes - 1)) != 0) {
      return false;
    }
    if (request.operation != DeviceRequest.Operation.READ
        && request.operation != DeviceRequest.Operation.WRITE) {
      return true;
    }
    IoBuffer buffer = request.buffer;
    return buffer != null
        && request.bufferOffsetBytes >= 0
        && request.bufferOffsetBytes + request.lengthBytes <= buffer.capacityBytes();
  }

  /** It is the queue's from here on. */
  void take(DeviceRequest request) {
    request.submitted = true;
    request.begun = false;
    request.previous = newest;
    request.next = null;
    if (newest != null) {
      newest.next = request;
    }
    newest = request;
    unfinished++;
  }

  void begin(DeviceRequest request) {
    request.begun = true;
    begun++;
  }

  void end(DeviceRequest request) {
    unlink(request);
    giveBack(request);
  }

  /** It is not taken. */
  void refuse(DeviceRequest request, Errno errno) {
    request.fail(errno, request.offsetBytes, request.lengthBytes);
    giveBack(request);
  }

  void endFailed(DeviceRequest request, Errno errno) {
    request.fail(errno, request.offsetBytes, request.lengthBytes);
    end(request);
  }

  void endAllFailed(Errno errno) {
    DeviceRequest request = newest;
    while (request != null) {
      endFailed(request, errno);
      request = newest;
    }
  }

  private void giveBack(DeviceRequest request) {
    statistics.ended(request, turn.nowNanos());
    if (!hostGone) {
      host.completed(request);
    }
  }

  private void unlink(DeviceRequest request) {
    DeviceRequest previous = request.previous;
    DeviceRequest next = request.next;
    if (previous != null) {
      previous.next = next;
    }
    if (next != null) {
      next.previous = previous;
    } else {
      newest = previous;
    }
    request.previous = null;
    request.next = null;
    request.submitted = false;
    unfinished--;
    if (request.begun) {
      begun--;
    }
  }

  /** Submitted and not ended. */
  int unfinished() {
    return unfinished;
  }

  /** Begun and not ended: a frozen queue waits for these. */
  int begun() {
    return begun;
  }

  QueueCounts counts() {
    return statistics.now();
  }

  void hostIsGone() {
    hostGone = true;
  }

  boolean isHostGone() {
    return hostGone;
  }
}
