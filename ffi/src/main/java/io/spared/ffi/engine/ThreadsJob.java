package io.spared.ffi.engine;

import io.spared.ffi.Errno;
import io.spared.ffi.libc.Descriptor;
import io.spared.ffi.libc.Libc;
import io.spared.ffi.libc.Memory;
import java.lang.ref.Reference;
import java.nio.ByteBuffer;
import java.util.concurrent.atomic.AtomicInteger;
import org.jspecify.annotations.Nullable;

/**
 * One disk request on its way through a thread. It has its own copy of what to do, retains the
 * file, and either is taken back before a thread begins it or runs to its end.
 */
final class ThreadsJob implements Runnable {
  private static final int WAITING = 0;
  private static final int RUNNING = 1;
  private static final int TAKEN_BACK = 2;

  private static final ThreadLocal<ByteBuffer> VECTOR =
      ThreadLocal.withInitial(() -> Memory.structure(16));

  private static final class Zeros {
    static final ByteBuffer MEMORY = Memory.pages(1 << 20);
  }

  private final ThreadsDiskPort port;
  private final Descriptor file;
  private final FileEngine.FileKind kind;
  private final IoRequest request;
  private final IoRequest.Operation operation;
  private final long offsetBytes;
  private final int lengthBytes;
  private final boolean durable;
  private final boolean withoutHoles;
  private final @Nullable IoBuffer buffer;
  private final long address;
  private final AtomicInteger state = new AtomicInteger(WAITING);

  private int transferredBytes;
  private @Nullable Errno errno;

  ThreadsJob(
      ThreadsDiskPort port,
      Descriptor file,
      FileEngine.FileKind kind,
      long baseBytes,
      IoRequest request) {
    this.port = port;
    this.file = file.retain();
    this.kind = kind;
    this.request = request;
    this.operation = request.operation();
    this.offsetBytes = baseBytes + request.offsetBytes();
    this.lengthBytes = request.lengthBytes();
    this.durable = request.isDurable();
    this.withoutHoles = request.isWithoutHoles();
    this.buffer = request.buffer();
    this.address = buffer == null ? 0 : buffer.address() + request.bufferOffsetBytes();
  }

  ThreadsDiskPort port() {
    return port;
  }

  IoRequest request() {
    return request;
  }

  int transferredBytes() {
    return transferredBytes;
  }

  @Nullable Errno errno() {
    return errno;
  }

  /** Whether a thread carries it out, or has. */
  boolean isRunning() {
    return state.get() == RUNNING;
  }

  /** True when no thread began it and none will. */
  boolean takeBack() {
    if (state.compareAndSet(WAITING, TAKEN_BACK)) {
      file.release();
      return true;
    }
    return false;
  }

  @Override
  public void run() {
    if (!state.compareAndSet(WAITING, RUNNING)) {
      return;
    }
    try {
      switch (operation) {
        case READ -> transfer(false);
        case WRITE -> transfer(true);
        case FLUSH -> flush();
        case DISCARD, WRITE_ZEROES -> zero();
        default -> errno = Errno.EINVAL;
      }
    } finally {
      Reference.reachabilityFence(buffer);
      file.release();
      port.engine().returned(this);
    }
  }

  private void transfer(boolean write) {
    while (transferredBytes < lengthBytes) {
      long at = address + transferredBytes;
      long offset = offsetBytes + transferredBytes;
      int rest = lengthBytes - transferredBytes;
      long result;
      if (!write) {
        result = Libc.pread(file, at, rest, offset);
      } else if (durable) {
        ByteBuffer vector = VECTOR.get().putLong(0, at).putLong(8, rest);
        result = Libc.pwriteDurably(file, Memory.address(vector), offset);
      } else {
        result = Libc.pwrite(file, at, rest, offset);
      }
      if (result > 0) {
        transferredBytes += (int) result;
      } else if (result == 0) {
        errno = write ? Errno.ENOSPC : Errno.ENXIO;
        return;
      } else if (isFinal(Errno.of((int) -result))) {
        return;
      }
    }
  }

  private boolean isFinal(Errno failure) {
    if (failure == Errno.EINTR || failure == Errno.EAGAIN) {
      return false;
    }
    errno = failure;
    return true;
  }

  private void flush() {
    long result;
    do {
      result = Libc.fdatasync(file);
    } while (result < 0 && !isFinal(Errno.of((int) -result)));
  }

  private void zero() {
    for (int step = 0; ; step++) {
      int mode = ZeroingSteps.mode(operation, withoutHoles, kind, step);
      if (mode == ZeroingSteps.UNSUPPORTED) {
        errno = Errno.EOPNOTSUPP;
        return;
      }
      if (mode == ZeroingSteps.WRITE_BYTES) {
        writeZeros();
        break;
      }
      long result;
      do {
        result = Libc.fallocate(file, mode, offsetBytes, lengthBytes);
      } while (result == -Errno.EINTR.number());
      if (result >= 0) {
        break;
      }
      Errno failure = Errno.of((int) -result);
      boolean refused =
          failure == Errno.EOPNOTSUPP || failure == Errno.EINVAL || failure == Errno.ENOSYS;
      if (!refused) {
        errno = failure;
        return;
      }
    }
    if (errno == null && durable) {
      flush();
    }
  }

  private void writeZeros() {
    ByteBuffer zeros = Zeros.MEMORY;
    int done = 0;
    while (done < lengthBytes) {
      int count = Math.min(lengthBytes - done, zeros.capacity());
      long result = Libc.pwrite(file, Memory.address(zeros), count, offsetBytes + done);
      if (result > 0) {
        done += (int) result;
      } else if (result == 0) {
        errno = Errno.ENOSPC;
        return;
      } else if (isFinal(Errno.of((int) -result))) {
        return;
      }
    }
  }
}
