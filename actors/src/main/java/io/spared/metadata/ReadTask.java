package io.spared.metadata;

import io.spared.ffi.engine.DiskPort;
import io.spared.ffi.engine.IoRequest;
import io.spared.format.Reading;
import java.nio.ByteBuffer;
import java.util.Optional;

/**
 * Drives one {@link Reading} on one disk. After one read without an answer in time the disk is not
 * asked again: the rest fails at once, so that a hanging disk costs one deadline.
 */
final class ReadTask {
  /** What it needs from its surroundings. */
  interface Surroundings {
    long readDeadlineNanos();

    /** Runs this again when a buffer may be free. */
    void whenBufferMayBeFree(Runnable again);

    /** Runs this now, or after a pause where nothing is urgent. */
    void next(Runnable again);
  }

  private final Reading reading;
  private final DiskPort port;
  private final Lane lane;
  private final Surroundings surroundings;
  private final Runnable done;
  private boolean silent;
  private boolean cancelled;

  ReadTask(Reading reading, DiskPort port, Lane lane, Surroundings surroundings, Runnable done) {
    this.reading = reading;
    this.port = port;
    this.lane = lane;
    this.surroundings = surroundings;
    this.done = done;
  }

  void begin() {
    go();
  }

  /** What is in flight ends as it ends; nothing more is asked, and nobody is told. */
  void cancel() {
    cancelled = true;
    if (lane.isInFlight()) {
      lane.cancel();
    } else {
      lane.close();
    }
  }

  private void go() {
    while (!cancelled) {
      Optional<Reading.Step> step = reading.next();
      if (step.isEmpty()) {
        lane.close();
        done.run();
        return;
      }
      if (silent) {
        reading.failed("the disk did not answer before");
        continue;
      }
      if (lane.buffer() == null) {
        surroundings.whenBufferMayBeFree(this::go);
        return;
      }
      lane.read(
          port,
          step.get().offsetBytes(),
          step.get().lengthBytes(),
          surroundings.readDeadlineNanos(),
          (outcome, reason) -> ended(step.get(), outcome, reason));
      return;
    }
  }

  private void ended(Reading.Step step, IoRequest.Outcome outcome, String reason) {
    if (outcome == IoRequest.Outcome.RELEASED) {
      return;
    }
    if (cancelled) {
      lane.close();
      return;
    }
    ByteBuffer bytes = lane.isFree() ? lane.buffer() : null;
    if (outcome == IoRequest.Outcome.DONE && bytes != null) {
      reading.accept(bytes.limit(step.lengthBytes()));
    } else {
      silent = outcome != IoRequest.Outcome.FAILED;
      reading.failed(reason);
    }
    surroundings.next(this::go);
  }
}
