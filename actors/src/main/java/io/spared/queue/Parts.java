package io.spared.queue;

import io.spared.ffi.engine.Completions;
import java.util.ArrayList;
import org.jspecify.annotations.Nullable;

/** The parts of one queue: made as they are needed, up to a bound, and used again. */
final class Parts {
  private final Completions completions;
  private final ArrayList<Part> all = new ArrayList<>();
  private final ArrayList<Part> free = new ArrayList<>();
  private int max;
  private int abandoned;

  Parts(Completions completions, int max) {
    this.completions = completions;
    this.max = max;
  }

  void setMax(int max) {
    this.max = max;
  }

  /** Whether there are fewer than these to take. */
  boolean lacks(int wanted) {
    return free.size() + max - all.size() < wanted;
  }

  @Nullable Part take() {
    if (!free.isEmpty()) {
      return free.removeLast();
    }
    if (all.size() >= max) {
      return null;
    }
    Part part = new Part(completions);
    all.add(part);
    return part;
  }

  void free(Part part) {
    if (part.state == Part.State.ABANDONED) {
      abandoned--;
    }
    part.state = Part.State.FREE;
    part.request = null;
    part.port = null;
    part.isolation = null;
    part.doubt = null;
    part.mirrors = false;
    part.zeroesByHand = false;
    free.add(part);
  }

  void abandon(Part part) {
    part.state = Part.State.ABANDONED;
    part.request = null;
    part.isolation = null;
    abandoned++;
  }

  /** Parts that the kernel has, though their requests ended without them. */
  int abandoned() {
    return abandoned;
  }

  boolean areAllFree() {
    return free.size() == all.size();
  }

  int size() {
    return all.size();
  }

  Part get(int i) {
    return all.get(i);
  }

  /** Whether a write or discard is with its disk that covers some of these bytes. */
  boolean isChanging(long fromBytes, long toBytes) {
    for (Part part : all) {
      if (part.changesBytes && part.isOnDisk() && part.overlaps(fromBytes, toBytes)) {
        return true;
      }
    }
    return false;
  }
}
