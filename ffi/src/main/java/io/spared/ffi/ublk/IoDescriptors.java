package io.spared.ffi.ublk;

import java.nio.ByteBuffer;
import java.nio.ByteOrder;

/**
 * What the driver asks for, tag by tag: the descriptors of one queue, shared with the kernel.
 *
 * <p>A tag's descriptor is valid from the completion that hands the tag over until its commit, and
 * only then: the driver never clears one, so nobody may look for work here. Reading it after the
 * completion was taken (which acquires the queue's tail) is what makes it the right one.
 */
public final class IoDescriptors {
  /** What is asked for. */
  public enum Operation {
    READ,
    WRITE,
    FLUSH,
    DISCARD,
    WRITE_ZEROES,
    /** Something newer or for other kinds of devices, to be answered with "not supported". */
    OTHER
  }

  private final ByteBuffer bytes;
  private final int depth;

  /** Over the memory of {@code depth} descriptors. */
  IoDescriptors(ByteBuffer bytes, int depth) {
    if (bytes.capacity() < depth * UblkProtocol.DESCRIPTOR_BYTES) {
      throw new IllegalArgumentException(
          bytes.capacity() + " bytes do not hold " + depth + " descriptors");
    }
    this.bytes = bytes.duplicate().order(ByteOrder.LITTLE_ENDIAN);
    this.depth = depth;
  }

  /**
   * Where a queue's descriptors begin in the character device: a fixed distance apart, whatever the
   * depth. (A distance made from the depth maps queue 0 again for every queue.)
   */
  static long mappedOffsetBytes(int queue) {
    return (long) queue * UblkProtocol.UBLK_MAX_QUEUE_DEPTH * UblkProtocol.DESCRIPTOR_BYTES;
  }

  static int mappedBytes(int depth, int pageBytes) {
    return (depth * UblkProtocol.DESCRIPTOR_BYTES + pageBytes - 1) / pageBytes * pageBytes;
  }

  public int depth() {
    return depth;
  }

  private int at(int tag) {
    if (tag < 0 || tag >= depth) {
      throw new IndexOutOfBoundsException("tag " + tag + " of " + depth);
    }
    return tag * UblkProtocol.DESCRIPTOR_BYTES;
  }

  public Operation operation(int tag) {
    return switch (bytes.getInt(at(tag)) & 0xFF) {
      case UblkProtocol.UBLK_IO_OP_READ -> Operation.READ;
      case UblkProtocol.UBLK_IO_OP_WRITE -> Operation.WRITE;
      case UblkProtocol.UBLK_IO_OP_FLUSH -> Operation.FLUSH;
      case UblkProtocol.UBLK_IO_OP_DISCARD -> Operation.DISCARD;
      case UblkProtocol.UBLK_IO_OP_WRITE_ZEROES -> Operation.WRITE_ZEROES;
      default -> Operation.OTHER;
    };
  }

  /** The write must be durable when it is answered. */
  public boolean forcedUnitAccess(int tag) {
    return (bytes.getInt(at(tag)) & UblkProtocol.UBLK_IO_F_FUA) != 0;
  }

  public long startBytes(int tag) {
    return bytes.getLong(at(tag) + 8) << UblkProtocol.SECTOR_SHIFT;
  }

  public int lengthBytes(int tag) {
    return bytes.getInt(at(tag) + 4) << UblkProtocol.SECTOR_SHIFT;
  }
}
