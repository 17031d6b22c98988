package io.spared.queue;

import java.util.ArrayDeque;

/** Requests that wait for one thing, in order. Each is looked up anew when it goes on. */
final class Line {
  private final ArrayDeque<DeviceRequest> waiting = new ArrayDeque<>();

  void add(DeviceRequest request) {
    waiting.add(request);
  }

  DeviceRequest next() {
    return waiting.remove();
  }

  int size() {
    return waiting.size();
  }

  boolean isEmpty() {
    return waiting.isEmpty();
  }

  void clear() {
    waiting.clear();
  }
}
