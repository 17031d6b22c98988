package io.spared.ffi.uring;

import io.spared.ffi.libc.Abi;
import io.spared.ffi.libc.Descriptor;
import io.spared.ffi.libc.Libc;
import io.spared.ffi.libc.Memory;
import io.spared.ffi.libc.NativeException;
import java.nio.ByteBuffer;
import java.util.ArrayList;
import java.util.List;

/**
 * The memory that a ring shares with the kernel: the kernel's, mapped.
 *
 * <p>Never our own (IORING_SETUP_NO_MMAP), though that would need no mapping: the kernel takes a
 * closed ring apart later, on a thread of its own, writes the ring's counters once more while it
 * does, and tells nobody when it is done. In memory that was given back meanwhile they would be
 * somebody else's bytes; in another ring's, completions that never were. The kernel's own memory is
 * its own to write until it is done, whether or not it is mapped here.
 */
final class UringMemory {
  private static final List<Object> LEFT_ALONE = new ArrayList<>();

  private final ByteBuffer rings;
  private final ByteBuffer submissions;
  private final long ringsAddress;
  private final long submissionsAddress;

  private UringMemory(
      long ringsAddress, int ringBytes, long submissionsAddress, int submissionBytes) {
    this.ringsAddress = ringsAddress;
    this.submissionsAddress = submissionsAddress;
    this.rings = Memory.at(ringsAddress, ringBytes);
    this.submissions = Memory.at(submissionsAddress, submissionBytes);
  }

  static UringMemory mapped(Descriptor ring, int ringBytes, int submissionBytes)
      throws NativeException {
    int protection = Abi.PROT_READ | Abi.PROT_WRITE;
    long rings =
        Libc.map(ring, UringNumbers.IORING_OFF_SQ_RING, ringBytes, protection, Abi.MAP_POPULATE);
    long submissions;
    try {
      submissions =
          Libc.map(
              ring, UringNumbers.IORING_OFF_SQES, submissionBytes, protection, Abi.MAP_POPULATE);
    } catch (NativeException e) {
      Libc.unmap(rings, ringBytes);
      throw e;
    }
    return new UringMemory(rings, ringBytes, submissions, submissionBytes);
  }

  ByteBuffer rings() {
    return rings;
  }

  ByteBuffer submissions() {
    return submissions;
  }

  /** Nobody here uses the ring any more. */
  void end() {
    Libc.unmap(ringsAddress, rings.capacity());
    Libc.unmap(submissionsAddress, submissions.capacity());
  }

  /** Keeps something reachable for ever, since the kernel may write into it at any time. */
  static void leaveAlone(Object memory) {
    synchronized (LEFT_ALONE) {
      LEFT_ALONE.add(memory);
    }
  }
}
