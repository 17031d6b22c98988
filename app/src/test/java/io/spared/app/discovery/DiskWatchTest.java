package io.spared.app.discovery;

import static org.assertj.core.api.Assertions.assertThat;
import static org.junit.jupiter.api.Assumptions.assumeTrue;

import io.spared.ffi.engine.LoopDevice;
import io.spared.ffi.system.KernelEvent;
import io.spared.ffi.system.KernelEvents;
import java.io.IOException;
import java.io.RandomAccessFile;
import java.nio.file.Files;
import java.nio.file.Path;
import java.time.Duration;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import java.util.concurrent.BlockingQueue;
import java.util.concurrent.CountDownLatch;
import java.util.concurrent.LinkedBlockingQueue;
import java.util.concurrent.TimeUnit;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.Timeout;
import org.junit.jupiter.api.io.TempDir;

@Timeout(60)
class DiskWatchTest {
  private final BlockingQueue<String> changed = new LinkedBlockingQueue<>();
  private final BlockingQueue<String> said = new LinkedBlockingQueue<>();

  @TempDir Path directory;

  /** Gives what it is given, waits as the kernel does, and can fail. */
  private static final class Given implements DiskWatch.Source {
    private static final KernelEvent BREAK = new KernelEvent("break", "", Map.of());

    final BlockingQueue<KernelEvent> events = new LinkedBlockingQueue<>();
    final CountDownLatch closed = new CountDownLatch(1);
    volatile boolean overflowed;

    @Override
    public Optional<KernelEvent> next(Duration timeout) throws IOException {
      try {
        KernelEvent event = events.poll(timeout.toNanos(), TimeUnit.NANOSECONDS);
        if (BREAK.equals(event)) {
          throw new IOException("the socket broke");
        }
        return Optional.ofNullable(event);
      } catch (InterruptedException e) {
        throw new IOException(e);
      }
    }

    @Override
    public boolean overflowed() {
      boolean was = overflowed;
      overflowed = false;
      return was;
    }

    @Override
    public void close() {
      closed.countDown();
    }

    void give(String action, String subsystem, String name) {
      events.add(
          new KernelEvent(
              action, "/devices/" + name, Map.of("SUBSYSTEM", subsystem, "DEVNAME", name)));
    }
  }

  private DiskWatch watch(DiskWatch.Opening opening) {
    return DiskWatch.start(opening, changed::add, said::add);
  }

  private String next() throws InterruptedException {
    return String.valueOf(changed.poll(10, TimeUnit.SECONDS));
  }

  @Test
  void aLoopDeviceThatComesAndGoesIsTold() throws Exception {
    Path file = Files.createFile(directory.resolve("disk"));
    try (RandomAccessFile made = new RandomAccessFile(file.toFile(), "rw")) {
      made.setLength(8 << 20);
    }
    assumeEventsAreTold(file);
    try (DiskWatch watch = DiskWatch.start(changed::add)) {
      assertThat(watch.isReading()).isTrue();
      String name;
      try (LoopDevice loop = LoopDevice.over(file)) {
        name = loop.path().getFileName().toString();
        awaitChangeOf(name);
        changed.clear();
      }
      awaitChangeOf(name);
    }
  }

  /** Asks the kernel without the watch, so that a watch that is deaf is not taken for a host. */
  private static void assumeEventsAreTold(Path file) throws Exception {
    boolean told = false;
    try (KernelEvents events = KernelEvents.open();
        LoopDevice loop = LoopDevice.over(file)) {
      for (int i = 0; i < 100 && !told; i++) {
        Optional<KernelEvent> event = events.next(Duration.ofSeconds(5));
        if (event.isEmpty()) {
          break;
        }
        told = event.get().deviceName().equals(Optional.of(loop.path().getFileName().toString()));
      }
    } catch (IOException e) {
      assumeTrue(false, "this host forbids to listen to the kernel: " + e.getMessage());
    }
    assumeTrue(told, "this host passes no kernel events on");
  }

  private void awaitChangeOf(String name) throws InterruptedException {
    String seen = next();
    while (!seen.equals(name)) {
      assertThat(seen).as("an event of %s", name).isNotEqualTo("null");
      seen = next();
    }
  }

  @Test
  void onlyDisksThatMayBePartOfASetUpAreTold() throws Exception {
    Given given = new Given();
    try (DiskWatch watch = watch(() -> given)) {
      given.give("add", "net", "eth0");
      given.give("bind", "block", "sdy");
      given.give("add", "block", "ublkb0");
      given.give("add", "block", "sda");
      given.give("change", "block", "sdb");
      given.give("remove", "block", "sdc");

      assertThat(List.of(next(), next(), next())).containsExactly("sda", "sdb", "sdc");
      assertThat(watch.isReading()).isTrue();
    }
    assertThat(changed).isEmpty();
    assertThat(said).isEmpty();
  }

  @Test
  void afterEventsWereLostEverythingIsLookedAtAnew() throws Exception {
    Given given = new Given();
    given.overflowed = true;
    try (DiskWatch watch = watch(() -> given)) {
      assertThat(next()).isEqualTo("many disks");
      assertThat(watch.isReading()).isTrue();
    }
  }

  @Test
  void closingEndsTheThreadAndClosesTheSourceWhileNothingHappens() throws Exception {
    Given given = new Given();
    DiskWatch watch = watch(() -> given);

    watch.close();

    assertThat(watch.isReading()).isFalse();
    assertThat(given.closed.await(0, TimeUnit.SECONDS)).isTrue();
    assertThat(said).isEmpty();
  }

  @Test
  void aHostThatForbidsItIsSaidOnceAndNoThreadRuns() {
    DiskWatch watch =
        watch(() -> {
          throw new IOException("make a socket for kernel events: EPERM");
        });

    assertThat(watch.isReading()).isFalse();
    watch.close();
    assertThat(said)
        .singleElement()
        .asString()
        .contains("EPERM")
        .contains("comparing the system's list");
  }

  @Test
  void aSourceThatBreaksIsSaidOnceAndClosed() throws Exception {
    Given given = new Given();
    DiskWatch watch = watch(() -> given);
    given.events.add(Given.BREAK);
    assertThat(given.closed.await(10, TimeUnit.SECONDS)).isTrue();
    assertThat(said.poll(10, TimeUnit.SECONDS)).contains("the socket broke");
    given.give("add", "block", "sda");
    watch.close();
    assertThat(watch.isReading()).isFalse();
    assertThat(changed).isEmpty();
    assertThat(said).isEmpty();
  }
}
