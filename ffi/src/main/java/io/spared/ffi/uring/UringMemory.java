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
 * The memory that a ring shares with the kernel: either ours (two page-aligned buffers that the
 * kernel pins) or the kernel's, mapped.
 *
 * <p>Ours is never used for anything else, even when the ring is closed and nothing is in flight:
 * the kernel takes a closed ring apart later, on a thread of its own, writes the ring's counters
 * once more while it does, and tells nobody when it is done. In memory that was given back
 * meanwhile they would be somebody else's bytes; in another ring's, completions that never were.
 */
final class UringMemory {
  private static final List<Object> LEFT_ALONE = new ArrayList<>();

  private final ByteBuffer rings;
  private final ByteBuffer submissions;
  private final long mappedRings;
  private final long mappedSubmissions;

  private UringMemory(
      ByteBuffer rings, ByteBuffer submissions, long mappedRings, long mappedSubmissions) {
    this.rings = rings;
    this.submissions = submissions;
    this.mappedRings = mappedRings;
    this.mappedSubmissions = mappedSubmissions;
  }

  static UringMemory own(int submissionEntries, int completionEntries, int entryBytes) {
    // struct io_rings is well below a page; behind it come the completions and perhaps the array.
    int ringBytes = Memory.PAGE_BYTES + completionEntries * 16 + submissionEntries * 4;
    return new UringMemory(
        Memory.pages(ringBytes), Memory.pages(submissionEntries * entryBytes), 0, 0);
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
    return new UringMemory(
        Memory.at(rings, ringBytes), Memory.at(submissions, submissionBytes), rings, submissions);
  }

  ByteBuffer rings() {
    return rings;
  }

  ByteBuffer submissions() {
    return submissions;
  }

  /** Nobody uses the ring any more but, for a while, the kernel. */
  void end() {
    if (mappedRings != 0) {
      Libc.unmap(mappedRings, rings.capacity());
      Libc.unmap(mappedSubmissions, submissions.capacity());
    } else {
      leaveAlone(rings);
      leaveAlone(submissions);
    }
  }

  /** Keeps something reachable for ever, since the kernel may write into it at any time. */
  static void leaveAlone(Object memory) {
    synchronized (LEFT_ALONE) {
      LEFT_ALONE.add(memory);
    }
  }
}
