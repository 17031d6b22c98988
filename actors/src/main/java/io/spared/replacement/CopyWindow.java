package io.spared.replacement;

/**
 * What is copied in one step: whole blocks of the device, but for its end.
 *
 * @param belowBytes where writes go to both disks meanwhile, but for the window itself
 */
public record CopyWindow(long belowBytes, long fromBytes, long toBytes) {

  boolean isEmpty() {
    return toBytes == fromBytes;
  }

  /** The same place, with nobody waiting. */
  CopyWindow released() {
    return new CopyWindow(belowBytes, fromBytes, fromBytes);
  }
}
