package io.spared.app.scenario;

import java.nio.ByteBuffer;
import java.nio.ByteOrder;
import java.util.Arrays;
import java.util.BitSet;

/**
 * What each sector of a device may hold, from what its clients asked and were told. Every write has
 * a number, higher than all before it, and every sector that it writes says this number and where
 * it belongs; no two writes that are under way share a sector. So a sector may hold the last write
 * that was acknowledged for it, or any later one that was asked for; where power was lost, it may
 * have fallen back as far as the last flush that was acknowledged, and no further. A sector that
 * was made unreadable below may be lost, until a write that was asked for after that is
 * acknowledged.
 */
final class SectorTruth {
  static final int SECTOR_BYTES = 512;
  private static final long MIX = 0x9E3779B97F4A7C15L;

  private final int[] asked;
  private final int[] acknowledged;
  private final int[] durable;
  private final BitSet busy;
  private final BitSet spoiled;

  /** The last write that was asked for when the sector was spoiled. */
  private final int[] spoiledAt;

  private int last;

  SectorTruth(int sectors) {
    this.asked = new int[sectors];
    this.acknowledged = new int[sectors];
    this.durable = new int[sectors];
    this.busy = new BitSet(sectors);
    this.spoiled = new BitSet(sectors);
    this.spoiledAt = new int[sectors];
  }

  int sectors() {
    return asked.length;
  }

  boolean isBusy(int first, int count) {
    int next = busy.nextSetBit(first);
    return next >= 0 && next < first + count;
  }

  /** A write of these sectors begins; fills its bytes and gives its number. */
  int writes(int first, int count, ByteBuffer bytes, int at) {
    int number = ++last;
    busy.set(first, first + count);
    for (int sector = first; sector < first + count; sector++) {
      asked[sector] = number;
      fill(bytes, at + (sector - first) * SECTOR_BYTES, sector, number);
    }
    return number;
  }

  void acknowledged(int first, int count, int number, boolean fua) {
    busy.clear(first, first + count);
    for (int sector = first; sector < first + count; sector++) {
      acknowledged[sector] = number;
      if (number > spoiledAt[sector]) {
        spoiled.clear(sector);
      }
      if (fua) {
        durable[sector] = number;
      }
    }
  }

  /** Nobody knows what became of it; it is not under way any more. */
  void unanswered(int first, int count) {
    busy.clear(first, first + count);
  }

  /** Nobody may write these sectors meanwhile: they are being read. */
  void reads(int first, int count) {
    busy.set(first, first + count);
  }

  void readEnds(int first, int count) {
    busy.clear(first, first + count);
  }

  /** The disk below cannot read these any more, until they are written. */
  void spoils(int first, int count) {
    spoiled.set(first, first + count);
    Arrays.fill(spoiledAt, first, first + count, last);
  }

  /** A read of this range failed. */
  void notRead(int first, int count) {
    int next = spoiled.nextSetBit(first);
    if (next < 0 || next >= first + count) {
      throw new AssertionError(
          "sectors " + first + "+" + count + " cannot be read, and nothing had spoiled them");
    }
  }

  /** What a flush that begins now has to make durable. */
  int[] flushBegins() {
    return acknowledged.clone();
  }

  void flushed(int[] covered) {
    for (int sector = 0; sector < covered.length; sector++) {
      durable[sector] = Math.max(durable[sector], covered[sector]);
    }
  }

  /** How many sectors a loss of power may take back. */
  long unflushed() {
    long count = 0;
    for (int sector = 0; sector < asked.length; sector++) {
      count += acknowledged[sector] > durable[sector] ? 1 : 0;
    }
    return count;
  }

  /** Checks what was read after a restart, and takes it as known from then on. */
  void found(int first, ByteBuffer bytes, int count, boolean powerWasLost) {
    for (int i = 0; i < count; i++) {
      int sector = first + i;
      int number = check(sector, bytes, i * SECTOR_BYTES, powerWasLost);
      asked[sector] = number;
      acknowledged[sector] = number;
      if (powerWasLost) {
        durable[sector] = number;
      }
    }
  }

  /** Checks what was read while power was lost: before that, or after. */
  void foundAround(int first, ByteBuffer bytes, int count) {
    for (int i = 0; i < count; i++) {
      check(first + i, bytes, i * SECTOR_BYTES, true);
    }
  }

  private int check(int sector, ByteBuffer bytes, int at, boolean powerWasLost) {
    int number = bytes.getInt(at + 4);
    int atLeast = powerWasLost ? durable[sector] : acknowledged[sector];
    if (!isWhole(bytes, at, sector, number)) {
      throw new AssertionError("sector " + sector + " holds what was never written to it");
    }
    if (number < atLeast || number > asked[sector]) {
      throw new AssertionError(
          "sector "
              + sector
              + " holds write "
              + number
              + ", but "
              + atLeast
              + " was "
              + (powerWasLost ? "flushed" : "acknowledged")
              + " and "
              + asked[sector]
              + " the last that was asked for");
    }
    return number;
  }

  private static void fill(ByteBuffer bytes, int at, int sector, int number) {
    bytes.order(ByteOrder.BIG_ENDIAN).putInt(at, sector).putInt(at + 4, number);
    for (int i = 8; i < SECTOR_BYTES; i += 8) {
      bytes.putLong(at + i, word(sector, number, i));
    }
  }

  private static long word(int sector, int number, int i) {
    return ((long) sector << 32 | number) * MIX + i;
  }

  /** Nothing but this write of this sector; the write 0 is what a new disk holds. */
  private static boolean isWhole(ByteBuffer bytes, int at, int sector, int number) {
    boolean whole = bytes.getInt(at) == (number == 0 ? 0 : sector);
    for (int i = 8; i < SECTOR_BYTES && whole; i += 8) {
      whole = bytes.getLong(at + i) == (number == 0 ? 0 : word(sector, number, i));
    }
    return whole;
  }
}
