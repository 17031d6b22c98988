package io.spared.app.offline;

import io.spared.ffi.Errno;
import io.spared.ffi.disk.Disk;
import io.spared.ffi.engine.Completions;
import io.spared.ffi.engine.DiskPort;
import io.spared.ffi.engine.Engine;
import io.spared.ffi.engine.IoBuffer;
import io.spared.ffi.engine.IoRequest;
import io.spared.format.DiskBytes;
import java.io.IOException;
import java.nio.ByteBuffer;
import java.nio.ByteOrder;
import java.time.Duration;

/**
 * One open disk for a tool that may wait: each transfer is submitted and its engine turned until it
 * has ended, within a deadline.
 */
public final class OfflineDisk implements DiskBytes {
  /** Above a drive's own recovery time. */
  private static final Duration DEADLINE = Duration.ofSeconds(60);

  private static final int CHUNK_BYTES = 256 << 10;

  private final Disk disk;
  private final Engine engine;
  private final DiskPort port;
  private final Completions completions = new Completions(() -> {});

  OfflineDisk(Disk disk, Engine engine) {
    this.disk = disk;
    this.engine = engine;
    this.port = disk.attach(engine);
  }

  public Disk disk() {
    return disk;
  }

  @Override
  public long sizeBytes() {
    return disk.geometry().sizeBytes();
  }

  @Override
  public ByteBuffer read(long offsetBytes, int lengthBytes) throws IOException {
    ByteBuffer all = ByteBuffer.allocate(lengthBytes).order(ByteOrder.LITTLE_ENDIAN);
    for (int done = 0; done < lengthBytes; done += CHUNK_BYTES) {
      int length = Math.min(CHUNK_BYTES, lengthBytes - done);
      IoBuffer buffer = take(length);
      try {
        transfer(IoRequest.Operation.READ, offsetBytes + done, buffer, length);
        all.put(buffer.bytes().duplicate().clear().limit(length));
      } finally {
        buffer.release();
      }
    }
    return all.flip();
  }

  @Override
  public void write(long offsetBytes, ByteBuffer bytes) throws IOException {
    ByteBuffer rest = bytes.duplicate();
    long at = offsetBytes;
    while (rest.hasRemaining()) {
      int length = Math.min(CHUNK_BYTES, rest.remaining());
      IoBuffer buffer = take(length);
      try {
        buffer.bytes().duplicate().clear().put(rest.slice(rest.position(), length));
        transfer(IoRequest.Operation.WRITE, at, buffer, length);
      } finally {
        buffer.release();
      }
      rest.position(rest.position() + length);
      at += length;
    }
  }

  private IoBuffer take(int length) throws IOException {
    IoBuffer buffer = engine.buffers().take(length);
    if (buffer == null) {
      throw new IOException("no memory for " + length + " bytes");
    }
    return buffer;
  }

  private void transfer(
      IoRequest.Operation operation, long offsetBytes, IoBuffer buffer, int length)
      throws IOException {
    IoRequest request =
        new IoRequest(completions)
            .transfer(
                operation, offsetBytes, buffer, 0, length, engine.nanoTime() + DEADLINE.toNanos());
    await(operation == IoRequest.Operation.WRITE ? request.durable() : request);
  }

  /** What others wrote to the disk is durable too; its own writes are anyway. */
  public void flush() throws IOException {
    await(
        new IoRequest(completions)
            .plain(IoRequest.Operation.FLUSH, 0, 0, engine.nanoTime() + DEADLINE.toNanos()));
  }

  private void await(IoRequest request) throws IOException {
    port.submit(request);
    while (true) {
      engine.turn(true);
      for (IoRequest ended = completions.next(); ended != null; ended = completions.next()) {
        if (ended.equals(request)) {
          if (completions.lastOutcome() == IoRequest.Outcome.DONE) {
            return;
          }
          Errno errno = ended.errno();
          throw new IOException(
              disk.address()
                  + ": "
                  + switch (request.operation()) {
                    case READ -> "reading at " + request.offsetBytes();
                    case FLUSH -> "flushing";
                    default -> "writing at " + request.offsetBytes();
                  }
                  + ": "
                  + (errno == null ? "the disk does not answer" : errno.meaning()));
        }
      }
    }
  }

  void close() {
    port.detach();
    disk.close();
  }
}
