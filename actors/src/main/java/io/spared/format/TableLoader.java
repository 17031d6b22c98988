package io.spared.format;

import java.nio.ByteBuffer;
import java.util.ArrayList;
import java.util.List;
import java.util.Optional;
import org.jspecify.annotations.Nullable;

/**
 * Loads, or only verifies, one area whole: every chunk of the checkpoint, then the log up to the
 * tail that was read before. It fails when anything differs from what seal and tail say: never part
 * of a table.
 */
public final class TableLoader implements Reading {
  /** What a seal claims is not believed beyond this before any of it was read. */
  private static final long EXPECTED_MAX = 10_000_000;

  private final Superblock superblock;
  private final AreaReading area;
  private final RemapEntries entries;
  private final int windowBytesMax;
  private final long checkpointEndBytes;
  private final List<Change> headerChanges = new ArrayList<>();
  private final List<Change> retired = new ArrayList<>();
  private @Nullable DeviceImage image;
  private @Nullable String failure;
  private boolean done;
  private boolean inLog;
  private long atBytes;
  private int chunksRead;
  private long entriesRead;
  private int chainChecksum;
  private Position tail;

  /** Loads into the entries, which must be empty. */
  public TableLoader(
      Superblock superblock, AreaReading area, RemapEntries entries, int windowBytesMax) {
    if (windowBytesMax < Checkpoints.CHUNK_BYTES_MAX
        || windowBytesMax % CopyLayout.UNIT_BYTES != 0) {
      throw new IllegalArgumentException("a window of " + windowBytesMax + " bytes");
    }
    this.superblock = superblock;
    this.area = area;
    this.entries = entries;
    this.windowBytesMax = windowBytesMax;
    this.atBytes =
        superblock.offsetBytes() + superblock.layout().checkpointOffsetBytes(area.seal().area());
    this.checkpointEndBytes = atBytes + area.seal().checkpointBytes();
    this.chainChecksum = Seal.checkpointChainStart(area.seal().buildId());
    this.tail = area.seal().base();
  }

  /** Reads everything and keeps nothing. */
  public static TableLoader verifying(Superblock superblock, AreaReading area, int windowBytesMax) {
    return new TableLoader(superblock, area, new NoEntries(), windowBytesMax);
  }

  @Override
  public Optional<Step> next() {
    if (done) {
      return Optional.empty();
    }
    long end = inLog ? logStartBytes() + area.logBytes() : checkpointEndBytes;
    return Optional.of(new Step(atBytes, (int) Math.min(windowBytesMax, end - atBytes)));
  }

  /** How much of it is read, from 0 to 1. */
  public double progress() {
    long checkpointBytes = area.seal().checkpointBytes();
    double all = checkpointBytes + area.logBytes();
    double left =
        inLog
            ? logStartBytes() + area.logBytes() - atBytes
            : checkpointEndBytes - atBytes + area.logBytes();
    return done ? 1 : 1 - left / all;
  }

  private long logStartBytes() {
    return superblock.offsetBytes() + superblock.layout().logOffsetBytes(area.seal().area());
  }

  @Override
  public void accept(ByteBuffer bytes) {
    try {
      if (inLog) {
        acceptLog(bytes);
      } else {
        acceptCheckpoint(bytes);
      }
    } catch (FormatException e) {
      fail(e.sentence());
    } catch (IllegalArgumentException e) {
      // The table's own word: an entry that its geometry does not allow.
      fail("an entry cannot be: " + e.getMessage());
    }
  }

  @Override
  public void failed(String reason) {
    fail("it cannot be read at offset " + atBytes + ": " + reason);
  }

  private void fail(@Nullable String why) {
    failure = String.valueOf(why);
    done = true;
  }

  private void acceptCheckpoint(ByteBuffer bytes) throws FormatException {
    if (chunksRead == 0) {
      entries.expect(Math.min(area.seal().entries(), EXPECTED_MAX));
    }
    int at = 0;
    while (at < bytes.limit()) {
      int length = Frame.claimedLength(bytes, at, Frame.Kind.CHUNK);
      if (at > 0 && at + length > bytes.limit()) {
        break;
      }
      Checkpoints.Chunk chunk =
          Checkpoints.read(bytes, at, area.seal(), atBytes + at, chainChecksum);
      take(bytes, at, chunk);
      chainChecksum = chunk.frame().checksum();
      chunksRead++;
      at += chunk.frame().lengthBytes();
    }
    atBytes += at;
    if (atBytes < checkpointEndBytes) {
      return;
    }
    if (atBytes > checkpointEndBytes
        || chunksRead != area.seal().chunks()
        || chainChecksum != area.seal().checkpointChecksum()
        || entriesRead != area.seal().entries()) {
      throw new FormatException("checkpoint: its parts are not those that its seal names");
    }
    DeviceImage made = CopyReader.imageOf(superblock, area.seal(), headerChanges, entries);
    made.apply(area.seal().base(), retired);
    image = made;
    headerChanges.clear();
    retired.clear();
    chainChecksum = Seal.logChainStart(area.seal().buildId());
    atBytes = logStartBytes();
    inLog = true;
    done = area.logBytes() == 0;
    if (done) {
      checkTail();
    }
  }

  private void take(ByteBuffer bytes, int at, Checkpoints.Chunk chunk) throws FormatException {
    boolean expectHeader = chunksRead < area.seal().headerChunks();
    if (expectHeader != (chunk.holds() == Checkpoints.Holds.HEADER)) {
      throw new FormatException("checkpoint: its parts are in the wrong order");
    }
    switch (chunk.holds()) {
      case HEADER -> headerChanges.addAll(Checkpoints.header(bytes, at, chunk));
      case RETIRED -> Checkpoints.retired(bytes, at, chunk, retired::add);
      case ENTRIES -> {
        Checkpoints.entries(bytes, at, chunk, superblock.geometry(), entries);
        entriesRead += chunk.count();
      }
    }
  }

  private void acceptLog(ByteBuffer bytes) throws FormatException {
    int at = 0;
    while (at < bytes.limit()) {
      int length = Frame.claimedLength(bytes, at, Frame.Kind.LOG);
      if (at > 0 && at + length > bytes.limit()) {
        break;
      }
      LogRecords.Entry record = LogRecords.read(bytes, at, area.seal(), atBytes + at);
      if (record.frame().previousChecksum() != chainChecksum || !LogRecords.follows(tail, record)) {
        throw new FormatException("log: a record does not continue the one before it");
      }
      image().apply(record.position(), record.changes());
      tail = record.position();
      chainChecksum = record.frame().checksum();
      at += record.frame().lengthBytes();
    }
    atBytes += at;
    if (atBytes >= logStartBytes() + area.logBytes()) {
      done = true;
      checkTail();
    }
  }

  private void checkTail() throws FormatException {
    if (!tail.equals(area.tail()) || chainChecksum != area.tailChecksum()) {
      throw new FormatException("log: it ends at " + tail + " and not at " + area.tail());
    }
  }

  private DeviceImage image() {
    DeviceImage known = image;
    if (known == null) {
      throw new IllegalStateException("the checkpoint is not loaded yet");
    }
    return known;
  }

  /** Why it cannot be used; empty when all of it was loaded. */
  public Optional<String> failure() {
    return Optional.ofNullable(failure);
  }

  /** The whole state at the tail; only after an end without failure. */
  public DeviceImage result() {
    if (!done || failure != null) {
      throw new IllegalStateException("the table is not loaded: " + failure);
    }
    return image();
  }
}
