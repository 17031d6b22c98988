package io.spared.format;

/** Takes entries and forgets them: for reading headers and for verifying. */
final class NoEntries implements RemapEntries {
  @Override
  public void put(long block, int spare, long slot, long lostLow, long lostHigh) {}

  @Override
  public void remove(long block) {}

  @Override
  public void setLost(long block, long lostLow, long lostHigh) {}

  @Override
  public void putPending(long block, long unreadableLow, long unreadableHigh) {}

  @Override
  public void removePending(long block) {}

  @Override
  public long remapCount() {
    return 0;
  }

  @Override
  public long pendingCount() {
    return 0;
  }

  @Override
  public Walk walk() {
    throw new UnsupportedOperationException("entries that were not kept cannot be walked");
  }
}
