package io.spared.format;

import java.nio.ByteBuffer;
import java.util.ArrayList;
import java.util.List;
import java.util.Optional;
import java.util.UUID;
import org.jspecify.annotations.Nullable;

/**
 * Reads of one copy what choosing needs: superblock, seals, headers, and the logs to their ends.
 * Not the table, so that a start reads ten million entries once and not ten times.
 *
 * <p>Bounds: one window of bytes at a time, and a header image; nothing is kept of log records but
 * what they change in it.
 */
public final class CopyReader implements Reading {
  private static final int UNIT = CopyLayout.UNIT_BYTES;

  private static final int FAILURES_BEHIND_END_MAX = 2;

  /** So often a seal is read that cannot be: without it nobody knows what its copy holds. */
  private static final int SEAL_READS_MAX = 3;

  private enum Phase {
    SUPERBLOCK,
    SEAL,
    HEADER,
    LOG,
    LOOK_BEHIND_END,
    DONE
  }

  private final UUID deviceId;
  private final UUID spareId;
  private final long offsetBytes;
  private final int windowBytesMax;
  private Phase phase = Phase.SUPERBLOCK;
  private int area;
  private final List<AreaReading> areas = new ArrayList<>();
  private final List<String> troubles = new ArrayList<>();
  private boolean newer;

  /** The newest area whose seal is whole and whose header is not. */
  private long lostGeneration = Long.MIN_VALUE;

  private CopyReading.@Nullable Sealed newestSealed;
  private boolean mayHoldMore;
  private int sealReads;

  private @Nullable Superblock superblock;
  private @Nullable CopyReading result;

  private @Nullable Seal seal;
  private @Nullable DeviceImage header;
  private final List<Change> headerChanges = new ArrayList<>();
  private int headerChunksLeft;
  private Position tail = Position.NONE;
  private int tailChecksum;
  private long atBytes;
  private long logBytes;
  private int windowBytes;
  private int windowAfterTrouble;
  private int failuresBehindEnd;
  private int chainChecksum;
  private AreaReading.LogEnd logEnd = AreaReading.LogEnd.CLEAN;
  private String logSentence = "";

  /**
   * @param windowBytesMax how much may be read at once; at least 128 KiB
   */
  public CopyReader(UUID deviceId, UUID spareId, long offsetBytes, int windowBytesMax) {
    if (windowBytesMax < Checkpoints.CHUNK_BYTES_MAX || windowBytesMax % UNIT != 0) {
      throw new IllegalArgumentException("a window of " + windowBytesMax + " bytes");
    }
    this.deviceId = deviceId;
    this.spareId = spareId;
    this.offsetBytes = offsetBytes;
    this.windowBytesMax = windowBytesMax;
  }

  /** What was read; after {@link #next()} was empty. */
  public CopyReading result() {
    CopyReading done = result;
    if (done == null) {
      throw new IllegalStateException("the copy is not read yet");
    }
    return done;
  }

  private Superblock superblock() {
    Superblock known = superblock;
    if (known == null) {
      throw new IllegalStateException("no superblock yet");
    }
    return known;
  }

  private Seal seal() {
    Seal known = seal;
    if (known == null) {
      throw new IllegalStateException("no seal yet");
    }
    return known;
  }

  private DeviceImage header() {
    DeviceImage known = header;
    if (known == null) {
      throw new IllegalStateException("no header yet");
    }
    return known;
  }

  private long logStartBytes() {
    return offsetBytes + superblock().layout().logOffsetBytes(area);
  }

  private long logEndBytes() {
    return logStartBytes() + superblock().layout().logBytes();
  }

  @Override
  public Optional<Step> next() {
    return switch (phase) {
      case SUPERBLOCK -> Optional.of(new Step(offsetBytes, UNIT));
      case SEAL ->
          Optional.of(new Step(offsetBytes + superblock().layout().areaOffsetBytes(area), UNIT));
      case HEADER -> {
        long end =
            offsetBytes
                + superblock().layout().checkpointOffsetBytes(area)
                + seal().checkpointBytes();
        yield Optional.of(new Step(atBytes, (int) Math.min(windowBytes, end - atBytes)));
      }
      case LOG, LOOK_BEHIND_END ->
          Optional.of(new Step(atBytes, (int) Math.min(windowBytes, logEndBytes() - atBytes)));
      case DONE -> Optional.empty();
    };
  }

  @Override
  public void accept(ByteBuffer bytes) {
    switch (phase) {
      case SUPERBLOCK -> acceptSuperblock(bytes);
      case SEAL -> acceptSeal(bytes);
      case HEADER -> acceptHeader(bytes);
      case LOG -> acceptLog(bytes);
      case LOOK_BEHIND_END -> lookBehindEnd(bytes);
      case DONE -> throw new IllegalStateException("nothing was asked for");
    }
  }

