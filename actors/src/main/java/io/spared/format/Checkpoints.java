package io.spared.format;

import java.nio.ByteBuffer;
import java.nio.ByteOrder;
import java.util.ArrayList;
import java.util.List;
import java.util.UUID;
import java.util.function.Consumer;

/**
 * The chunks of a checkpoint. First the header: the changes that make all but the table, as they
 * were at the checkpoint's base. Then retired slots and the table's entries, fuzzy: each as it was
 * when its chunk was filled, which the log behind the checkpoint then brings up to date.
 */
final class Checkpoints {
  static final int CHUNK_BYTES_MAX = 128 * 1024;

  /** Where a chunk's payload begins: after the frame, its kind, and a count. */
  static final int PAYLOAD_AT = Frame.HEADER_BYTES + 16;

  /** In an entry's place for the spare: pending. */
  private static final int PENDING = 0xFFFF;

  /** Up to so many sectors, the lost bits of an entry stand within its 16 bytes. */
  private static final int SECTORS_INLINE_MAX = 16;

  /** What a chunk holds. */
  enum Holds {
    HEADER(1),
    RETIRED(2),
    ENTRIES(3);

    final int code;

    Holds(int code) {
      this.code = code;
    }
  }

  private Checkpoints() {}

  static int entryBytes(Geometry geometry) {
    return geometry.sectorsPerBlock() <= SECTORS_INLINE_MAX ? 16 : 32;
  }

  /** The changes that make the image but for its table and retired slots. */
  static List<Change> headerChanges(DeviceImage image) {
    List<Change> changes = new ArrayList<>();
    changes.add(new Change.NameChanged(image.name()));
    changes.add(new Change.FormChanged(image.form()));
    changes.add(new Change.MainRecorded(image.main()));
    image.owner().ifPresent(owner -> changes.add(new Change.EpochRaised(image.epoch(), owner)));
    image.cleanMark().ifPresent(mark -> changes.add(new Change.CleanMarked(mark)));
    image.placement().ifPresent(placement -> changes.add(new Change.CopiesPlaced(placement)));
    image.spares().values().forEach(spare -> changes.add(new Change.SpareAdded(spare)));
    image.extents().forEach(extent -> changes.add(new Change.ExtentLent(extent)));
    image.policy().forEach((name, value) -> changes.add(new Change.PolicySet(name, value)));
    image.cursors().forEach((name, at) -> changes.add(new Change.CursorMoved(name, at)));
    image.counters().forEach((name, value) -> changes.add(new Change.CounterSet(name, value)));
    image.replace().ifPresent(replace -> changes.add(new Change.ReplaceStarted(replace)));
    image.events().forEach(event -> changes.add(new Change.EventRecorded(event)));
    changes.addAll(image.kept());
    return changes;
  }

  /** Fills chunks one after the other; {@link #finish} makes each a frame. */
  static final class ChunkWriter {
    private final Holds holds;
    private final ByteBuffer bytes;
    private final int at;
    private int count;

    /** The chunk begins at {@code at} and may use the buffer up to its limit. */
    ChunkWriter(Holds holds, ByteBuffer bytes, int at) {
      this.holds = holds;
      this.bytes = bytes.order(ByteOrder.LITTLE_ENDIAN);
      this.at = at;
      bytes.position(at + PAYLOAD_AT);
    }

    boolean change(Change change) {
      boolean fits = ChangeCodec.write(change, bytes);
      count += fits ? 1 : 0;
      return fits;
    }

    boolean retired(int spare, long slot) {
      if (bytes.remaining() < 8) {
        return false;
      }
      bytes.putLong(slot | (long) spare << 48);
      count++;
      return true;
    }

    boolean entry(RemapEntries.Walk walk, int entryBytes) {
      if (bytes.remaining() < entryBytes) {
        return false;
      }
      long spare = walk.isPending() ? PENDING : walk.spare();
      long slot = walk.isPending() ? 0 : walk.slot();
      bytes.putLong(walk.block() | spare << 48);
      if (entryBytes == 16) {
        bytes.putLong(slot | walk.lostLow() << 48);
      } else {
        bytes.putLong(slot);
        bytes.putLong(walk.lostLow());
        bytes.putLong(walk.lostHigh());
      }
      count++;
      return true;
    }

    int count() {
      return count;
    }

