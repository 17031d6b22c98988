package io.spared.format;

/** Sizes fixed at creation. */
public record Geometry(int blockBytes, int sectorBytes, long deviceBytes) {
  public static final int BLOCK_BYTES_MAX = 64 * 1024;

  public Geometry {
    if (sectorBytes != 512 && sectorBytes != 4096) {
      throw new IllegalArgumentException("a sector is 512 or 4096 bytes, not " + sectorBytes);
    }
    if (Integer.bitCount(blockBytes) != 1
        || blockBytes < 4096
        || blockBytes > BLOCK_BYTES_MAX
        || blockBytes < sectorBytes) {
      throw new IllegalArgumentException(
          "a block is 4, 8, 16, 32 or 64 KiB, not " + blockBytes + " bytes");
    }
    if (deviceBytes <= 0 || deviceBytes % sectorBytes != 0) {
      throw new IllegalArgumentException(
          "a device is whole sectors of " + sectorBytes + " bytes, not " + deviceBytes + " bytes");
    }
  }

  public int sectorsPerBlock() {
    return blockBytes / sectorBytes;
  }

  /** Counting a last one that is not whole. */
  public long blockCount() {
    return (deviceBytes + blockBytes - 1) / blockBytes;
  }
}
