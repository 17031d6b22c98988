package io.spared.queue;

import io.spared.ffi.Errno;
import io.spared.ffi.disk.Disk;
import io.spared.ffi.disk.DiskAddress;
import io.spared.ffi.disk.DiskGeometry;
import io.spared.ffi.disk.DiskIdentity;
import io.spared.ffi.engine.DiskPort;
import io.spared.ffi.engine.Engine;
import io.spared.ffi.engine.IoRequest;
import org.jspecify.annotations.Nullable;

/** A disk that knows no way to zero a range by itself. */
final class NoZeroesDisk implements Disk {
  private final Disk inner;

  NoZeroesDisk(@Nullable Disk inner) {
    if (inner == null) {
      throw new IllegalArgumentException("no disk to wrap");
    }
    this.inner = inner;
  }

  @Override
  public DiskAddress address() {
    return inner.address();
  }

  @Override
  public DiskGeometry geometry() {
    return inner.geometry();
  }

  @Override
  public DiskIdentity identity() {
    return inner.identity();
  }

  @Override
  public DiskPort attach(Engine engine) {
    DiskPort port = inner.attach(engine);
    return new DiskPort() {
      @Override
      public void submit(IoRequest request) {
        if (request.operation() == IoRequest.Operation.WRITE_ZEROES) {
          engine.ledger().begin(request, overdue -> {});
          engine.ledger().end(request, 0, Errno.EOPNOTSUPP, null);
        } else {
          port.submit(request);
        }
      }

      @Override
      public void cancel(IoRequest request) {
        port.cancel(request);
      }

      @Override
      public void detach() {
        port.detach();
      }

      @Override
      public void whenLeft(Runnable task) {
        port.whenLeft(task);
      }
    };
  }

  @Override
  public void close() {
    inner.close();
  }
}
