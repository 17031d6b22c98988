package io.spared.metadata;

import io.spared.ffi.Errno;
import io.spared.ffi.engine.BufferPool;
import io.spared.ffi.engine.DiskPort;
import io.spared.ffi.engine.Engine;
import io.spared.ffi.engine.IoBuffer;
import io.spared.ffi.engine.IoRequest;
import io.spared.ffi.engine.Ledger;
import io.spared.ffi.engine.Sockets;
import java.nio.ByteBuffer;
import java.util.ArrayList;
import java.util.List;
import java.util.function.Consumer;
import org.jspecify.annotations.Nullable;

/**
 * An engine over copies in memory that does one thing at a time: each request ends when the
 * enumeration says so, and at every moment it is known which writes are under way and what they
 * would change.
 */
final class CrashEngine implements Engine {
  static final int SECTOR = 512;

  /** A request that has not ended. */
  static final class Pending {
    private final IoRequest request;
    private final CrashDisk disk;
    private final byte[] bytes;

    Pending(IoRequest request, CrashDisk disk, byte[] bytes) {
      this.request = request;
      this.disk = disk;
      this.bytes = bytes;
    }

    IoRequest request() {
      return request;
    }

    CrashDisk disk() {
      return disk;
    }

    byte[] bytes() {
      return bytes;
    }

    boolean isWrite() {
      return request.operation() == IoRequest.Operation.WRITE;
    }
  }

  final List<Pending> pending = new ArrayList<>();
  private final Ledger ledger = new Ledger();
  private final Consumer<Pending> submitted;
  private long nowNanos = 1_000_000_000L;

  CrashEngine(Consumer<Pending> submitted) {
    this.submitted = submitted;
  }

  /** One disk's bytes, and a port to it. */
  final class CrashDisk implements DiskPort, Ledger.Carrier {
    final byte[] bytes;
    boolean failNextWrite;

    CrashDisk(byte[] bytes) {
      this.bytes = bytes;
    }

    @Override
    public void submit(IoRequest request) {
      ledger.begin(request, this);
      byte[] written = new byte[0];
      IoBuffer buffer = request.buffer();
      if (request.operation() == IoRequest.Operation.WRITE && buffer != null) {
        written = new byte[request.lengthBytes()];
        buffer.bytes().get(request.bufferOffsetBytes(), written);
      }
      Pending entry = new Pending(request, this, written);
      pending.add(entry);
      submitted.accept(entry);
    }

    @Override
    public void cancel(IoRequest request) {}

    @Override
    public void overdue(IoRequest request) {}

    @Override
    public void detach() {}

    @Override
    public void whenLeft(Runnable task) {}
  }

  CrashDisk disk(byte[] bytes) {
    return new CrashDisk(bytes);
  }

  /** Ends one request, well, or with an error after a part of it. */
  void end(Pending entry) {
    pending.remove(entry);
    IoRequest request = entry.request();
    int at = (int) request.offsetBytes();
    if (!entry.isWrite()) {
      IoBuffer buffer = request.buffer();
      if (buffer != null) {
        buffer.bytes().put(0, entry.disk().bytes, at, request.lengthBytes());
      }
    } else if (entry.disk().failNextWrite) {
      entry.disk().failNextWrite = false;
      ledger.end(request, 0, Errno.EIO, null);
      ledger.signal();
      return;
    } else {
      System.arraycopy(entry.bytes(), 0, entry.disk().bytes, at, entry.bytes().length);
    }
    ledger.end(request, request.lengthBytes(), null, null);
    ledger.signal();
  }

  void passTo(long nanos) {
    nowNanos = Math.max(nowNanos, nanos);
  }

  @Override
  public String kind() {
    return "enumerated";
  }

  @Override
  public long nanoTime() {
    return nowNanos;
  }

  @Override
  public BufferPool buffers() {
    return new BufferPool() {
      @Override
      public @Nullable IoBuffer take(int bytes) {
        IoBuffer buffer = new IoBuffer(ByteBuffer.allocate(bytes), 0, _ -> {});
        buffer.taken();
        return buffer;
      }

      @Override
      public int largestBytes() {
        return 128 * 1024;
      }

      @Override
      public long freeBytes() {
        return Long.MAX_VALUE;
      }
    };
  }

  @Override
  public Sockets sockets() {
    throw new UnsupportedOperationException();
  }

  @Override
  public Ledger ledger() {
    return ledger;
  }

  @Override
  public int turn(boolean mayWait) {
    return 0;
  }

  @Override
  public void wake() {}

  @Override
  public void close() {}
}
