package io.spared.ffi.engine;

import org.jspecify.annotations.Nullable;

/**
 * The places of a ring's table of registered buffers that are for drivers' pages, behind those of
 * the slab. A place that was given back is taken again last: so one that is named by mistake is
 * most likely found empty.
 */
final class PagesTable {
  private final int first;
  private final int count;
  private final @Nullable IoBuffer[] free;
  private int made;
  private int head;
  private int freeCount;

  PagesTable(int first, int count) {
    this.first = first;
    this.count = count;
    this.free = new IoBuffer[count];
  }

  /** Null when all are taken. */
  @Nullable IoBuffer take() {
    IoBuffer place;
    if (made < count) {
      place = IoBuffer.withoutMemory(first + made++, this::freed);
    } else if (freeCount > 0) {
      place = free[head];
      free[head] = null;
      head = (head + 1) % count;
      freeCount--;
    } else {
      return null;
    }
    if (place != null) {
      place.taken();
    }
    return place;
  }

  private void freed(IoBuffer place) {
    free[(head + freeCount) % count] = place;
    freeCount++;
  }
}
