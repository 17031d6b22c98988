package io.spared.ffi.ublk;

import static io.spared.ffi.ublk.UblkProtocol.SECTOR_SHIFT;

import java.nio.ByteBuffer;
import java.nio.ByteOrder;

/**
 * The limits and habits of the block device (struct ublk_params: the basic and the discard part).
 * Sizes are bytes; a discard or write-zeroes limit of 0 means that the operation is not offered.
 */
public record UblkParameters(
    long sizeBytes,
    int logicalSectorBytes,
    int physicalSectorBytes,
    int optimalIoBytes,
    int maxIoBytes,
    boolean readOnly,
    boolean rotational,
    boolean volatileCache,
    boolean forcedUnitAccess,
    int discardGranularityBytes,
    long maxDiscardBytes,
    long maxWriteZeroesBytes) {

  public UblkParameters {
    check(
        isPowerOfTwo(logicalSectorBytes) && logicalSectorBytes >= 512 && logicalSectorBytes <= 4096,
        "logical sectors of " + logicalSectorBytes + " bytes: 512 to 4096 are possible");
    check(
        isPowerOfTwo(physicalSectorBytes) && physicalSectorBytes >= logicalSectorBytes,
        "physical sectors of " + physicalSectorBytes + " bytes");
    check(
        sizeBytes > 0 && sizeBytes % logicalSectorBytes == 0,
        "a size of " + sizeBytes + " bytes is not whole sectors of " + logicalSectorBytes);
    check(
        maxIoBytes >= 4096 && maxIoBytes % 4096 == 0,
        "requests of up to " + maxIoBytes + " bytes: a multiple of 4096 is needed");
    check(
        !forcedUnitAccess || volatileCache,
        "forced unit access is only meaningful with a volatile cache");
    check(
        (maxDiscardBytes == 0 && maxWriteZeroesBytes == 0) || discardGranularityBytes > 0,
        "discard needs a granularity");
  }

  private static void check(boolean holds, String otherwise) {
    if (!holds) {
      throw new IllegalArgumentException(otherwise);
    }
  }

  private static boolean isPowerOfTwo(int value) {
    return value > 0 && Integer.bitCount(value) == 1;
  }

  private static int shift(int powerOfTwo) {
    return Integer.numberOfTrailingZeros(powerOfTwo);
  }

  void encode(ByteBuffer to) {
    ByteBuffer b = to.duplicate().order(ByteOrder.LITTLE_ENDIAN);
    for (int i = 0; i < UblkProtocol.PARAMETERS_BYTES; i++) {
      b.put(i, (byte) 0);
    }
    boolean discards = maxDiscardBytes > 0 || maxWriteZeroesBytes > 0;
    b.putInt(0, UblkProtocol.PARAMETERS_BYTES);
    b.putInt(
        4,
        UblkProtocol.UBLK_PARAM_TYPE_BASIC | (discards ? UblkProtocol.UBLK_PARAM_TYPE_DISCARD : 0));
    b.putInt(
        8,
        (readOnly ? UblkProtocol.UBLK_ATTR_READ_ONLY : 0)
            | (rotational ? UblkProtocol.UBLK_ATTR_ROTATIONAL : 0)
            | (volatileCache ? UblkProtocol.UBLK_ATTR_VOLATILE_CACHE : 0)
            | (forcedUnitAccess ? UblkProtocol.UBLK_ATTR_FUA : 0));
    b.put(12, (byte) shift(logicalSectorBytes));
    b.put(13, (byte) shift(physicalSectorBytes));
    b.put(14, (byte) shift(Integer.highestOneBit(Math.max(optimalIoBytes, physicalSectorBytes))));
    b.put(15, (byte) shift(physicalSectorBytes));
    b.putInt(16, maxIoBytes >> SECTOR_SHIFT);
    b.putLong(24, sizeBytes >> SECTOR_SHIFT);
    if (discards) {
      b.putInt(44, discardGranularityBytes);
      b.putInt(48, (int) (maxDiscardBytes >> SECTOR_SHIFT));
      b.putInt(52, (int) (maxWriteZeroesBytes >> SECTOR_SHIFT));
      // The driver takes requests of one range only.
      b.putShort(56, (short) 1);
    }
  }

  static UblkParameters decode(ByteBuffer from) {
    ByteBuffer b = from.duplicate().order(ByteOrder.LITTLE_ENDIAN);
    int types = b.getInt(4);
    int attributes = b.getInt(8);
    boolean discards = (types & UblkProtocol.UBLK_PARAM_TYPE_DISCARD) != 0;
    return new UblkParameters(
        b.getLong(24) << SECTOR_SHIFT,
        1 << b.get(12),
        1 << b.get(13),
        1 << b.get(14),
        b.getInt(16) << SECTOR_SHIFT,
        (attributes & UblkProtocol.UBLK_ATTR_READ_ONLY) != 0,
        (attributes & UblkProtocol.UBLK_ATTR_ROTATIONAL) != 0,
        (attributes & UblkProtocol.UBLK_ATTR_VOLATILE_CACHE) != 0,
        (attributes & UblkProtocol.UBLK_ATTR_FUA) != 0,
        discards ? b.getInt(44) : 0,
        discards ? Integer.toUnsignedLong(b.getInt(48)) << SECTOR_SHIFT : 0,
        discards ? Integer.toUnsignedLong(b.getInt(52)) << SECTOR_SHIFT : 0);
  }
}
