package io.spared.format;

/**
 * One start of a device. The counter rises with every start; the random start id tells apart two
 * starts that could not know of each other.
 */
public record Epoch(long counter, long startId) {
  public static final Epoch NONE = new Epoch(0, 0);

  @Override
  public String toString() {
    return counter + "-" + Long.toHexString(startId);
  }
}
