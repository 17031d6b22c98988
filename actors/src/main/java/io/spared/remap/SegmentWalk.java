package io.spared.remap;

import io.spared.format.RemapEntries;

/**
 * Walks the segments as they stood when the walk began: they do not change, so this is the table of
 * that moment, for the price of a copy of the directory.
 */
final class SegmentWalk implements RemapEntries.Walk {
  private final Segments shape;
  private final boolean lostBitsApart;
  private final long[][] segments;
  private int index;
  private int word;
  private long[] segment;

  SegmentWalk(Segments shape, boolean lostBitsApart, long[][] segments) {
    this.shape = shape;
    this.lostBitsApart = lostBitsApart;
    this.segments = segments;
    this.segment = segments[0];
  }

  @Override
  public boolean next() {
    while (index < segments.length) {
      word = shape.next(segment, word);
      if (word != 0) {
        return true;
      }
      index += segments.length >>> Segments.depth(segment);
      if (index < segments.length) {
        segment = segments[index];
      }
    }
    return false;
  }

  @Override
  public long block() {
    return Segments.block(segment, word);
  }

  private long value() {
    return Segments.value(segment, word);
  }

  @Override
  public boolean isPending() {
    return !RemapTable.isRemapped(value());
  }

  @Override
  public int spare() {
    return Place.spare(RemapTable.place(value()));
  }

  @Override
  public long slot() {
    return Place.slot(RemapTable.place(value()));
  }

  @Override
  public long lostLow() {
    return lostBitsApart
        ? Segments.lostLow(segment, word)
        : value() >>> RemapTable.INLINE_LOST_SHIFT;
  }

  @Override
  public long lostHigh() {
    return lostBitsApart ? Segments.lostHigh(segment, word) : 0;
  }
}
