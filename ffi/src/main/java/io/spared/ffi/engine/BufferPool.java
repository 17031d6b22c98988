package io.spared.ffi.engine;

import org.jspecify.annotations.Nullable;

/** The buffers of one engine: a bounded slab. Used on the engine's thread only. */
public interface BufferPool {
  /**
   * A buffer of at least so many bytes, held once by the caller; null when the slab is used up:
   * wait and ask again.
   */
  @Nullable IoBuffer take(int bytes);

  /** The largest buffer that can be asked for. */
  int largestBytes();

  long freeBytes();
}
