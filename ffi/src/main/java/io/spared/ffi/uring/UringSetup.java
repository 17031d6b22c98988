package io.spared.ffi.uring;

import static io.spared.ffi.uring.UringNumbers.*;

import io.spared.ffi.Errno;
import io.spared.ffi.libc.Descriptor;
import io.spared.ffi.libc.Libc;
import io.spared.ffi.libc.Memory;
import io.spared.ffi.libc.NativeException;
import java.io.IOException;
import java.lang.ref.Reference;
import java.nio.ByteBuffer;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;

/**
 * Makes rings: asks for the best first, then for less, down to what kernel 6.1 has, and below that
 * says so in one sentence.
 */
final class UringSetup {
  /** Without these operations nothing works; all are in kernel 6.1. */
  private static final int[] NEEDED = {
    IORING_OP_NOP,
    IORING_OP_READ,
    IORING_OP_WRITE,
    IORING_OP_READ_FIXED,
    IORING_OP_WRITE_FIXED,
    IORING_OP_FSYNC,
    IORING_OP_FALLOCATE,
    IORING_OP_POLL_ADD,
    IORING_OP_TIMEOUT,
    IORING_OP_TIMEOUT_REMOVE,
    IORING_OP_ASYNC_CANCEL,
    IORING_OP_ACCEPT,
    IORING_OP_CONNECT,
    IORING_OP_SEND,
    IORING_OP_RECV,
    IORING_OP_URING_CMD
  };

  private static final int NEEDED_FEATURES =
      IORING_FEAT_SINGLE_MMAP
          | IORING_FEAT_NODROP
          | IORING_FEAT_SUBMIT_STABLE
          | IORING_FEAT_FAST_POLL;

  private static final int OWN_THREAD =
      IORING_SETUP_SINGLE_ISSUER | IORING_SETUP_DEFER_TASKRUN | IORING_SETUP_TASKRUN_FLAG;

  private UringSetup() {}

  static Uring open(UringSettings settings) throws UringUnavailableException, NativeException {
    if (Integer.bitCount(settings.submissions()) != 1
        || Integer.bitCount(settings.completions()) != 1) {
      throw new IllegalArgumentException("the sizes of a ring's queues are powers of two");
    }
    int plain =
        IORING_SETUP_CQSIZE
            | IORING_SETUP_SUBMIT_ALL
            | (settings.wideCommands() ? IORING_SETUP_SQE128 : 0);
    int best = plain | IORING_SETUP_COOP_TASKRUN | (settings.ownThread() ? OWN_THREAD : 0);
    List<Integer> attempts = new ArrayList<>();
    attempts.add(best);
    attempts.add(plain | IORING_SETUP_COOP_TASKRUN | IORING_SETUP_TASKRUN_FLAG);
    attempts.add(plain);
    Errno lastErrno = Errno.EINVAL;
    for (int flags : attempts) {
      ByteBuffer parameters = Memory.structure(UringLayout.PARAMETERS_BYTES);
      parameters.putInt(4, settings.completions()).putInt(8, flags);
      long result;
      try {
        result = Libc.ringSetup(settings.submissions(), Memory.address(parameters));
      } finally {
        Reference.reachabilityFence(parameters);
      }
      if (result >= 0) {
        Descriptor descriptor = Descriptor.owning((int) result, "io_uring");
        try {
          return finish(descriptor, UringLayout.of(parameters), settings.ownThread());
        } catch (IOException | RuntimeException e) {
          descriptor.close();
          throw e;
        }
      }
      lastErrno = Errno.of((int) -result);
      if (lastErrno == Errno.ENOSYS || lastErrno == Errno.EPERM) {
        break;
      }
    }
    throw unavailable(lastErrno);
  }

  private static Uring finish(Descriptor descriptor, UringLayout layout, boolean ownThread)
      throws UringUnavailableException, NativeException {
    check(descriptor, layout);
    UringMemory memory =
        UringMemory.mapped(
            descriptor, layout.mappedRingBytes(), layout.submissionEntries() * layout.entryBytes());
    // Entry n always stands in place n.
    for (int n = 0; n < layout.submissionEntries(); n++) {
      memory.rings().putInt(layout.submissionArrayAt() + n * 4, n);
    }
    return new Uring(descriptor, memory, layout, ownThread ? registerRing(descriptor) : -1);
  }

  /** Saves the kernel looking the ring up at each entering; negative when it does not offer it. */
  private static int registerRing(Descriptor descriptor) {
    ByteBuffer update = Memory.structure(16).putInt(0, -1).putLong(8, descriptor.number());
    try {
      long result =
          Libc.ringRegister(descriptor, IORING_REGISTER_RING_FDS, Memory.address(update), 1);
      return result == 1 ? update.getInt(0) : -1;
    } finally {
      Reference.reachabilityFence(update);
    }
  }

  private static void check(Descriptor descriptor, UringLayout layout)
      throws UringUnavailableException {
    int operations = 64;
    ByteBuffer probe = Memory.structure(16 + operations * 8);
    try {
      long result =
          Libc.ringRegister(descriptor, IORING_REGISTER_PROBE, Memory.address(probe), operations);
      boolean complete = result >= 0 && (layout.features() & NEEDED_FEATURES) == NEEDED_FEATURES;
      for (int operation : NEEDED) {
        complete &= (probe.getShort(16 + operation * 8 + 2) & IO_URING_OP_SUPPORTED) != 0;
      }
      if (!complete) {
        throw tooOld();
      }
    } finally {
      Reference.reachabilityFence(probe);
    }
  }

  private static UringUnavailableException tooOld() {
    return new UringUnavailableException(
        "kernel "
            + Libc.kernelRelease()
            + " is too old for the io_uring engine, which needs 6.1 or newer; take a newer kernel"
            + " or the threads engine");
  }

  private static UringUnavailableException unavailable(Errno errno) {
    return switch (errno) {
      case EPERM, EACCES -> new UringUnavailableException(forbidden());
      case ENOSYS ->
          new UringUnavailableException(
              "kernel "
                  + Libc.kernelRelease()
                  + " has no io_uring, or the container's seccomp profile hides it; allow it or take"
                  + " the threads engine");
      case EINVAL -> tooOld();
      case ENOMEM ->
          new UringUnavailableException(
              "no memory may be locked for an io_uring; raise LimitMEMLOCK or take the threads"
                  + " engine");
      default ->
          new UringUnavailableException(
              "io_uring cannot be set up: " + errno.meaning() + " (" + errno + ")");
    };
  }

  private static String forbidden() {
    try {
      String disabled =
          Files.readString(Path.of("/proc/sys/kernel/io_uring_disabled"), StandardCharsets.US_ASCII)
              .strip();
      if (!"0".equals(disabled)) {
        return "this host forbids io_uring (sysctl kernel.io_uring_disabled is "
            + disabled
            + "); set it to 0 or take the threads engine";
      }
    } catch (IOException e) {
      // Kernels before 6.6 have no such setting.
    }
    return "this host forbids io_uring (a container's seccomp profile, most often); allow it or"
        + " take the threads engine";
  }
}
