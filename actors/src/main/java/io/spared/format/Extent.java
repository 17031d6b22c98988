package io.spared.format;

/** A range of a spare lent to a device, in whole {@link #UNIT_BYTES}. */
public record Extent(int spare, long offsetBytes, long lengthBytes, ExtentKind kind) {
  /** What extents are aligned to and made of. */
  public static final long UNIT_BYTES = 1 << 20;

  public Extent {
    if (offsetBytes < 0
        || lengthBytes <= 0
        || offsetBytes % UNIT_BYTES != 0
        || lengthBytes % UNIT_BYTES != 0
        || offsetBytes + lengthBytes < 0) {
      throw new IllegalArgumentException(
          "an extent is whole MiB, not " + lengthBytes + " bytes at " + offsetBytes);
    }
  }

  public long endBytes() {
    return offsetBytes + lengthBytes;
  }

  public boolean overlaps(Extent other) {
    return spare == other.spare && offsetBytes < other.endBytes() && other.offsetBytes < endBytes();
  }
}
