package io.spared.format;

import java.nio.ByteBuffer;
import java.util.ArrayDeque;

/**
 * Writes a checkpoint of an image into one area of one copy, chunk by chunk, while the image goes
 * on changing.
 *
 * <p>Why the result is right though its parts are from different moments: the header is taken at
 * once, here, at the image's position, the base. Every later commit is in the log behind the
 * checkpoint, whose changes are absolute; an entry that was read too late already has some of them
 * and gets them again. So replay from the base ends in the state of the log's tail, whatever moment
 * each entry is from. The caller's part: wipe the area's seal durably first; write every chunk
 * durably; append all commits after {@link #base()} to the {@link LogAppender}; only then write the
 * seal.
 */
public final class AreaBuilder {
  private final DeviceImage image;
  private final Superblock superblock;
  private final int area;
  private final long generation;
  private final long buildId;
  private final Position base;
  private final ArrayDeque<Change> header;
  private final RemapEntries.Walk walk;
  private final ArrayDeque<Change.SlotRetired> retired = new ArrayDeque<>();
  private final long startBytes;
  private long atBytes;
  private int chainChecksum;
  private int chunks;
  private int headerChunks;
  private long entries;
  private boolean entryWaits;
  private boolean walked;

  /**
   * @param superblock of the copy that is written
   * @param generation higher than any before in this device
   * @param buildId random
   */
  public AreaBuilder(
      DeviceImage image, Superblock superblock, int area, long generation, long buildId) {
    this.image = image;
    this.superblock = superblock;
    this.area = area;
    this.generation = generation;
    this.buildId = buildId;
    this.base = image.position();
    this.header = new ArrayDeque<>(Checkpoints.headerChanges(image));
    for (int spare : image.spares().keySet()) {
      for (long slot : image.retiredSlots(spare)) {
        retired.add(new Change.SlotRetired(spare, slot));
      }
    }
    this.walk = image.entries().walk();
    this.startBytes = superblock.offsetBytes() + superblock.layout().checkpointOffsetBytes(area);
    this.atBytes = startBytes;
    this.chainChecksum = Seal.checkpointChainStart(buildId);
  }

  /** Where the chunk that {@link #next} makes has to be written. */
  public long offsetBytes() {
    return atBytes;
  }

  /**
   * Fills the buffer from its beginning with the next chunk, up to its limit or 128 KiB.
   *
   * @return the chunk's length, or 0 when there is none any more
   * @throws FormatException when the checkpoint has no room in the area
   */
  public int next(ByteBuffer out) throws FormatException {
    int room = Math.min(out.limit(), Checkpoints.CHUNK_BYTES_MAX) / Frame.UNIT_BYTES;
    out.clear().limit(room * Frame.UNIT_BYTES);
    Checkpoints.ChunkWriter writer;
    if (!header.isEmpty()) {
      writer = new Checkpoints.ChunkWriter(Checkpoints.Holds.HEADER, out, 0);
      while (!header.isEmpty() && writer.change(header.element())) {
        header.remove();
      }
      headerChunks++;
    } else if (!retired.isEmpty()) {
      writer = new Checkpoints.ChunkWriter(Checkpoints.Holds.RETIRED, out, 0);
      while (!retired.isEmpty()
          && writer.retired(retired.element().spare(), retired.element().slot())) {
        retired.remove();
      }
    } else {
      writer = new Checkpoints.ChunkWriter(Checkpoints.Holds.ENTRIES, out, 0);
      int entryBytes = Checkpoints.entryBytes(image.geometry());
      while (!walked) {
        if (!entryWaits && !walk.next()) {
          walked = true;
          break;
        }
        entryWaits = !writer.entry(walk, entryBytes);
        if (entryWaits) {
          break;
        }
        entries++;
      }
      if (writer.count() == 0) {
        return 0;
      }
    }
    chainChecksum =
        writer.finish(
            image.deviceId(), superblock.copy(), area, chainChecksum, atBytes, generation, buildId);
    int lengthBytes = out.position();
    out.position(0).limit(lengthBytes);
    if (atBytes + lengthBytes > startBytes + superblock.layout().checkpointBytes()
        || headerChunks > Seal.HEADER_CHUNKS_MAX) {
      throw new FormatException(
          "checkpoint: "
              + image.entries().remapCount()
              + " remaps and their header need more than the "
              + superblock.layout().checkpointBytes()
              + " bytes that each copy has for them; place the copies anew");
    }
    atBytes += lengthBytes;
    chunks++;
    return lengthBytes;
  }

  /** The seal, once {@link #next} gave 0. To be written after the log holds all later commits. */
  public Seal seal() {
    if (!walked) {
      throw new IllegalStateException("the checkpoint is not written yet");
    }
    return new Seal(
        image.deviceId(),
        superblock.copy(),
        area,
        superblock.offsetBytes() + superblock.layout().areaOffsetBytes(area),
        generation,
        buildId,
        base,
        atBytes - startBytes,
        chunks,
        headerChunks,
        entries,
        chainChecksum);
  }

  /** The commit after which the log must go on. */
  public Position base() {
    return base;
  }

  public int area() {
    return area;
  }

  public long generation() {
    return generation;
  }

  /** How far, from 0 to 1, as well as one can know. */
  public double progress() {
    long all = image.entries().remapCount() + image.entries().pendingCount() + 1;
    return Math.min(1.0, (double) entries / all);
  }
}
