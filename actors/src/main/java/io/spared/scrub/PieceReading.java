package io.spared.scrub;

import io.spared.ffi.Errno;
import io.spared.format.Geometry;
import io.spared.format.LostBits;
import java.util.ArrayList;
import java.util.List;
import org.jspecify.annotations.Nullable;

/**
 * Reads one piece of a disk with growing patience: whole, then block by block where that failed,
 * then sector by sector with retries. What it finds are blocks with sectors that stayed unreadable,
 * and blocks that were read only with effort. Pure: it says what to read next and is told how that
 * ended.
 */
final class PieceReading {
  /** A sector is tried so often; each try may cost the drive seconds. */
  private static final int TRIES = 3;

  /** Something to read. */
  record Read(long offsetBytes, int lengthBytes) {}

  /** A block that needs attention: none unreadable means that it was read with effort. */
  record Fault(long block, LostBits unreadable) {}

  private enum Stage {
    WHOLE,
    BLOCKS,
    SECTORS,
    DONE
  }

  private final SurfacePiece piece;
  private final Geometry geometry;
  private final List<Fault> faults = new ArrayList<>();
  private Stage stage = Stage.WHOLE;
  private int block;
  private int sector;
  private int tries;
  private LostBits unreadable = LostBits.NONE;

  PieceReading(SurfacePiece piece, Geometry geometry) {
    this.piece = piece;
    this.geometry = geometry;
  }

  SurfacePiece piece() {
    return piece;
  }

  /** What to read next; null when all is known. */
  @Nullable Read next() {
    long blockOffset = piece.offsetBytes() + (long) block * geometry.blockBytes();
    return switch (stage) {
      case WHOLE -> new Read(piece.offsetBytes(), piece.lengthBytes());
      case BLOCKS -> new Read(blockOffset, blockLength());
      case SECTORS ->
          new Read(blockOffset + (long) sector * geometry.sectorBytes(), geometry.sectorBytes());
      case DONE -> null;
    };
  }

  /** How it ended: null when the bytes were read. */
  void ended(@Nullable Errno errno) {
    boolean read = errno == null;
    switch (stage) {
      case WHOLE -> stage = read ? Stage.DONE : Stage.BLOCKS;
      case BLOCKS -> {
        if (read) {
          nextBlock();
        } else {
          stage = Stage.SECTORS;
          sector = 0;
          tries = 0;
          unreadable = LostBits.NONE;
        }
      }
      case SECTORS -> {
        if (!read && ++tries < TRIES) {
          return;
        }
        if (!read) {
          unreadable = unreadable.plus(LostBits.range(sector, 1));
        }
        tries = 0;
        if (++sector * geometry.sectorBytes() >= blockLength()) {
          faults.add(new Fault(piece.firstBlock() + block, unreadable));
          stage = Stage.BLOCKS;
          nextBlock();
        }
      }
      case DONE -> throw new IllegalStateException("nothing was being read");
    }
  }

  private void nextBlock() {
    block++;
    if ((long) block * geometry.blockBytes() >= piece.lengthBytes()) {
      stage = Stage.DONE;
    }
  }

  private int blockLength() {
    return (int)
        Math.min(geometry.blockBytes(), piece.lengthBytes() - (long) block * geometry.blockBytes());
  }

  List<Fault> faults() {
    return List.copyOf(faults);
  }
}
