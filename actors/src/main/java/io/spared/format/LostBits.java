package io.spared.format;

/**
 * Which sectors of one block are lost (or, of a pending block, unreadable): one bit a sector, up to
 * {@link #SECTORS_MAX}, bit i for the block's sector i.
 */
public record LostBits(long low, long high) {
  /** A block of 64 KiB with sectors of 512 bytes. */
  public static final int SECTORS_MAX = 128;

  public static final LostBits NONE = new LostBits(0, 0);

  /** The first {@code sectors} sectors, all of a block when it has that many. */
  public static LostBits first(int sectors) {
    if (sectors < 0 || sectors > SECTORS_MAX) {
      throw new IllegalArgumentException("a block has 0 to 128 sectors, not " + sectors);
    }
    return new LostBits(ones(Math.min(sectors, 64)), ones(Math.max(sectors - 64, 0)));
  }

  /** {@code count} sectors from {@code from} on. */
  public static LostBits range(int from, int count) {
    return first(from + count).minus(first(from));
  }

  private static long ones(int count) {
    return count == 64 ? -1L : (1L << count) - 1;
  }

  public boolean isLost(int sector) {
    return ((sector < 64 ? low >>> sector : high >>> (sector - 64)) & 1) != 0;
  }

  public boolean isEmpty() {
    return (low | high) == 0;
  }

  public int count() {
    return Long.bitCount(low) + Long.bitCount(high);
  }

  public LostBits plus(LostBits other) {
    return new LostBits(low | other.low, high | other.high);
  }

  public LostBits minus(LostBits other) {
    return new LostBits(low & ~other.low, high & ~other.high);
  }

  public LostBits and(LostBits other) {
    return new LostBits(low & other.low, high & other.high);
  }
}
