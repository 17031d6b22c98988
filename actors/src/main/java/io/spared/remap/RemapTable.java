package io.spared.remap;

import io.spared.format.Geometry;
import io.spared.format.RemapEntries;
import java.lang.invoke.MethodHandles;
import java.lang.invoke.VarHandle;
import java.util.concurrent.CopyOnWriteArrayList;

/**
 * The remapped and pending blocks of a device: one writer, any number of readers without locks.
 *
 * <p>Shape: first a summary, one bit for a region of neighbouring blocks, small enough to stay in
 * the processor's cache, so that a clean range is known from one bit. Then the exact entries: a
 * directory, indexed by the high bits of the block's hash, of {@link Segments segments} of at most
 * 1024 entries (extendible hashing). A segment that is full is cut in two, and when there is no bit
 * left to tell the halves apart the directory doubles, so no change ever moves more than one
 * segment's entries and, rarely, the directory's references.
 *
 * <p>Invariant for readers: <em>a segment is never changed once a reader can see it.</em> A change
 * makes a new segment and puts it into the directory with a release store; a lookup reads the
 * directory and the segment with acquire loads, and then reads an immutable array. So a lookup sees
 * an entry's place and lost bits as they stood together at one moment, never the slot of one change
 * with the lost bits of another. While {@link #beginLoading loading}, before there are readers,
 * segments are changed where they are.
 *
 * <p>Order for the summary: a bit is set before the first entry of its region can be seen, and
 * cleared only after the last one cannot. A reader that still sees the bit unset runs beside the
 * change, that is before its publication is told to anybody.
 *
 * <p>{@link #version()} counts publications; see {@link TableReader} for what it is for.
 */
public final class RemapTable implements RemapEntries {
  /** A summary of at most 2^21 bits is 256 KiB: it stays in a second-level cache. */
  private static final int SUMMARY_BITS_MAX_SHIFT = 21;

  private static final int REGION_SHIFT_MIN = 6;

  private static final int DIRECTORY_SHIFT_MAX = 26;

  /** On average; the largest segment holds 640. */
  private static final int SEGMENT_ENTRIES_EXPECTED_MAX = 590;

  /** Bits of an entry's second word above the place. */
  private static final int REMAPPED_BIT = Place.BITS;

  static final int INLINE_LOST_SHIFT = 48;
  private static final int INLINE_SECTORS_MAX = 16;
  private static final long PLACE_MASK = (1L << Place.BITS) - 1;

  private static final VarHandle SEGMENT = MethodHandles.arrayElementVarHandle(long[][].class);
  private static final VarHandle WORD = MethodHandles.arrayElementVarHandle(long[].class);
  private static final VarHandle DIRECTORY;
  private static final VarHandle VERSION;

  static {
    try {
      MethodHandles.Lookup lookup = MethodHandles.lookup();
      DIRECTORY = lookup.findVarHandle(RemapTable.class, "directory", Directory.class);
      VERSION = lookup.findVarHandle(RemapTable.class, "version", long.class);
    } catch (ReflectiveOperationException e) {
      throw new ExceptionInInitializerError(e);
    }
  }

  private final long blockCount;
  private final int sectorsPerBlock;
  private final int regionShift;
  private final long[] summary;

  /** Lost bits do not fit an entry's value. */
  private final boolean lostBitsApart;

  private final Segments shape;
  private final int bucketWords;

  private volatile long sparesInUse;
  private final CopyOnWriteArrayList<TableReader> readers = new CopyOnWriteArrayList<>();

  private Directory directory;

  @SuppressWarnings("unused") // through VERSION
  private long version;

  private boolean loading;
  private long remapCount;
  private long pendingCount;

  public RemapTable(Geometry geometry) {
    this(geometry.blockCount(), geometry.sectorsPerBlock());
  }

