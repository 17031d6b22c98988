package io.spared.device;

import io.spared.ffi.disk.Disk;
import io.spared.ffi.engine.Completions;
import io.spared.ffi.engine.DiskPort;
import io.spared.ffi.engine.Engine;
import io.spared.ffi.engine.IoBuffer;
import io.spared.ffi.engine.IoRequest;
import io.spared.format.CopyLayout;
import java.nio.ByteBuffer;
import java.nio.ByteOrder;
import org.jspecify.annotations.Nullable;

/**
 * Reads and durable writes of one unit of a disk, on the device's own ring: for labels, marks, and
 * looking whether a place is free. The buffer of a request goes back when the request has ended,
 * and not before: one that the kernel holds on to keeps its own.
 */
final class UnitTransfers {
  /** What became of a transfer. */
  interface Answered {
    /** It ended; the bytes are what was read or written, or none where it failed. */
    void ended(IoRequest.Operation operation, long offsetBytes, boolean done, ByteBuffer bytes);
  }

  private final Run run;
  private final Answered asker;
  private final Completions completions;
  private @Nullable DiskPort port;

  /** The signal tells the device to call {@link #answered}. */
  UnitTransfers(Run run, Runnable signal, Answered asker) {
    this.run = run;
    this.asker = asker;
    this.completions = new Completions(signal);
  }

  void attach(Disk disk) {
    port = run.attach(disk);
  }

  void detach() {
    DiskPort attached = port;
    port = null;
    if (attached != null) {
      attached.detach();
    }
  }

  /** Returns false, and does nothing, where there is no memory for it now. */
  boolean read(long offsetBytes) {
    return transfer(IoRequest.Operation.READ, offsetBytes, null);
  }

  /** The same; durable once it is answered. */
  boolean write(long offsetBytes, ByteBuffer bytes) {
    return transfer(IoRequest.Operation.WRITE, offsetBytes, bytes);
  }

  private boolean transfer(
      IoRequest.Operation operation, long offsetBytes, @Nullable ByteBuffer bytes) {
    Engine engine = run.parts.home().engine();
    DiskPort on = port;
    IoBuffer buffer = on == null ? null : engine.buffers().take(CopyLayout.UNIT_BYTES);
    if (on == null || buffer == null) {
      return false;
    }
    if (bytes != null) {
      buffer.bytes().duplicate().clear().put(bytes.duplicate().rewind());
    }
    IoRequest request =
        new IoRequest(completions)
            .transfer(
                operation,
                offsetBytes,
                buffer,
                0,
                CopyLayout.UNIT_BYTES,
                engine.nanoTime() + run.settings.deadlines().request().toNanos())
            .attach(buffer);
    on.submit(bytes == null ? request : request.durable());
    return true;
  }

  /** Takes what has ended. */
  void answered() {
    for (IoRequest ended = completions.next(); ended != null; ended = completions.next()) {
      if (completions.lastOutcome() == IoRequest.Outcome.RELEASED
          || !(ended.attachment() instanceof IoBuffer buffer)) {
        continue;
      }
      boolean done = completions.lastOutcome() == IoRequest.Outcome.DONE;
      ByteBuffer bytes = ByteBuffer.allocate(done ? CopyLayout.UNIT_BYTES : 0);
      if (done) {
        bytes.put(buffer.bytes().duplicate().clear().limit(CopyLayout.UNIT_BYTES)).flip();
      }
      buffer.release();
      asker.ended(
          ended.operation(), ended.offsetBytes(), done, bytes.order(ByteOrder.LITTLE_ENDIAN));
    }
  }
}
