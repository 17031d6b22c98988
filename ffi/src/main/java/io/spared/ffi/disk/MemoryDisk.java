package io.spared.ffi.disk;

import io.spared.ffi.Errno;
import io.spared.ffi.engine.DiskPort;
import io.spared.ffi.engine.Engine;
import io.spared.ffi.engine.IoBuffer;
import io.spared.ffi.engine.IoRequest;
import io.spared.ffi.engine.SoftwarePort;
import java.util.ArrayDeque;
import java.util.List;
import java.util.Optional;
import org.jspecify.annotations.Nullable;

/** A disk made of this process's memory, for tests and trials; on any engine. */
final class MemoryDisk implements Disk {
  private final DiskAddress.OfMemory address;
  private final MemoryStore store;
  private final boolean owning;
  private volatile boolean closed;

  MemoryDisk(DiskAddress.OfMemory address, MemoryStore store, boolean owning) {
    this.address = address;
    this.store = store;
    this.owning = owning;
  }

  @Override
  public DiskAddress address() {
    return address;
  }

  @Override
  public DiskGeometry geometry() {
    return new DiskGeometry(
        address.sizeBytes(),
        address.sectorBytes(),
        address.sectorBytes(),
        address.sectorBytes(),
        false,
        false,
        0);
  }

  @Override
  public DiskIdentity identity() {
    return new DiskIdentity(
        address.toString(),
        Optional.of("memory"),
        Optional.of(address.name().isEmpty() ? address.toString() : address.name()),
        Optional.empty(),
        List.of(),
        List.of());
  }

  @Override
  public DiskPort attach(Engine engine) {
    return new Port(engine);
  }

  @Override
  public void close() {
    if (!closed) {
      closed = true;
      if (owning) {
        store.unclaim();
      }
    }
  }

  /** Carries requests out in the turn after they were submitted. */
  private final class Port extends SoftwarePort {
    private final ArrayDeque<IoRequest> waiting = new ArrayDeque<>();

    Port(Engine engine) {
      super(engine);
    }

    @Override
    protected void begin(IoRequest request) {
      if (waiting.isEmpty()) {
        soon(this::carryOut);
      }
      waiting.add(request);
    }

    @Override
    protected boolean giveUp(IoRequest request) {
      // Nothing is ever half done: either it waits, or it has ended.
      return waiting.remove(request);
    }

    private void carryOut() {
      IoRequest request = waiting.poll();
      while (request != null) {
        end(request, carryOut(request));
        request = waiting.poll();
      }
    }

    private @Nullable Errno carryOut(IoRequest request) {
      if (closed) {
        return Errno.ESHUTDOWN;
      }
      long offset = request.offsetBytes();
      int length = request.lengthBytes();
      if (request.operation() == IoRequest.Operation.FLUSH) {
        return null;
      }
      if (offset % address.sectorBytes() != 0 || length % address.sectorBytes() != 0) {
        return Errno.EINVAL;
      }
      if (!store.contains(offset, length)) {
        return request.operation() == IoRequest.Operation.READ ? Errno.ENXIO : Errno.ENOSPC;
      }
      IoBuffer buffer = request.buffer();
      switch (request.operation()) {
        case READ, WRITE -> {
          if (buffer == null) {
            return Errno.EFAULT;
          }
          if (request.operation() == IoRequest.Operation.READ) {
            store.read(offset, buffer.bytes(), request.bufferOffsetBytes(), length);
          } else {
            store.write(offset, buffer.bytes(), request.bufferOffsetBytes(), length);
          }
        }
        case DISCARD, WRITE_ZEROES -> store.zero(offset, length);
        default -> {
          return Errno.EINVAL;
        }
      }
      return null;
    }
  }
}
