package io.spared.ffi.engine;

import static org.assertj.core.api.Assertions.assertThat;
import static org.junit.jupiter.api.Assumptions.assumeTrue;

import io.spared.ffi.disk.Disk;
import io.spared.ffi.disk.DiskAddress;
import io.spared.ffi.disk.DiskException;
import io.spared.ffi.disk.DiskOpener;
import io.spared.ffi.disk.SystemDiskOpener;
import io.spared.ffi.engine.IoRequest.Operation;
import io.spared.ffi.engine.IoRequest.Outcome;
import java.io.IOException;
import java.io.RandomAccessFile;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayDeque;
import java.util.Deque;
import java.util.List;
import java.util.concurrent.locks.LockSupport;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

/**
 * What engines do with a disk that never answers, made with real kernels: a loop device over a
 * preallocated file on a loop-mounted ext4 that is frozen. Writes to it hang until it is thawed.
 */
abstract class HungDiskTest {
  @TempDir private Path directory;

  private final Deque<AutoCloseable> closeLast = new ArrayDeque<>();
  private Path mountPoint;
  private boolean frozen;
  private Disk disk;
  private FileEngine engine;
  private DiskPort port;
  private Owner owner;

  abstract FileEngine openEngine() throws IOException;

  @BeforeEach
  void freeze() throws Exception {
    assumeTrue(
        "root".equals(System.getProperty("user.name")), "only root mounts and freezes a disk");
    Path image = sparse(directory.resolve("image"), 64 << 20);
    LoopDevice.run(List.of("mkfs.ext4", "-q", image.toString()));
    LoopDevice lower = LoopDevice.over(image);
    closeLast.push(lower);
    mountPoint = Files.createDirectory(directory.resolve("mounted"));
    LoopDevice.run(List.of("mount", lower.path().toString(), mountPoint.toString()));
    closeLast.push(() -> LoopDevice.run(List.of("umount", mountPoint.toString())));
    Path inner = mountPoint.resolve("disk");
    LoopDevice.run(List.of("fallocate", "-l", "16M", inner.toString()));
    LoopDevice upper = LoopDevice.over(inner);
    closeLast.push(upper);
    disk = openDisk(upper.path());
    engine = openEngine();
    port = disk.attach(engine);
    owner = new Owner(engine);
    LoopDevice.run(List.of("fsfreeze", "-f", mountPoint.toString()));
    frozen = true;
  }

  private static Disk openDisk(Path path) throws DiskException {
    return new SystemDiskOpener().open(new DiskAddress.OfPath(path), DiskOpener.Mode.OWN);
  }

  private static Path sparse(Path file, long bytes) throws IOException {
    try (RandomAccessFile made = new RandomAccessFile(file.toFile(), "rw")) {
      made.setLength(bytes);
    }
    return file;
  }

  private void thaw() {
    if (frozen) {
      frozen = false;
      LoopDevice.run(List.of("fsfreeze", "-u", mountPoint.toString()));
    }
  }

  @AfterEach
  void takeApart() throws Exception {
    if (mountPoint != null) {
      thaw();
    }
    if (engine != null) {
      engine.close();
    }
    if (disk != null) {
      disk.close();
    }
    while (!closeLast.isEmpty()) {
      closeUntilFree(closeLast.pop());
    }
  }

  /** What the kernel still carried out keeps things busy for a moment after the thaw. */
  private static void closeUntilFree(AutoCloseable resource) throws Exception {
    AssertionError last = null;
    for (int attempt = 0; attempt < 1000; attempt++) {
      try {
        resource.close();
        return;
      } catch (AssertionError e) {
        last = e;
        LockSupport.parkNanos(10_000_000);
      }
    }
    throw new AssertionError("still busy", last);
  }

  private IoRequest hungWrite(IoBuffer buffer, long deadlineNanos) {
    IoRequest request =
        owner.request().transfer(Operation.WRITE, 0, buffer, 0, 4096, deadlineNanos);
    port.submit(request);
    return request;
  }

  /** Until then the threads engine could still take the request back from its queue. */
  private void awaitBegun(IoRequest request) {
    engine.turn(false);
    while (request.engineState instanceof ThreadsJob job && !job.isRunning()) {
      Thread.onSpinWait();
    }
  }

