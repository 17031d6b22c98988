package io.spared.format;

import java.io.IOException;
import java.nio.ByteBuffer;
import java.util.HashMap;
import java.util.HashSet;
import java.util.Map;
import java.util.Set;

/** A sparse disk in memory, with units that cannot be read. */
public final class TestDisk implements DiskBytes {
  private static final int UNIT = CopyLayout.UNIT_BYTES;
  private final long sizeBytes;
  private final Map<Long, byte[]> units = new HashMap<>();
  private final Set<Long> unreadable = new HashSet<>();

  public TestDisk(long sizeBytes) {
    this.sizeBytes = sizeBytes;
  }

  @Override
  public long sizeBytes() {
    return sizeBytes;
  }

  @Override
  public ByteBuffer read(long offsetBytes, int lengthBytes) throws IOException {
    if (offsetBytes < 0 || offsetBytes + lengthBytes > sizeBytes || offsetBytes % UNIT != 0) {
      throw new IOException("beyond the disk");
    }
    ByteBuffer bytes = ByteBuffer.allocate(lengthBytes);
    for (int at = 0; at < lengthBytes; at += UNIT) {
      long unit = (offsetBytes + at) / UNIT;
      if (unreadable.contains(unit)) {
        throw new IOException("medium error");
      }
      byte[] content = units.get(unit);
      if (content != null) {
        bytes.put(at, content);
      }
    }
    return bytes;
  }

  @Override
  public void write(long offsetBytes, ByteBuffer bytes) throws IOException {
    if (offsetBytes < 0 || offsetBytes + bytes.limit() > sizeBytes || offsetBytes % UNIT != 0) {
      throw new IOException("beyond the disk");
    }
    for (int at = 0; at < bytes.limit(); at += UNIT) {
      byte[] content = new byte[UNIT];
      bytes.get(at, content);
      units.put((offsetBytes + at) / UNIT, content);
    }
  }

  public void makeUnreadable(long offsetBytes) {
    unreadable.add(offsetBytes / UNIT);
  }

  public void flipBit(long offsetBytes, int bit) {
    byte[] content = units.computeIfAbsent(offsetBytes / UNIT, unit -> new byte[UNIT]);
    content[(int) (offsetBytes % UNIT)] ^= (byte) (1 << bit);
  }

  public void wipe(long offsetBytes, long lengthBytes) {
    for (long at = offsetBytes; at < offsetBytes + lengthBytes; at += UNIT) {
      units.remove(at / UNIT);
    }
  }

  /** Everything that was ever written, by its offset. */
  public void forEachUnit(java.util.function.BiConsumer<Long, byte[]> user) {
    units.forEach((unit, content) -> user.accept(unit * UNIT, content.clone()));
  }

  public TestDisk copy() {
    TestDisk copy = new TestDisk(sizeBytes);
    units.forEach((unit, content) -> copy.units.put(unit, content.clone()));
    copy.unreadable.addAll(unreadable);
    return copy;
  }
}
