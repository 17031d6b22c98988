package io.spared.bench;

import io.spared.ffi.engine.Completions;
import io.spared.ffi.engine.DiskPort;
import io.spared.ffi.engine.Engine;
import io.spared.ffi.engine.IoBuffer;
import io.spared.ffi.engine.IoRequest;
import io.spared.ffi.engine.IoRequest.Operation;
import io.spared.ffi.engine.IoRequest.Outcome;

/**
 * 4 KiB requests at random places of a disk, always so many at once; drained and submitted again by
 * {@link #drain}, on the engine's thread.
 */
final class RingLoad {
  private static final int BLOCK_BYTES = 4096;
  private static final long DEADLINE_NANOS = 30_000_000_000L;

  private final Engine engine;
  private final DiskPort port;
  private final Operation operation;
  private final long blocks;
  private final IoRequest[] requests;
  private final IoBuffer[] buffers;
  private final Completions completions;
  private long state = 0x9e37_79b9_7f4a_7c15L;
  private long done;
  private boolean stopping;
  private int inFlight;

  RingLoad(
      Engine engine,
      DiskPort port,
      Operation operation,
      long diskBytes,
      int depth,
      Runnable signal) {
    this.engine = engine;
    this.port = port;
    this.operation = operation;
    this.blocks = diskBytes / BLOCK_BYTES;
    this.completions = new Completions(signal);
    this.requests = new IoRequest[depth];
    this.buffers = new IoBuffer[depth];
    for (int i = 0; i < depth; i++) {
      IoBuffer buffer = engine.buffers().take(BLOCK_BYTES);
      if (buffer == null) {
        throw new IllegalStateException("the slab is too small for depth " + depth);
      }
      buffers[i] = buffer;
      requests[i] = new IoRequest(completions);
    }
  }

  void begin() {
    long deadline = engine.nanoTime() + DEADLINE_NANOS;
    for (int i = 0; i < requests.length; i++) {
      submit(requests[i], buffers[i], deadline);
    }
  }

  private void submit(IoRequest request, IoBuffer buffer, long deadlineNanos) {
    state ^= state << 13;
    state ^= state >>> 7;
    state ^= state << 17;
    long block = Long.remainderUnsigned(state, blocks);
    request.transfer(operation, block * BLOCK_BYTES, buffer, 0, BLOCK_BYTES, deadlineNanos);
    port.submit(request);
    inFlight++;
  }

  void drain() {
    long deadline = engine.nanoTime() + DEADLINE_NANOS;
    IoRequest request = completions.next();
    while (request != null) {
      if (request.outcome() != Outcome.DONE) {
        throw new IllegalStateException(request.toString());
      }
      inFlight--;
      done++;
      IoBuffer buffer = request.buffer();
      if (!stopping && buffer != null) {
        submit(request, buffer, deadline);
      }
      request = completions.next();
    }
  }

  long done() {
    return done;
  }

  void stop() {
    stopping = true;
  }

  boolean isIdle() {
    return inFlight == 0;
  }

  void release() {
    for (IoBuffer buffer : buffers) {
      buffer.release();
    }
  }
}