  @Test
  void theDeadlineFiresAndTheBufferStaysOutOfUseUntilTheKernelLetsGo() {
    IoBuffer buffer = owner.buffer(4096);
    IoRequest request = hungWrite(buffer, engine.nanoTime() + 100_000_000);
    buffer.release();
    owner.awaitOne(request, Outcome.TIMED_OUT);
    assertThat(request.held()).isTrue();
    assertThat(buffer.isFree()).isFalse();
    assertThat(engine.held()).isEqualTo(1);
    for (int i = 0; i < 100; i++) {
      assertThat(owner.buffer(4096)).isNotSameAs(buffer);
    }
    thaw();
    owner.awaitOne(request, Outcome.RELEASED);
    assertThat(request.errno()).isNull();
    assertThat(buffer.isFree()).isTrue();
    assertThat(engine.held()).isZero();
  }

  @Test
  void cancellingEndsForTheOwnerAtOnce() {
    IoBuffer buffer = owner.buffer(4096);
    IoRequest request = hungWrite(buffer, Ledger.NEVER);
    awaitBegun(request);
    long start = engine.nanoTime();
    port.cancel(request);
    owner.awaitOne(request, Outcome.CANCELLED);
    assertThat(engine.nanoTime() - start).isLessThan(5_000_000_000L);
    assertThat(request.held()).isTrue();
    thaw();
    owner.awaitOne(request, Outcome.RELEASED);
  }

  @Test
  void aDetachedPortHasLeftOnlyWhenTheKernelHasLetGo() {
    int[] left = new int[1];
    port.whenLeft(() -> left[0]++);
    IoRequest request = hungWrite(owner.buffer(4096), engine.nanoTime() + 50_000_000);
    owner.awaitOne(request, Outcome.TIMED_OUT);
    port.detach();
    engine.turn(false);
    assertThat(left[0]).isZero();
    thaw();
    owner.awaitOne(request, Outcome.RELEASED);
    assertThat(left[0]).isEqualTo(1);
  }

  @Test
  void aClosedEngineDoesNotSayThatItsPortsHaveLeft() {
    int[] left = new int[1];
    port.whenLeft(() -> left[0]++);
    IoRequest request = hungWrite(owner.buffer(4096), Ledger.NEVER);
    awaitBegun(request);
    engine.close();
    assertThat(left[0]).isZero();
  }

  @Test
  void closingNeitherWaitsNorGivesTheMemoryAway() {
    IoBuffer buffer = owner.buffer(4096);
    IoRequest request = hungWrite(buffer, Ledger.NEVER);
    awaitBegun(request);
    long start = System.nanoTime();
    engine.close();
    disk.close();
    assertThat(System.nanoTime() - start).as("closing").isLessThan(2_000_000_000L);
    assertThat(request.outcome()).isEqualTo(Outcome.CANCELLED);
    assertThat(request.held()).isTrue();
    assertThat(buffer.isFree()).isFalse();
    assertThat(owner.ends()).hasSize(1);
  }

  @Test
  void anotherDiskOfTheSameEngineIsNotDelayed() throws Exception {
    hungWrite(owner.buffer(4096), Ledger.NEVER);
    for (int i = 0; i < 64; i++) {
      // Each of these blocks a thread, of the kernel or of ours.
      port.submit(owner.request().plain(Operation.DISCARD, 1 << 20, 4096, Ledger.NEVER));
    }
    Path file = sparse(directory.resolve("other"), 1 << 20);
    try (Disk other = openDisk(file)) {
      DiskPort otherPort = other.attach(engine);
      IoBuffer buffer = owner.buffer(4096);
      for (int i = 0; i < 20; i++) {
        IoRequest request = owner.transfer(Operation.WRITE, i * 4096L, buffer, 4096);
        otherPort.submit(request);
        owner.done(request);
        IoRequest flush = owner.plain(Operation.FLUSH, 0, 0);
        otherPort.submit(flush);
        owner.done(flush);
      }
      otherPort.detach();
    }
  }
}
