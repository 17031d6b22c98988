package io.spared.ublk;

import java.util.UUID;

/**
 * The 64 bits that the driver keeps for a device's server. Two of its bytes say that the device is
 * spared's, so that other servers' devices are never touched; the others are the set-up's UUID,
 * folded, so that a device is known again whatever it is called now.
 */
public final class UblkIdentity {
  private static final long MARK = 0x5350L << 48;
  private static final long MARK_MASK = 0xffffL << 48;

  private UblkIdentity() {}

  public static long of(UUID deviceId) {
    long folded = deviceId.getMostSignificantBits() * 31 + deviceId.getLeastSignificantBits();
    folded ^= folded >>> 48;
    return MARK | (folded & ~MARK_MASK);
  }

  /** Whether some spared daemon made the device that has this. */
  public static boolean isOurs(long tag) {
    return (tag & MARK_MASK) == MARK;
  }
}
