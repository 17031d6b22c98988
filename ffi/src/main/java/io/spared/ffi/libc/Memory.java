package io.spared.ffi.libc;

import com.kenai.jffi.MemoryIO;
import java.lang.foreign.MemorySegment;
import java.nio.ByteBuffer;
import java.nio.ByteOrder;

/** Memory that native calls see: where buffers lie, and buffers over mapped memory. */
public final class Memory {
  private Memory() {}

  /**
   * Page size for alignment. Larger pages than this are aligned to it too, since io_uring rings are
   * page-aligned by {@link #pages} with the system's own page size.
   */
  public static final int PAGE_BYTES = 4096;

  /**
   * Where a direct buffer's first byte lies. The caller keeps the buffer reachable while it counts.
   */
  public static long address(ByteBuffer direct) {
    return MemorySegment.ofBuffer(direct.duplicate().clear()).address();
  }

  /** Zeroed page-aligned memory; it lives as long as the buffer or a slice of it is reachable. */
  public static ByteBuffer pages(int bytes) {
    int rounded = Math.toIntExact(((long) bytes + PAGE_BYTES - 1) & -PAGE_BYTES);
    ByteBuffer whole = ByteBuffer.allocateDirect(Math.addExact(rounded, PAGE_BYTES));
    ByteBuffer aligned = whole.alignedSlice(PAGE_BYTES);
    return aligned.slice(0, rounded).order(ByteOrder.nativeOrder());
  }

  /** A buffer over memory that somebody else keeps mapped. */
  public static ByteBuffer at(long address, int bytes) {
    return MemoryIO.getInstance()
        .newDirectByteBuffer(address, bytes)
        .order(ByteOrder.nativeOrder());
  }

  /** Zeroed memory in native byte order for structures that calls read and write. */
  public static ByteBuffer structure(int bytes) {
    return ByteBuffer.allocateDirect(bytes).order(ByteOrder.nativeOrder());
  }
}
