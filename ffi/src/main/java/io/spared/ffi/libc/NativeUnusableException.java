package io.spared.ffi.libc;

/** Native calls cannot be trusted or made in this JVM; nothing native is done then. */
public final class NativeUnusableException extends IllegalStateException {
  public NativeUnusableException(String sentence) {
    super(sentence);
  }

  public NativeUnusableException(String sentence, Throwable cause) {
    super(sentence, cause);
  }
}
