package io.spared.remap;

import io.spared.format.Extent;
import java.util.ArrayDeque;
import java.util.HashMap;
import java.util.Map;
import java.util.NavigableSet;
import java.util.TreeMap;
import java.util.TreeSet;

/**
 * The slots of the extents lent to a device, and the only one who gives them. Used on the device's
 * thread alone.
 *
 * <p>Invariant: <em>a slot is given only when it is free, and it is free only when no block is on
 * it, nobody holds it, it has not failed, and no request that may still touch it is unfinished</em>
 * (invariant 11). Each slot has exactly one state. It is free; held, from {@link #take} until its
 * commit is decided (an indeterminate one holds it until it is resolved); used, with a block on it;
 * resting, when a block left it, until every reader of the map is past the version in which it did;
 * or retired for ever. Every other step between them is refused with an exception, since it would
 * mean that the map and the slots no longer agree.
 *
 * <p>A spare that is {@link #close closed} gives none: its free slots count neither as free nor as
 * lent, so that nobody relies on room that is about to go.
 */
public final class Slots {
  /** How full the lent slots are. */
  public enum Fullness {
    PLENTY,
    FULL_80,
    FULL_90,
    FULL_95,
    /** No more than the reserve is free. */
    OUT
  }

  /** Counts of slots. */
  public record Usage(long lent, long free, long held, long used, long resting, long retired) {
    /** In per cent of the slots that have not failed, how many are not free, and what to say. */
    public Fullness fullness(long reserve) {
      long usable = lent - retired;
      long taken = usable - free;
      if (free <= reserve) {
        return Fullness.OUT;
      }
      if (taken * 100 >= usable * 95) {
        return Fullness.FULL_95;
      }
      if (taken * 100 >= usable * 90) {
        return Fullness.FULL_90;
      }
      return taken * 100 >= usable * 80 ? Fullness.FULL_80 : Fullness.PLENTY;
    }
  }

  /** Why a slot is taken, when no block is on it. */
  private enum Without {
    HELD,
    RESTING,
    RETIRED
  }

  /** A slot that waits for the readers of the map. */
  private record Rest(long place, long version) {}

  /** One unit of an extent, 1 MiB: at most 256 slots, a bit each, set when the slot is not free. */
  private static final class Unit {
    final long[] taken = new long[4];
    int free;
  }

  private final RemapTable table;
  private final int blockBytes;
  private final int slotsPerUnit;

  /** By the place of the unit's first slot. */
  private final TreeMap<Long, Unit> units = new TreeMap<>();

  /** The units with free slots, of each spare. */
  private final TreeMap<Integer, NavigableSet<Long>> unitsWithFree = new TreeMap<>();

  private final Map<Long, Without> withoutBlock = new HashMap<>();
  private final ArrayDeque<Rest> resting = new ArrayDeque<>();
  private final long[] freeOfSpare = new long[1 << Place.SPARE_BITS];
  private long free;
  private long held;
  private long retired;
  private long reserve;

  /** One bit a spare that gives no slots. */
  private long closed;

  public Slots(RemapTable table, int blockBytes) {
    this.table = table;
    this.blockBytes = blockBytes;
    this.slotsPerUnit = Math.toIntExact(Extent.UNIT_BYTES / blockBytes);
  }

  /** How many free slots {@link #take} leaves for those who may use the reserve. */
  public void setReserve(long slots) {
    reserve = slots;
  }

  /** From now on no slot of this spare is given. */
  public void close(int spare) {
    closed |= 1L << spare;
  }

  /** The opposite of {@link #close}. */
  public void open(int spare) {
    closed &= ~(1L << spare);
  }

  /** Blocks on this spare: not its held, resting and retired slots. */
  public long usedOfSpare(int spare) {
    settle();
    long lent =
        (long) units.subMap(Place.of(spare, 0), true, Place.lastOf(spare), true).size()
            * slotsPerUnit;
    long without = withoutBlock.keySet().stream().filter(p -> Place.spare(p) == spare).count();
    return lent - freeOfSpare[spare] - without;
  }

  /** Slots of this spare that are neither free nor retired. */
  public long takenOfSpare(int spare) {
    return usedOfSpare(spare)
        + withoutBlock.entrySet().stream()
            .filter(e -> Place.spare(e.getKey()) == spare && e.getValue() != Without.RETIRED)
            .count();
  }

