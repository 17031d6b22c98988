package io.spared.disk;

/** Which disk of a device: main, or a spare by its index. */
public final class DiskNumber {
  public static final int MAIN = -1;

  private DiskNumber() {}

  /** For people. */
  public static String toString(int disk) {
    return disk == MAIN ? "main" : "spare " + disk;
  }
}
