package io.spared.format;

import java.util.Map;
import java.util.TreeMap;
import org.jspecify.annotations.Nullable;

/** Remapped and pending blocks in block order, for tools and tests: simple, not small. */
public class SortedRemapEntries implements RemapEntries {
  /** Where a remapped block lives. */
  public record Target(int spare, long slot, LostBits lost) {}

  private final TreeMap<Long, Target> remaps = new TreeMap<>();
  private final TreeMap<Long, LostBits> pending = new TreeMap<>();

  @Override
  public void put(long block, int spare, long slot, long lostLow, long lostHigh) {
    remaps.put(block, new Target(spare, slot, new LostBits(lostLow, lostHigh)));
    pending.remove(block);
  }

  @Override
  public void remove(long block) {
    remaps.remove(block);
  }

  @Override
  public void setLost(long block, long lostLow, long lostHigh) {
    remaps.computeIfPresent(
        block, (key, old) -> new Target(old.spare(), old.slot(), new LostBits(lostLow, lostHigh)));
  }

  @Override
  public void putPending(long block, long unreadableLow, long unreadableHigh) {
    if (!remaps.containsKey(block)) {
      pending.put(block, new LostBits(unreadableLow, unreadableHigh));
    }
  }

  @Override
  public void removePending(long block) {
    pending.remove(block);
  }

  @Override
  public long remapCount() {
    return remaps.size();
  }

  @Override
  public long pendingCount() {
    return pending.size();
  }

  public Map<Long, Target> remaps() {
    return remaps;
  }

  public Map<Long, LostBits> pending() {
    return pending;
  }

  @Override
  public Walk walk() {
    return new SortedWalk();
  }

  private final class SortedWalk implements Walk {
    private long block = -1;
    private boolean inPending;
    private @Nullable Target target;
    private LostBits bits = LostBits.NONE;

    @Override
    public boolean next() {
      if (!inPending) {
        Map.Entry<Long, Target> entry = remaps.higherEntry(block);
        if (entry != null) {
          block = entry.getKey();
          target = entry.getValue();
          bits = entry.getValue().lost();
          return true;
        }
        inPending = true;
        target = null;
        block = -1;
      }
      Map.Entry<Long, LostBits> entry = pending.higherEntry(block);
      if (entry == null) {
        return false;
      }
      block = entry.getKey();
      bits = entry.getValue();
      return true;
    }

    @Override
    public long block() {
      return block;
    }

    @Override
    public boolean isPending() {
      return inPending;
    }

    @Override
    public int spare() {
      return target == null ? 0 : target.spare();
    }

    @Override
    public long slot() {
      return target == null ? 0 : target.slot();
    }

    @Override
    public long lostLow() {
      return bits.low();
    }

    @Override
    public long lostHigh() {
      return bits.high();
    }
  }
}
