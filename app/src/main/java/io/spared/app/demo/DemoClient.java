package io.spared.app.demo;

import io.spared.app.offline.OfflineDisk;
import io.spared.app.offline.OfflineDisks;
import io.spared.app.offline.OfflineException;
import io.spared.ffi.disk.DiskOpener;
import java.io.IOException;
import java.nio.ByteBuffer;
import java.nio.ByteOrder;
import java.util.concurrent.atomic.AtomicLong;
import java.util.random.RandomGenerator;
import org.jspecify.annotations.Nullable;

/**
 * A client of one export: writes blocks with content that names the block and how often it was
 * written, and reads them back. A block whose last write failed may hold the old or the new
 * content, sector by sector; every other must hold what was written last.
 */
final class DemoClient implements Runnable {
  static final int BLOCK_BYTES = 4096;
  private static final int SECTOR_BYTES = 512;

  private final String uri;
  private final int blocks;
  private final long seed;
  private final int[] versions;
  private final boolean[] uncertain;
  final AtomicLong written = new AtomicLong();
  final AtomicLong verified = new AtomicLong();
  final AtomicLong errors = new AtomicLong();
  final AtomicLong wrong = new AtomicLong();
  private volatile boolean stopping;
  private volatile @Nullable String end;

  DemoClient(String uri, int blocks, long seed) {
    this.uri = uri;
    this.blocks = blocks;
    this.seed = seed;
    this.versions = new int[blocks];
    this.uncertain = new boolean[blocks];
  }

  void stop() {
    stopping = true;
  }

  /** Why it ended by itself; null while it goes on or when it was told to. */
  @Nullable String end() {
    return end;
  }

  @Override
  public void run() {
    RandomGenerator random = Seeds.random(seed);
    try (OfflineDisks disks = new OfflineDisks()) {
      OfflineDisk disk = disks.open(uri, DiskOpener.Mode.OWN);
      int failuresInARow = 0;
      while (!stopping && failuresInARow < 50) {
        int block = random.nextInt(blocks);
        boolean good =
            (random.nextInt(3) == 0 && versions[block] > 0)
                ? verify(disk, block)
                : write(disk, block);
        failuresInARow = good ? 0 : failuresInARow + 1;
      }
      if (!stopping) {
        end = "its device went away";
      }
    } catch (OfflineException | IOException gone) {
      end = String.valueOf(gone.getMessage());
    }
  }

  private boolean write(OfflineDisk disk, int block) {
    int version = versions[block] + 1;
    versions[block] = version;
    try {
      disk.write((long) block * BLOCK_BYTES, content(block, version));
      uncertain[block] = false;
      written.incrementAndGet();
      return true;
    } catch (IOException failed) {
      uncertain[block] = true;
      errors.incrementAndGet();
      return false;
    }
  }

  private boolean verify(OfflineDisk disk, int block) {
    try {
      ByteBuffer bytes = disk.read((long) block * BLOCK_BYTES, BLOCK_BYTES);
      if (!uncertain[block]) {
        verified.incrementAndGet();
        if (bytes.mismatch(content(block, versions[block])) >= 0) {
          wrong.incrementAndGet();
        }
      }
      return true;
    } catch (IOException failed) {
      errors.incrementAndGet();
      return false;
    }
  }

  /** Reads everything that was ever written; says how many blocks were right. */
  long verifyAll() throws OfflineException, IOException {
    long right = 0;
    try (OfflineDisks disks = new OfflineDisks()) {
      OfflineDisk disk = disks.open(uri, DiskOpener.Mode.OWN);
      for (int block = 0; block < blocks; block++) {
        if (versions[block] > 0 && !uncertain[block]) {
          ByteBuffer bytes = disk.read((long) block * BLOCK_BYTES, BLOCK_BYTES);
          verified.incrementAndGet();
          if (bytes.mismatch(content(block, versions[block])) >= 0) {
            wrong.incrementAndGet();
          } else {
            right++;
          }
        }
      }
    }
    return right;
  }

  private static ByteBuffer content(int block, int version) {
    ByteBuffer bytes = ByteBuffer.allocate(BLOCK_BYTES).order(ByteOrder.LITTLE_ENDIAN);
    for (int sector = 0; sector < BLOCK_BYTES / SECTOR_BYTES; sector++) {
      long mixed = (((long) block << 32) | version) * 0x9E3779B97F4A7C15L + sector;
      for (int i = 0; i < SECTOR_BYTES; i += 8) {
        bytes.putLong(mixed + i);
      }
    }
    return bytes.flip();
  }
}
