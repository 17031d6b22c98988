package io.spared.ffi.uring;

import static io.spared.ffi.uring.UringNumbers.IORING_ENTER_EXT_ARG;
import static io.spared.ffi.uring.UringNumbers.IORING_ENTER_GETEVENTS;
import static io.spared.ffi.uring.UringNumbers.IORING_ENTER_REGISTERED_RING;
import static io.spared.ffi.uring.UringNumbers.IORING_SQ_CQ_OVERFLOW;
import static io.spared.ffi.uring.UringNumbers.IORING_SQ_TASKRUN;

import io.spared.ffi.Errno;
import io.spared.ffi.libc.Descriptor;
import io.spared.ffi.libc.Libc;
import io.spared.ffi.libc.Memory;
import io.spared.ffi.libc.NativeException;
import java.lang.invoke.MethodHandles;
import java.lang.invoke.VarHandle;
import java.lang.ref.Reference;
import java.nio.ByteBuffer;
import java.nio.ByteOrder;

/**
 * One io_uring: entries are pushed, submitted in batches by {@link #enter}, and what ended is taken
 * one by one. Used by one thread at a time (by one thread only, when opened so). Nothing here
 * allocates per request.
 *
 * <p>Memory order: the kernel's view of our pushes is released by the store of the submission tail;
 * what it wrote for a completion is acquired by the load of the completion tail; places are given
 * back by the release of the completion head. The submission head is acquired before a place is
 * used again.
 */
public final class Uring implements AutoCloseable {
  private static final VarHandle INT =
      MethodHandles.byteBufferViewVarHandle(int[].class, ByteOrder.nativeOrder());

  private static final int ERRNO_EINTR = -Errno.EINTR.number();

  private final Descriptor descriptor;
  private final UringMemory memory;
  private ByteBuffer rings;
  private ByteBuffer entries;
  private final UringLayout layout;

  private final int entryShift;
  private final int submissionMask;
  private final int submissionCount;
  private final int submissionHeadAt;
  private final int submissionTailAt;
  private final int submissionFlagsAt;
  private final int completionMask;
  private final int completionHeadAt;
  private final int completionTailAt;
  private final int completionsAt;

  private final int enterNumber;
  private final int enterFlags;
  private final ByteBuffer waitArgument = Memory.structure(24 + 16);
  private final long waitArgumentAddress = Memory.address(waitArgument);

  private int pushedTail;
  private int submittedTail;
  private int knownSubmissionHead;
  private int completionHead;
  private int completionTail;

  private long completedUserData;
  private int completedResult;
  private int completedFlags;
  private boolean closed;

  Uring(Descriptor descriptor, UringMemory memory, UringLayout layout, int registeredNumber) {
    this.descriptor = descriptor;
    this.memory = memory;
    this.rings = memory.rings();
    this.entries = memory.submissions();
    this.layout = layout;
    this.entryShift = layout.wideEntries() ? 7 : 6;
    this.submissionCount = layout.submissionEntries();
    this.submissionMask = submissionCount - 1;
    this.submissionHeadAt = layout.submissionHeadAt();
    this.submissionTailAt = layout.submissionTailAt();
    this.submissionFlagsAt = layout.submissionFlagsAt();
    this.completionMask = layout.completionEntries() - 1;
    this.completionHeadAt = layout.completionHeadAt();
    this.completionTailAt = layout.completionTailAt();
    this.completionsAt = layout.completionsAt();
    if (registeredNumber >= 0) {
      this.enterNumber = registeredNumber;
      this.enterFlags = IORING_ENTER_REGISTERED_RING;
    } else {
      this.enterNumber = descriptor.number();
      this.enterFlags = 0;
    }
  }

  /** Opens a ring, with the best that this kernel offers. */
  public static Uring open(UringSettings settings)
      throws UringUnavailableException, NativeException {
    return UringSetup.open(settings);
  }

  // Pushing.

  /** How many entries can be pushed before the next {@link #enter}. */
  public int space() {
    int space = submissionCount - (pushedTail - knownSubmissionHead);
    if (space == 0) {
      knownSubmissionHead = (int) INT.getAcquire(rings, submissionHeadAt);
      space = submissionCount - (pushedTail - knownSubmissionHead);
    }
    return space;
  }

  /** Pushed and not yet submitted. */
  public int unsubmitted() {
    return pushedTail - submittedTail;
  }

  /**
   * Pushes an entry of any kind; the fields are those of struct io_uring_sqe. The caller knows that
   * there is {@link #space}.
   */
  public void push(
      int opcode,
      int entryFlags,
      int file,
      long offset,
      long address,
      int length,
      int operationFlags,
      int bufferIndex,
      long userData) {
    push(
        opcode,
        entryFlags,
        file,
        offset,
        address,
        length,
        operationFlags,
        bufferIndex,
        userData,
        0,
        0);
  }

