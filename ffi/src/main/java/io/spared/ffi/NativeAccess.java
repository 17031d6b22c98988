package io.spared.ffi;

import io.spared.ffi.libc.Libc;
import io.spared.ffi.libc.NativeUnusableException;

/** The first native thing that a program does. */
public final class NativeAccess {
  private NativeAccess() {}

  /**
   * Loads the C library and proves that its calls work, sixth arguments too.
   *
   * @throws IllegalStateException with a sentence that says why not and what to do; the program
   *     must then not go on
   */
  public static void prove() {
    try {
      Libc.prove();
    } catch (ExceptionInInitializerError e) {
      if (e.getCause() instanceof NativeUnusableException cause) {
        throw cause;
      }
      throw e;
    }
  }
}
