package io.spared.remap;

/**
 * The result of a lookup, filled in place so that looking up allocates nothing; every reader keeps
 * one.
 */
public final class Lookup {
  /** Where the block's bytes are: {@link Place#MAIN} or a slot. */
  public long place = Place.MAIN;

  /** Not remapped, and known to hold unreadable sectors. */
  public boolean pending;

  /** The lost sectors of a remapped block, the unreadable ones of a pending one. */
  public long lostLow;

  /** Sectors 64 to 127 of the same. */
  public long lostHigh;

  void clean() {
    place = Place.MAIN;
    pending = false;
    lostLow = 0;
    lostHigh = 0;
  }

  public boolean isClean() {
    return place == Place.MAIN && !pending;
  }

  public boolean isLost(int sector) {
    return ((sector < 64 ? lostLow >>> sector : lostHigh >>> (sector - 64)) & 1) != 0;
  }

  public boolean hasLost() {
    return (lostLow | lostHigh) != 0;
  }
}
