package io.spared.ffi.system;

import io.spared.ffi.NativeAccess;
import java.util.List;

/** Prints its threads, and ends with 0 only when every one of them has the I/O-flusher flag. */
final class FlusherThreads {
  private FlusherThreads() {}

  public static void main(String[] arguments) {
    NativeAccess.prove();
    List<IoFlusher.ThreadFlag> threads = IoFlusher.threads();
    threads.forEach(System.out::println);
    System.exit(threads.stream().allMatch(IoFlusher.ThreadFlag::flusher) ? 0 : 1);
  }
}
