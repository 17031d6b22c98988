package io.spared.format;

import java.nio.ByteBuffer;
import java.nio.ByteOrder;
import java.util.ArrayDeque;
import java.util.Optional;
import java.util.zip.CRC32;
import java.util.zip.CRC32C;

/**
 * One number for the places of a main disk where whoever uses it writes first: partition tables at
 * both ends, and the superblocks of file systems on the whole of it and on its partitions. Taken
 * when a device stops cleanly and again when it starts, it shows that somebody used main in between
 * without spared: mounting alone changes it.
 *
 * <p>It is of what is physically there, whatever is remapped. It is 0, not taken, when one of the
 * places cannot be read.
 */
public final class MainHeads implements Reading {
  /** Holds a partition table and, 64 KiB in, the superblock of btrfs. */
  private static final int HEAD_BYTES = 68 << 10;

  private static final int TAIL_BYTES = 64 << 10;
  private static final int SUPERBLOCK_BYTES = 4096;
  private static final int PARTITIONS_MAX = 32;
  private static final long GPT_SIGNATURE = 0x5452415020494645L;

  private final long dataOffsetBytes;
  private final long deviceBytes;
  private final int sectorBytes;
  private final ArrayDeque<Step> steps = new ArrayDeque<>();
  private final CRC32C low = new CRC32C();
  private final CRC32 high = new CRC32();
  private boolean headRead;
  private boolean failed;

  /**
   * @param dataOffsetBytes where the device begins on main
   */
  public MainHeads(long dataOffsetBytes, Geometry geometry) {
    this.dataOffsetBytes = dataOffsetBytes;
    this.deviceBytes = geometry.deviceBytes();
    this.sectorBytes = geometry.sectorBytes();
    add(0, HEAD_BYTES);
    add(Math.max(0, deviceBytes - TAIL_BYTES), TAIL_BYTES);
  }

  /** The number, once there is no next step; 0 when it could not be taken. */
  public long hash() {
    if (failed) {
      return 0;
    }
    long hash = high.getValue() << 32 | low.getValue();
    return hash == 0 ? 1 : hash;
  }

  private void add(long fromBytes, int lengthBytes) {
    long length = Math.min(lengthBytes, deviceBytes - fromBytes);
    if (fromBytes >= 0 && length > 0) {
      steps.add(new Step(dataOffsetBytes + fromBytes, (int) length));
    }
  }

  @Override
  public Optional<Step> next() {
    return failed ? Optional.empty() : Optional.ofNullable(steps.peek());
  }

  @Override
  public void accept(ByteBuffer bytes) {
    steps.remove();
    low.update(bytes.duplicate());
    high.update(bytes.duplicate());
    if (!headRead) {
      headRead = true;
      addPartitions(bytes.duplicate().order(ByteOrder.LITTLE_ENDIAN));
    }
  }

  @Override
  public void failed(String reason) {
    failed = true;
  }

  private void addPartitions(ByteBuffer head) {
    if (head.limit() < HEAD_BYTES) {
      return;
    }
    if (head.getLong(sectorBytes) == GPT_SIGNATURE) {
      long entriesAt = head.getLong(sectorBytes + 72) * sectorBytes;
      int count = Math.clamp(head.getInt(sectorBytes + 80), 0, PARTITIONS_MAX);
      int entryBytes = head.getInt(sectorBytes + 84);
      for (int i = 0; i < count && entryBytes >= 128 && entryBytes <= 4096; i++) {
        long at = entriesAt + (long) i * entryBytes;
        if (at >= 0 && at + 40 <= head.limit()) {
          addPartition(head.getLong((int) at + 32));
        }
      }
    } else if ((head.getShort(510) & 0xFFFF) == 0xAA55) {
      for (int i = 0; i < 4; i++) {
        addPartition(head.getInt(446 + 16 * i + 8) & 0xFFFF_FFFFL);
      }
    }
  }

  private void addPartition(long firstSector) {
    if (firstSector > 0 && firstSector < deviceBytes / sectorBytes) {
      long fromBytes = firstSector * sectorBytes;
      add(fromBytes, SUPERBLOCK_BYTES);
      add(fromBytes + HEAD_BYTES - SUPERBLOCK_BYTES, SUPERBLOCK_BYTES);
    }
  }
}
