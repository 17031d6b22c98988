package io.spared.app.scenario;

import io.spared.ring.Ring;
import io.spared.ring.Rings;
import java.io.IOException;
import java.lang.management.BufferPoolMXBean;
import java.lang.management.ManagementFactory;
import java.nio.file.DirectoryStream;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.EnumMap;
import java.util.List;
import java.util.Locale;
import java.util.Map;
import java.util.concurrent.CompletableFuture;
import java.util.concurrent.ExecutionException;
import java.util.concurrent.TimeUnit;
import java.util.concurrent.TimeoutException;
import org.apache.pekko.actor.typed.ActorSystem;

/** What a process holds at one moment, of everything that a device could leave behind. */
record Census(Map<Census.Kind, Long> counts) {
  private static final long MEGABYTE = 1L << 20;

  /** What is counted, and how much more at the end than in the beginning is no leak yet. */
  enum Kind {
    THREADS(0),
    DESCRIPTORS(0),
    RINGS(0),
    LOOP_DEVICES(0),
    REQUESTS(0),
    SLAB_BYTES(0),
    HEAP_BYTES(2 * MEGABYTE),
    DIRECT_BYTES(0);

    final long allowance;

    Kind(long allowance) {
      this.allowance = allowance;
    }
  }

  Census {
    counts = Map.copyOf(counts);
  }

  long of(Kind kind) {
    return counts.getOrDefault(kind, 0L);
  }

  /**
   * Counts all but memory, which takes a full collection.
   *
   * @param directory loop devices over files below it are counted
   */
  static Census withoutMemory(ActorSystem<?> system, Rings rings, Path directory)
      throws IOException {
    Map<Kind, Long> counts = new EnumMap<>(Kind.class);
    long open = 0;
    long uring = 0;
    try (DirectoryStream<Path> all = Files.newDirectoryStream(Path.of("/proc/self/fd"))) {
      for (Path one : all) {
        open++;
        uring += link(one).contains("io_uring") ? 1 : 0;
      }
    }
    counts.put(Kind.DESCRIPTORS, open);
    counts.put(Kind.RINGS, uring);
    counts.put(Kind.THREADS, (long) ManagementFactory.getThreadMXBean().getAllThreadIds().length);
    counts.put(Kind.LOOP_DEVICES, loops(directory));
    long requests = 0;
    long slab = 0;
    for (int index = 0; index < rings.count(); index++) {
      long[] held = ofRing(system, rings.ring(index));
      requests += held[0];
      slab -= held[1];
    }
    counts.put(Kind.REQUESTS, requests);
    counts.put(Kind.SLAB_BYTES, slab);
    return new Census(counts);
  }

  /** The same with memory as it is now. */
  Census withMemory() {
    Map<Kind, Long> counts = new EnumMap<>(this.counts);
    System.gc();
    counts.put(Kind.HEAP_BYTES, ManagementFactory.getMemoryMXBean().getHeapMemoryUsage().getUsed());
    long direct = 0;
    for (BufferPoolMXBean pool : ManagementFactory.getPlatformMXBeans(BufferPoolMXBean.class)) {
      direct += pool.getMemoryUsed();
    }
    counts.put(Kind.DIRECT_BYTES, direct);
    return new Census(counts);
  }

  private static String link(Path descriptor) {
    try {
      return Files.readSymbolicLink(descriptor).toString();
    } catch (IOException gone) {
      return "";
    }
  }

  private static long loops(Path directory) throws IOException {
    long count = 0;
    try (DirectoryStream<Path> all = Files.newDirectoryStream(Path.of("/sys/block"), "loop*")) {
      for (Path loop : all) {
        count += backing(loop).startsWith(directory.toString()) ? 1 : 0;
      }
    }
    return count;
  }

  /** What a loop device is over, or nothing while it is free. */
  private static String backing(Path loop) {
    try {
      return Files.readString(loop.resolve("loop/backing_file"));
    } catch (IOException free) {
      return "";
    }
  }

  /** Requests in flight or held, and free bytes of the slab, asked on the ring's own thread. */
  private static long[] ofRing(ActorSystem<?> system, Ring ring) throws IOException {
    CompletableFuture<long[]> answer = new CompletableFuture<>();
    system
        .dispatchers()
        .lookup(ring.dispatcher())
        .execute(() ->
            answer.complete(
                new long[] {
                  ring.engine().inFlight() + ring.engine().held(),
                  ring.engine().buffers().freeBytes()
                }));
    try {
      return answer.get(10, TimeUnit.SECONDS);
    } catch (InterruptedException stop) {
      Thread.currentThread().interrupt();
      throw new IOException(stop);
    } catch (ExecutionException | TimeoutException failed) {
      throw new IOException("a ring does not answer", failed);
    }
  }

  /** Whether this holds nothing more than the other, of what is counted here. */
  boolean isWithin(Census other) {
    return counts.entrySet().stream().allMatch(each -> each.getValue() <= other.of(each.getKey()));
  }

  /** The more of both, of each kind. */
  Census highest(Census other) {
    Map<Kind, Long> highest = new EnumMap<>(Kind.class);
    for (Kind kind : Kind.values()) {
      highest.put(kind, Math.max(of(kind), other.of(kind)));
    }
    return new Census(highest);
  }

  /**
   * What grew: of which every one of the last third is more than every one of the first third. A
   * count that goes up and down is none.
   */
  static List<String> leaks(List<Census> taken) {
    List<String> leaks = new ArrayList<>();
    int third = taken.size() / 3;
    if (third == 0) {
      leaks.add("only " + taken.size() + " rounds were counted: too few to say anything");
      return leaks;
    }
    List<Census> first = taken.subList(0, third);
    List<Census> last = taken.subList(taken.size() - third, taken.size());
    for (Kind kind : Kind.values()) {
      long before = first.stream().mapToLong(census -> census.of(kind)).max().orElse(0);
      long after = last.stream().mapToLong(census -> census.of(kind)).min().orElse(0);
      if (after > before + kind.allowance) {
        leaks.add(kind.name().toLowerCase(Locale.ROOT) + " grew from " + before + " to " + after);
      }
    }
    return leaks;
  }

  @Override
  public String toString() {
    StringBuilder text = new StringBuilder();
    for (Kind kind : Kind.values()) {
      text.append(text.isEmpty() ? "" : ", ")
          .append(kind.name().toLowerCase(Locale.ROOT).replace('_', ' '))
          .append(' ')
          .append(of(kind));
    }
    return text.toString();
  }
}
