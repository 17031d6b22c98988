package io.spared.remap;

import java.lang.invoke.MethodHandles;
import java.lang.invoke.VarHandle;

/**
 * One reader of the table, and the oldest version of the map that this reader's unfinished requests
 * were looked up in (invariant 11). Used by its one thread, but for the published number.
 *
 * <p>The argument why a slot that left the map at version V may be given again once every reader
 * published V or more: a reader takes a number that it read from {@link RemapTable#version()}
 * before it looks anything up, so a request that carries V or more was looked up after V's change
 * could be seen, and cannot have found the slot. A reader publishes the smallest number among its
 * unfinished requests; when it has none, one that it has just read itself: every later lookup of
 * its thread sees at least that much. So the published number never overtakes a request, nothing
 * has to be fenced on the path of an I/O, and a number that lags only delays a slot.
 */
public final class TableReader {
  private static final VarHandle PUBLISHED;

  static {
    try {
      PUBLISHED = MethodHandles.lookup().findVarHandle(TableReader.class, "published", long.class);
    } catch (ReflectiveOperationException e) {
      throw new ExceptionInInitializerError(e);
    }
  }

  private final RemapTable table;

  /** Ring of the generations in use, oldest at head: a version and how many requests carry it. */
  private long[] versions = new long[8];

  private int[] counts = new int[8];
  private int head;
  private int size;

  @SuppressWarnings("unused") // through PUBLISHED
  private volatile long published;

  TableReader(RemapTable table) {
    this.table = table;
    this.published = table.version();
  }

  /**
   * Before a lookup whose result will be in flight: the generation to give back to {@link #end}.
   */
  public long begin() {
    long version = table.version();
    if (size > 0) {
      int newest = (head + size - 1) & (versions.length - 1);
      if (versions[newest] == version) {
        counts[newest]++;
        return version;
      }
    }
    append(version);
    return version;
  }

  private void append(long version) {
    if (size == versions.length) {
      grow();
    }
    int at = (head + size) & (versions.length - 1);
    versions[at] = version;
    counts[at] = 1;
    size++;
    if (size == 1) {
      publish(version);
    }
  }

  private void grow() {
    long[] moreVersions = new long[versions.length * 2];
    int[] moreCounts = new int[versions.length * 2];
    for (int i = 0; i < size; i++) {
      int from = (head + i) & (versions.length - 1);
      moreVersions[i] = versions[from];
      moreCounts[i] = counts[from];
    }
    versions = moreVersions;
    counts = moreCounts;
    head = 0;
  }

  /** What began with this generation has ended: nothing of it can touch a disk any more. */
  public void end(long version) {
    for (int i = 0; i < size; i++) {
      int at = (head + i) & (versions.length - 1);
      if (versions[at] == version) {
        counts[at]--;
        if (i == 0 && counts[at] == 0) {
          dropEnded();
        }
        return;
      }
    }
    throw new IllegalStateException("version " + version + " of the map is not in use here");
  }

  private void dropEnded() {
    while (size > 0 && counts[head] == 0) {
      head = (head + 1) & (versions.length - 1);
      size--;
    }
    if (size > 0) {
      publish(versions[head]);
    }
  }

  /** Says anew what is in use; an idle reader has to be asked, since it does nothing by itself. */
  public void refresh() {
    publish(size > 0 ? versions[head] : table.version());
  }

  private void publish(long version) {
    PUBLISHED.setRelease(this, version);
  }

  /** From any thread: no unfinished request of this reader is older. */
  public long oldestInUse() {
    return (long) PUBLISHED.getAcquire(this);
  }

  public boolean isIdle() {
    return size == 0;
  }

  /** This reader ends; only when nothing that it looked up is unfinished. */
  public void close() {
    if (size > 0) {
      throw new IllegalStateException("a reader of the map was closed with requests unfinished");
    }
    table.forget(this);
  }
}
