package io.spared.sim;

import java.util.Arrays;
import org.jspecify.annotations.Nullable;

/**
 * What is to come, by time and then by the order of asking: a binary heap that knows where each
 * event stands, so that moving one leaves nothing behind.
 */
final class SimEvents {
  private @Nullable SimEvent[] heap = new @Nullable SimEvent[256];
  private int size;
  private long asked;

  int size() {
    return size;
  }

  long nextNanos() {
    SimEvent first = heap[0];
    return size == 0 || first == null ? SimEvent.NEVER : first.atNanos;
  }

  void schedule(SimEvent event, long atNanos) {
    remove(event);
    if (atNanos == SimEvent.NEVER) {
      event.atNanos = SimEvent.NEVER;
      return;
    }
    event.atNanos = atNanos;
    event.order = asked++;
    if (size == heap.length) {
      heap = Arrays.copyOf(heap, size * 2);
    }
    place(event, size++);
    up(event.heapIndex);
  }

  void remove(SimEvent event) {
    int at = event.heapIndex;
    if (at < 0) {
      return;
    }
    event.heapIndex = -1;
    size--;
    SimEvent last = at(size);
    heap[size] = null;
    if (at != size) {
      place(last, at);
      up(at);
      down(last.heapIndex);
    }
  }

  SimEvent takeFirst() {
    SimEvent first = at(0);
    remove(first);
    return first;
  }

  void clear() {
    for (int i = 0; i < size; i++) {
      at(i).heapIndex = -1;
    }
    Arrays.fill(heap, 0, size, null);
    size = 0;
  }

  private SimEvent at(int index) {
    SimEvent event = heap[index];
    if (event == null) {
      throw new IllegalStateException("no event at " + index);
    }
    return event;
  }

  private void place(SimEvent event, int index) {
    heap[index] = event;
    event.heapIndex = index;
  }

  private static boolean before(SimEvent a, SimEvent b) {
    return a.atNanos < b.atNanos || (a.atNanos == b.atNanos && a.order < b.order);
  }

  private void up(int start) {
    int index = start;
    SimEvent event = at(index);
    while (index > 0) {
      int parent = (index - 1) >>> 1;
      SimEvent other = at(parent);
      if (!before(event, other)) {
        break;
      }
      place(other, index);
      index = parent;
    }
    place(event, index);
  }

  private void down(int start) {
    int index = start;
    SimEvent event = at(index);
    while (true) {
      int child = 2 * index + 1;
      if (child >= size) {
        break;
      }
      if (child + 1 < size && before(at(child + 1), at(child))) {
        child++;
      }
      SimEvent other = at(child);
      if (!before(other, event)) {
        break;
      }
      place(other, index);
      index = child;
    }
    place(event, index);
  }
}
