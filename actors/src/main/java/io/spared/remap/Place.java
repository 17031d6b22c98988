package io.spared.remap;

/**
 * Where a block's bytes are, in one number, so that the path of an I/O needs no object: {@link
 * #MAIN}, or a slot of a spare.
 */
public final class Place {
  /** On main, at the block's own offset. */
  public static final long MAIN = -1;

  /** No place at all. */
  public static final long NONE = -2;

  /** 64 spares: as many as the format knows. */
  static final int SPARE_BITS = 6;

  public static final int SPARES_MAX = 1 << SPARE_BITS;

  /** 2^36 slots: 256 TiB of a spare in blocks of 4 KiB. */
  static final int SLOT_BITS = 36;

  static final int BITS = SPARE_BITS + SLOT_BITS;

  private static final long SLOT_MASK = (1L << SLOT_BITS) - 1;

  private Place() {}

  public static long of(int spare, long slot) {
    if (spare < 0 || spare >= 1 << SPARE_BITS || slot < 0 || slot > SLOT_MASK) {
      throw new IllegalArgumentException("no such place: slot " + slot + " of spare " + spare);
    }
    return (long) spare << SLOT_BITS | slot;
  }

  /** The highest place on a spare. */
  static long lastOf(int spare) {
    return of(spare, SLOT_MASK);
  }

  public static boolean isSlot(long place) {
    return place >= 0;
  }

  public static int spare(long place) {
    return (int) (place >>> SLOT_BITS);
  }

  public static long slot(long place) {
    return place & SLOT_MASK;
  }

  /** For people. */
  public static String toString(long place) {
    if (place == MAIN) {
      return "main";
    }
    return place == NONE ? "nowhere" : "slot " + slot(place) + " of spare " + spare(place);
  }
}
