package io.spared.ffi.system;

import io.spared.ffi.Errno;
import io.spared.ffi.libc.Abi;
import io.spared.ffi.libc.Libc;
import java.io.IOException;
import java.nio.charset.StandardCharsets;
import java.nio.file.DirectoryStream;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.Comparator;
import java.util.List;
import java.util.Optional;

/**
 * The I/O-flusher flag: a thread that has it never waits, in the kernel's search for memory, for
 * I/O that it may have to carry out itself. Threads inherit it when they are made, and a program
 * over exec: set before the JVM starts, every thread has it; set later, those that run already have
 * not.
 */
public final class IoFlusher {
  // PF_MEMALLOC_NOIO and PF_LOCAL_THROTTLE, which the flag sets, as /proc shows them.
  private static final long THREAD_FLAGS = 0x0008_0000L | 0x0010_0000L;
  private static final int FLAGS_FIELD_AFTER_NAME = 6;

  private IoFlusher() {}

  /** A thread of this process. */
  public record ThreadFlag(long threadId, String name, boolean flusher) {}

  /** Sets the flag for the calling thread and those it makes; says why not, if not. */
  public static Optional<String> set() {
    long result = Libc.prctl(Abi.PR_SET_IO_FLUSHER, 1);
    if (result >= 0) {
      return Optional.empty();
    }
    Errno errno = Errno.of((int) -result);
    return Optional.of(
        "the I/O-flusher flag is not set: "
            + errno.meaning()
            + (errno == Errno.EPERM ? "; give the daemon CAP_SYS_RESOURCE" : ""));
  }

  /** Whether the calling thread has the flag; false also where nobody may ask. */
  public static boolean isSet() {
    return Libc.prctl(Abi.PR_GET_IO_FLUSHER, 0) == 1;
  }

  /** Every thread of this process, by id. */
  public static List<ThreadFlag> threads() {
    List<ThreadFlag> threads = new ArrayList<>();
    try (DirectoryStream<Path> tasks = Files.newDirectoryStream(Path.of("/proc/self/task"))) {
      for (Path task : tasks) {
        thread(task).ifPresent(threads::add);
      }
    } catch (IOException e) {
      return List.of();
    }
    threads.sort(Comparator.comparingLong(ThreadFlag::threadId));
    return threads;
  }

  /** How many of these threads have it, in a sentence. */
  public static String summary(List<ThreadFlag> threads) {
    long with = threads.stream().filter(ThreadFlag::flusher).count();
    return with == threads.size()
        ? "I/O-flusher flag: all " + with + " threads have it"
        : "I/O-flusher flag: " + with + " of " + threads.size() + " threads have it";
  }

  private static Optional<ThreadFlag> thread(Path task) {
    try {
      String stat = Files.readString(task.resolve("stat"), StandardCharsets.ISO_8859_1);
      int open = stat.indexOf('(');
      int close = stat.lastIndexOf(')');
      String[] after = stat.substring(close + 2).split(" ", -1);
      long flags = Long.parseLong(after[FLAGS_FIELD_AFTER_NAME]);
      return Optional.of(
          new ThreadFlag(
              Long.parseLong(task.getFileName().toString()),
              stat.substring(open + 1, close),
              (flags & THREAD_FLAGS) == THREAD_FLAGS));
    } catch (IOException | NumberFormatException | IndexOutOfBoundsException e) {
      // It ended meanwhile.
      return Optional.empty();
    }
  }
}
