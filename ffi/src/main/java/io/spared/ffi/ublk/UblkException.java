package io.spared.ffi.ublk;

import io.spared.ffi.Errno;

/** Why the driver cannot be used, in one sentence that says what and what to do. */
public final class UblkException extends Exception {
  private final Errno errno;

  public UblkException(String sentence, Errno errno) {
    super(sentence);
    this.errno = errno;
  }

  /** For decisions, such as trying again on EBUSY. */
  public Errno errno() {
    return errno;
  }
}