  /** No slot of this spare may be touched by anybody any more. */
  public boolean isQuiet(int spare) {
    return takenOfSpare(spare) == 0;
  }

  private long freeOfClosed() {
    long sum = 0;
    for (long left = closed; left != 0; left &= left - 1) {
      sum += freeOfSpare[Long.numberOfTrailingZeros(left)];
    }
    return sum;
  }

  /** The spare lends this range for data: its slots are free. */
  public void lend(Extent extent) {
    for (long at = extent.offsetBytes(); at < extent.endBytes(); at += Extent.UNIT_BYTES) {
      long first = Place.of(extent.spare(), at / blockBytes);
      if (units.containsKey(first)) {
        throw new IllegalStateException("lent twice: " + Place.toString(first));
      }
      Unit unit = new Unit();
      unit.free = slotsPerUnit;
      units.put(first, unit);
      unitsWithFree.computeIfAbsent(extent.spare(), spare -> new TreeSet<>()).add(first);
      free += slotsPerUnit;
      freeOfSpare[extent.spare()] += slotsPerUnit;
    }
  }

  /**
   * Whether the range may be given back to its spare: every slot of it is free, or has failed (the
   * spare's owner has to know of those).
   */
  public boolean isReturnable(Extent extent) {
    settle();
    for (long at = extent.offsetBytes(); at < extent.endBytes(); at += Extent.UNIT_BYTES) {
      long first = Place.of(extent.spare(), at / blockBytes);
      Unit unit = units.get(first);
      if (unit == null) {
        return false;
      }
      for (int i = 0; i < slotsPerUnit; i++) {
        if (isTaken(unit, i) && withoutBlock.get(first + i) != Without.RETIRED) {
          return false;
        }
      }
    }
    return true;
  }

  /** Takes a range out of use before it is given back to its spare. */
  public void takeBack(Extent extent) {
    if (!isReturnable(extent)) {
      throw new IllegalStateException("given back while in use: " + extent);
    }
    for (long at = extent.offsetBytes(); at < extent.endBytes(); at += Extent.UNIT_BYTES) {
      long first = Place.of(extent.spare(), at / blockBytes);
      Unit unit = units.remove(first);
      if (unit == null) {
        throw new IllegalStateException("not lent: " + extent);
      }
      for (int i = 0; i < slotsPerUnit; i++) {
        if (withoutBlock.remove(first + i) != null) {
          retired--;
        }
      }
      NavigableSet<Long> ofSpare = unitsWithFree.get(extent.spare());
      if (ofSpare != null) {
        ofSpare.remove(first);
      }
      free -= unit.free;
      freeOfSpare[extent.spare()] -= unit.free;
    }
  }

  /** While loading: a block is on this slot. */
  public void loadUsed(int spare, long slot) {
    occupy(Place.of(spare, slot));
  }

  /** While loading: this slot has failed. */
  public void loadRetired(int spare, long slot) {
    long place = Place.of(spare, slot);
    if (units.containsKey(firstOf(place))) {
      occupy(place);
      withoutBlock.put(place, Without.RETIRED);
      retired++;
    }
  }

  /**
   * A free slot, held from now on; {@link Place#NONE} when there is none. From the spare with the
   * most free ones, the lowest first, so that neighbours stay neighbours.
   *
   * @param avoidSpares one bit a spare that must not give it
   */
  public long take(long avoidSpares, boolean mayUseReserve) {
    settle();
    if (free - freeOfClosed() <= (mayUseReserve ? 0 : reserve)) {
      return Place.NONE;
    }
    long avoided = avoidSpares | closed;
    int best = -1;
    for (int spare = 0; spare < freeOfSpare.length; spare++) {
      if ((avoided >>> spare & 1) == 0
          && freeOfSpare[spare] > 0
          && (best < 0 || freeOfSpare[spare] > freeOfSpare[best])) {
        best = spare;
      }
    }
    NavigableSet<Long> ofBest = unitsWithFree.get(best);
    if (best < 0 || ofBest == null) {
      return Place.NONE;
    }
    long first = ofBest.first();
    Unit unit = unitAt(first);
    for (int i = 0; i < slotsPerUnit; i++) {
      if (!isTaken(unit, i)) {
        long place = first + i;
        occupy(place);
        withoutBlock.put(place, Without.HELD);
        held++;
        return place;
      }
    }
    throw new IllegalStateException("no slot is free where one should be");
  }

