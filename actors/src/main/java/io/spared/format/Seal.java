package io.spared.format;

import java.nio.ByteBuffer;
import java.nio.ByteOrder;
import java.util.UUID;

/**
 * The first unit of an area: written last, and durable, it makes the checkpoint and the log that
 * stand behind it count. It is wiped, durably, before anything behind it is overwritten.
 *
 * @param generation of the checkpoint; rises with every one
 * @param buildId random, so that nothing left over from another use of the area can be taken for a
 *     part of it
 * @param base the state that the checkpoint holds at least; the log goes on from the next sequence
 * @param checkpointChecksum the checksum of the last chunk, and by the chain of all
 */
public record Seal(
    UUID deviceId,
    int copy,
    int area,
    long offsetBytes,
    long generation,
    long buildId,
    Position base,
    long checkpointBytes,
    int chunks,
    int headerChunks,
    long entries,
    int checkpointChecksum) {
  public static final int BYTES = CopyLayout.UNIT_BYTES;

  /** Bounds what a reader keeps of a header. */
  static final int HEADER_CHUNKS_MAX = 64;

  /** The unit as it stands on disk. */
  public ByteBuffer write() {
    ByteBuffer bytes = ByteBuffer.allocate(BYTES).order(ByteOrder.LITTLE_ENDIAN);
    bytes.putLong(64, base.epoch().counter());
    bytes.putLong(72, base.epoch().startId());
    bytes.putLong(80, base.sequence());
    bytes.putLong(88, checkpointBytes);
    bytes.putInt(96, chunks);
    bytes.putInt(100, headerChunks);
    bytes.putLong(104, entries);
    bytes.putInt(112, checkpointChecksum);
    bytes.putInt(116, Features.REQUIRED_KNOWN);
    Frame.unsealed(
            Frame.Kind.SEAL, BYTES, copy, area, 0, deviceId, offsetBytes, generation, buildId)
        .write(bytes, 0);
    return bytes;
  }

  /** Reads a seal that must belong to this area of this copy. */
  static Seal read(ByteBuffer bytes, Superblock superblock, int area) throws FormatException {
    Frame frame = Frame.read(bytes, 0, Frame.Kind.SEAL);
    long offsetBytes = superblock.offsetBytes() + superblock.layout().areaOffsetBytes(area);
    if (!frame.owner().equals(superblock.deviceId())
        || frame.copy() != superblock.copy()
        || frame.area() != area
        || frame.offsetBytes() != offsetBytes) {
      throw new FormatException(
          FormatException.Trouble.FOREIGN,
          "a seal of device "
              + frame.owner()
              + ", copy "
              + frame.copy()
              + ", for offset "
              + frame.offsetBytes()
              + " stands at offset "
              + offsetBytes);
    }
    Features.check(bytes.getInt(116), "a checkpoint");
    Seal seal =
        new Seal(
            frame.owner(),
            frame.copy(),
            area,
            offsetBytes,
            frame.generation(),
            frame.buildId(),
            new Position(new Epoch(bytes.getLong(64), bytes.getLong(72)), bytes.getLong(80)),
            bytes.getLong(88),
            bytes.getInt(96),
            bytes.getInt(100),
            bytes.getLong(104),
            bytes.getInt(112));
    if (seal.checkpointBytes < Frame.UNIT_BYTES
        || seal.checkpointBytes % Frame.UNIT_BYTES != 0
        || seal.checkpointBytes > superblock.layout().checkpointBytes()
        || seal.chunks < 1
        || seal.chunks > seal.checkpointBytes / Frame.UNIT_BYTES
        || seal.headerChunks < 1
        || seal.headerChunks > Math.min(seal.chunks, HEADER_CHUNKS_MAX)
        || seal.entries < 0
        || seal.base.sequence() < 0) {
      throw new FormatException("seal of a checkpoint: its sizes contradict each other");
    }
    return seal;
  }

  /** What the checkpoint's first chunk continues. */
  static int checkpointChainStart(long buildId) {
    return (int) (buildId ^ buildId >>> 32);
  }

  /** What the log's first record continues. */
  static int logChainStart(long buildId) {
    return ~checkpointChainStart(buildId);
  }
}
