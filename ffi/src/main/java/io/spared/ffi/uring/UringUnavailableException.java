package io.spared.ffi.uring;

import java.io.IOException;

/** Why this host gives no io_uring, or none that will do, in one sentence. */
public final class UringUnavailableException extends IOException {
  public UringUnavailableException(String sentence) {
    super(sentence);
  }
}
