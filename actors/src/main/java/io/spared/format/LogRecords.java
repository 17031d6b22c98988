package io.spared.format;

import java.nio.ByteBuffer;
import java.nio.ByteOrder;
import java.util.ArrayList;
import java.util.List;
import java.util.Optional;

/** Log records: one commit each, at most 8 KiB. */
final class LogRecords {
  static final int RECORD_BYTES_MAX = 8192;

  /** Where the changes begin: after the frame, epoch, sequence, count, and their length. */
  static final int CHANGES_AT = Frame.HEADER_BYTES + 32;

  static final int CHANGES_BYTES_MAX = RECORD_BYTES_MAX - CHANGES_AT;

  private LogRecords() {}

  /**
   * Writes a record whose changes are encoded already.
   *
   * @return the record's checksum, which the next one continues; the position is at its end
   */
  static int write(
      ByteBuffer out,
      int at,
      Seal seal,
      long offsetBytes,
      int previousChecksum,
      Position position,
      int count,
      ByteBuffer changes) {
    out.order(ByteOrder.LITTLE_ENDIAN);
    int changesBytes = changes.remaining();
    int lengthBytes = Frame.roundUp(CHANGES_AT + changesBytes);
    out.putLong(at + 64, position.epoch().counter());
    out.putLong(at + 72, position.epoch().startId());
    out.putLong(at + 80, position.sequence());
    out.putInt(at + 88, count);
    out.putInt(at + 92, changesBytes);
    out.position(at + CHANGES_AT);
    out.put(changes.duplicate());
    while (out.position() < at + lengthBytes) {
      out.put((byte) 0);
    }
    return Frame.unsealed(
            Frame.Kind.LOG,
            lengthBytes,
            seal.copy(),
            seal.area(),
            previousChecksum,
            seal.deviceId(),
            offsetBytes,
            seal.generation(),
            seal.buildId())
        .write(out, at);
  }

  static int lengthBytes(int changesBytes) {
    return Frame.roundUp(CHANGES_AT + changesBytes);
  }

  /** A record that was read. */
  record Entry(Frame frame, Position position, List<Change> changes) {
    Entry {
      changes = List.copyOf(changes);
    }
  }

  /** Reads the record at {@code at} if it belongs to this seal's log, wherever in it. */
  static Entry read(ByteBuffer bytes, int at, Seal seal, long offsetBytes) throws FormatException {
    Frame frame = Frame.read(bytes, at, Frame.Kind.LOG);
    if (!frame.owner().equals(seal.deviceId())
        || frame.copy() != seal.copy()
        || frame.area() != seal.area()
        || frame.offsetBytes() != offsetBytes
        || frame.generation() != seal.generation()
        || frame.buildId() != seal.buildId()) {
      throw new FormatException(
          FormatException.Trouble.FOREIGN,
          "log record: one of another place, copy or time stands at offset " + offsetBytes);
    }
    int count = bytes.getInt(at + 88);
    int changesBytes = bytes.getInt(at + 92);
    long sequence = bytes.getLong(at + 80);
    if (count < 0
        || changesBytes < 0
        || changesBytes > frame.lengthBytes() - CHANGES_AT
        || sequence < 0) {
      throw new FormatException("log record: its sizes contradict each other");
    }
    Position position =
        new Position(new Epoch(bytes.getLong(at + 64), bytes.getLong(at + 72)), sequence);
    return new Entry(frame, position, changes(bytes.slice(at + CHANGES_AT, changesBytes), count));
  }

  /** Exactly {@code count} changes that fill the bytes. */
  static List<Change> changes(ByteBuffer bytes, int count) throws FormatException {
    if (count > bytes.remaining() / 4) {
      throw new FormatException("changes: " + count + " in " + bytes.remaining() + " bytes");
    }
    List<Change> changes = new ArrayList<>(count);
    for (int i = 0; i < count; i++) {
      changes.add(ChangeCodec.read(bytes));
    }
    if (bytes.hasRemaining()) {
      throw new FormatException("changes: " + bytes.remaining() + " bytes too many");
    }
    return changes;
  }

  /**
   * Whether a record may follow the position: the next sequence, in the same epoch or in a newer
   * one that it raises itself.
   */
  static boolean follows(Position last, Entry record) {
    Position next = record.position();
    if (next.sequence() != last.sequence() + 1) {
      return false;
    }
    Optional<Epoch> raised = Optional.empty();
    for (Change change : record.changes()) {
      if (change instanceof Change.EpochRaised r) {
        raised = Optional.of(r.epoch());
      }
    }
    return raised
        .map(epoch ->
            epoch.equals(next.epoch())
                && Long.compareUnsigned(epoch.counter(), last.epoch().counter()) > 0)
        .orElse(next.epoch().equals(last.epoch()));
  }
}