  @Override
  public void failed(String reason) {
    switch (phase) {
      case SUPERBLOCK -> {
        mayHoldMore = true;
        end(CopyReading.Kind.UNREADABLE, "superblock: it cannot be read: " + reason);
      }
      case SEAL -> {
        if (++sealReads < SEAL_READS_MAX) {
          return;
        }
        mayHoldMore = true;
        troubles.add("seal of area " + area + ": it cannot be read: " + reason);
        nextArea();
      }
      case HEADER -> {
        if (windowBytes > Checkpoints.CHUNK_BYTES_MAX) {
          windowBytes = Checkpoints.CHUNK_BYTES_MAX;
        } else {
          troubles.add("checkpoint of area " + area + ": it cannot be read: " + reason);
          headerLost();
        }
      }
      case LOG -> {
        if (windowBytes > LogRecords.RECORD_BYTES_MAX) {
          windowBytes = LogRecords.RECORD_BYTES_MAX;
          windowAfterTrouble = windowBytes;
        } else if (windowBytes > UNIT) {
          windowBytes = UNIT;
        } else {
          logEnd = AreaReading.LogEnd.UNREADABLE;
          logSentence =
              "its log cannot be read behind " + tail + " (offset " + atBytes + "): " + reason;
          endArea();
        }
      }
      case LOOK_BEHIND_END -> {
        // Unreadable units behind the end hide nothing that counts; each may take long to fail.
        if (++failuresBehindEnd > FAILURES_BEHIND_END_MAX) {
          endArea();
        } else {
          skipInLookBehind(windowBytes);
        }
      }
      case DONE -> throw new IllegalStateException("nothing was asked for");
    }
  }

  private void acceptSuperblock(ByteBuffer bytes) {
    Superblock read;
    try {
      read = Superblock.read(bytes);
    } catch (FormatException e) {
      switch (e.trouble()) {
        case NEWER -> end(CopyReading.Kind.NEWER, e.sentence());
        case BLANK -> end(CopyReading.Kind.BLANK, e.sentence());
        case DAMAGED, FOREIGN -> end(CopyReading.Kind.UNREADABLE, e.sentence());
      }
      return;
    }
    superblock = read;
    if (!read.deviceId().equals(deviceId)) {
      end(CopyReading.Kind.FOREIGN, "a copy of device " + read.deviceId() + " stands here");
    } else if (!read.spareId().equals(spareId) || read.offsetBytes() != offsetBytes) {
      end(
          CopyReading.Kind.FOREIGN,
          "a copy that belongs to offset "
              + read.offsetBytes()
              + " of spare "
              + read.spareId()
              + " stands here");
    } else {
      area = 0;
      phase = Phase.SEAL;
    }
  }

  private void acceptSeal(ByteBuffer bytes) {
    try {
      Seal read = Seal.read(bytes, superblock(), area);
      seal = read;
      if (newestSealed == null || newestSealed.generation() < read.generation()) {
        newestSealed = new CopyReading.Sealed(area, read.generation());
      }
      headerChunksLeft = read.headerChunks();
      headerChanges.clear();
      chainChecksum = Seal.checkpointChainStart(read.buildId());
      atBytes = offsetBytes + superblock().layout().checkpointOffsetBytes(area);
      windowBytes = windowBytesMax;
      phase = Phase.HEADER;
    } catch (FormatException e) {
      // Damage: a torn one is whole or none, since all that a seal says is in its first sector.
      // What it hid nobody knows, until a repair writes that area anew.
      mayHoldMore |= e.trouble() == FormatException.Trouble.DAMAGED;
      trouble("area " + area, e);
      nextArea();
    }
  }

  private void acceptHeader(ByteBuffer bytes) {
    int at = 0;
    while (headerChunksLeft > 0) {
      int length = Frame.claimedLength(bytes, at, Frame.Kind.CHUNK);
      if (at > 0 && at + Math.max(length, UNIT) > bytes.limit()) {
        atBytes += at;
        return;
      }
      try {
        Checkpoints.Chunk chunk = Checkpoints.read(bytes, at, seal(), atBytes + at, chainChecksum);
        if (chunk.holds() != Checkpoints.Holds.HEADER) {
          throw new FormatException("checkpoint: its header is cut off");
        }
        headerChanges.addAll(Checkpoints.header(bytes, at, chunk));
        chainChecksum = chunk.frame().checksum();
        at += chunk.frame().lengthBytes();
        headerChunksLeft--;
      } catch (FormatException e) {
        trouble("area " + area, e);
        headerLost();
        return;
      }
    }
    try {
      header = imageOf(superblock(), seal(), headerChanges, new NoEntries());
    } catch (FormatException e) {
      trouble("area " + area, e);
      headerLost();
      return;
    }
    tail = seal().base();
    tailChecksum = Seal.logChainStart(seal().buildId());
    logBytes = 0;
    logEnd = AreaReading.LogEnd.CLEAN;
    logSentence = "";
    atBytes = logStartBytes();
    windowBytes = windowBytesMax;
    windowAfterTrouble = windowBytesMax;
    failuresBehindEnd = 0;
    phase = Phase.LOG;
  }

