package io.spared.ffi.engine;

import io.spared.ffi.libc.Memory;
import java.nio.ByteBuffer;
import java.util.Arrays;
import org.jspecify.annotations.Nullable;

/**
 * A bounded slab of page-aligned memory, cut into buffers of powers of two (a buddy allocator). It
 * grows by whole chunks, each registered with the ring when it is made, so that an idle daemon pins
 * little.
 *
 * <p>A freed buffer is kept as it is for the next taker of its size; only when a size has run out
 * are all kept ones merged again. So the usual take and release touch one small stack, and allocate
 * nothing once every buffer object has been made.
 */
final class SlabPool implements BufferPool {
  /** Makes a chunk known to the engine; false when it must be used unregistered. */
  interface Registrar {
    boolean register(int chunkIndex, ByteBuffer chunk, long address);
  }

  private static final int PAGE_SHIFT = 12;
  private static final int NONE = -1;

  private final int chunkBytes;
  private final int chunkPages;
  private final int chunksMax;
  private final int orders;
  private final Registrar registrar;

  private final ByteBuffer[] chunks;
  private final long[] addresses;
  private final boolean[] registered;
  private int chunkCount;

  /** For each page that begins a free block: the block's order plus one; else 0. */
  private byte[] freeOrder = new byte[0];

  private int[] next = new int[0];
  private int[] previous = new int[0];
  private final int[] freeHeads;

  private final @Nullable IoBuffer[][] buffers;
  private final IoBuffer[][] kept;
  private final int[] keptCounts;
  private long takenBytes;

  SlabPool(int chunkBytes, long slabBytes, Registrar registrar) {
    this.chunkBytes = chunkBytes;
    this.chunkPages = chunkBytes >> PAGE_SHIFT;
    this.chunksMax = Math.toIntExact(slabBytes / chunkBytes);
    this.orders = Integer.numberOfTrailingZeros(chunkPages) + 1;
    this.registrar = registrar;
    this.chunks = new ByteBuffer[chunksMax];
    this.addresses = new long[chunksMax];
    this.registered = new boolean[chunksMax];
    this.freeHeads = new int[orders];
    Arrays.fill(freeHeads, NONE);
    this.buffers = new IoBuffer[orders][0];
    this.kept = new IoBuffer[orders][16];
    this.keptCounts = new int[orders];
  }

  int chunksMax() {
    return chunksMax;
  }

  @Override
  public int largestBytes() {
    return chunkBytes;
  }

  @Override
  public long freeBytes() {
    return (long) chunksMax * chunkBytes - takenBytes;
  }

  @Override
  public @Nullable IoBuffer take(int bytes) {
    if (bytes < 0 || bytes > chunkBytes) {
      throw new IllegalArgumentException(
          "a buffer of " + bytes + " bytes; the largest has " + chunkBytes);
    }
    int order = orderFor(bytes);
    IoBuffer buffer;
    if (keptCounts[order] > 0) {
      buffer = kept[order][--keptCounts[order]];
    } else {
      int page = takeBlock(order);
      if (page == NONE) {
        mergeKept();
        page = takeBlock(order);
      }
      if (page == NONE && grow()) {
        page = takeBlock(order);
      }
      if (page == NONE) {
        return null;
      }
      buffer = bufferAt(order, page);
    }
    takenBytes += (long) buffer.capacityBytes();
    buffer.taken();
    return buffer;
  }

  private static int orderFor(int bytes) {
    int pages = (bytes + (1 << PAGE_SHIFT) - 1) >> PAGE_SHIFT;
    return pages <= 1 ? 0 : 32 - Integer.numberOfLeadingZeros(pages - 1);
  }

  private void freed(IoBuffer buffer) {
    int order = orderFor(buffer.capacityBytes());
    takenBytes -= (long) buffer.capacityBytes();
    IoBuffer[] stack = kept[order];
    if (keptCounts[order] == stack.length) {
      stack = Arrays.copyOf(stack, stack.length * 2);
      kept[order] = stack;
    }
    stack[keptCounts[order]++] = buffer;
  }

  private IoBuffer bufferAt(int order, int page) {
    int place = page >> order;
    IoBuffer buffer = buffers[order][place];
    if (buffer == null) {
      int chunk = page / chunkPages;
      int offset = (page % chunkPages) << PAGE_SHIFT;
      int bytes = 1 << (order + PAGE_SHIFT);
      buffer =
          new IoBuffer(
              chunks[chunk].slice(offset, bytes),
              addresses[chunk] + offset,
              chunk,
              registered[chunk],
              this::freed);
      buffers[order][place] = buffer;
    }
    return buffer;
  }

  private int pageOf(IoBuffer buffer) {
    return buffer.index() * chunkPages
        + (int) ((buffer.address() - addresses[buffer.index()]) >> PAGE_SHIFT);
  }

  private void mergeKept() {
    for (int order = 0; order < orders; order++) {
      for (int i = 0; i < keptCounts[order]; i++) {
        freeBlock(pageOf(kept[order][i]), order);
      }
      keptCounts[order] = 0;
    }
  }

  private int takeBlock(int order) {
    int from = order;
    while (from < orders && freeHeads[from] == NONE) {
      from++;
    }
    if (from == orders) {
      return NONE;
    }
    int page = freeHeads[from];
    unlink(page, from);
    while (from > order) {
      from--;
      link(page + (1 << from), from);
    }
    return page;
  }

  private void freeBlock(int page, int order) {
    while (order < orders - 1) {
      int buddy = page ^ (1 << order);
      if (freeOrder[buddy] != order + 1) {
        break;
      }
      unlink(buddy, order);
      page = Math.min(page, buddy);
      order++;
    }
    link(page, order);
  }

  private void link(int page, int order) {
    int head = freeHeads[order];
    next[page] = head;
    previous[page] = NONE;
    if (head != NONE) {
      previous[head] = page;
    }
    freeHeads[order] = page;
    freeOrder[page] = (byte) (order + 1);
  }

  private void unlink(int page, int order) {
    if (previous[page] == NONE) {
      freeHeads[order] = next[page];
    } else {
      next[previous[page]] = next[page];
    }
    if (next[page] != NONE) {
      previous[next[page]] = previous[page];
    }
    freeOrder[page] = 0;
  }

  private boolean grow() {
    if (chunkCount == chunksMax) {
      return false;
    }
    int chunk = chunkCount++;
    ByteBuffer memory = Memory.pages(chunkBytes);
    chunks[chunk] = memory;
    addresses[chunk] = Memory.address(memory);
    registered[chunk] = registrar.register(chunk, memory, addresses[chunk]);
    int pages = chunkCount * chunkPages;
    freeOrder = Arrays.copyOf(freeOrder, pages);
    next = Arrays.copyOf(next, pages);
    previous = Arrays.copyOf(previous, pages);
    for (int order = 0; order < orders; order++) {
      buffers[order] = Arrays.copyOf(buffers[order], pages >> order);
    }
    link(chunk * chunkPages, orders - 1);
    return true;
  }
}