  RemapTable(long blockCount, int sectorsPerBlock) {
    this.blockCount = blockCount;
    this.sectorsPerBlock = sectorsPerBlock;
    this.lostBitsApart = sectorsPerBlock > INLINE_SECTORS_MAX;
    this.shape = new Segments(lostBitsApart);
    this.bucketWords = shape.bucketWords;
    int shift = REGION_SHIFT_MIN;
    while ((blockCount >>> shift) >= 1L << SUMMARY_BITS_MAX_SHIFT) {
      shift++;
    }
    this.regionShift = shift;
    this.summary = new long[(int) ((blockCount >>> shift) / 64 + 1)];
    directory = new Directory(2);
    directory.set(0, 2, shape.createFor(0, 0));
  }

  // Readers.

  /** How many publications there were; read it before a lookup whose result will be in flight. */
  public long version() {
    return (long) VERSION.getAcquire(this);
  }

  public TableReader newReader() {
    TableReader reader = new TableReader(this);
    readers.add(reader);
    return reader;
  }

  void forget(TableReader reader) {
    readers.remove(reader);
  }

  /** From any thread: no unfinished request of any reader was looked up in an older version. */
  public long oldestInUse() {
    long oldest = version();
    for (TableReader reader : readers) {
      oldest = Math.min(oldest, reader.oldestInUse());
    }
    return oldest;
  }

  /** No block from first to last, both included, is remapped or pending. False may be a guess. */
  public boolean isClean(long firstBlock, long lastBlock) {
    long lastRegion = lastBlock >>> regionShift;
    for (long region = firstBlock >>> regionShift; region <= lastRegion; region++) {
      long word = (long) WORD.getAcquire(summary, (int) (region >>> 6));
      if ((word >>> region & 1) != 0) {
        return false;
      }
    }
    return true;
  }

  /** Where this block is, exactly. Returns whether it is remapped or pending. */
  public boolean find(long block, Lookup into) {
    if (isRegionClean(block)) {
      into.clean();
      return false;
    }
    return findExactly(block, into);
  }

  private boolean isRegionClean(long block) {
    long region = block >>> regionShift;
    return ((long) WORD.getAcquire(summary, (int) (region >>> 6)) >>> region & 1) == 0;
  }

  private boolean findExactly(long block, Lookup into) {
    long hash = Segments.hash(block);
    Directory seen = (Directory) DIRECTORY.getAcquire(this);
    int index = seen.indexOf(hash);
    long[] segment = (long[]) SEGMENT.getAcquire(seen.segments, index);
    int buckets = seen.buckets[index] & 0xFF;
    if (segment.length != 1 + buckets * bucketWords) {
      buckets = Segments.buckets(segment);
    }
    int word = Segments.find(segment, buckets, bucketWords, hash, block);
    if (word == 0) {
      into.clean();
      return false;
    }
    long value = Segments.value(segment, word);
    boolean remapped = isRemapped(value);
    into.place = remapped ? place(value) : Place.MAIN;
    into.pending = !remapped;
    if (lostBitsApart) {
      into.lostLow = Segments.lostLow(segment, word);
      into.lostHigh = Segments.lostHigh(segment, word);
    } else {
      into.lostLow = value >>> INLINE_LOST_SHIFT;
      into.lostHigh = 0;
    }
    return true;
  }

  /** What an entry's value says: remapped, and where to; or pending. */
  static boolean isRemapped(long value) {
    return (value >>> REMAPPED_BIT & 1) != 0;
  }

  static long place(long value) {
    return value & PLACE_MASK;
  }

  /**
   * The first block from this one to last, both included, that is remapped or pending, with what
   * {@link #find} would say of it; -1 when there is none.
   */
  public long findNext(long fromBlock, long lastBlock, Lookup into) {
    long block = fromBlock;
    while (block <= lastBlock) {
      if (isRegionClean(block)) {
        block = ((block >>> regionShift) + 1) << regionShift;
      } else if (findExactly(block, into)) {
        return block;
      } else {
        block++;
      }
    }
    into.clean();
    return -1;
  }

