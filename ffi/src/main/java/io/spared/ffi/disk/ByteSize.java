package io.spared.ffi.disk;

import java.util.Locale;

/** Sizes as people write them: 512, 16M, 4KiB, 2 TiB. Units are powers of 1024. */
public final class ByteSize {
  private static final String UNITS = "KMGTPE";

  private ByteSize() {}

  /**
   * The number of bytes.
   *
   * @throws IllegalArgumentException with a sentence that says what is wrong and what to write
   */
  public static long parse(String text) {
    String stripped = text.strip();
    int digits = 0;
    while (digits < stripped.length() && Character.isDigit(stripped.charAt(digits))) {
      digits++;
    }
    String unit = stripped.substring(digits).strip().toUpperCase(Locale.ROOT);
    if (digits == 0) {
      throw new IllegalArgumentException(
          "'" + text + "' is not a size; write a number and a unit, such as 16M or 4KiB");
    }
    if (unit.length() == 2 && unit.endsWith("B") && UNITS.indexOf(unit.charAt(0)) >= 0) {
      throw new IllegalArgumentException(
          "'"
              + text
              + "' could mean powers of 1000; write "
              + stripped.substring(0, digits)
              + unit.charAt(0)
              + "iB for powers of 1024");
    }
    int power;
    if (unit.isEmpty() || unit.equals("B")) {
      power = 0;
    } else {
      power = UNITS.indexOf(unit.charAt(0)) + 1;
      if (power == 0 || !(unit.length() == 1 || unit.substring(1).equals("IB"))) {
        throw new IllegalArgumentException(
            "'" + text + "' has an unknown unit; choose K, M, G, T or P, such as 16M or 4KiB");
      }
    }
    try {
      return Math.multiplyExact(Long.parseLong(stripped.substring(0, digits)), 1L << (10 * power));
    } catch (ArithmeticException | NumberFormatException e) {
      throw new IllegalArgumentException("'" + text + "' is more than 8 EiB", e);
    }
  }

  /** For people: the largest unit that gives a whole number, such as 16 MiB or 1536 KiB. */
  public static String format(long bytes) {
    int power = 0;
    long value = bytes;
    while (power < UNITS.length() && value >= 1024 && value % 1024 == 0) {
      value /= 1024;
      power++;
    }
    return power == 0 ? value + " bytes" : value + " " + UNITS.charAt(power - 1) + "iB";
  }
}
