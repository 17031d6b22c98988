package io.spared.nbd.wire;

import java.nio.ByteBuffer;

/**
 * Writes the frames of the transmission phase's replies at a big-endian buffer's position. The
 * caller has made sure that there is room; nothing here allocates.
 */
public final class Replies {
  private final boolean structured;
  private final boolean extended;

  /** Simple replies, structured ones, or (implying structured ones) extended headers. */
  public Replies(boolean structured, boolean extended) {
    this.structured = structured || extended;
    this.extended = extended;
  }

  public boolean structured() {
    return structured;
  }

  public boolean extended() {
    return extended;
  }

  /** The bytes before the data of a read's reply or chunk. */
  public int dataHeaderBytes() {
    if (extended) {
      return NbdProtocol.EXTENDED_REPLY_BYTES + 8;
    }
    return structured ? NbdProtocol.STRUCTURED_REPLY_BYTES + 8 : NbdProtocol.SIMPLE_REPLY_BYTES;
  }

  /** The longest reply without data: an error with an offset and no message. */
  public int plainReplyBytesMax() {
    return chunkHeaderBytes() + 4 + 2 + 8;
  }

  /**
   * What goes before a read's data. Simple replies have one such header for all of the data.
   *
   * @param last whether nothing follows for this request
   */
  public void dataHeader(
      ByteBuffer out,
      long cookie,
      long requestOffsetBytes,
      long dataOffsetBytes,
      int dataBytes,
      boolean last) {
    if (!structured) {
      simple(out, cookie, 0);
      return;
    }
    chunk(
        out,
        last,
        NbdProtocol.REPLY_TYPE_OFFSET_DATA,
        cookie,
        requestOffsetBytes,
        Integer.toUnsignedLong(dataBytes + 8));
    out.putLong(dataOffsetBytes);
  }

  /** In place of data that is all zeroes; for structured replies. */
  public void hole(
      ByteBuffer out,
      long cookie,
      long requestOffsetBytes,
      long dataOffsetBytes,
      int dataBytes,
      boolean last) {
    chunk(out, last, NbdProtocol.REPLY_TYPE_OFFSET_HOLE, cookie, requestOffsetBytes, 12);
    out.putLong(dataOffsetBytes);
    out.putInt(dataBytes);
  }

  /** Success without data. */
  public void done(ByteBuffer out, long cookie, long requestOffsetBytes) {
    if (extended) {
      chunk(out, true, NbdProtocol.REPLY_TYPE_NONE, cookie, requestOffsetBytes, 0);
    } else {
      simple(out, cookie, 0);
    }
  }

  /** The end of a structured reply whose chunks have all been sent. */
  public void end(ByteBuffer out, long cookie, long requestOffsetBytes) {
    chunk(out, true, NbdProtocol.REPLY_TYPE_NONE, cookie, requestOffsetBytes, 0);
  }

  /**
   * The whole reply is an error.
   *
   * @param isRead whether the request was one that must have a structured reply once these are
   *     agreed on (reads, block status)
   */
  public void error(
      ByteBuffer out, long cookie, long requestOffsetBytes, int error, boolean isRead) {
    if (extended || (structured && isRead)) {
      errorChunk(out, cookie, requestOffsetBytes, error, true);
    } else {
      simple(out, cookie, error);
    }
  }

  /** An error about the whole request, among other chunks. */
  public void errorChunk(
      ByteBuffer out, long cookie, long requestOffsetBytes, int error, boolean last) {
    chunk(out, last, NbdProtocol.REPLY_TYPE_ERROR, cookie, requestOffsetBytes, 6);
    out.putInt(error);
    out.putShort((short) 0);
  }

  /** An error at an offset of the export, among other chunks. */
  public void errorOffsetChunk(
      ByteBuffer out,
      long cookie,
      long requestOffsetBytes,
      int error,
      long errorOffsetBytes,
      boolean last) {
    chunk(out, last, NbdProtocol.REPLY_TYPE_ERROR_OFFSET, cookie, requestOffsetBytes, 14);
    out.putInt(error);
    out.putShort((short) 0);
    out.putLong(errorOffsetBytes);
  }

  /** The bytes of a block status chunk that describes so many ranges. */
  public int blockStatusBytes(int ranges) {
    return chunkHeaderBytes() + (extended ? 8 + ranges * 16 : 4 + ranges * 8);
  }

  /** The header of a block status chunk; {@link #range} follows so many times. */
  public void blockStatusHeader(
      ByteBuffer out,
      long cookie,
      long requestOffsetBytes,
      int contextId,
      int ranges,
      boolean last) {
    int type =
        extended ? NbdProtocol.REPLY_TYPE_BLOCK_STATUS_EXT : NbdProtocol.REPLY_TYPE_BLOCK_STATUS;
    chunk(
        out,
        last,
        type,
        cookie,
        requestOffsetBytes,
        (long) blockStatusBytes(ranges) - chunkHeaderBytes());
    out.putInt(contextId);
    if (extended) {
      out.putInt(ranges);
    }
  }

  /** The longest range that one description can hold, a multiple of every block. */
  public long rangeBytesMax() {
    return extended ? Long.MAX_VALUE : 0xffff_0000L;
  }

  public void range(ByteBuffer out, long lengthBytes, long status) {
    if (extended) {
      out.putLong(lengthBytes);
      out.putLong(status);
    } else {
      out.putInt((int) lengthBytes);
      out.putInt((int) status);
    }
  }

  private int chunkHeaderBytes() {
    return extended ? NbdProtocol.EXTENDED_REPLY_BYTES : NbdProtocol.STRUCTURED_REPLY_BYTES;
  }

  private static void simple(ByteBuffer out, long cookie, int error) {
    out.putInt(NbdProtocol.SIMPLE_REPLY_MAGIC);
    out.putInt(error);
    out.putLong(cookie);
  }

  private void chunk(
      ByteBuffer out,
      boolean last,
      int type,
      long cookie,
      long requestOffsetBytes,
      long payloadBytes) {
    out.putInt(extended ? NbdProtocol.EXTENDED_REPLY_MAGIC : NbdProtocol.STRUCTURED_REPLY_MAGIC);
    out.putShort((short) (last ? NbdProtocol.REPLY_FLAG_DONE : 0));
    out.putShort((short) type);
    out.putLong(cookie);
    if (extended) {
      out.putLong(requestOffsetBytes);
      out.putLong(payloadBytes);
    } else {
      out.putInt((int) payloadBytes);
    }
  }
}
