package io.spared.format;

import java.nio.ByteBuffer;
import java.nio.ByteOrder;
import java.util.UUID;
import java.util.zip.CRC32C;

/**
 * What every structure on disk begins with: 64 bytes that say what it is, whose, and where it
 * belongs, and a CRC32C over the whole frame but for the checksum's own four bytes. The place is
 * inside what is checked, so a frame written to the wrong place is found; the previous frame's
 * checksum is, too, so a frame of another lap cannot continue a chain.
 *
 * <p>A frame is whole units of 4096 bytes, zero-filled, checked to its last byte.
 */
record Frame(
    Kind kind,
    int checksum,
    int lengthBytes,
    int copy,
    int area,
    int previousChecksum,
    UUID owner,
    long offsetBytes,
    long generation,
    long buildId) {
  static final int HEADER_BYTES = 64;
  static final int VERSION = 1;
  static final int UNIT_BYTES = CopyLayout.UNIT_BYTES;

  /** For copy and area of frames that belong to none. */
  static final int NOT_IN_A_COPY = 0xFF;

  private static final int CHECKSUM_AT = 8;

  /** What stands in a frame, by its first eight bytes. */
  enum Kind {
    SUPERBLOCK("SPRDSUPR", "superblock", UNIT_BYTES),
    SEAL("SPRDSEAL", "seal of a checkpoint", UNIT_BYTES),
    CHUNK("SPRDCHNK", "part of a checkpoint", Checkpoints.CHUNK_BYTES_MAX),
    LOG("SPRDLOGR", "log record", LogRecords.RECORD_BYTES_MAX),
    SPARE_TABLE("SPRDTABL", "spare's table", SpareTable.BYTES_MAX),
    LABEL("SPRDLABL", "label of a main disk", UNIT_BYTES);

    final long magic;
    final String words;
    final int lengthMax;

    Kind(String letters, String words, int lengthMax) {
      this.magic = magicOf(letters);
      this.words = words;
      this.lengthMax = lengthMax;
    }
  }

  private static long magicOf(String letters) {
    long magic = 0;
    for (int i = 7; i >= 0; i--) {
      magic = magic << 8 | letters.charAt(i);
    }
    return magic;
  }

  static int roundUp(int bytes) {
    return (bytes + UNIT_BYTES - 1) / UNIT_BYTES * UNIT_BYTES;
  }

  /** A frame's checksum is not known before {@link #write}. */
  static Frame unsealed(
      Kind kind,
      int lengthBytes,
      int copy,
      int area,
      int previousChecksum,
      UUID owner,
      long offsetBytes,
      long generation,
      long buildId) {
    return new Frame(
        kind,
        0,
        lengthBytes,
        copy,
        area,
        previousChecksum,
        owner,
        offsetBytes,
        generation,
        buildId);
  }

  /**
   * Writes the header before a body that stands already at {@code at + HEADER_BYTES}, zero-filled
   * to the frame's length, and returns the checksum.
   */
  int write(ByteBuffer bytes, int at) {
    if (lengthBytes % UNIT_BYTES != 0 || lengthBytes > kind.lengthMax) {
      throw new IllegalArgumentException(kind.words + " of " + lengthBytes + " bytes");
    }
    bytes.order(ByteOrder.LITTLE_ENDIAN);
    bytes.putLong(at, kind.magic);
    bytes.putInt(at + 12, lengthBytes);
    bytes.putShort(at + 16, (short) VERSION);
    bytes.put(at + 18, (byte) copy);
    bytes.put(at + 19, (byte) area);
    bytes.putInt(at + 20, previousChecksum);
    bytes.putLong(at + 24, owner.getMostSignificantBits());
    bytes.putLong(at + 32, owner.getLeastSignificantBits());
    bytes.putLong(at + 40, offsetBytes);
    bytes.putLong(at + 48, generation);
    bytes.putLong(at + 56, buildId);
    int sum = checksum(bytes, at, lengthBytes);
    bytes.putInt(at + CHECKSUM_AT, sum);
    return sum;
  }

  /**
   * The frame that stands at {@code at}, whole: kind, version, length and checksum are right. Whose
   * it is and where it belongs is for the caller to compare.
   */
  static Frame read(ByteBuffer bytes, int at, Kind expected) throws FormatException {
    bytes.order(ByteOrder.LITTLE_ENDIAN);
    int available = bytes.limit() - at;
    if (available < UNIT_BYTES) {
      throw new FormatException(expected.words + ": only " + available + " bytes are there");
    }
    if (bytes.getLong(at) != expected.magic) {
      throw new FormatException(
          FormatException.Trouble.BLANK, "no " + expected.words + " stands here");
    }
    int lengthBytes = bytes.getInt(at + 12);
    if (lengthBytes < UNIT_BYTES
        || lengthBytes % UNIT_BYTES != 0
        || lengthBytes > expected.lengthMax) {
      throw new FormatException(
          expected.words + ": a length of " + Integer.toUnsignedString(lengthBytes));
    }
    if (lengthBytes > available) {
      throw new FormatException(
          expected.words + ": " + available + " of its " + lengthBytes + " bytes are there");
    }
    int checksum = bytes.getInt(at + CHECKSUM_AT);
    if (checksum != checksum(bytes, at, lengthBytes)) {
      throw new FormatException(expected.words + ": its checksum does not match");
    }
    int version = bytes.getShort(at + 16) & 0xFFFF;
    if (version != VERSION) {
      throw new FormatException(
          version > VERSION ? FormatException.Trouble.NEWER : FormatException.Trouble.DAMAGED,
          expected.words
              + " of format version "
              + version
              + ", this version knows "
              + VERSION
              + "; use the version of spared that wrote it");
    }
    return new Frame(
        expected,
        checksum,
        lengthBytes,
        bytes.get(at + 18) & 0xFF,
        bytes.get(at + 19) & 0xFF,
        bytes.getInt(at + 20),
        new UUID(bytes.getLong(at + 24), bytes.getLong(at + 32)),
        bytes.getLong(at + 40),
        bytes.getLong(at + 48),
        bytes.getLong(at + 56));
  }

  /** The length a frame of this kind claims to have at {@code at}, or 0 when none begins there. */
  static int claimedLength(ByteBuffer bytes, int at, Kind expected) {
    bytes.order(ByteOrder.LITTLE_ENDIAN);
    if (bytes.limit() - at < HEADER_BYTES || bytes.getLong(at) != expected.magic) {
      return 0;
    }
    int lengthBytes = bytes.getInt(at + 12);
    return lengthBytes < UNIT_BYTES
            || lengthBytes % UNIT_BYTES != 0
            || lengthBytes > expected.lengthMax
        ? 0
        : lengthBytes;
  }

  private static int checksum(ByteBuffer bytes, int at, int lengthBytes) {
    CRC32C crc = new CRC32C();
    ByteBuffer view = bytes.duplicate();
    view.limit(at + CHECKSUM_AT).position(at);
    crc.update(view);
    view.limit(at + lengthBytes).position(at + CHECKSUM_AT + 4);
    crc.update(view);
    return (int) crc.getValue();
  }

  static boolean isZero(ByteBuffer bytes, int from, int to) {
    for (int i = from; i < to; i++) {
      if (bytes.get(i) != 0) {
        return false;
      }
    }
    return true;
  }
}
