package io.spared.app.discovery;

import io.spared.discovery.Eligibility;
import io.spared.ffi.system.KernelEvent;
import io.spared.ffi.system.KernelEvents;
import java.io.IOException;
import java.time.Duration;
import java.util.Optional;
import java.util.Set;
import java.util.function.Consumer;
import org.jspecify.annotations.Nullable;
import org.slf4j.Logger;
import org.slf4j.LoggerFactory;

/**
 * Tells discovery of disks that come, change and go, as the kernel tells of them: sooner than the
 * comparison of the system's list, which goes on besides and finds what is not told here.
 *
 * <p>One thread reads, since no actor may wait in the kernel. It waits for {@link #WAIT} at most
 * before it looks whether it shall end, so it ends within that time after {@link #end}; and it
 * closes what it reads from itself, so nothing is closed under a read. Nothing here decides: an
 * event that is lost costs time, not a device.
 *
 * <p>Where the kernel's events are forbidden, as in some containers, this is said once, and no
 * thread runs. A container with a network of its own may be allowed to listen and hear nothing;
 * that cannot be told from a quiet machine.
 */
public final class DiskWatch implements AutoCloseable {
  /** How long one wait for an event takes at most. */
  static final Duration WAIT = Duration.ofMillis(250);

  private static final Duration JOIN_MAX = WAIT.multipliedBy(8);
  private static final Set<String> ACTIONS = Set.of("add", "remove", "change");
  private static final Logger log = LoggerFactory.getLogger(DiskWatch.class);

  private final @Nullable Thread reader;
  private volatile boolean ending;

  /** Where events come from. Used by one thread at a time. */
  interface Source extends AutoCloseable {
    /** The next event, or nothing when none came within this time. */
    Optional<KernelEvent> next(Duration timeout) throws IOException;

    /** Whether events were lost since this was asked last. */
    boolean overflowed();

    @Override
    void close();
  }

  /** Begins to listen. */
  interface Opening {
    Source open() throws IOException;
  }

  private DiskWatch(Opening opening, Consumer<String> changed, Consumer<String> trouble) {
    Thread thread = null;
    try {
      Source source = opening.open();
      thread = new Thread(() -> read(source, changed, trouble), "disk-watch");
      thread.setDaemon(true);
    } catch (IOException e) {
      trouble.accept(without(e));
    }
    reader = thread;
  }

  /**
   * Listens to this machine's kernel.
   *
   * @param changed told the kernel's name of every disk that came, changed or went; called on the
   *     reading thread, so it must not block
   */
  public static DiskWatch start(Consumer<String> changed) {
    return start(() -> source(KernelEvents.open()), changed, log::warn);
  }

  static DiskWatch start(Opening opening, Consumer<String> changed, Consumer<String> trouble) {
    DiskWatch watch = new DiskWatch(opening, changed, trouble);
    if (watch.reader != null) {
      watch.reader.start();
    }
    return watch;
  }

  private static Source source(KernelEvents events) {
    return new Source() {
      @Override
      public Optional<KernelEvent> next(Duration timeout) throws IOException {
        return events.next(timeout);
      }

      @Override
      public boolean overflowed() {
        return events.overflowed();
      }

      @Override
      public void close() {
        events.close();
      }
    };
  }

  private void read(Source source, Consumer<String> changed, Consumer<String> trouble) {
    try (source) {
      while (!ending) {
        source
            .next(WAIT)
            .filter(event -> event.isBlockDevice() && ACTIONS.contains(event.action()))
            .flatMap(KernelEvent::deviceName)
            .filter(name -> !Eligibility.isNeverLookedAt(name))
            .ifPresent(changed);
        if (source.overflowed()) {
          changed.accept("many disks");
        }
      }
    } catch (IOException | RuntimeException e) {
      trouble.accept(without(e));
    }
  }

  private static String without(Exception cause) {
    return "the kernel's events about disks cannot be read ("
        + cause.getMessage()
        + "): disks that come and go are found by comparing the system's list, which takes up to "
        + "some seconds longer; give the daemon access to netlink to have them at once";
  }

  /** Whether events are being read. */
  boolean isReading() {
    return reader != null && reader.isAlive();
  }

  /** Tells the thread to end, and does not wait for it. */
  public void end() {
    ending = true;
  }

  /** Ends, and waits for the thread; bounded, since its own wait is. */
  @Override
  public void close() {
    end();
    if (reader == null) {
      return;
    }
    try {
      if (!reader.join(JOIN_MAX)) {
        log.warn("the thread that reads the kernel's events did not end in time");
      }
    } catch (InterruptedException interrupted) {
      Thread.currentThread().interrupt();
    }
  }
}