  /** Whether any block was ever put on a slot of this spare since the table was made. */
  public boolean isSpareInUse(int spare) {
    return (sparesInUse >>> spare & 1) != 0;
  }

  // The writer.

  /**
   * Many entries are about to come and nobody reads: they are put in place, at a fraction of the
   * cost. Ends with {@link #publish()}.
   */
  public void beginLoading() {
    if (!readers.isEmpty()) {
      throw new IllegalStateException("the table has readers, it can no longer be loaded");
    }
    loading = true;
  }

  /**
   * While loading an empty table: all segments at once, of the size that they will have. Else each
   * would grow in a dozen steps, and every step copies it.
   */
  @Override
  public void expect(long entries) {
    if (!loading || remapCount + pendingCount > 0) {
      return;
    }
    int depth = 1;
    while (entries >>> depth > SEGMENT_ENTRIES_EXPECTED_MAX && depth < DIRECTORY_SHIFT_MAX) {
      depth++;
    }
    Directory ready = new Directory(1 << depth);
    for (int i = 0; i < 1 << depth; i++) {
      ready.set(i, 1, shape.createFor(depth, (int) (entries >>> depth)));
    }
    DIRECTORY.setRelease(this, ready);
  }

  /** What was changed so far is told: from here on version() is larger. Returns it. */
  public long publish() {
    loading = false;
    long next = version + 1;
    VERSION.setVolatile(this, next);
    return next;
  }

  @Override
  public void put(long block, int spare, long slot, long lostLow, long lostHigh) {
    check(block);
    markSpare(spare);
    set(block, Place.of(spare, slot) | 1L << REMAPPED_BIT, lostLow, lostHigh);
  }

  @Override
  public void remove(long block) {
    check(block);
    Lookup now = new Lookup();
    if (find(block, now) && now.place != Place.MAIN) {
      unset(block);
    }
  }

  @Override
  public void setLost(long block, long lostLow, long lostHigh) {
    check(block);
    Lookup now = new Lookup();
    if (find(block, now) && now.place != Place.MAIN) {
      set(block, now.place | 1L << REMAPPED_BIT, lostLow, lostHigh);
    }
  }

  @Override
  public void putPending(long block, long unreadableLow, long unreadableHigh) {
    check(block);
    Lookup now = new Lookup();
    if (find(block, now) && now.place != Place.MAIN) {
      return;
    }
    set(block, 0, unreadableLow, unreadableHigh);
  }

  @Override
  public void removePending(long block) {
    check(block);
    Lookup now = new Lookup();
    if (find(block, now) && now.pending) {
      unset(block);
    }
  }

  int sectorsPerBlock() {
    return sectorsPerBlock;
  }

  /** What the entries cost: arrays with their headers, and references to them. */
  long heapBytes() {
    long bytes = 5L * directory.segments.length + 32;
    long[] before = {};
    for (long[] segment : directory.segments) {
      if (segment != before) {
        bytes += 16 + 8L * segment.length;
        before = segment;
      }
    }
    return bytes;
  }

  @Override
  public long remapCount() {
    return remapCount;
  }

  @Override
  public long pendingCount() {
    return pendingCount;
  }

  private void check(long block) {
    if (block < 0 || block >= blockCount) {
      throw new IllegalArgumentException(
          "block " + block + " is not of this device, which has " + blockCount);
    }
  }

  private void markSpare(int spare) {
    if (!isSpareInUse(spare)) {
      sparesInUse = sparesInUse | 1L << spare;
    }
  }

  private void count(long value, int by) {
    if (isRemapped(value)) {
      remapCount += by;
    } else {
      pendingCount += by;
    }
  }