    /** Zero-fills the last unit, writes the frame and returns its checksum; position at its end. */
    int finish(
        UUID deviceId,
        int copy,
        int area,
        int previousChecksum,
        long offsetBytes,
        long generation,
        long buildId) {
      int payloadBytes = bytes.position() - at - PAYLOAD_AT;
      int lengthBytes = Frame.roundUp(bytes.position() - at);
      while (bytes.position() < at + lengthBytes) {
        bytes.put((byte) 0);
      }
      bytes.putInt(at + Frame.HEADER_BYTES, holds.code);
      bytes.putInt(at + Frame.HEADER_BYTES + 4, count);
      bytes.putInt(at + Frame.HEADER_BYTES + 8, payloadBytes);
      bytes.putInt(at + Frame.HEADER_BYTES + 12, 0);
      return Frame.unsealed(
              Frame.Kind.CHUNK,
              lengthBytes,
              copy,
              area,
              previousChecksum,
              deviceId,
              offsetBytes,
              generation,
              buildId)
          .write(bytes, at);
    }
  }

  /** A chunk that was read and belongs where it stands. */
  record Chunk(Frame frame, Holds holds, int count, int payloadBytes) {}

  /** Checks the chunk at {@code at}, which must continue the chain. */
  static Chunk read(ByteBuffer bytes, int at, Seal seal, long offsetBytes, int previousChecksum)
      throws FormatException {
    Frame frame = Frame.read(bytes, at, Frame.Kind.CHUNK);
    if (!frame.owner().equals(seal.deviceId())
        || frame.copy() != seal.copy()
        || frame.area() != seal.area()
        || frame.offsetBytes() != offsetBytes
        || frame.generation() != seal.generation()
        || frame.buildId() != seal.buildId()
        || frame.previousChecksum() != previousChecksum) {
      throw new FormatException(
          FormatException.Trouble.FOREIGN,
          "part of a checkpoint: that of another place, copy or time stands at offset "
              + offsetBytes);
    }
    int code = bytes.getInt(at + Frame.HEADER_BYTES);
    int count = bytes.getInt(at + Frame.HEADER_BYTES + 4);
    int payloadBytes = bytes.getInt(at + Frame.HEADER_BYTES + 8);
    if (payloadBytes < 0 || payloadBytes > frame.lengthBytes() - PAYLOAD_AT || count < 0) {
      throw new FormatException("part of a checkpoint: its sizes contradict each other");
    }
    for (Holds holds : Holds.values()) {
      if (holds.code == code) {
        return new Chunk(frame, holds, count, payloadBytes);
      }
    }
    throw new FormatException(
        FormatException.Trouble.NEWER,
        "part of a checkpoint of kind " + code + ", which this version does not know");
  }

  /** The changes of a HEADER chunk. */
  static List<Change> header(ByteBuffer bytes, int at, Chunk chunk) throws FormatException {
    return LogRecords.changes(bytes.slice(at + PAYLOAD_AT, chunk.payloadBytes()), chunk.count());
  }

  /** The changes of a RETIRED chunk. */
  static void retired(ByteBuffer bytes, int at, Chunk chunk, Consumer<Change> sink)
      throws FormatException {
    if (chunk.payloadBytes() != (long) chunk.count() * 8) {
      throw new FormatException("part of a checkpoint: its sizes contradict each other");
    }
    for (int i = 0; i < chunk.count(); i++) {
      long number = bytes.getLong(at + PAYLOAD_AT + i * 8);
      sink.accept(
          new Change.SlotRetired((int) (number >>> 48), number & ChangeCodec.NUMBER_48_MAX));
    }
  }

  /** Puts the entries of an ENTRIES chunk into the table. */
  static void entries(
      ByteBuffer bytes, int at, Chunk chunk, Geometry geometry, RemapEntries entries)
      throws FormatException {
    int entryBytes = entryBytes(geometry);
    if (chunk.payloadBytes() != (long) chunk.count() * entryBytes) {
      throw new FormatException("part of a checkpoint: its sizes contradict each other");
    }
    int p = at + PAYLOAD_AT;
    for (int i = 0; i < chunk.count(); i++, p += entryBytes) {
      long first = bytes.getLong(p);
      long second = bytes.getLong(p + 8);
      long block = first & ChangeCodec.NUMBER_48_MAX;
      int spare = (int) (first >>> 48);
      long slot = second & ChangeCodec.NUMBER_48_MAX;
      long lostLow = entryBytes == 16 ? second >>> 48 : bytes.getLong(p + 16);
      long lostHigh = entryBytes == 16 ? 0 : bytes.getLong(p + 24);
      if (spare == PENDING) {
        entries.putPending(block, lostLow, lostHigh);
      } else {
        entries.put(block, spare, slot, lostLow, lostHigh);
      }
    }
  }
}