  /**
   * Pushes a driver's command with 16 bytes of payload (two numbers in native byte order). The
   * address is what the driver makes of it; flags may say that bufferIndex names a registered
   * buffer.
   */
  public void pushCommand(
      int entryFlags,
      int file,
      int command,
      long address,
      int commandFlags,
      int bufferIndex,
      long userData,
      long payloadFirst,
      long payloadSecond) {
    push(
        UringNumbers.IORING_OP_URING_CMD,
        entryFlags,
        file,
        command & 0xffff_ffffL,
        address,
        0,
        commandFlags,
        bufferIndex,
        userData,
        payloadFirst,
        payloadSecond);
  }

  /**
   * Pushes a driver's command with 32 bytes of payload (four numbers in native byte order), on a
   * ring with wide commands.
   */
  public void pushWideCommand(
      int entryFlags,
      int file,
      int command,
      long userData,
      long payloadFirst,
      long payloadSecond,
      long payloadThird,
      long payloadFourth) {
    if (entryShift != 7) {
      throw new IllegalStateException("this ring was not opened for wide commands");
    }
    int at = (pushedTail & submissionMask) << entryShift;
    pushCommand(entryFlags, file, command, 0, 0, 0, userData, payloadFirst, payloadSecond);
    entries.putLong(at + 64, payloadThird);
    entries.putLong(at + 72, payloadFourth);
  }

  /** Whether commands may carry 32 bytes. */
  public boolean hasWideCommands() {
    return entryShift == 7;
  }

  private void push(
      int opcode,
      int entryFlags,
      int file,
      long offset,
      long address,
      int length,
      int operationFlags,
      int bufferIndex,
      long userData,
      long payloadFirst,
      long payloadSecond) {
    if (submissionCount == pushedTail - knownSubmissionHead && space() == 0) {
      throw new IllegalStateException("the submission queue is full");
    }
    ByteBuffer to = entries;
    int at = (pushedTail & submissionMask) << entryShift;
    to.putLong(at, (opcode & 0xffL) | (entryFlags & 0xffL) << 8 | (long) file << 32);
    to.putLong(at + 8, offset);
    to.putLong(at + 16, address);
    to.putLong(at + 24, (length & 0xffff_ffffL) | (long) operationFlags << 32);
    to.putLong(at + 32, userData);
    to.putLong(at + 40, bufferIndex & 0xffffL);
    to.putLong(at + 48, payloadFirst);
    to.putLong(at + 56, payloadSecond);
    if (entryShift == 7) {
      for (int rest = 64; rest < 128; rest += 8) {
        to.putLong(at + rest, 0);
      }
    }
    pushedTail++;
  }

  // Entering.

  /**
   * Submits what was pushed and, if asked, waits until at least so many have ended that were not
   * taken yet.
   *
   * @return zero, or the errno negated: EBUSY and EAGAIN mean that something was left unsubmitted
   *     and completions should be taken first
   */
  public int enter(int waitFor) {
    int submit = pushedTail - submittedTail;
    if (submit > 0) {
      INT.setRelease(rings, submissionTailAt, pushedTail);
    }
    while (true) {
      long result =
          Libc.ringEnter(enterNumber, submit, waitFor, enterFlags | IORING_ENTER_GETEVENTS);
      if (result >= 0) {
        submittedTail += (int) result;
        return 0;
      }
      if (result != ERRNO_EINTR) {
        return (int) result;
      }
      // Interrupted before anything was submitted: once more, but do not wait again for what may
      // have come meanwhile.
      if (ready() > 0) {
        waitFor = 0;
      }
    }
  }

  /** Hands what was pushed to the kernel and looks for nothing that ended. */
  public void submit() {
    int submit = pushedTail - submittedTail;
    if (submit > 0) {
      INT.setRelease(rings, submissionTailAt, pushedTail);
      long result = Libc.ringEnter(enterNumber, submit, 0, enterFlags);
      if (result > 0) {
        submittedTail += (int) result;
      }
    }
  }

  /** As {@link #enter}, but waits no longer than so many nanoseconds (ETIME then). */
  public int enterUntil(int waitFor, long timeoutNanos) {
    int submit = pushedTail - submittedTail;
    if (submit > 0) {
      INT.setRelease(rings, submissionTailAt, pushedTail);
    }
    long nanos = Math.max(0, timeoutNanos);
    waitArgument.putLong(0, 0).putInt(8, 0).putInt(12, 0).putLong(16, waitArgumentAddress + 24);
    waitArgument.putLong(24, nanos / 1_000_000_000L).putLong(32, nanos % 1_000_000_000L);
    try {
      long result =
          Libc.ringEnterTimed(
              enterNumber,
              submit,
              waitFor,
              enterFlags | IORING_ENTER_GETEVENTS | IORING_ENTER_EXT_ARG,
              waitArgumentAddress);
      if (result >= 0) {
        submittedTail += (int) result;
        return 0;
      }
      if (result == -Errno.ETIME.number() || result == ERRNO_EINTR) {
        // The wait failed; whatever was to be submitted was, before it.
        submittedTail = (int) INT.getAcquire(rings, submissionHeadAt);
      }
      return (int) result;
    } finally {
      Reference.reachabilityFence(waitArgument);
    }
  }

