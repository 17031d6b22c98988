package io.spared.format;

import java.nio.ByteBuffer;
import java.util.List;

/**
 * The end of one area's log: encodes the next records. It counts a record as written when it is
 * encoded; whoever cannot write one must not append behind it.
 */
public final class LogAppender {
  private final Superblock superblock;
  private final Seal seal;
  private final long startBytes;
  private long usedBytes;
  private int lastChecksum;
  private Position last;

  private LogAppender(
      Superblock superblock, Seal seal, long usedBytes, int lastChecksum, Position last) {
    this.superblock = superblock;
    this.seal = seal;
    this.startBytes = superblock.offsetBytes() + superblock.layout().logOffsetBytes(seal.area());
    this.usedBytes = usedBytes;
    this.lastChecksum = lastChecksum;
    this.last = last;
  }

  /** The log behind a checkpoint that has none yet. */
  public static LogAppender empty(Superblock superblock, Seal seal) {
    return new LogAppender(superblock, seal, 0, Seal.logChainStart(seal.buildId()), seal.base());
  }

  /** The log as it was read. */
  public static LogAppender after(Superblock superblock, AreaReading area) {
    return new LogAppender(
        superblock, area.seal(), area.logBytes(), area.tailChecksum(), area.tail());
  }

  /** The changes of one commit, encoded once for all copies. */
  public record Payload(Position position, int count, OpaqueBytes bytes) {
    /** What its record takes in a log. */
    public int recordBytes() {
      return LogRecords.lengthBytes(bytes.length());
    }

    /** The changes again. */
    public List<Change> changes() {
      try {
        return LogRecords.changes(ByteBuffer.wrap(bytes.bytes()), count);
      } catch (FormatException e) {
        throw new IllegalStateException("a commit of our own cannot be read", e);
      }
    }
  }

  /** Collects changes until they no longer fit one record. */
  public static final class PayloadBuilder {
    private final ByteBuffer bytes = ByteBuffer.allocate(LogRecords.CHANGES_BYTES_MAX);
    private int count;

    /** Takes all of them or none. */
    public boolean add(List<Change> changes) {
      int start = bytes.position();
      for (Change change : changes) {
        if (!ChangeCodec.write(change, bytes)) {
          bytes.position(start);
          return false;
        }
      }
      count += changes.size();
      return true;
    }

    public boolean isEmpty() {
      return count == 0;
    }

    public Payload at(Position position) {
      byte[] used = new byte[bytes.position()];
      bytes.get(0, used);
      return new Payload(position, count, new OpaqueBytes(used));
    }
  }

  public boolean hasRoom(Payload payload) {
    return usedBytes + payload.recordBytes() <= superblock.layout().logBytes();
  }

  public long freeBytes() {
    return superblock.layout().logBytes() - usedBytes;
  }

  /** The used part of the log, from 0 to 1. */
  public double fill() {
    return (double) usedBytes / superblock.layout().logBytes();
  }

  /** Where the record that {@link #append} makes has to be written. */
  public long offsetBytes() {
    return startBytes + usedBytes;
  }

  public Position last() {
    return last;
  }

  public Seal seal() {
    return seal;
  }

  /**
   * Encodes the next record at {@code at} of the buffer.
   *
   * @return its length
   */
  public int append(Payload payload, ByteBuffer out, int at) {
    if (payload.position().sequence() != last.sequence() + 1) {
      throw new IllegalStateException(payload.position() + " does not follow " + last);
    }
    if (!hasRoom(payload)) {
      throw new IllegalStateException("the log is full at " + last);
    }
    lastChecksum =
        LogRecords.write(
            out,
            at,
            seal,
            startBytes + usedBytes,
            lastChecksum,
            payload.position(),
            payload.count(),
            payload.bytes().view());
    last = payload.position();
    usedBytes += payload.recordBytes();
    return payload.recordBytes();
  }

  public long usedBytes() {
    return usedBytes;
  }

  public int lastChecksum() {
    return lastChecksum;
  }
}
