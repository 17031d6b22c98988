package io.spared.disk;

/** Which disk of a device: main, or a spare by its index. */
public final class DiskNumber {
  public static final int MAIN = -1;

  /** The disk that is to take main's place; above every spare's index. */
  public static final int REPLACEMENT = 64;

  private DiskNumber() {}

  /** For people. */
  public static String toString(int disk) {
    return disk == MAIN ? "main" : disk == REPLACEMENT ? "the new disk" : "spare " + disk;
  }
}
