package io.spared.queue;

import io.spared.ffi.Errno;
import java.util.ArrayList;
import org.jspecify.annotations.Nullable;

/**
 * The fenced blocks as one queue knows them. There are few at a time (the relocator bounds them),
 * so they are searched one by one, and nearly always there is none.
 *
 * <p>A fence is <b>reached</b> when no write or discard of this queue on the block is with a disk,
 * those abandoned to the kernel included. Lookup and submission are one step, and the step looks
 * for fences, so none can follow until the fence is lifted. A failed write that waits is not with a
 * disk; when it goes on and finds the fence, its data goes to the relocator.
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

  private final QueueContext context;
  private final Parts parts;
  private final int blockBytes;
  private final int blockShift;
  private final ArrayList<Entry> entries = new ArrayList<>();
  private int unreached;

  Fences(QueueContext context, Parts parts) {
    this.context = context;
    this.parts = parts;
    this.blockBytes = context.geometry().blockBytes();
    this.blockShift = Integer.numberOfTrailingZeros(blockBytes);
  }

  void add(long fenceId, long block) {
    Entry entry = new Entry(fenceId, block);
    entries.add(entry);
    unreached++;
    reachIfQuiet(entry);
  }

  /** Something that writes is off its disk: says which fences are reached by that. */
  void reachAllQuiet() {
    if (unreached == 0) {
      return;
    }
    for (int i = 0; i < entries.size(); i++) {
      Entry entry = entries.get(i);
      if (!entry.reached) {
        reachIfQuiet(entry);
      }
    }
  }

  private void reachIfQuiet(Entry entry) {
    long from = entry.block << blockShift;
    if (!parts.isChanging(from, from + blockBytes)) {
      entry.reached = true;
      unreached--;
      context.report(new QueueReport.FenceReached(context.queueId(), entry.fenceId));
    }
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

  /** The fence on the lowest block among these bytes, or null. */
  @Nullable Entry within(long fromBytes, long toBytes) {
    return entries.isEmpty() ? null : first(fromBytes >>> blockShift, (toBytes - 1) >>> blockShift);
  }

  private @Nullable Entry first(long firstBlock, long lastBlock) {
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
}
