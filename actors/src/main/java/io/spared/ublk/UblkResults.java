package io.spared.ublk;

import io.spared.ffi.Errno;
import io.spared.ffi.ublk.UblkQueuePort;
import io.spared.queue.DeviceRequest;

/**
 * What is committed for a request that has ended.
 *
 * <p>The driver takes a count of bytes for READ and WRITE: a short count completes that much, and
 * the rest comes again as a request of its own. So a request that failed in a part is answered with
 * what lies before the first bad byte, and the program above is told of the error where it is. A
 * count of 0 would have a WRITE repeated for ever, and is never given.
 */
final class UblkResults {
  private UblkResults() {}

  static int of(DeviceRequest request) {
    Errno errno = request.errno();
    boolean moves =
        request.operation() == DeviceRequest.Operation.READ
            || request.operation() == DeviceRequest.Operation.WRITE;
    if (errno == null) {
      return moves ? (int) request.lengthBytes() : 0;
    }
    if (!moves || request.badRangeCount() == 0) {
      return UblkQueuePort.failure(errno);
    }
    long firstBad = Long.MAX_VALUE;
    for (int i = 0; i < request.badRangeCount(); i++) {
      firstBad = Math.min(firstBad, request.badOffsetBytes(i));
    }
    long good = Math.min(firstBad - request.offsetBytes(), request.lengthBytes());
    return good > 0 ? (int) good : UblkQueuePort.failure(errno);
  }
}
