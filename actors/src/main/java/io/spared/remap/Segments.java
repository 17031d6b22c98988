package io.spared.remap;

/**
 * What one part of the table's entries looks like: an array of words, so that the path of an I/O
 * needs no object for an entry.
 *
 * <p>A header, then buckets of {@value #BUCKET} entries. A bucket is a word of tags, the entries'
 * keys, their values and, where lost bits do not fit the value, two words of those for each. Byte i
 * of the tags has in its low seven bits the tag of entry i, which is made of its hash, or 0 where
 * there is no entry. The eight high bits are the bucket's overflow: one for each eighth of all
 * tags.
 *
 * <p>Invariant of every search: an entry lies in the bucket that its hash names or, where that had
 * no room, in the first one after it that had, and each bucket that was passed has the overflow bit
 * of the entry's hash set. So a bucket with neither the entry nor the bit ends the search. A bit is
 * never cleared: an array without an entry is made anew.
 *
 * <p>Why so: a search for what is not there reads one word, since a tag agrees by chance once in
 * 128 times and few buckets overflow; and there is one branch on what was found, which is nearly
 * always taken as before. A branch that is guessed wrong waits for memory, and keeps the processor
 * from fetching for the next lookups meanwhile.
 */
final class Segments {
  static final int BUCKET = 8;

  /** At most 1024 entries: what a change copies. */
  static final int BUCKETS_MAX = 128;

  /** From this size on they grow in small steps, so that little of them is ever empty. */
  private static final int BUCKETS_STEPS = 64;

  private static final int BUCKETS_STEP = 8;

  /** Of eight, as many as a bucket holds on average in an array that is full. */
  private static final int ENTRIES_OF_BUCKET = 5;

  /** From the word of an entry's key to those of the rest of it, in the same bucket. */
  private static final int VALUE = BUCKET;

  private static final int LOST_LOW = 2 * BUCKET;
  private static final int LOST_HIGH = 3 * BUCKET;

  /** Blocks that share a segment, so that what is near on the device is near here. */
  private static final int GROUP_SHIFT = 4;

  private static final long EVERY_BYTE = 0x0101_0101_0101_0101L;
  private static final long EVERY_TAG = 0x7F7F_7F7F_7F7F_7F7FL;
  private static final long EVERY_HIGH_BIT = 0x8080_8080_8080_8080L;

  private static final int DEPTH_SHIFT = 48;
  private static final int BUCKETS_SHIFT = 32;

  /** Two for key and value, and two of lost bits where they do not fit the value. */
  private final int wordsOfEntry;

  final int bucketWords;

  Segments(boolean lostBitsApart) {
    wordsOfEntry = lostBitsApart ? 4 : 2;
    bucketWords = 1 + wordsOfEntry * BUCKET;
  }

  // The hash.

  /** Of the block's group: its high bits choose the segment, its low ones the position in it. */
  static long hash(long block) {
    long h = (block >>> GROUP_SHIFT) * 0x9E3779B97F4A7C15L;
    return (h ^ (h >>> 32)) * 0xBF58476D1CE4E5B9L;
  }

  /** 32 bits that differ among the blocks of a group: bucket, overflow bit and tag, from above. */
  private static long position(long hash, long block) {
    return (hash + (block & ((1 << GROUP_SHIFT) - 1)) * 0x9E3779B9L) & 0xFFFF_FFFFL;
  }

  private static long tag(long position) {
    return position & 0x7F;
  }

  /** The bit of a bucket's tags: the high one of a byte that three of the tag's bits choose. */
  private static int overflowBit(long position) {
    return ((int) position & 0x38) | 7;
  }

  /** The high bit of each byte whose low seven are the tag; no other is ever wrongly among them. */
  private static long matches(long tags, long position) {
    long differences = (tags & EVERY_TAG) ^ (tag(position) * EVERY_BYTE);
    return (EVERY_HIGH_BIT - differences) & EVERY_HIGH_BIT;
  }

  /** Of the first match; 0 where there is none, which holds another key then: no branch on that. */
  private static int placeOf(long match) {
    return (Long.numberOfTrailingZeros(match) >>> 3) & (BUCKET - 1);
  }

  // The header: how many hash bits all entries share, how many buckets there are, and entries.

  long[] create(int depth, int buckets) {
    long[] segment = new long[length(buckets)];
    segment[0] = ((long) depth << DEPTH_SHIFT) | ((long) buckets << BUCKETS_SHIFT);
    return segment;
  }

  /** A segment for so many entries and one more. */
  long[] createFor(int depth, int entries) {
    int buckets = 1;
    while (entries >= buckets * ENTRIES_OF_BUCKET && buckets < BUCKETS_MAX) {
      buckets = nextBuckets(buckets);
    }
    return create(depth, buckets);
  }

  private static int nextBuckets(int buckets) {
    return buckets < BUCKETS_STEPS ? buckets * 2 : buckets + BUCKETS_STEP;
  }

  /** Of a segment's array; tells buckets apart without a look into the array. */
  int length(int buckets) {
    return 1 + buckets * bucketWords;
  }

  static int depth(long[] segment) {
    return (int) (segment[0] >>> DEPTH_SHIFT);
  }

  static int buckets(long[] segment) {
    return (int) (segment[0] >>> BUCKETS_SHIFT) & 0xFFFF;
  }

  private static int entries(long[] segment) {
    return (int) segment[0];
  }

  static boolean isFull(long[] segment) {
    return entries(segment) >= buckets(segment) * ENTRIES_OF_BUCKET;
  }

