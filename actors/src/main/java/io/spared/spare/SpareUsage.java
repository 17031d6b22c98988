package io.spared.spare;

import java.util.List;
import java.util.UUID;

/** How full a spare is. */
public record SpareUsage(
    String address,
    UUID spareId,
    long sizeBytes,
    long lentBytes,
    long freeBytes,
    List<String> devices,
    String health) {
  public SpareUsage {
    devices = List.copyOf(devices);
  }

  /** Whole per cent that are lent. */
  public int percent() {
    long usable = lentBytes + freeBytes;
    return usable == 0 ? 0 : (int) (lentBytes * 100 / usable);
  }
}
