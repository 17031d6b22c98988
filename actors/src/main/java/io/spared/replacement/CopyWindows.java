package io.spared.replacement;

import java.util.ArrayList;
import java.util.Iterator;
import java.util.List;
import java.util.NoSuchElementException;

/**
 * The windows of one copy, in order: first what lies below the cursor and may differ after a crash,
 * then everything from the cursor to the end.
 */
final class CopyWindows implements Iterator<CopyWindow> {
  private final long windowBytes;
  private final long deviceBytes;
  private final long cursorBytes;
  private final List<Range> again;
  private int range;
  private long at;

  /** A part of the device. */
  record Range(long fromBytes, long toBytes) {}

  CopyWindows(long deviceBytes, long windowBytes, long cursorBytes, List<Range> again) {
    this.deviceBytes = deviceBytes;
    this.windowBytes = windowBytes;
    this.cursorBytes = cursorBytes;
    this.again = new ArrayList<>();
    for (Range wanted : again) {
      long to = Math.min(wanted.toBytes(), cursorBytes);
      if (wanted.fromBytes() < to) {
        this.again.add(new Range(wanted.fromBytes(), to));
      }
    }
    this.at = this.again.isEmpty() ? cursorBytes : this.again.get(0).fromBytes();
  }

  long againBytes() {
    return again.stream().mapToLong(one -> one.toBytes() - one.fromBytes()).sum();
  }

  @Override
  public boolean hasNext() {
    return range < again.size() || at < deviceBytes;
  }

  @Override
  public CopyWindow next() {
    if (!hasNext()) {
      throw new NoSuchElementException();
    }
    if (range == again.size()) {
      long from = at;
      at = Math.min(deviceBytes, from + windowBytes);
      return new CopyWindow(from, from, at);
    }
    Range now = again.get(range);
    CopyWindow window = new CopyWindow(cursorBytes, at, Math.min(now.toBytes(), at + windowBytes));
    at = window.toBytes();
    if (at == now.toBytes()) {
      range++;
      at = range < again.size() ? again.get(range).fromBytes() : cursorBytes;
    }
    return window;
  }
}
