package io.spared.ffi.engine;

import io.spared.ffi.libc.Memory;
import java.nio.ByteBuffer;
import java.util.function.Consumer;

/**
 * A piece of an engine's slab, aligned for direct I/O, counted: the owner's taking is one, each
 * request in flight another. It goes back to its pool when nobody holds it any more, so a buffer
 * that the kernel may still write into is never handed out again (invariant 11). Used on the
 * engine's thread only.
 *
 * <p>One without memory ({@link #hasMemory}) is a place in the ring's table of buffers, where a
 * driver puts the kernel's own pages of a request: disks' requests name it like any registered
 * buffer, by offset, and nobody here sees the bytes. The same count keeps the place from being
 * given to the driver again while a disk's request that names it has not ended.
 */
public final class IoBuffer {
  private static final ByteBuffer NOTHING = ByteBuffer.allocate(0);

  private final ByteBuffer bytes;
  private final int index;
  private final Consumer<IoBuffer> whenFree;
  private final long address;
  private final boolean registered;
  private final boolean memory;
  private int holders;

  /** For the engines' own pools, which know where the memory lies. */
  IoBuffer(
      ByteBuffer bytes, long address, int index, boolean registered, Consumer<IoBuffer> whenFree) {
    this.bytes = bytes;
    this.address = address;
    this.index = index;
    this.registered = registered;
    this.memory = true;
    this.whenFree = whenFree;
  }

  private IoBuffer(int index, Consumer<IoBuffer> whenFree) {
    this.bytes = NOTHING;
    this.address = 0;
    this.index = index;
    this.registered = true;
    this.memory = false;
    this.whenFree = whenFree;
  }

  /** Memory of no pool, held once by the caller: for what is too rare for a pool to count it. */
  public static IoBuffer unpooled(int bytes) {
    IoBuffer buffer = new IoBuffer(Memory.pages(bytes), 0, _ -> {});
    buffer.taken();
    return buffer;
  }

  /** A place for the kernel's pages in a table of registered buffers. */
  public static IoBuffer withoutMemory(int index, Consumer<IoBuffer> whenFree) {
    return new IoBuffer(index, whenFree);
  }

  /** Whether there are bytes to be seen, and not only pages of the kernel's. */
  public boolean hasMemory() {
    return memory;
  }

  /** For pools elsewhere. Memory on the heap is of no use to engines that call the system. */
  public IoBuffer(ByteBuffer bytes, int index, Consumer<IoBuffer> whenFree) {
    this(bytes, bytes.isDirect() ? Memory.address(bytes) : 0, index, false, whenFree);
  }

  /** Where the memory lies; of the kernel's pages, which are named by offset, the beginning: 0. */
  long address() {
    if (address == 0 && memory) {
      throw new IllegalStateException("a buffer on the heap cannot be given to the system");
    }
    return address;
  }

  /** Whether {@link #index()} names a buffer registered with the engine's ring. */
  boolean isRegistered() {
    return registered;
  }

  /**
   * The memory, whole, little-endian or not as set by the user; position and limit belong to
   * whoever uses it now.
   */
  public ByteBuffer bytes() {
    if (!memory) {
      throw new IllegalStateException("the bytes are in the kernel's pages, not here");
    }
    return bytes;
  }

  /** Of the kernel's pages nobody knows; the driver registers all of a request. */
  public int capacityBytes() {
    return memory ? bytes.capacity() : Integer.MAX_VALUE;
  }

  /** For engines: which of the engine's registered buffers this is. */
  public int index() {
    return index;
  }

  /** For pools: handed out. */
  public void taken() {
    if (holders != 0) {
      throw new IllegalStateException("a buffer that is still held was handed out");
    }
    holders = 1;
  }

  public void retain() {
    if (holders <= 0) {
      throw new IllegalStateException("a free buffer was used");
    }
    holders++;
  }

  public void release() {
    if (holders <= 0) {
      throw new IllegalStateException("a buffer was released twice");
    }
    if (--holders == 0) {
      whenFree.accept(this);
    }
  }

  /** Whether somebody holds it besides the caller: a request that the kernel has not let go of. */
  public boolean isShared() {
    return holders > 1;
  }

  public boolean isFree() {
    return holders == 0;
  }
}
