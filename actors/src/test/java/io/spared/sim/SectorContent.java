package io.spared.sim;

import java.nio.ByteBuffer;
import java.nio.ByteOrder;

/**
 * What simulated clients write: every sector says which write it comes from and which sector it is,
 * and all of it follows from these two, so that a sector of another place, of another time, or torn
 * inside, is recognised.
 */
public final class SectorContent {
  private static final long WHICH_SECTOR = 0x5EC7_0A5E_C705_EC70L;
  private static final long STEP = 0x9E3779B97F4A7C15L;

  /** What {@link #identify} gives for a sector of zeros. */
  public static final long ZEROS = -1;

  /** What {@link #identify} gives for what no client wrote there. */
  public static final long FOREIGN = -2;

  private SectorContent() {}

  public static void fill(ByteBuffer bytes, int at, int sectorBytes, long writeId, long sector) {
    ByteBuffer view = bytes.duplicate().order(ByteOrder.LITTLE_ENDIAN);
    view.putLong(at, writeId);
    view.putLong(at + 8, sector ^ WHICH_SECTOR);
    long value = SimRandom.mix(writeId * 31 + sector);
    for (int i = 16; i < sectorBytes; i += 8) {
      view.putLong(at + i, value);
      value += STEP;
    }
  }

  /** The write that this sector's bytes come from, ZEROS or FOREIGN. */
  public static long identify(ByteBuffer bytes, int at, int sectorBytes, long sector) {
    ByteBuffer view = bytes.duplicate().order(ByteOrder.LITTLE_ENDIAN);
    long writeId = view.getLong(at);
    if (writeId == 0 && view.getLong(at + 8) == 0) {
      for (int i = 16; i < sectorBytes; i += 8) {
        if (view.getLong(at + i) != 0) {
          return FOREIGN;
        }
      }
      return ZEROS;
    }
    if (view.getLong(at + 8) != (sector ^ WHICH_SECTOR) || writeId < 0) {
      return FOREIGN;
    }
    long value = SimRandom.mix(writeId * 31 + sector);
    for (int i = 16; i < sectorBytes; i += 8) {
      if (view.getLong(at + i) != value) {
        return FOREIGN;
      }
      value += STEP;
    }
    return writeId;
  }

  /** For people: what stands there instead of what should. */
  public static String describe(ByteBuffer bytes, int at, int sectorBytes, long sector) {
    long id = identify(bytes, at, sectorBytes, sector);
    if (id == ZEROS) {
      return "zeros";
    }
    if (id >= 0) {
      return "write " + id;
    }
    ByteBuffer view = bytes.duplicate().order(ByteOrder.LITTLE_ENDIAN);
    long other = view.getLong(at + 8) ^ WHICH_SECTOR;
    if (other >= 0 && other < 1L << 40 && identify(bytes, at, sectorBytes, other) >= 0) {
      return "sector " + other + " of write " + view.getLong(at);
    }
    return "bytes that nobody wrote (" + Long.toHexString(view.getLong(at)) + "...)";
  }
}
