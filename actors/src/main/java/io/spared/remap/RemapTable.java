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
 * directory, indexed by the high bits of the block's hash, of segments of at most {@value
 * #SEGMENT_ENTRIES_MAX} entries (extendible hashing). A segment that is full is cut in two, and
 * when there is no bit left to tell the halves apart the directory doubles, so no change ever moves
 * more than one segment's entries and, rarely, the directory's references.
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
  static final int SEGMENT_ENTRIES_MAX = 1024;
  private static final int SEGMENT_ENTRIES_MIN = 8;

  /** From this size on segments grow in small steps, so that little of them is ever empty. */
  private static final int SEGMENT_ENTRIES_STEPS = 512;

  private static final int SEGMENT_STEP = 64;

  /**
   * Entries whose keys are compared together: eight keys, 64 bytes, and right behind them their
   * eight values, so that what a hit reads is on one page and in lines that are fetched together.
   */
  private static final int BUCKET = 8;

  /** From the word of an entry's key to those of the rest of it, in the same bucket. */
  private static final int VALUE = BUCKET;

  private static final int LOST_LOW = 2 * BUCKET;
  private static final int LOST_HIGH = 3 * BUCKET;

  /** Blocks that share a segment, so that neighbours are found in the same few cache lines. */
  private static final int GROUP_SHIFT = 4;

  /** A summary of at most 2^21 bits is 256 KiB: it stays in a second-level cache. */
  private static final int SUMMARY_BITS_MAX_SHIFT = 21;

  private static final int REGION_SHIFT_MIN = 6;

  private static final int DIRECTORY_SHIFT_MAX = 26;

  /** Bits of an entry's second word above the place. */
  private static final int REMAPPED_BIT = Place.BITS;

  private static final int INLINE_LOST_SHIFT = 48;
  private static final int INLINE_SECTORS_MAX = 16;
  private static final long PLACE_MASK = (1L << Place.BITS) - 1;

  private static final VarHandle SEGMENT = MethodHandles.arrayElementVarHandle(long[][].class);
  private static final VarHandle WORD = MethodHandles.arrayElementVarHandle(long[].class);
  private static final VarHandle DIRECTORY;
  private static final VarHandle VERSION;

  static {
    try {
      MethodHandles.Lookup lookup = MethodHandles.lookup();
      DIRECTORY = lookup.findVarHandle(RemapTable.class, "directory", long[][].class);
      VERSION = lookup.findVarHandle(RemapTable.class, "version", long.class);
    } catch (ReflectiveOperationException e) {
      throw new ExceptionInInitializerError(e);
    }
  }

  private final long blockCount;
  private final int sectorsPerBlock;
  private final int regionShift;
  private final long[] summary;

  /** Words of an entry: key and value, and two of lost bits where they do not fit the value. */
  private final int stride;

  private final int bucketWords;

  private volatile long sparesInUse;
  private final CopyOnWriteArrayList<TableReader> readers = new CopyOnWriteArrayList<>();

  private long[][] directory = new long[1][];

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
    this.stride = sectorsPerBlock <= INLINE_SECTORS_MAX ? 2 : 4;
    this.bucketWords = stride * BUCKET;
    int shift = REGION_SHIFT_MIN;
    while ((blockCount >>> shift) >= 1L << SUMMARY_BITS_MAX_SHIFT) {
      shift++;
    }
    this.regionShift = shift;
    this.summary = new long[(int) ((blockCount >>> shift) / 64 + 1)];
    directory[0] = newSegment(0, SEGMENT_ENTRIES_MIN);
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
    if (isClean(block, block)) {
      into.clean();
      return false;
    }
    return findExactly(block, into);
  }

  private boolean findExactly(long block, Lookup into) {
    long hash = hash(block);
    long[][] seenDirectory = (long[][]) DIRECTORY.getAcquire(this);
    long[] segment = (long[]) SEGMENT.getAcquire(seenDirectory, slotOf(hash, seenDirectory));
    int first = wordOf(bucketOf(hash, block, capacity(segment)));
    long key = block + 1;
    while (true) {
      int match = matches(segment, first, key);
      if (match != 0) {
        fill(into, segment, first + Integer.numberOfTrailingZeros(match));
        return true;
      }
      if (segment[first + BUCKET - 1] == 0) {
        into.clean();
        return false;
      }
      first = first + bucketWords == segment.length ? 1 : first + bucketWords;
    }
  }

  /**
   * Which keys of the bucket are this one, a bit each. All are compared, without a branch: a branch
   * that depends on where the key is would be guessed wrong, and then the processor could not have
   * fetched for the next lookup meanwhile.
   */
  private static int matches(long[] segment, int first, long key) {
    long d0 = segment[first] ^ key;
    long d1 = segment[first + 1] ^ key;
    long d2 = segment[first + 2] ^ key;
    long d3 = segment[first + 3] ^ key;
    long d4 = segment[first + 4] ^ key;
    long d5 = segment[first + 5] ^ key;
    long d6 = segment[first + 6] ^ key;
    long d7 = segment[first + 7] ^ key;
    // Keys are far below 2^63, so a difference minus one is negative for equal keys alone.
    return (int)
        (((d0 - 1) >>> 63)
            | ((d1 - 1) >>> 63) << 1
            | ((d2 - 1) >>> 63) << 2
            | ((d3 - 1) >>> 63) << 3
            | ((d4 - 1) >>> 63) << 4
            | ((d5 - 1) >>> 63) << 5
            | ((d6 - 1) >>> 63) << 6
            | ((d7 - 1) >>> 63) << 7);
  }

  private void fill(Lookup into, long[] segment, int word) {
    long value = segment[word + VALUE];
    boolean remapped = (value >>> REMAPPED_BIT & 1) != 0;
    into.place = remapped ? value & PLACE_MASK : Place.MAIN;
    into.pending = !remapped;
    if (stride == 2) {
      into.lostLow = value >>> INLINE_LOST_SHIFT;
      into.lostHigh = 0;
    } else {
      into.lostLow = segment[word + LOST_LOW];
      into.lostHigh = segment[word + LOST_HIGH];
    }
  }

  /**
   * The first block from this one to last, both included, that is remapped or pending, with what
   * {@link #find} would say of it; -1 when there is none.
   */
  public long findNext(long fromBlock, long lastBlock, Lookup into) {
    long block = fromBlock;
    while (block <= lastBlock) {
      if (isClean(block, block)) {
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
    long bytes = 4L * directory.length + 16;
    long[] before = {};
    for (long[] segment : directory) {
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
    if ((value >>> REMAPPED_BIT & 1) != 0) {
      remapCount += by;
    } else {
      pendingCount += by;
    }
  }

  private void set(long block, long placeAndKind, long lostLow, long lostHigh) {
    long value = placeAndKind;
    if (stride == 2) {
      if (lostHigh != 0 || lostLow >>> INLINE_SECTORS_MAX != 0) {
        throw new IllegalArgumentException("lost bits beyond the sectors of block " + block);
      }
      value |= lostLow << INLINE_LOST_SHIFT;
    }
    long region = block >>> regionShift;
    int word = (int) (region >>> 6);
    WORD.setVolatile(summary, word, summary[word] | 1L << region);
    long hash = hash(block);
    while (true) {
      int index = slotOf(hash, directory);
      long[] segment = directory[index];
      int capacity = capacity(segment);
      int at = wordOf(indexOf(segment, capacity, hash, block));
      boolean isNew = segment[at] == 0;
      if (isNew && isFull(segment, capacity)) {
        makeRoom(index);
        continue;
      }
      long[] changed = loading ? segment : segment.clone();
      if (isNew) {
        changed[0]++;
      } else {
        count(changed[at + VALUE], -1);
      }
      write(changed, at, block, value, lostLow, lostHigh);
      count(value, 1);
      replace(segment, index, changed);
      return;
    }
  }

  private void write(
      long[] segment, int word, long block, long value, long lostLow, long lostHigh) {
    segment[word] = block + 1;
    segment[word + VALUE] = value;
    if (stride == 4) {
      segment[word + LOST_LOW] = lostLow;
      segment[word + LOST_HIGH] = lostHigh;
    }
  }

  private void unset(long block) {
    long hash = hash(block);
    int index = slotOf(hash, directory);
    long[] segment = directory[index];
    int capacity = capacity(segment);
    int gone = indexOf(segment, capacity, hash, block);
    count(segment[wordOf(gone) + VALUE], -1);
    long[] without = newSegment(depth(segment), capacity);
    for (int at = 0; at < capacity; at++) {
      if (at != gone && segment[wordOf(at)] != 0) {
        copyEntry(segment, at, without, capacity);
      }
    }
    replace(segment, index, without);
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
    if (old == changed) {
      return;
    }
    int run = directory.length >>> depth(old);
    int first = index & -run;
    for (int i = first; i < first + run; i++) {
      SEGMENT.setRelease(directory, i, changed);
    }
  }

  /** A larger segment, or two in its place. */
  private void makeRoom(int index) {
    long[] segment = directory[index];
    int capacity = capacity(segment);
    if (capacity < SEGMENT_ENTRIES_MAX) {
      int more = nextCapacity(capacity);
      long[] larger = newSegment(depth(segment), more);
      for (int at = 0; at < capacity; at++) {
        if (segment[wordOf(at)] != 0) {
          copyEntry(segment, at, larger, more);
        }
      }
      replace(segment, index, larger);
      return;
    }
    split(index, segment, capacity);
  }

  private void split(int index, long[] segment, int capacity) {
    int depth = depth(segment);
    int at = index;
    if (1 << depth == directory.length) {
      doubleDirectory();
      at = index * 2;
    }
    int run = directory.length >>> depth;
    int first = at & -run;
    int directoryShift = Integer.numberOfTrailingZeros(directory.length);
    long[][] halves = new long[2][];
    for (int half = 0; half < 2; half++) {
      int entries = 0;
      for (int i = 0; i < capacity; i++) {
        if (segment[wordOf(i)] != 0 && bit(segment[wordOf(i)] - 1, depth) == half) {
          entries++;
        }
      }
      int halfCapacity = SEGMENT_ENTRIES_MIN;
      while (entriesMax(halfCapacity) <= entries && halfCapacity < SEGMENT_ENTRIES_MAX) {
        halfCapacity = nextCapacity(halfCapacity);
      }
      halves[half] = newSegment(depth + 1, halfCapacity);
      for (int i = 0; i < capacity; i++) {
        if (segment[wordOf(i)] != 0 && bit(segment[wordOf(i)] - 1, depth) == half) {
          copyEntry(segment, i, halves[half], halfCapacity);
        }
      }
    }
    if (depth + 1 > directoryShift) {
      throw new IllegalStateException("a segment deeper than its directory");
    }
    for (int i = 0; i < run; i++) {
      SEGMENT.setRelease(directory, first + i, halves[i < run / 2 ? 0 : 1]);
    }
  }

  /** The bit of the block's hash that tells the halves of a segment of this depth apart. */
  private static int bit(long block, int depth) {
    return (int) (hash(block) >>> (63 - depth)) & 1;
  }

  private void doubleDirectory() {
    if (directory.length == 1 << DIRECTORY_SHIFT_MAX) {
      throw new IllegalStateException("the table is full: " + remapCount + " remaps");
    }
    long[][] larger = new long[directory.length * 2][];
    for (int i = 0; i < directory.length; i++) {
      larger[2 * i] = directory[i];
      larger[2 * i + 1] = directory[i];
    }
    DIRECTORY.setRelease(this, larger);
  }

  private void copyEntry(long[] from, int at, long[] to, int toCapacity) {
    int source = wordOf(at);
    long block = from[source] - 1;
    int target = wordOf(indexOf(to, toCapacity, hash(block), block));
    for (int word = 0; word < bucketWords; word += BUCKET) {
      to[target + word] = from[source + word];
    }
    to[0]++;
  }

  private static int nextCapacity(int capacity) {
    return capacity < SEGMENT_ENTRIES_STEPS ? capacity * 2 : capacity + SEGMENT_STEP;
  }

  /**
   * Where the block is in the segment, or the empty position where it would go. A bucket is filled
   * from its first position on, so one whose last is empty is where a search ends.
   */
  private int indexOf(long[] segment, int capacity, long hash, long block) {
    int first = bucketOf(hash, block, capacity);
    long key = block + 1;
    while (true) {
      for (int at = first; at < first + BUCKET; at++) {
        if (segment[wordOf(at)] == key || segment[wordOf(at)] == 0) {
          return at;
        }
      }
      first = first + BUCKET == capacity ? 0 : first + BUCKET;
    }
  }

  private static boolean isFull(long[] segment, int capacity) {
    return entries(segment) + 1 > entriesMax(capacity);
  }

  /** More than a third stays empty: nine searches of ten end in the first bucket. */
  private static int entriesMax(int capacity) {
    return capacity * 5 / 8;
  }

  private long[] newSegment(int depth, int capacity) {
    long[] segment = new long[1 + stride * capacity];
    segment[0] = (long) depth << 32;
    return segment;
  }

  /** A segment's first word: its depth, and how many entries it holds. */
  private static int depth(long[] segment) {
    return (int) (segment[0] >>> 32);
  }

  private static int entries(long[] segment) {
    return (int) segment[0];
  }

  private int capacity(long[] segment) {
    return stride == 2 ? segment.length >>> 1 : segment.length >>> 2;
  }

  private static int slotOf(long hash, long[][] directory) {
    // Twice, since a shift by 64 is a shift by 0.
    return (int) (hash >>> 1 >>> (32 + Integer.numberOfLeadingZeros(directory.length)));
  }

  /** Where in a segment's array the key of this position is. */
  private int wordOf(int at) {
    return 1 + at * stride - (at & (BUCKET - 1)) * (stride - 1);
  }

  /** The first position of the bucket where a search begins. */
  private static int bucketOf(long hash, long block, int capacity) {
    long low = (hash + (block & ((1 << GROUP_SHIFT) - 1)) * 0x9E3779B9L) & 0xFFFF_FFFFL;
    return (int) ((low * (capacity / BUCKET)) >>> 32) * BUCKET;
  }

  /** Of the block's group: its high bits choose the segment, its low ones the position in it. */
  private static long hash(long block) {
    long h = (block >>> GROUP_SHIFT) + 0x9E3779B97F4A7C15L;
    h = (h ^ h >>> 30) * 0xBF58476D1CE4E5B9L;
    h = (h ^ h >>> 27) * 0x94D049BB133111EBL;
    return h ^ h >>> 31;
  }

  // Walking, for checkpoints.

  @Override
  public Walk walk() {
    return new SegmentWalk(((long[][]) DIRECTORY.getAcquire(this)).clone());
  }

  /**
   * Walks the segments as they stood when the walk began: they do not change, so this is the table
   * of that moment, for the price of a copy of the directory.
   */
  private final class SegmentWalk implements Walk {
    private final long[][] segments;
    private int index;
    private int at = -1;
    private int capacity;
    private long[] segment;

    SegmentWalk(long[][] segments) {
      this.segments = segments;
      this.segment = segments[0];
      this.capacity = capacity(segment);
    }

    @Override
    public boolean next() {
      while (true) {
        while (++at < capacity) {
          if (segment[wordOf(at)] != 0) {
            return true;
          }
        }
        index += segments.length >>> depth(segment);
        if (index >= segments.length) {
          index = segments.length;
          at = capacity;
          return false;
        }
        segment = segments[index];
        capacity = capacity(segment);
        at = -1;
      }
    }

    @Override
    public long block() {
      return segment[wordOf(at)] - 1;
    }

    private long value() {
      return segment[wordOf(at) + VALUE];
    }

    @Override
    public boolean isPending() {
      return (value() >>> REMAPPED_BIT & 1) == 0;
    }

    @Override
    public int spare() {
      return Place.spare(value() & PLACE_MASK);
    }

    @Override
    public long slot() {
      return Place.slot(value() & PLACE_MASK);
    }

    @Override
    public long lostLow() {
      return stride == 2 ? value() >>> INLINE_LOST_SHIFT : segment[wordOf(at) + LOST_LOW];
    }

    @Override
    public long lostHigh() {
      return stride == 2 ? 0 : segment[wordOf(at) + LOST_HIGH];
    }
  }
}
