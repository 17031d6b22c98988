package io.spared.ffi.engine;

import io.spared.ffi.Errno;
import io.spared.ffi.libc.Abi;
import io.spared.ffi.libc.Descriptor;
import io.spared.ffi.libc.Memory;
import io.spared.ffi.uring.UringNumbers;

/** A file or block device on an io_uring. */
class UringDiskPort extends UringPort implements DiskPort {
  /** The step of a request that only waits for its flush. */
  private static final int STEP_FLUSH = 100;

  private final FileEngine.FileKind kind;
  private final long baseBytes;

  UringDiskPort(UringEngine engine, Descriptor file, FileEngine.FileKind kind, long baseBytes) {
    super(engine, file);
    this.kind = kind;
    this.baseBytes = baseBytes;
  }

  @Override
  public void submit(IoRequest request) {
    if (take(request)) {
      start(request);
    }
  }

  @Override
  public boolean takesPages() {
    return true;
  }

  @Override
  public void cancel(IoRequest request) {
    engine.cancel(request);
  }

  @Override
  void push(IoRequest request, int slot) {
    switch (request.operation()) {
      case READ -> pushTransfer(request, slot, false);
      case WRITE -> pushTransfer(request, slot, true);
      case FLUSH -> pushFlush(slot);
      case DISCARD, WRITE_ZEROES -> pushZeroing(request, slot);
      default -> throw new IllegalArgumentException("not for a disk: " + request);
    }
  }

  private void pushTransfer(IoRequest request, int slot, boolean write) {
    IoBuffer buffer = request.buffer();
    if (buffer == null) {
      throw new IllegalArgumentException("no buffer: " + request);
    }
    int done = engine.progress(slot);
    boolean registered = buffer.isRegistered();
    int opcode =
        write
            ? (registered ? UringNumbers.IORING_OP_WRITE_FIXED : UringNumbers.IORING_OP_WRITE)
            : (registered ? UringNumbers.IORING_OP_READ_FIXED : UringNumbers.IORING_OP_READ);
    engine.push(
        slot,
        opcode,
        entryFlags(),
        file(),
        baseBytes + request.offsetBytes() + done,
        buffer.address() + request.bufferOffsetBytes() + done,
        request.lengthBytes() - done,
        write && request.isDurable() ? Abi.RWF_DSYNC : 0,
        registered ? buffer.index() : 0);
  }

  private void pushFlush(int slot) {
    engine.push(
        slot,
        UringNumbers.IORING_OP_FSYNC,
        entryFlags(),
        file(),
        0,
        0,
        0,
        UringNumbers.IORING_FSYNC_DATASYNC,
        0);
  }

  private int mode(IoRequest request, int step) {
    return ZeroingSteps.mode(request.operation(), request.isWithoutHoles(), kind, step);
  }

  private void pushZeroing(IoRequest request, int slot) {
    int step = engine.step(slot);
    if (step == STEP_FLUSH) {
      pushFlush(slot);
      return;
    }
    int mode = mode(request, step);
    if (mode == ZeroingSteps.WRITE_BYTES) {
      int done = engine.progress(slot);
      int length = Math.min(request.lengthBytes() - done, engine.zeros().capacity());
      engine.push(
          slot,
          UringNumbers.IORING_OP_WRITE,
          entryFlags(),
          file(),
          baseBytes + request.offsetBytes() + done,
          Memory.address(engine.zeros()),
          length,
          0,
          0);
    } else {
      // For fallocate the address field carries the length, and the length field the mode.
      engine.push(
          slot,
          UringNumbers.IORING_OP_FALLOCATE,
          entryFlags(),
          file(),
          baseBytes + request.offsetBytes(),
          request.lengthBytes(),
          mode,
          0,
          0);
    }
  }

  @Override
  void completed(IoRequest request, int slot, int result) {
    if (request.held()) {
      end(request, Math.max(0, result), result < 0 ? Errno.of(-result) : null, null);
      return;
    }
    if (result < 0) {
      failed(request, slot, Errno.of(-result));
      return;
    }
    switch (request.operation()) {
      case READ, WRITE -> moved(request, slot, result);
      case DISCARD, WRITE_ZEROES -> zeroed(request, slot, result);
      default -> end(request, 0, null, null);
    }
  }

  private void moved(IoRequest request, int slot, int bytes) {
    engine.progressed(slot, bytes);
    int done = engine.progress(slot);
    if (done >= request.lengthBytes()) {
      end(request, done, null, null);
    } else if (bytes == 0) {
      // The end of the disk where there should be none: it became smaller under us.
      boolean read = request.operation() == IoRequest.Operation.READ;
      end(request, done, read ? Errno.ENXIO : Errno.ENOSPC, null);
    } else {
      start(request);
    }
  }

  private void zeroed(IoRequest request, int slot, int result) {
    int step = engine.step(slot);
    if (step != STEP_FLUSH && mode(request, step) == ZeroingSteps.WRITE_BYTES) {
      engine.progressed(slot, result);
      if (engine.progress(slot) < request.lengthBytes()) {
        if (result == 0) {
          end(request, 0, Errno.ENOSPC, null);
        } else {
          start(request);
        }
        return;
      }
    }
    if (request.isDurable() && step != STEP_FLUSH) {
      engine.step(slot, STEP_FLUSH);
      start(request);
    } else {
      end(request, 0, null, null);
    }
  }

  private void failed(IoRequest request, int slot, Errno errno) {
    boolean zeroing =
        request.operation() == IoRequest.Operation.DISCARD
            || request.operation() == IoRequest.Operation.WRITE_ZEROES;
    if (errno == Errno.EINTR || errno == Errno.EAGAIN) {
      start(request);
    } else if (zeroing && engine.step(slot) != STEP_FLUSH && isRefusal(errno)) {
      int step = engine.step(slot);
      int mode = mode(request, step);
      int next = mode < 0 ? mode : mode(request, step + 1);
      if (mode < 0 || next == ZeroingSteps.UNSUPPORTED) {
        end(request, 0, mode < 0 ? errno : Errno.EOPNOTSUPP, null);
      } else {
        engine.step(slot, step + 1);
        start(request);
      }
    } else {
      end(request, engine.progress(slot), errno, null);
    }
  }

  private static boolean isRefusal(Errno errno) {
    return errno == Errno.EOPNOTSUPP || errno == Errno.EINVAL || errno == Errno.ENOSYS;
  }
}
