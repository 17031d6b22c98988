package io.spared.ffi.engine;

import io.spared.ffi.uring.Uring;
import java.util.ArrayList;
import java.util.Collections;
import java.util.IdentityHashMap;
import java.util.List;
import java.util.Set;

/** The ring's table of registered files, and every port that has a file open. */
final class UringFiles {
  private final Uring ring;
  private final int size;
  private final boolean registered;
  private final int[] freePlaces;
  private int freeCount;
  private int usedEnd;
  private final Set<UringPort> ports = Collections.newSetFromMap(new IdentityHashMap<>());

  UringFiles(Uring ring, int size) {
    this.ring = ring;
    this.size = size;
    this.registered = ring.registerFiles(size);
    this.freePlaces = new int[size];
  }

  /** Puts the port's file into the table; negative when it must go by its number. */
  int add(UringPort port) {
    ports.add(port);
    if (!registered) {
      return -1;
    }
    int place;
    if (freeCount > 0) {
      place = freePlaces[--freeCount];
    } else if (usedEnd < size) {
      place = usedEnd++;
    } else {
      return -1;
    }
    if (!ring.updateFile(place, port.descriptor().number())) {
      freePlaces[freeCount++] = place;
      return -1;
    }
    return place;
  }

  void remove(UringPort port, int place) {
    ports.remove(port);
    if (place >= 0) {
      ring.updateFile(place, -1);
      freePlaces[freeCount++] = place;
    }
  }

  /** The engine is closed: every port lets go of its file. */
  void close() {
    List<UringPort> all = new ArrayList<>(ports);
    for (UringPort port : all) {
      port.leave();
    }
  }
}