  private void set(long block, long placeAndKind, long lostLow, long lostHigh) {
    long value = placeAndKind;
    if (!lostBitsApart) {
      if (lostHigh != 0 || lostLow >>> INLINE_SECTORS_MAX != 0) {
        throw new IllegalArgumentException("lost bits beyond the sectors of block " + block);
      }
      value |= lostLow << INLINE_LOST_SHIFT;
    }
    long region = block >>> regionShift;
    int word = (int) (region >>> 6);
    if ((summary[word] >>> region & 1) == 0) {
      WORD.setVolatile(summary, word, summary[word] | 1L << region);
    }
    long hash = Segments.hash(block);
    while (true) {
      int index = directory.indexOf(hash);
      long[] segment = directory.segments[index];
      int at = shape.find(segment, hash, block);
      if (at == 0 && Segments.isFull(segment)) {
        makeRoom(index);
        continue;
      }
      long[] changed = loading ? segment : segment.clone();
      if (at == 0) {
        at = shape.add(changed, block);
      } else {
        count(Segments.value(changed, at), -1);
      }
      shape.set(changed, at, value, lostLow, lostHigh);
      count(value, 1);
      replace(segment, index, changed);
      return;
    }
  }

  /** The block's entry, which is there, goes. */
  private void unset(long block) {
    long hash = Segments.hash(block);
    int index = directory.indexOf(hash);
    long[] segment = directory.segments[index];
    int gone = shape.find(segment, hash, block);
    count(Segments.value(segment, gone), -1);
    replace(segment, index, shape.without(segment, gone));
    clearSummaryIfEmpty(block);
  }

  private void clearSummaryIfEmpty(long block) {
    long region = block >>> regionShift;
    Lookup scratch = new Lookup();
    long first = region << regionShift;
    long last = Math.min(blockCount, (region + 1) << regionShift) - 1;
    if (findNext(first, last, scratch) == -1) {
      int word = (int) (region >>> 6);
      WORD.setVolatile(summary, word, summary[word] & ~(1L << region));
    }
  }

  /** Puts a segment in the place of another, wherever the directory names that. */
  private void replace(long[] old, int index, long[] changed) {
    if (old != changed) {
      int run = directory.segments.length >>> Segments.depth(old);
      directory.set(index & -run, run, changed);
    }
  }

  /** A larger segment, or two in its place. */
  private void makeRoom(int index) {
    long[] segment = directory.segments[index];
    if (Segments.isLargest(segment)) {
      split(index, segment);
    } else {
      replace(segment, index, shape.larger(segment));
    }
  }

  private void split(int index, long[] segment) {
    int depth = Segments.depth(segment);
    int at = index;
    if (1 << depth == directory.segments.length) {
      doubleDirectory();
      at = index * 2;
    }
    int run = directory.segments.length >>> depth;
    int first = at & -run;
    long[][] halves = shape.halves(segment);
    directory.set(first, run / 2, halves[0]);
    directory.set(first + run / 2, run / 2, halves[1]);
  }

  private void doubleDirectory() {
    if (directory.segments.length == 1 << DIRECTORY_SHIFT_MAX) {
      throw new IllegalStateException("the table is full: " + remapCount + " remaps");
    }
    Directory larger = new Directory(directory.segments.length * 2);
    for (int i = 0; i < directory.segments.length; i++) {
      larger.set(2 * i, 2, directory.segments[i]);
    }
    DIRECTORY.setRelease(this, larger);
  }

  // Walking, for checkpoints.

  @Override
  public Walk walk() {
    Directory seen = (Directory) DIRECTORY.getAcquire(this);
    return new SegmentWalk(shape, lostBitsApart, seen.segments.clone());
  }

  /** Segments by the high bits of the hash; and of each how many buckets it has, as a hint. */
  private static final class Directory {
    final long[][] segments;
    final byte[] buckets;
    private final int shift;

    Directory(int length) {
      segments = new long[length][];
      buckets = new byte[length];
      shift = 64 - Integer.numberOfTrailingZeros(length);
    }

    int indexOf(long hash) {
      return (int) (hash >>> shift);
    }

    void set(int first, int count, long[] segment) {
      for (int i = first; i < first + count; i++) {
        buckets[i] = (byte) Segments.buckets(segment);
        SEGMENT.setRelease(segments, i, segment);
      }
    }
  }
}
