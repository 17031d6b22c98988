package io.spared.ffi.libc;

import io.spared.ffi.Errno;
import java.io.IOException;

/** A native call that failed: what was being done to what, and the errno by name. */
public final class NativeException extends IOException {
  private final Errno errno;

  public NativeException(String doing, Errno errno) {
    super(doing + ": " + errno.meaning() + " (" + errno + ")");
    this.errno = errno;
  }

  public Errno errno() {
    return errno;
  }
}