  /** The image that header changes make, at the checkpoint's base. */
  static DeviceImage imageOf(
      Superblock superblock, Seal seal, List<Change> changes, RemapEntries entries)
      throws FormatException {
    String name = null;
    Form form = null;
    MainMember main = null;
    for (Change change : changes) {
      switch (change) {
        case Change.NameChanged c -> name = c.name();
        case Change.FormChanged c -> form = c.form();
        case Change.MainRecorded c -> main = c.main();
        default -> {}
      }
    }
    if (name == null || form == null || main == null) {
      throw new FormatException("checkpoint: its header lacks name, form or main disk");
    }
    DeviceImage image =
        new DeviceImage(superblock.deviceId(), name, form, superblock.geometry(), main, entries);
    image.apply(seal.base(), changes);
    if (image.placement().isEmpty()) {
      throw new FormatException("checkpoint: its header does not say where the copies stand");
    }
    return image;
  }

  private void acceptLog(ByteBuffer bytes) {
    int at = 0;
    while (at < bytes.limit()) {
      int length = Frame.claimedLength(bytes, at, Frame.Kind.LOG);
      if (at + Math.max(length, UNIT) > bytes.limit() && atBytes + at + length <= logEndBytes()) {
        if (at == 0) {
          // The window was made small by an unreadable unit: this record needs the next unit too.
          if (bytes.limit() >= LogRecords.RECORD_BYTES_MAX) {
            break;
          }
          logEnd = AreaReading.LogEnd.UNREADABLE;
          logSentence = "its log cannot be read behind " + tail + " (offset " + atBytes + ")";
          endArea();
          return;
        }
        atBytes += at;
        return;
      }
      LogRecords.Entry record;
      try {
        record = LogRecords.read(bytes, at, seal(), atBytes + at);
      } catch (FormatException e) {
        newer |= e.trouble() == FormatException.Trouble.NEWER;
        break;
      }
      if (record.frame().previousChecksum() != tailChecksum || !LogRecords.follows(tail, record)) {
        break;
      }
      header().apply(record.position(), record.changes());
      tail = record.position();
      tailChecksum = record.frame().checksum();
      at += record.frame().lengthBytes();
      logBytes += record.frame().lengthBytes();
    }
    atBytes += at;
    if (at == bytes.limit() && atBytes < logEndBytes()) {
      windowBytes = windowAfterTrouble;
      return;
    }
    if (atBytes >= logEndBytes()) {
      endArea();
    } else {
      phase = Phase.LOOK_BEHIND_END;
      windowBytes = windowBytesMax;
    }
  }

  /**
   * A whole record of this very log behind its end means that records between were lost: the end is
   * not the last commit that this copy was given.
   */
  private void lookBehindEnd(ByteBuffer bytes) {
    boolean last = atBytes + bytes.limit() >= logEndBytes();
    for (int at = 0; at < bytes.limit(); at += UNIT) {
      int length = Frame.claimedLength(bytes, at, Frame.Kind.LOG);
      if (length == 0) {
        continue;
      }
      if (at + length > bytes.limit() && !last && at > 0) {
        atBytes += at;
        return;
      }
      try {
        LogRecords.Entry record = LogRecords.read(bytes, at, seal(), atBytes + at);
        if (record.position().sequence() > tail.sequence()) {
          logEnd = AreaReading.LogEnd.BROKEN;
          logSentence =
              "its log is broken behind " + tail + "; " + record.position() + " stood in it";
          endArea();
          return;
        }
      } catch (FormatException e) {
        newer |= e.trouble() == FormatException.Trouble.NEWER;
      }
    }
    skipInLookBehind(bytes.limit());
  }

  private void skipInLookBehind(int bytes) {
    atBytes += bytes;
    if (atBytes >= logEndBytes()) {
      endArea();
    }
  }

  private void endArea() {
    areas.add(
        new AreaReading(
            seal(), header(), tail, tailChecksum, logBytes, logEnd, logSentence, Optional.empty()));
    nextArea();
  }

  private void trouble(String what, FormatException e) {
    newer |= e.trouble() == FormatException.Trouble.NEWER;
    troubles.add(what + ": " + e.sentence());
  }

  /**
   * A seal is written last and wiped first, so behind a whole one the header was whole: it was
   * damaged since, and with it what the area's log says. An older area of the copy ends before.
   */
  private void headerLost() {
    lostGeneration = Math.max(lostGeneration, seal().generation());
    nextArea();
  }

  private void nextArea() {
    sealReads = 0;
    if (area == 0) {
      area = 1;
      phase = Phase.SEAL;
    } else if (newer) {
      end(CopyReading.Kind.NEWER, String.join("; ", troubles));
    } else if (areas.isEmpty()) {
      end(CopyReading.Kind.UNREADABLE, String.join("; ", troubles));
    } else {
      end(CopyReading.Kind.READ, "");
    }
  }

  private void end(CopyReading.Kind kind, String sentence) {
    result =
        new CopyReading(
            spareId,
            offsetBytes,
            kind,
            sentence,
            Optional.ofNullable(superblock),
            kind == CopyReading.Kind.READ
                ? areas.stream()
                    .map(read ->
                        mayHoldMore || read.seal().generation() < lostGeneration
                            ? read.behindLostArea()
                            : read)
                    .toList()
                : List.of(),
            Optional.ofNullable(newestSealed),
            mayHoldMore);
    phase = Phase.DONE;
  }
}