  /** A held slot that the map never named and no request touches any more: free at once. */
  public void giveBack(long place) {
    leave(place, Without.HELD);
    held--;
    vacate(place);
  }

  /** The commit that puts a block on this held slot is done. */
  public void use(long place) {
    leave(place, Without.HELD);
    held--;
  }

  /**
   * The block has left this slot, and that is published: it rests until no reader of the map can
   * still touch it.
   */
  public void release(long place) {
    requireUsed(place);
    withoutBlock.put(place, Without.RESTING);
    resting.add(new Rest(place, table.version()));
  }

  /** This held or used slot has failed: it is never given again. */
  public void retire(long place) {
    if (withoutBlock.get(place) == Without.HELD) {
      held--;
    } else {
      requireUsed(place);
    }
    withoutBlock.put(place, Without.RETIRED);
    retired++;
  }

  public boolean isRetired(long place) {
    return withoutBlock.get(place) == Without.RETIRED;
  }

  public boolean isHeld(long place) {
    return withoutBlock.get(place) == Without.HELD;
  }

  /** Whether slots rest that only wait for idle readers of the map to say so. */
  public boolean hasResting() {
    settle();
    return !resting.isEmpty();
  }

  public Usage usage() {
    settle();
    long all = (long) units.size() * slotsPerUnit;
    long used = all - free - held - resting.size() - retired;
    long closedFree = freeOfClosed();
    return new Usage(all - closedFree, free - closedFree, held, used, resting.size(), retired);
  }

  public Fullness fullness() {
    return usage().fullness(reserve);
  }

  public long freeOfSpare(int spare) {
    settle();
    return freeOfSpare[spare];
  }

  /** Frees what every reader is past. */
  private void settle() {
    if (resting.isEmpty()) {
      return;
    }
    long oldest = table.oldestInUse();
    while (true) {
      Rest rest = resting.peek();
      if (rest == null || rest.version() > oldest) {
        return;
      }
      resting.remove();
      leave(rest.place(), Without.RESTING);
      vacate(rest.place());
    }
  }

  private void leave(long place, Without state) {
    if (!withoutBlock.remove(place, state)) {
      throw new IllegalStateException(Place.toString(place) + " is not " + state);
    }
  }

  private void requireUsed(long place) {
    Unit unit = unitAt(firstOf(place));
    if (!isTaken(unit, indexOf(place)) || withoutBlock.containsKey(place)) {
      throw new IllegalStateException("no block is on " + Place.toString(place));
    }
  }

  private void occupy(long place) {
    long first = firstOf(place);
    Unit unit = unitAt(first);
    int i = indexOf(place);
    if (isTaken(unit, i)) {
      throw new IllegalStateException(Place.toString(place) + " is taken already");
    }
    unit.taken[i >>> 6] |= 1L << i;
    free--;
    freeOfSpare[Place.spare(place)]--;
    if (--unit.free == 0) {
      NavigableSet<Long> ofSpare = unitsWithFree.get(Place.spare(place));
      if (ofSpare != null) {
        ofSpare.remove(first);
      }
    }
  }

  private void vacate(long place) {
    long first = firstOf(place);
    Unit unit = unitAt(first);
    int i = indexOf(place);
    unit.taken[i >>> 6] &= ~(1L << i);
    free++;
    freeOfSpare[Place.spare(place)]++;
    if (unit.free++ == 0) {
      unitsWithFree.computeIfAbsent(Place.spare(place), spare -> new TreeSet<>()).add(first);
    }
  }

  private Unit unitAt(long first) {
    Unit unit = units.get(first);
    if (unit == null) {
      throw new IllegalStateException(Place.toString(first) + " is not lent");
    }
    return unit;
  }

  private static boolean isTaken(Unit unit, int i) {
    return (unit.taken[i >>> 6] >>> i & 1) != 0;
  }

  private long firstOf(long place) {
    return place - indexOf(place);
  }

  /** Units begin at multiples of their number of slots, a power of two, on every spare. */
  private int indexOf(long place) {
    return (int) (place & slotsPerUnit - 1);
  }
}
