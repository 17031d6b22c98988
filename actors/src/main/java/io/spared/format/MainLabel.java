package io.spared.format;

import java.nio.ByteBuffer;
import java.nio.ByteOrder;
import java.util.UUID;

/**
 * The label in the last unit of a main disk of form *labelled* or *self-spare*. It carries its own
 * offset and the disk's size, so that a partition that ends the disk is not taken for the disk.
 */
public record MainLabel(
    UUID mainId, UUID deviceId, Form form, long diskBytes, long dataOffsetBytes, long deviceBytes) {
  public static final int BYTES = CopyLayout.UNIT_BYTES;

  /** Where it stands on a disk of this size. */
  public static long offsetBytes(long diskBytes) {
    return diskBytes / BYTES * BYTES - BYTES;
  }

  /** The unit as it stands on disk. */
  public ByteBuffer write() {
    ByteBuffer bytes = ByteBuffer.allocate(BYTES).order(ByteOrder.LITTLE_ENDIAN);
    bytes.putLong(64, deviceId.getMostSignificantBits());
    bytes.putLong(72, deviceId.getLeastSignificantBits());
    bytes.putInt(80, form.code());
    bytes.putInt(84, Features.REQUIRED_KNOWN);
    bytes.putLong(88, diskBytes);
    bytes.putLong(96, dataOffsetBytes);
    bytes.putLong(104, deviceBytes);
    Frame.unsealed(
            Frame.Kind.LABEL,
            BYTES,
            Frame.NOT_IN_A_COPY,
            Frame.NOT_IN_A_COPY,
            0,
            mainId,
            offsetBytes(diskBytes),
            0,
            0)
        .write(bytes, 0);
    return bytes;
  }

  /** Reads the last unit of a disk of this size. */
  public static MainLabel read(ByteBuffer bytes, long diskBytes) throws FormatException {
    Frame frame = Frame.read(bytes, 0, Frame.Kind.LABEL);
    Features.check(bytes.getInt(84), "the label");
    long recordedBytes = bytes.getLong(88);
    if (recordedBytes != diskBytes || frame.offsetBytes() != offsetBytes(diskBytes)) {
      throw new FormatException(
          FormatException.Trouble.FOREIGN,
          "label of a main disk: it is that of a disk of "
              + recordedBytes
              + " bytes, this one has "
              + diskBytes
              + "; this is a part of that disk, or a copy of another size");
    }
    MainLabel label =
        new MainLabel(
            frame.owner(),
            new UUID(bytes.getLong(64), bytes.getLong(72)),
            Form.of(bytes.getInt(80)),
            recordedBytes,
            bytes.getLong(96),
            bytes.getLong(104));
    if (label.dataOffsetBytes < 0
        || label.deviceBytes <= 0
        || label.dataOffsetBytes > diskBytes - label.deviceBytes) {
      throw new FormatException("label of a main disk: the device does not fit the disk");
    }
    return label;
  }
}
