package io.spared.ffi.engine;

/** Where a buffer lies, for drivers inside ffi that fill buffers by themselves. */
public final class Buffers {
  private Buffers() {}

  public static long address(IoBuffer buffer) {
    if (!buffer.hasMemory()) {
      throw new IllegalArgumentException("the kernel's pages have no address here");
    }
    return buffer.address();
  }
}
