package io.spared.format;

import java.nio.ByteBuffer;
import java.nio.ByteOrder;
import java.util.Optional;
import java.util.UUID;

/**
 * Whose a spare is by its first unit: before something running writes all of a copy anew, or all
 * tables of a spare, it looks whether somebody else has taken the disk meanwhile.
 */
public final class Signature {
  private Signature() {}

  /** Who else owns the disk; empty when it is ours, blank, or unknown bytes. */
  public static Optional<String> ofAnother(ByteBuffer firstUnit, UUID spareId) {
    ByteBuffer unit = firstUnit.order(ByteOrder.LITTLE_ENDIAN);
    int claimed = SpareTable.claimedBytes(unit);
    if (claimed > 0) {
      if (claimed > unit.limit()) {
        // Too long to be checked from here; its head still says whose it is.
        UUID claimedId = new UUID(unit.getLong(24), unit.getLong(32));
        return claimedId.equals(spareId)
            ? Optional.empty()
            : Optional.of("the table of spare " + claimedId);
      }
      try {
        SpareTable table = SpareTable.read(unit, 0, 0, Long.MAX_VALUE);
        return table.spareId().equals(spareId)
            ? Optional.empty()
            : Optional.of("the table of spare " + table.spareId());
      } catch (FormatException e) {
        return e.trouble() == FormatException.Trouble.NEWER
            ? Optional.of("a spare's table of a newer format")
            : Optional.empty();
      }
    }
    if (unit.getLong(512) == ascii("EFI PART")) {
      return Optional.of("a GUID partition table");
    }
    if ((unit.getShort(1080) & 0xFFFF) == 0xEF53) {
      return Optional.of("an ext file system");
    }
    if (unit.getInt(0) == (int) ascii("XFSB\0\0\0\0")) {
      return Optional.of("an XFS file system");
    }
    if (unit.getLong(512) == ascii("LABELONE")) {
      return Optional.of("an LVM label");
    }
    if ((unit.getLong(0) & 0xFFFF_FFFF_FFFFL) == (ascii("LUKS\0\0\0\0") | 0xBEBAL << 32)) {
      return Optional.of("a LUKS header");
    }
    if ((unit.getShort(510) & 0xFFFF) == 0xAA55) {
      return Optional.of("a partition table or boot sector");
    }
    return Optional.empty();
  }

  private static long ascii(String letters) {
    long value = 0;
    for (int i = 7; i >= 0; i--) {
      value = value << 8 | letters.charAt(i);
    }
    return value;
  }
}
