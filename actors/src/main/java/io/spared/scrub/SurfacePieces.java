package io.spared.scrub;

import io.spared.disk.DiskNumber;
import io.spared.format.Geometry;
import io.spared.format.RemapEntries;
import io.spared.remap.Lookup;
import io.spared.remap.Place;
import io.spared.remap.RemapTable;
import java.util.Iterator;
import java.util.NoSuchElementException;
import org.jspecify.annotations.Nullable;

/**
 * What there is to read in one pass: main from a cursor to its end, without blocks that live
 * elsewhere or are known to be bad, then every slot in use. Looked up as it goes, so that a block
 * that moves meanwhile is read where it is.
 */
final class SurfacePieces implements Iterator<SurfacePiece> {
  /** Large enough to be cheap, small enough to let others in between. */
  static final int PIECE_BYTES = 256 << 10;

  private final Geometry geometry;
  private final RemapTable table;
  private final long dataOffsetBytes;
  private final Lookup lookup = new Lookup();
  private long nextBlock;
  private RemapEntries.@Nullable Walk slots;
  private @Nullable SurfacePiece next;

  SurfacePieces(Geometry geometry, RemapTable table, long dataOffsetBytes, long fromBytes) {
    this.geometry = geometry;
    this.table = table;
    this.dataOffsetBytes = dataOffsetBytes;
    this.nextBlock = fromBytes / geometry.blockBytes();
  }

  @Override
  public boolean hasNext() {
    if (next == null) {
      next = find();
    }
    return next != null;
  }

  @Override
  public SurfacePiece next() {
    SurfacePiece piece = hasNext() ? next : null;
    if (piece == null) {
      throw new NoSuchElementException();
    }
    next = null;
    return piece;
  }

  private @Nullable SurfacePiece find() {
    int blockBytes = geometry.blockBytes();
    long blocks = geometry.blockCount();
    while (nextBlock < blocks) {
      long last = Math.min(blocks, nextBlock + Math.max(1, PIECE_BYTES / blockBytes)) - 1;
      long elsewhere = table.findNext(nextBlock, last, lookup);
      if (elsewhere == nextBlock) {
        nextBlock++;
        continue;
      }
      long end = elsewhere < 0 ? last + 1 : elsewhere;
      long offset = nextBlock * blockBytes;
      long length = Math.min(geometry.deviceBytes(), end * blockBytes) - offset;
      SurfacePiece piece =
          new SurfacePiece(
              DiskNumber.MAIN,
              dataOffsetBytes + offset,
              Math.toIntExact(length),
              nextBlock,
              Place.MAIN,
              Math.min(geometry.deviceBytes(), end * blockBytes));
      nextBlock = end;
      return piece;
    }
    RemapEntries.Walk walk = slots;
    if (walk == null) {
      walk = table.walk();
      slots = walk;
    }
    while (walk.next()) {
      if (!walk.isPending()) {
        return new SurfacePiece(
            walk.spare(),
            walk.slot() * blockBytes,
            blockBytes,
            walk.block(),
            Place.of(walk.spare(), walk.slot()),
            geometry.deviceBytes());
      }
    }
    return null;
  }
}
