package io.spared.format;

/**
 * The parts of a copy, the same for all copies of a device: a superblock of one unit, then two
 * areas, each a seal of one unit, room for a checkpoint, and room for a log.
 */
public record CopyLayout(long checkpointBytes, long logBytes) {
  /**
   * Everything in a copy is aligned to this and written in whole ones: no disk sector, 512e or 4Kn,
   * is shared by two writes, so a torn write never harms what was durable before.
   */
  public static final int UNIT_BYTES = 4096;

  public CopyLayout {
    if (checkpointBytes < UNIT_BYTES
        || logBytes < 2 * UNIT_BYTES
        || checkpointBytes % UNIT_BYTES != 0
        || logBytes % UNIT_BYTES != 0
        || checkpointBytes > 1L << 50
        || logBytes > 1L << 40) {
      throw new IllegalArgumentException(
          "a copy cannot have " + checkpointBytes + " and " + logBytes + " bytes to an area");
    }
  }

  public long areaBytes() {
    return UNIT_BYTES + checkpointBytes + logBytes;
  }

  public long areaOffsetBytes(int area) {
    return UNIT_BYTES + area * areaBytes();
  }

  public long checkpointOffsetBytes(int area) {
    return areaOffsetBytes(area) + UNIT_BYTES;
  }

  public long logOffsetBytes(int area) {
    return checkpointOffsetBytes(area) + checkpointBytes;
  }

  /** What a copy occupies. */
  public long copyBytes() {
    return UNIT_BYTES + 2 * areaBytes();
  }

  /** The same in whole extents, as a spare lends it. */
  public long extentBytes() {
    return (copyBytes() + Extent.UNIT_BYTES - 1) / Extent.UNIT_BYTES * Extent.UNIT_BYTES;
  }
}
