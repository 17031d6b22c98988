package io.spared.format;

import java.nio.ByteBuffer;
import java.util.UUID;

/**
 * The first unit of a copy: what it is, whose, and how it is laid out. It never changes while the
 * copy stands there, so nothing can tear it.
 */
public record Superblock(
    UUID deviceId,
    UUID spareId,
    int copy,
    int copies,
    long offsetBytes,
    Geometry geometry,
    CopyLayout layout,
    long optionalFeatures) {
  public static final int BYTES = CopyLayout.UNIT_BYTES;

  /** The unit as it stands on disk. */
  public ByteBuffer write() {
    ByteBuffer bytes = ByteBuffer.allocate(BYTES).order(java.nio.ByteOrder.LITTLE_ENDIAN);
    bytes.putLong(64, spareId.getMostSignificantBits());
    bytes.putLong(72, spareId.getLeastSignificantBits());
    bytes.put(80, (byte) copies);
    bytes.putInt(88, geometry.blockBytes());
    bytes.putInt(92, geometry.sectorBytes());
    bytes.putLong(96, geometry.deviceBytes());
    bytes.putLong(104, layout.checkpointBytes());
    bytes.putLong(112, layout.logBytes());
    bytes.putInt(120, Features.REQUIRED_KNOWN);
    bytes.putLong(128, optionalFeatures);
    Frame.unsealed(
            Frame.Kind.SUPERBLOCK, BYTES, copy, Frame.NOT_IN_A_COPY, 0, deviceId, offsetBytes, 0, 0)
        .write(bytes, 0);
    return bytes;
  }

  /** Reads what stands at {@code offsetBytes} of a disk; comparing it with the disk is separate. */
  public static Superblock read(ByteBuffer bytes) throws FormatException {
    Frame frame = Frame.read(bytes, 0, Frame.Kind.SUPERBLOCK);
    Features.check(bytes.getInt(120), "the metadata copy");
    int copies = bytes.get(80) & 0xFF;
    if (copies < Placement.COPIES_MIN || copies > Placement.COPIES_MAX || frame.copy() >= copies) {
      throw new FormatException("superblock: copy " + frame.copy() + " of " + copies);
    }
    try {
      return new Superblock(
          frame.owner(),
          new UUID(bytes.getLong(64), bytes.getLong(72)),
          frame.copy(),
          copies,
          frame.offsetBytes(),
          new Geometry(bytes.getInt(88), bytes.getInt(92), bytes.getLong(96)),
          new CopyLayout(bytes.getLong(104), bytes.getLong(112)),
          bytes.getLong(128));
    } catch (IllegalArgumentException e) {
      throw new FormatException("superblock: " + e.getMessage());
    }
  }
}