  /** Whether the kernel has something for us that only entering brings. */
  public boolean wantsEnter() {
    return ((int) INT.getOpaque(rings, submissionFlagsAt)
            & (IORING_SQ_TASKRUN | IORING_SQ_CQ_OVERFLOW))
        != 0;
  }

  // Taking.

  /** How many ended requests can be taken without entering. */
  public int ready() {
    completionTail = (int) INT.getAcquire(rings, completionTailAt);
    return completionTail - completionHead;
  }

  /**
   * Takes the next ended request that the last {@link #ready} counted; false when there is none.
   */
  public boolean take() {
    if (completionHead == completionTail) {
      return false;
    }
    int at = completionsAt + ((completionHead & completionMask) << 4);
    completedUserData = rings.getLong(at);
    completedResult = rings.getInt(at + 8);
    completedFlags = rings.getInt(at + 12);
    completionHead++;
    return true;
  }

  /** Gives the places of what was taken back to the kernel. */
  public void taken() {
    INT.setRelease(rings, completionHeadAt, completionHead);
  }

  public long userData() {
    return completedUserData;
  }

  /** A count, or an errno negated. */
  public int result() {
    return completedResult;
  }

  public int flags() {
    return completedFlags;
  }

  // Registering.

  public Descriptor descriptor() {
    return descriptor;
  }

  public UringLayout layout() {
    return layout;
  }

  /** Makes a table of so many files, all empty; false when the kernel refuses. */
  public boolean registerFiles(int count) {
    return registerSparse(UringNumbers.IORING_REGISTER_FILES2, count);
  }

  /** Makes a table of so many buffers, all empty; false when the kernel refuses. */
  public boolean registerBuffers(int count) {
    return registerSparse(UringNumbers.IORING_REGISTER_BUFFERS2, count);
  }

  private boolean registerSparse(int operation, int count) {
    ByteBuffer register = Memory.structure(32);
    register.putInt(0, count).putInt(4, UringNumbers.IORING_RSRC_REGISTER_SPARSE);
    return register(operation, register, 32) >= 0;
  }

  /** Puts a file (or none, for a negative number) into a place of the table. */
  public boolean updateFile(int place, int number) {
    ByteBuffer update = Memory.structure(24);
    update.putInt(0, place).putLong(8, Memory.address(update) + 16).putInt(16, number);
    return register(UringNumbers.IORING_REGISTER_FILES_UPDATE, update, 1) == 1;
  }

  /** Puts memory into a place of the table of buffers. The kernel pins it. */
  public boolean updateBuffer(int place, long address, long bytes) {
    ByteBuffer update = Memory.structure(48);
    update.putInt(0, place).putLong(8, Memory.address(update) + 32).putInt(24, 1);
    update.putLong(32, address).putLong(40, bytes);
    return register(UringNumbers.IORING_REGISTER_BUFFERS_UPDATE, update, 32) == 1;
  }

  /** Bounds the kernel's threads for what cannot be done without blocking. */
  public boolean boundWorkers(int bounded, int unbounded) {
    ByteBuffer counts = Memory.structure(8).putInt(0, bounded).putInt(4, unbounded);
    return register(UringNumbers.IORING_REGISTER_IOWQ_MAX_WORKERS, counts, 2) >= 0;
  }

  private long register(int operation, ByteBuffer argument, int count) {
    try {
      return Libc.ringRegister(descriptor, operation, Memory.address(argument), count);
    } finally {
      Reference.reachabilityFence(argument);
    }
  }

  // Closing.

  /** Closes the ring without waiting, whatever the kernel still holds. */
  @Override
  public void close() {
    if (closed) {
      return;
    }
    closed = true;
    if (enterFlags != 0) {
      ByteBuffer update = Memory.structure(16).putInt(0, enterNumber);
      register(UringNumbers.IORING_UNREGISTER_RING_FDS, update, 1);
    }
    descriptor.close();
    // Whoever looks at the ring yet finds nothing, and not memory that is mapped no more.
    rings = Memory.structure(rings.capacity());
    entries = Memory.structure(entries.capacity());
    memory.end();
  }

  /** Keeps memory reachable for ever, since the kernel may write into it at any time. */
  public static void leaveAlone(Object memory) {
    UringMemory.leaveAlone(memory);
  }

  @Override
  public String toString() {
    return "io_uring of "
        + submissionCount
        + " submissions and "
        + (completionMask + 1)
        + " completions";
  }
}
