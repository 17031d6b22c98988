package io.spared.ffi.ublk;

/**
 * Commands to the character device of one ublk device: struct ublksrv_io_cmd, 16 bytes as two
 * little-endian words (q_id u16 @0, tag u16 @2, result s32 @4; addr u64 @8).
 */
final class IoCommands {
  private IoCommands() {}

  static int code(int number, boolean encoded) {
    return encoded ? UblkProtocol.ENCODED_IO | number : number;
  }

  static long firstWord(int queue, int tag, int result) {
    return (queue & 0xFFFFL) | ((tag & 0xFFFFL) << 16) | ((long) result << 32);
  }

  /** Which place of the ring's table gets the pages of the tag's next request: index u16 @0. */
  static long automaticRegistration(int index) {
    if (index < 0 || index > 0xFFFF) {
      throw new IllegalArgumentException("not a place of a table of buffers: " + index);
    }
    return index;
  }

  /** Where in the character device the data of a request lie, with user copy. */
  static long userCopyOffset(int queue, int tag) {
    return UblkProtocol.UBLKSRV_IO_BUF_OFFSET
        + (((long) queue << UblkProtocol.UBLK_QID_OFF) | ((long) tag << UblkProtocol.UBLK_TAG_OFF));
  }
}
