package io.spared.bench;

import java.util.Random;
import java.util.concurrent.locks.LockSupport;

/**
 * A process that allocates as fast as it can beside live data, and watches how late a thread comes
 * that wants to run every millisecond. Prints {@code storm LONGEST_WAIT_MS ALLOCATED_GB_PER_S}.
 */
public final class AllocationStorm {
  private static final int LIVE_PIECES = 100_000;
  private static final int PIECE_BYTES = 1024;

  private AllocationStorm() {}

  public static void main(String[] arguments) throws InterruptedException {
    long seconds = Long.parseLong(arguments[0]);
    long end = System.nanoTime() + seconds * 1_000_000_000L;
    long[] allocatedBytes = new long[1];
    Thread storm = Thread.ofPlatform().start(() -> allocatedBytes[0] = allocate(end));
    long longestNanos = 0;
    while (System.nanoTime() < end) {
      long before = System.nanoTime();
      LockSupport.parkNanos(1_000_000);
      longestNanos = Math.max(longestNanos, System.nanoTime() - before - 1_000_000);
    }
    storm.join();
    System.out.println("storm " + longestNanos / 1e6 + " " + allocatedBytes[0] / 1e9 / seconds);
  }

  private static long allocate(long end) {
    Random random = new Random(1);
    byte[][] live = new byte[LIVE_PIECES][PIECE_BYTES];
    long bytes = 0;
    while (System.nanoTime() < end) {
      for (int i = 0; i < 1000; i++) {
        byte[] piece = new byte[PIECE_BYTES];
        piece[0] = (byte) i;
        bytes += PIECE_BYTES;
        if (i % 10 == 0) {
          live[random.nextInt(LIVE_PIECES)] = piece;
        }
      }
    }
    return bytes;
  }
}