  static boolean isLargest(long[] segment) {
    return buckets(segment) == BUCKETS_MAX;
  }

  // Searching.

  private static int bucketOf(long position, int buckets, int bucketWords) {
    return 1 + (int) ((position * buckets) >>> 32) * bucketWords;
  }

  private static int bucketAfter(int first, int bucketWords, long[] segment) {
    return first + bucketWords == segment.length ? 1 : first + bucketWords;
  }

  /**
   * The word where the entry of this block begins; 0 when there is none. Straight on where the
   * first bucket tells, as it nearly always does.
   */
  static int find(long[] segment, int buckets, int bucketWords, long hash, long block) {
    long position = position(hash, block);
    int first = bucketOf(position, buckets, bucketWords);
    // Never true, since no key is negative. It asks for the bucket's other lines together with its
    // first, and not only once the tags are there.
    if ((segment[first + 2 * BUCKET] & segment[first + BUCKET]) < 0) {
      throw new IllegalStateException("a key is negative");
    }
    long tags = segment[first];
    long match = matches(tags, position);
    int word = first + 1 + placeOf(match);
    if (segment[word] == block + 1) {
      return word;
    }
    if (((match & (match - 1)) | ((tags >>> overflowBit(position)) & 1)) == 0) {
      return 0;
    }
    return findFurther(segment, first, bucketWords, position, block + 1);
  }

  /** In the same bucket, then in those that it overflowed into. */
  private static int findFurther(
      long[] segment, int bucket, int bucketWords, long position, long key) {
    int first = bucket;
    while (true) {
      long tags = segment[first];
      for (long match = matches(tags, position); match != 0; match &= match - 1) {
        int word = first + 1 + placeOf(match);
        if (segment[word] == key) {
          return word;
        }
      }
      if (((tags >>> overflowBit(position)) & 1) == 0) {
        return 0;
      }
      first = bucketAfter(first, bucketWords, segment);
    }
  }

  int find(long[] segment, long hash, long block) {
    return find(segment, buckets(segment), bucketWords, hash, block);
  }

  /** The word of the first entry after this one, from 0 on; 0 when there is none any more. */
  int next(long[] segment, int word) {
    int from = word + 1;
    int bucket = word == 0 ? 0 : (word - 1) / bucketWords;
    for (int first = 1 + bucket * bucketWords; first < segment.length; first += bucketWords) {
      for (int at = Math.max(first + 1, from); at <= first + BUCKET; at++) {
        if (segment[at] != 0) {
          return at;
        }
      }
    }
    return 0;
  }

  static long block(long[] segment, int word) {
    return segment[word] - 1;
  }

  static long value(long[] segment, int word) {
    return segment[word + VALUE];
  }

  static long lostLow(long[] segment, int word) {
    return segment[word + LOST_LOW];
  }

  static long lostHigh(long[] segment, int word) {
    return segment[word + LOST_HIGH];
  }

  // Changing, where nobody sees the array yet.

  /** Takes a place for a block that is not there yet: the word of its entry. */
  int add(long[] segment, long block) {
    long position = position(hash(block), block);
    int first = bucketOf(position, buckets(segment), bucketWords);
    while (true) {
      for (int at = 0; at < BUCKET; at++) {
        int word = first + 1 + at;
        if (segment[word] == 0) {
          segment[first] |= tag(position) << (8 * at);
          segment[word] = block + 1;
          segment[0]++;
          return word;
        }
      }
      segment[first] |= 1L << overflowBit(position);
      first = bucketAfter(first, bucketWords, segment);
    }
  }

  void set(long[] segment, int word, long value, long lostLow, long lostHigh) {
    segment[word + VALUE] = value;
    if (wordsOfEntry == 4) {
      segment[word + LOST_LOW] = lostLow;
      segment[word + LOST_HIGH] = lostHigh;
    }
  }

  private void copy(long[] from, int word, long[] to) {
    int target = add(to, block(from, word));
    for (int part = VALUE; part < wordsOfEntry * BUCKET; part += BUCKET) {
      to[target + part] = from[word + part];
    }
  }

  /** All entries in an array with more room. */
  long[] larger(long[] segment) {
    long[] larger = create(depth(segment), nextBuckets(buckets(segment)));
    for (int word = next(segment, 0); word != 0; word = next(segment, word)) {
      copy(segment, word, larger);
    }
    return larger;
  }

  long[] without(long[] segment, int gone) {
    long[] rest = create(depth(segment), buckets(segment));
    for (int word = next(segment, 0); word != 0; word = next(segment, word)) {
      if (word != gone) {
        copy(segment, word, rest);
      }
    }
    return rest;
  }

  /** The entries whose next bit of the hash is 0, and those where it is 1. */
  long[][] halves(long[] segment) {
    int depth = depth(segment);
    int ones = 0;
    for (int word = next(segment, 0); word != 0; word = next(segment, word)) {
      ones += bit(block(segment, word), depth);
    }
    long[][] halves = {createFor(depth + 1, entries(segment) - ones), createFor(depth + 1, ones)};
    for (int word = next(segment, 0); word != 0; word = next(segment, word)) {
      copy(segment, word, halves[bit(block(segment, word), depth)]);
    }
    return halves;
  }

  /** The bit of the block's hash that tells the halves of a segment of this depth apart. */
  private static int bit(long block, int depth) {
    return (int) (hash(block) >>> (63 - depth)) & 1;
  }
}
