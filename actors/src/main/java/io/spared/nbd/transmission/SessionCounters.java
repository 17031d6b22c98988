package io.spared.nbd.transmission;

/** What a session did, for its log line and for status. */
public final class SessionCounters {
  long reads;
  long writes;
  long others;
  long readBytes;
  long writtenBytes;
  long refused;
  long failed;

  @Override
  public String toString() {
    return reads
        + " reads ("
        + readBytes
        + " bytes), "
        + writes
        + " writes ("
        + writtenBytes
        + " bytes), "
        + others
        + " others, "
        + failed
        + " failed, "
        + refused
        + " refused";
  }
}
