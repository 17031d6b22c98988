package io.spared.ffi.system;

import java.util.Optional;

/** Starts itself again with the I/O-flusher flag, and says which of its threads lack it. */
public final class FlusherTrial {
  private FlusherTrial() {}

  public static void main(String[] arguments) {
    Optional<String> refused = IoFlusher.restartWith();
    long without = IoFlusher.threads().stream().filter(thread -> !thread.flusher()).count();
    System.out.println(
        refused.orElse("restarted")
            + ", "
            + without
            + " without it, told "
            + String.join("|", arguments));
  }
}
