package io.spared.device;

import io.spared.ffi.engine.Completions;
import io.spared.ffi.engine.DiskPort;
import io.spared.ffi.engine.Engine;
import io.spared.ffi.engine.IoBuffer;
import io.spared.ffi.engine.IoRequest;
import io.spared.format.Reading;
import java.nio.ByteBuffer;
import java.util.Optional;

/** Carries a {@link Reading} out over a port, one request at a time, within a deadline. */
final class DiskReading {
  private final Reading reading;
  private final DiskPort port;
  private final Engine engine;
  private final long deadlineNanos;
  private final Completions completions;
  private final Runnable whenDone;

  /**
   * @param signal tells the device to call {@link #answered}
   */
  DiskReading(
      Reading reading,
      DiskPort port,
      Engine engine,
      long deadlineNanos,
      Runnable signal,
      Runnable whenDone) {
    this.reading = reading;
    this.port = port;
    this.engine = engine;
    this.deadlineNanos = deadlineNanos;
    this.completions = new Completions(signal);
    this.whenDone = whenDone;
  }

  void begin() {
    advance();
  }

  private void advance() {
    Optional<Reading.Step> step = reading.next();
    while (step.isPresent()) {
      IoBuffer buffer = engine.buffers().take(step.get().lengthBytes());
      if (buffer != null) {
        port.submit(
            new IoRequest(completions)
                .transfer(
                    IoRequest.Operation.READ,
                    step.get().offsetBytes(),
                    buffer,
                    0,
                    step.get().lengthBytes(),
                    deadlineNanos)
                .attach(buffer));
        return;
      }
      reading.failed("there is no memory to read it");
      step = reading.next();
    }
    port.detach();
    whenDone.run();
  }

  /** Takes what has ended and goes on. */
  void answered() {
    for (IoRequest request = completions.next(); request != null; request = completions.next()) {
      IoRequest.Outcome outcome = completions.lastOutcome();
      if (outcome == IoRequest.Outcome.RELEASED
          || !(request.attachment() instanceof IoBuffer buffer)) {
        continue;
      }
      if (outcome == IoRequest.Outcome.DONE) {
        byte[] bytes = new byte[request.lengthBytes()];
        buffer.bytes().get(0, bytes);
        buffer.release();
        reading.accept(ByteBuffer.wrap(bytes));
      } else {
        buffer.release();
        reading.failed("it does not answer as it should");
      }
      advance();
    }
  }
}
