package io.spared.sim;

import io.spared.ffi.engine.IoBuffer;
import java.nio.ByteBuffer;
import java.util.Collections;
import java.util.Map;
import java.util.WeakHashMap;

/**
 * What stands for the kernel's pages of a request: drives know them, and whoever made them, as a
 * program does; who only has the buffer does not.
 */
public final class SimPages {
  private static final Map<IoBuffer, ByteBuffer> PAGES =
      Collections.synchronizedMap(new WeakHashMap<>());

  private SimPages() {}

  /** A buffer without memory, over these pages. */
  public static IoBuffer register(ByteBuffer pages) {
    IoBuffer buffer = IoBuffer.withoutMemory(0, _ -> {});
    buffer.taken();
    PAGES.put(buffer, pages);
    return buffer;
  }

  static ByteBuffer of(IoBuffer buffer) {
    if (buffer.hasMemory()) {
      return buffer.bytes();
    }
    ByteBuffer pages = PAGES.get(buffer);
    if (pages == null) {
      throw new IllegalStateException("nobody registered pages here");
    }
    return pages;
  }
}
