package io.spared.app.offline;

import java.nio.ByteBuffer;
import java.nio.ByteOrder;
import java.nio.charset.StandardCharsets;
import java.util.ArrayList;
import java.util.List;
import java.util.Optional;

/**
 * One copy of dm-remap's metadata, in either of its two formats. Format A is what its kernel module
 * writes, with remaps and a checksum; format B is what its helper script writes, with neither.
 */
public record DmRemapCopy(
    Format format,
    long offsetBytes,
    long sequence,
    long timestamp,
    long mainSectors,
    long spareSectors,
    List<Entry> entries) {

  /** Who wrote it. */
  public enum Format {
    A,
    B
  }

  /** One remap: sectors of 512 bytes. */
  public record Entry(long originalSector, long spareSector, int flags) {
    static final int PENDING = 1;

    /** Its spare sector never held data. */
    public boolean isPending() {
      return (flags & PENDING) != 0;
    }
  }

  public DmRemapCopy {
    entries = List.copyOf(entries);
  }

  static final int MAGIC = 0x444D5234;
  static final int VERSION = 4;
  public static final int FORMAT_A_BYTES = 84_288;
  public static final int FORMAT_B_BYTES = 512;
  private static final int ENTRIES_AT = 312;
  private static final int ENTRY_BYTES = 40;
  private static final int MOST_ENTRIES = 2048;

  /** Where the module writes, and where its documents say that it does; both are looked at. */
  static final List<Long> OFFSETS =
      List.of(
          0L,
          131_072L,
          262_144L,
          393_216L,
          524_288L,
          1024L * 512,
          2048L * 512,
          4096L * 512,
          8192L * 512);

  /** Reads what stands there; empty when it is no valid copy. */
  static Optional<DmRemapCopy> read(ByteBuffer raw, long offsetBytes) {
    ByteBuffer bytes = raw.duplicate().order(ByteOrder.LITTLE_ENDIAN);
    if (bytes.remaining() < FORMAT_B_BYTES
        || bytes.getInt(0) != MAGIC
        || bytes.getInt(4) != VERSION) {
      return Optional.empty();
    }
    if (bytes.remaining() >= FORMAT_A_BYTES
        && Integer.toUnsignedLong(bytes.getInt(296)) <= MOST_ENTRIES
        && bytes.getInt(24) == checksum(bytes)) {
      return Optional.of(formatA(bytes, offsetBytes));
    }
    return bytes.getInt(24) == 0 && isText(bytes, 40, 74)
        ? Optional.of(
            new DmRemapCopy(
                Format.B,
                offsetBytes,
                bytes.getLong(8),
                bytes.getLong(16),
                bytes.getLong(114),
                bytes.getLong(122),
                List.of()))
        : Optional.empty();
  }

  private static DmRemapCopy formatA(ByteBuffer bytes, long offsetBytes) {
    List<Entry> entries = new ArrayList<>();
    int count = bytes.getInt(296);
    for (int i = 0; i < count; i++) {
      int at = ENTRIES_AT + i * ENTRY_BYTES;
      entries.add(
          new Entry(
              bytes.getLong(at),
              bytes.getLong(at + 8),
              Short.toUnsignedInt(bytes.getShort(at + 34))));
    }
    return new DmRemapCopy(
        Format.A,
        offsetBytes,
        bytes.getLong(8),
        bytes.getLong(16),
        bytes.getLong(120),
        bytes.getLong(128),
        entries);
  }

  private static boolean isText(ByteBuffer bytes, int from, int length) {
    byte[] text = new byte[length];
    bytes.get(from, text);
    return new String(text, StandardCharsets.US_ASCII).matches("[ -~\0]*");
  }

  /**
   * Reflected, polynomial 0xEDB88320, initial value 0, no final inversion; without the field
   * itself.
   */
  static int checksum(ByteBuffer bytes) {
    return update(update(0, bytes, 0, 24), bytes, 28, FORMAT_A_BYTES);
  }

  static int update(int before, ByteBuffer bytes, int from, int to) {
    int crc = before;
    for (int i = from; i < to; i++) {
      crc ^= bytes.get(i) & 0xFF;
      for (int bit = 0; bit < 8; bit++) {
        crc = (crc & 1) != 0 ? crc >>> 1 ^ 0xEDB88320 : crc >>> 1;
      }
    }
    return crc;
  }
}
