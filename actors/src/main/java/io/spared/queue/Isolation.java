package io.spared.queue;

import io.spared.format.LostBits;
import io.spared.remap.Place;

/**
 * Finds out which blocks or sectors of a failed part are at fault: reads block by block and, where
 * a block fails, sector by sector; writes block by block, the unit that moves. Bounded: every step
 * is tried at most once and {@code retries} times more, and none begins after the deadline.
 *
 * <p>Each step is looked up anew by the queue, which carries the steps out: a block may have been
 * moved while the part waited, and its old place then holds nobody's data.
 */
final class Isolation {
  /** What to do next. */
  enum Step {
    TRY_BLOCK,
    TRY_SECTOR,
    /** The rest of this block cannot be written where it is: it is the relocator's. */
    GIVE_UP,
    /** All is known of this block: say so, then {@link #closeBlock}. */
    BLOCK_DONE,
    FINISHED
  }

  final boolean reads;
  final long endBytes;
  final long deadlineNanos;
  private final int blockBytes;
  private final int sectorBytes;
  private final int retries;

  private long cursorBytes;

  /** Where the present block's bytes are, as looked up last. */
  long place = Place.NONE;

  private boolean isOpen;
  private long blockEndBytes;
  private boolean bySector;
  private boolean hasFailed;
  private int triesLeft;
  private LostBits unreadable = LostBits.NONE;
  private boolean unproved;

  /**
   * @param countsAsTry the part failed for its medium, which is a first try if it lay within one
   *     block; otherwise it failed for another reason, and is only done again in small steps
   */
  Isolation(
      boolean reads,
      boolean countsAsTry,
      long fromBytes,
      long endBytes,
      int blockBytes,
      int sectorBytes,
      int retries,
      long deadlineNanos) {
    this.reads = reads;
    this.cursorBytes = fromBytes;
    this.endBytes = endBytes;
    this.blockBytes = blockBytes;
    this.sectorBytes = sectorBytes;
    this.retries = retries;
    this.deadlineNanos = deadlineNanos;
    openBlock();
    if (countsAsTry && blockEndBytes == endBytes) {
      failed(false);
    }
  }

  private void openBlock() {
    isOpen = true;
    blockEndBytes = Math.min(endBytes, (cursorBytes / blockBytes + 1) * blockBytes);
    bySector = false;
    hasFailed = false;
    triesLeft = 1 + retries;
    unreadable = LostBits.NONE;
    unproved = false;
    place = Place.NONE;
  }

  Step next() {
    if (!isOpen) {
      if (cursorBytes >= endBytes) {
        return Step.FINISHED;
      }
      openBlock();
    }
    if (cursorBytes >= blockEndBytes) {
      return Step.BLOCK_DONE;
    }
    if (triesLeft <= 0) {
      return Step.GIVE_UP;
    }
    return bySector ? Step.TRY_SECTOR : Step.TRY_BLOCK;
  }

  long cursorBytes() {
    return cursorBytes;
  }

  long block() {
    return cursorBytes / blockBytes;
  }

  long blockEndBytes() {
    return blockEndBytes;
  }

  long stepEndBytes() {
    return bySector ? cursorBytes + sectorBytes : blockEndBytes;
  }

  /** The step is done. */
  void succeeded() {
    skipTo(stepEndBytes());
  }

  /** Up to there nothing is to be tried: it is lost already, or the relocator's. */
  void skipTo(long toBytes) {
    cursorBytes = toBytes;
    triesLeft = 1 + retries;
  }

  /** Some sectors of the block must not be read: the others are read one by one. */
  void goBySector() {
    bySector = true;
  }

  /**
   * The step failed for its medium. Returns whether a sector has turned out unreadable; the cursor
   * is past it then.
   *
   * @param toBeProved the error may also be the disk's
   */
  boolean failed(boolean toBeProved) {
    hasFailed = true;
    if (reads && !bySector) {
      bySector = true;
      triesLeft = 1 + retries;
      return false;
    }
    triesLeft--;
    if (triesLeft > 0 || !reads) {
      return false;
    }
    int sector = (int) (cursorBytes % blockBytes) / sectorBytes;
    unreadable = unreadable.plus(LostBits.range(sector, 1));
    unproved |= toBeProved;
    skipTo(cursorBytes + sectorBytes);
    return true;
  }

  /** Whether the block failed at least once: it is moved even if all of it was read at last. */
  boolean hasFailed() {
    return hasFailed;
  }

  LostBits unreadable() {
    return unreadable;
  }

  /** Whether the disk has to prove itself before the unreadable sectors are believed. */
  boolean isUnproved() {
    return unproved;
  }

  void closeBlock() {
    isOpen = false;
  }
}
