package io.spared.nbd.wire;

import java.nio.ByteBuffer;

/**
 * One request's header, read into the same object again and again. Compact and extended headers
 * differ in length and magic; a wrong magic means that the stream is out of step, and nothing after
 * it can be trusted.
 */
public final class RequestHeader {
  private int flags;
  private int type;
  private long cookie;
  private long offsetBytes;
  private long lengthBytes;

  public static int bytes(boolean extended) {
    return extended ? NbdProtocol.EXTENDED_REQUEST_BYTES : NbdProtocol.REQUEST_BYTES;
  }

  /** Reads the header at a position of a big-endian buffer; false when the magic is wrong. */
  public boolean read(ByteBuffer in, int position, boolean extended) {
    int magic = in.getInt(position);
    if (magic != (extended ? NbdProtocol.EXTENDED_REQUEST_MAGIC : NbdProtocol.REQUEST_MAGIC)) {
      return false;
    }
    flags = Short.toUnsignedInt(in.getShort(position + 4));
    type = Short.toUnsignedInt(in.getShort(position + 6));
    cookie = in.getLong(position + 8);
    offsetBytes = in.getLong(position + 16);
    lengthBytes =
        extended ? in.getLong(position + 24) : Integer.toUnsignedLong(in.getInt(position + 24));
    return true;
  }

  public static void write(
      ByteBuffer out,
      boolean extended,
      int flags,
      int type,
      long cookie,
      long offsetBytes,
      long lengthBytes) {
    out.putInt(extended ? NbdProtocol.EXTENDED_REQUEST_MAGIC : NbdProtocol.REQUEST_MAGIC);
    out.putShort((short) flags);
    out.putShort((short) type);
    out.putLong(cookie);
    out.putLong(offsetBytes);
    if (extended) {
      out.putLong(lengthBytes);
    } else {
      out.putInt(Math.toIntExact(lengthBytes));
    }
  }

  public int flags() {
    return flags;
  }

  public boolean has(int flag) {
    return (flags & flag) != 0;
  }

  public int type() {
    return type;
  }

  public long cookie() {
    return cookie;
  }

  /** As sent: an offset beyond 2^63 is negative here and lies outside every export. */
  public long offsetBytes() {
    return offsetBytes;
  }

  /** As sent: a length beyond 2^63 is negative here and is never valid. */
  public long lengthBytes() {
    return lengthBytes;
  }
}
