package io.spared.device;

import io.spared.ffi.Errno;
import io.spared.ffi.engine.Completions;
import io.spared.ffi.engine.DiskPort;
import io.spared.ffi.engine.IoRequest;
import java.util.ArrayList;
import java.util.List;
import java.util.Map;
import java.util.TreeMap;
import org.jspecify.annotations.Nullable;

/**
 * Flushes all disks of a device at once, for a freeze or the end. Every flush is a request of its
 * own, made anew: one that the kernel still holds is left to it and never used again.
 */
final class DiskFlushes {
  private final Completions completions;
  private final Map<String, DiskPort> ports;
  private int awaited;
  private List<String> failures = new ArrayList<>();
  private @Nullable Runnable whenDone;

  /**
   * @param signal tells the device to call {@link #answered}
   */
  DiskFlushes(Map<String, DiskPort> ports, Runnable signal) {
    this.ports = new TreeMap<>(ports);
    this.completions = new Completions(signal);
  }

  boolean isRunning() {
    return awaited > 0;
  }

  /** One more disk, from the next flush on. */
  void add(String role, DiskPort port) {
    ports.put(role, port);
  }

  void remove(String role) {
    DiskPort port = ports.remove(role);
    if (port != null) {
      port.detach();
    }
  }

  /** Begins; at most one at a time. */
  void begin(long deadlineNanos, Runnable whenDone) {
    if (awaited > 0) {
      throw new IllegalStateException("flushed twice at once");
    }
    this.whenDone = whenDone;
    failures = new ArrayList<>();
    awaited = ports.size();
    for (Map.Entry<String, DiskPort> port : ports.entrySet()) {
      port.getValue()
          .submit(
              new IoRequest(completions)
                  .plain(IoRequest.Operation.FLUSH, 0, 0, deadlineNanos)
                  .attach(port.getKey()));
    }
    if (awaited == 0) {
      whenDone.run();
    }
  }

  /** Takes what has ended. */
  void answered() {
    for (IoRequest request = completions.next(); request != null; request = completions.next()) {
      switch (completions.lastOutcome()) {
        case DONE -> awaited--;
        case FAILED, TIMED_OUT, CANCELLED -> {
          awaited--;
          Errno errno = request.errno();
          failures.add(
              request.attachment()
                  + ": "
                  + (errno == null ? "does not answer" : errno + ", " + errno.meaning()));
        }
        case RELEASED, IDLE, IN_FLIGHT -> {
          continue;
        }
      }
      if (awaited == 0) {
        Runnable done = whenDone;
        whenDone = null;
        if (done != null) {
          done.run();
        }
      }
    }
  }

  /** Which disks could not be flushed the last time, and why. */
  List<String> failures() {
    return List.copyOf(failures);
  }

  void detach() {
    ports.values().forEach(DiskPort::detach);
  }
}
