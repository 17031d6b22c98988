package io.spared.ffi.disk;

import java.nio.ByteBuffer;
import java.util.ArrayList;
import java.util.HashMap;
import java.util.List;
import java.util.Map;
import java.util.NavigableMap;
import java.util.TreeMap;
import java.util.function.IntUnaryOperator;
import org.jspecify.annotations.Nullable;

/**
 * What sectors held before they were written and not flushed since, so that a power cut can take
 * them back. Shared by the ports of one disk.
 *
 * <p>Invariant: for every sector, the oldest content kept is the one that was durable last. A flush
 * moves what is kept aside when it begins; a write that comes while it runs keeps the content it
 * finds anew, since the flush may or may not have made that durable. Only when the flush succeeds
 * is what was set aside forgotten, and when it fails it counts again, older before newer.
 */
final class UnflushedSectors {
  /** Beyond this the drive has written the rest back by itself. */
  private static final int SECTORS_MAX = 1 << 17;

  private final int sectorBytes;
  private Map<Long, byte[]> current = new HashMap<>();
  private final List<Map<Long, byte[]>> flushing = new ArrayList<>();

  private int onTheirWay;
  private boolean takingBack;

  UnflushedSectors(int sectorBytes) {
    this.sectorBytes = sectorBytes;
  }

  /** A request goes to the disk below. */
  synchronized void goes() {
    onTheirWay++;
  }

  /** It came back. */
  synchronized void cameBack() {
    onTheirWay--;
  }

  /**
   * For the one port that takes back after a power cut: what to write, or null while requests are
   * still on their way or when another port does it.
   */
  synchronized @Nullable NavigableMap<Long, byte[]> beginTakingBack(IntUnaryOperator chooser) {
    if (takingBack || onTheirWay > 0) {
      return null;
    }
    takingBack = true;
    return takeBack(chooser);
  }

  synchronized void tookBack() {
    takingBack = false;
  }

  int sectorBytes() {
    return sectorBytes;
  }

  /** A write is about to replace this content. */
  synchronized void keep(long offsetBytes, ByteBuffer content, int at, int lengthBytes) {
    for (int done = 0; done + sectorBytes <= lengthBytes; done += sectorBytes) {
      long sector = (offsetBytes + done) / sectorBytes;
      if (!current.containsKey(sector) && current.size() < SECTORS_MAX) {
        byte[] old = new byte[sectorBytes];
        content.get(at + done, old);
        current.put(sector, old);
      }
    }
  }

  /** A durable write has replaced the content of these sectors: there is nothing to take back. */
  synchronized void forget(long offsetBytes, long lengthBytes) {
    for (long done = 0; done < lengthBytes; done += sectorBytes) {
      long sector = (offsetBytes + done) / sectorBytes;
      current.remove(sector);
      for (Map<Long, byte[]> aside : flushing) {
        aside.remove(sector);
      }
    }
  }

  /** A flush begins; give what this returns to {@link #flushEnded}. */
  synchronized Object flushBegins() {
    Map<Long, byte[]> aside = current;
    current = new HashMap<>();
    flushing.add(aside);
    return aside;
  }

  synchronized void flushEnded(Object token, boolean succeeded) {
    int place = 0;
    while (place < flushing.size() && flushing.get(place) != token) {
      place++;
    }
    if (place == flushing.size()) {
      // A power cut came between.
      return;
    }
    Map<Long, byte[]> aside = flushing.remove(place);
    if (!succeeded) {
      Map<Long, byte[]> newer = place < flushing.size() ? flushing.get(place) : current;
      newer.putAll(aside);
    } else {
      // Everything set aside before it was written before it, and is durable now too.
      for (int i = 0; i < place; i++) {
        flushing.get(i).clear();
      }
    }
  }

  /**
   * After a power cut: chooses for every unflushed sector which of its contents survives, and gives
   * those that have to be written back. Nothing is unflushed afterwards.
   *
   * @param chooser given a number of possible contents, oldest first, says which survives; the last
   *     is what the sector holds now
   */
  private NavigableMap<Long, byte[]> takeBack(IntUnaryOperator chooser) {
    TreeMap<Long, List<byte[]>> contents = new TreeMap<>();
    List<Map<Long, byte[]>> oldestFirst = new ArrayList<>(flushing);
    oldestFirst.add(current);
    for (Map<Long, byte[]> kept : oldestFirst) {
      kept.forEach(
          (sector, old) -> contents.computeIfAbsent(sector, key -> new ArrayList<>()).add(old));
    }
    flushing.clear();
    current = new HashMap<>();
    TreeMap<Long, byte[]> back = new TreeMap<>();
    contents.forEach((sector, olds) -> {
      int survivor = chooser.applyAsInt(olds.size() + 1);
      if (survivor < olds.size()) {
        back.put(sector, olds.get(survivor));
      }
    });
    return back;
  }
}
