package io.spared.queue;

import java.util.concurrent.atomic.AtomicLongArray;

/**
 * The regions of a device in which main and the disk that is to take its place may differ after a
 * crash: a write below the cursor goes to both disks, and a crash may leave it on one. A region is
 * recorded durably before the first such write in it is submitted, and stays recorded until the
 * replacement or the assembly has ended cleanly; so a whole replacement costs at most {@link
 * #REGIONS_MAX} commits, however much is written. Shared by all queues of the device.
 */
public final class WriteIntents {
  public static final int REGIONS_MAX = 1024;

  /** A region is a whole number of blocks and windows. */
  private static final int SHIFT_MIN = 20;

  private final int shift;
  private final AtomicLongArray durable = new AtomicLongArray(REGIONS_MAX / 64);
  private final WritesOnBoth onBoth = new WritesOnBoth();

  public WriteIntents(long deviceBytes) {
    int bits = SHIFT_MIN;
    while ((deviceBytes - 1) >>> bits >= REGIONS_MAX) {
      bits++;
    }
    this.shift = bits;
  }

  /** What is being written in them. */
  WritesOnBoth onBoth() {
    return onBoth;
  }

  public int regionOf(long offsetBytes) {
    return (int) (offsetBytes >>> shift);
  }

  public long regionBytes() {
    return 1L << shift;
  }

  /** Where the region ends that this byte is in. */
  long endOf(long offsetBytes) {
    return ((offsetBytes >>> shift) + 1) << shift;
  }

  public boolean isDurable(int region) {
    return (durable.get(region / 64) & 1L << region % 64) != 0;
  }

  /** The regions of one word, as they are recorded. */
  public long word(int word) {
    return durable.get(word);
  }

  /** They are durable, all those that were before included. */
  public void becameDurable(int word, long regions) {
    durable.accumulateAndGet(word, regions, (a, b) -> a | b);
  }
}
