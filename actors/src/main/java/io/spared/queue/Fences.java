package io.spared.queue;

import io.spared.ffi.Errno;
import java.util.ArrayList;
import org.jspecify.annotations.Nullable;

/**
 * The fenced blocks as one queue knows them. There are few at a time (the relocator bounds them),
 * so they are searched one by one, and nearly always there is none.
 */
final class Fences {
  /** One fence. */
  static final class Entry {
    final long fenceId;
    final long block;
    boolean reached;
    @Nullable Errno refuses;

    Entry(long fenceId, long block) {
      this.fenceId = fenceId;
      this.block = block;
    }
  }

  private final ArrayList<Entry> entries = new ArrayList<>();
  private int unreached;

  boolean isEmpty() {
    return entries.isEmpty();
  }

  /** Whether some fence still waits for writes in flight. */
  boolean hasUnreached() {
    return unreached > 0;
  }

  Entry add(long fenceId, long block) {
    Entry entry = new Entry(fenceId, block);
    entries.add(entry);
    unreached++;
    return entry;
  }

  void reached(Entry entry) {
    entry.reached = true;
    unreached--;
  }

  void refuse(long fenceId, Errno errno) {
    for (Entry entry : entries) {
      if (entry.fenceId == fenceId) {
        entry.refuses = errno;
      }
    }
  }

  void lift(long fenceId) {
    for (int i = 0; i < entries.size(); i++) {
      Entry entry = entries.get(i);
      if (entry.fenceId == fenceId) {
        if (!entry.reached) {
          unreached--;
        }
        entries.remove(i);
        return;
      }
    }
  }

  /** The fence on the lowest of these blocks, both included, or null. */
  @Nullable Entry first(long firstBlock, long lastBlock) {
    Entry found = null;
    for (Entry entry : entries) {
      if (entry.block >= firstBlock
          && entry.block <= lastBlock
          && (found == null || entry.block < found.block)) {
        found = entry;
      }
    }
    return found;
  }

  int size() {
    return entries.size();
  }

  Entry get(int i) {
    return entries.get(i);
  }
}
