package io.spared.ublk;

import io.spared.ffi.Errno;
import io.spared.ffi.ublk.UblkQueuePort;
import io.spared.queue.DeviceRequest;

/**
 * What is committed for a request that has ended: all of it, or an error.
 *
 * <p>The driver takes a count of bytes for READ and WRITE, and what a count below the request's
 * length means depends on the kernel: up to Linux 7.2 the rest came again as a request of its own,
 * but where the server copies ("user copy") the driver of 7.3 ends the whole request as done. A
 * program then has memory that nobody filled, or believes in a write that did not happen. So a
 * count is committed only for a request of which every byte was moved; one that failed anywhere
 * fails as a whole, whatever is known of its parts.
 */
final class UblkResults {
  private UblkResults() {}

  static int of(DeviceRequest request) {
    Errno errno = request.errno();
    if (errno != null) {
      return UblkQueuePort.failure(errno);
    }
    return switch (request.operation()) {
      case READ, WRITE -> (int) request.lengthBytes();
      case FLUSH, DISCARD, WRITE_ZEROES -> 0;
    };
  }
}
