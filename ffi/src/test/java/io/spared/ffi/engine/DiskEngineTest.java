package io.spared.ffi.engine;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import io.spared.ffi.Errno;
import io.spared.ffi.engine.FileEngine.FileKind;
import io.spared.ffi.engine.IoRequest.Operation;
import io.spared.ffi.engine.IoRequest.Outcome;
import io.spared.ffi.libc.Abi;
import io.spared.ffi.libc.Descriptor;
import io.spared.ffi.libc.Libc;
import io.spared.ffi.world.World;
import java.io.IOException;
import java.nio.ByteBuffer;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayDeque;
import java.util.ArrayList;
import java.util.Deque;
import java.util.List;
import java.util.Random;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

/** What every engine does with every kind of disk; subclasses say which engine and which disk. */
abstract class DiskEngineTest {
  static final int DISK_BYTES = 16 << 20;

  @TempDir Path directory;

  private final Deque<AutoCloseable> closeLast = new ArrayDeque<>();
  private FileEngine engine;
  private Descriptor file;
  private DiskPort port;
  Owner owner;
  private int descriptorsBefore;

  abstract FileEngine openEngine() throws IOException;

  abstract FileKind kind();

  /** The path of a disk of {@link #DISK_BYTES}; made things are closed after the test. */
  abstract Path makeDisk(Deque<AutoCloseable> closeLast) throws IOException;

  @BeforeEach
  void open() throws IOException {
    descriptorsBefore = Descriptor.openCount();
    Path disk = makeDisk(closeLast);
    engine = openEngine();
    closeLast.push(engine);
    file = Descriptor.open(disk, Abi.O_RDWR | Abi.O_DIRECT);
    port = engine.attach(file, kind());
    owner = new Owner(engine);
  }

  @AfterEach
  void close() throws Exception {
    port.detach();
    file.close();
    while (!closeLast.isEmpty()) {
      closeLast.pop().close();
    }
    // A disk's thread may be just coming back.
    long until = System.nanoTime() + 5_000_000_000L;
    while (Descriptor.openCount() != descriptorsBefore && System.nanoTime() < until) {
      Thread.onSpinWait();
    }
    assertThat(Descriptor.openCount()).isEqualTo(descriptorsBefore);
  }

  private IoBuffer filled(int bytes, long seed) {
    IoBuffer buffer = owner.buffer(bytes);
    byte[] content = new byte[bytes];
    new Random(seed).nextBytes(content);
    buffer.bytes().put(0, content);
    return buffer;
  }

  private static ByteBuffer content(IoBuffer buffer, int bytes) {
    return buffer.bytes().slice(0, bytes);
  }

  @Test
  void whatWasWrittenIsReadBackFromWhereItWasWritten() {
    IoBuffer first = filled(8192, 1);
    IoBuffer second = filled(8192, 2);
    owner.done(submit(owner.transfer(Operation.WRITE, 4096, first, 8192)));
    owner.done(submit(owner.transfer(Operation.WRITE, 1 << 20, second, 8192)));
    IoBuffer read = owner.buffer(8192);
    IoRequest request = owner.transfer(Operation.READ, 4096, read, 8192);
    owner.done(submit(request));
    assertThat(request.transferredBytes()).isEqualTo(8192);
    assertThat(content(read, 8192)).isEqualTo(content(first, 8192));
    owner.done(submit(owner.transfer(Operation.READ, 1 << 20, read, 8192)));
    assertThat(content(read, 8192)).isEqualTo(content(second, 8192));
  }

  @Test
  void aTransferStartsAtItsPlaceInTheBuffer() {
    IoBuffer buffer = filled(16384, 3);
    IoRequest write =
        owner.request().transfer(Operation.WRITE, 0, buffer, 4096, 8192, owner.soon());
    owner.done(submit(write));
    IoBuffer read = owner.buffer(8192);
    owner.done(submit(owner.transfer(Operation.READ, 0, read, 8192)));
    assertThat(content(read, 8192)).isEqualTo(buffer.bytes().slice(4096, 8192));
  }

  @Test
  void durableWritesFlushesDiscardsAndZeroesEndDone() {
    IoBuffer buffer = filled(65536, 4);
    owner.done(submit(owner.transfer(Operation.WRITE, 0, buffer, 65536).durable()));
    owner.done(submit(owner.plain(Operation.FLUSH, 0, 0)));
    owner.done(submit(owner.plain(Operation.WRITE_ZEROES, 4096, 8192)));
    owner.done(submit(owner.plain(Operation.WRITE_ZEROES, 20480, 4096).durable()));
    owner.done(submit(owner.plain(Operation.DISCARD, 32768, 32768)));
    IoBuffer read = owner.buffer(65536);
    owner.done(submit(owner.transfer(Operation.READ, 0, read, 65536)));
    byte[] expected = new byte[65536];
    buffer.bytes().get(0, expected);
    java.util.Arrays.fill(expected, 4096, 12288, (byte) 0);
    java.util.Arrays.fill(expected, 20480, 24576, (byte) 0);
    assertThat(content(read, 32768)).isEqualTo(ByteBuffer.wrap(expected, 0, 32768));
  }

  @Test
  void manyRequestsAtOnceEndOnceEachAndTheOwnerIsToldOncePerTurn() {
    int count = 1000;
    Random random = new Random(5);
    List<IoBuffer> buffers = new ArrayList<>();
    long[] offsets = new long[count];
    List<Integer> places = new ArrayList<>();
    for (int i = 0; i < DISK_BYTES / 4096; i++) {
      places.add(i);
    }
    java.util.Collections.shuffle(places, random);
    for (int i = 0; i < count; i++) {
      offsets[i] = places.get(i) * 4096L;
      IoBuffer buffer = filled(4096, 100 + i);
      buffers.add(buffer);
      submit(owner.transfer(Operation.WRITE, offsets[i], buffer, 4096));
    }
    List<Owner.End> ends = owner.await(count);
    assertThat(ends).allMatch(end -> end.outcome() == Outcome.DONE);
    assertThat(ends.stream().map(Owner.End::request).distinct()).hasSize(count);
    assertThat(owner.signals()).isLessThanOrEqualTo(count);
    assertThat(engine.inFlight()).isZero();
    IoBuffer read = owner.buffer(4096);
    for (int i = 0; i < count; i += 97) {
      owner.awaitOne(submit(owner.transfer(Operation.READ, offsets[i], read, 4096)), Outcome.DONE);
      assertThat(content(read, 4096)).isEqualTo(content(buffers.get(i), 4096));
    }
  }

  @Test
  void aRequestObjectIsUsedAgainAndAgain() {
    IoBuffer buffer = filled(4096, 6);
    IoRequest request = owner.request();
    for (int i = 0; i < 500; i++) {
      request.transfer(Operation.WRITE, i * 4096L, buffer, 0, 4096, owner.soon());
      submit(request);
      owner.await(i + 1);
      assertThat(request.outcome()).isEqualTo(Outcome.DONE);
    }
    assertThat(engine.ledger().slotsEnd())
        .as("slots, one for the test's own timer")
        .isLessThanOrEqualTo(2);
  }

  @Test
  void readingBeyondTheEndFailsAsALostDiskAndNeverAsAMediumError() {
    IoBuffer buffer = owner.buffer(8192);
    IoRequest request = owner.transfer(Operation.READ, DISK_BYTES, buffer, 8192);
    owner.awaitOne(submit(request), Outcome.FAILED);
    assertThat(request.errno()).isEqualTo(Errno.ENXIO);
  }

  @Test
  void aPortThatWasDetachedEndsWhatItIsGiven() {
    port.detach();
    IoRequest request = submit(owner.plain(Operation.FLUSH, 0, 0));
    assertThat(request.outcome()).isEqualTo(Outcome.FAILED);
    assertThat(owner.signals()).as("signals within submit").isZero();
    owner.awaitOne(request, Outcome.FAILED);
    assertThat(request.errno()).isEqualTo(Errno.ESHUTDOWN);
  }

  @Test
  void detachingWithRequestsInFlightLetsThemEnd() {
    IoBuffer buffer = filled(1 << 20, 7);
    for (int i = 0; i < 10; i++) {
      submit(owner.transfer(Operation.WRITE, i << 20, buffer, 1 << 20));
    }
    port.detach();
    file.close();
    assertThat(owner.await(10)).allMatch(end -> end.outcome() == Outcome.DONE);
  }

  @Test
  void aBufferIsNotFreeWhileARequestUsesIt() {
    IoBuffer buffer = filled(4096, 8);
    long freeBefore = engine.buffers().freeBytes();
    submit(owner.transfer(Operation.WRITE, 0, buffer, 4096));
    buffer.release();
    assertThat(buffer.isFree()).isFalse();
    owner.await(1);
    assertThat(buffer.isFree()).isTrue();
    assertThat(engine.buffers().freeBytes()).isEqualTo(freeBefore + 4096);
  }

  @Test
  void aRequestInFlightCannotBePreparedAgain() {
    IoBuffer buffer = filled(4096, 9);
    IoRequest request = submit(owner.transfer(Operation.WRITE, 0, buffer, 4096));
    assertThatThrownBy(() -> request.plain(Operation.FLUSH, 0, 0, 0))
        .isInstanceOf(IllegalStateException.class);
    owner.done(request);
  }

  @Test
  void closingTheEngineEndsEveryRequestForItsOwner() {
    IoBuffer buffer = filled(4096, 10);
    for (int i = 0; i < 100; i++) {
      submit(owner.transfer(Operation.WRITE, i * 4096L, buffer, 4096));
    }
    engine.close();
    assertThat(owner.ends()).hasSizeGreaterThanOrEqualTo(100);
    assertThat(engine.inFlight()).isZero();
  }

  @Test
  void aTurnThatMayWaitIsWokenFromAnotherThread() throws Exception {
    for (int i = 0; i < 200; i++) {
      Thread waker = Thread.ofPlatform().start(engine::wake);
      engine.turn(true);
      waker.join();
    }
  }

  @Test
  void aTimerEndsAtItsTimeAndCanBeGivenUp() {
    long start = engine.nanoTime();
    IoRequest timer = owner.request().plain(Operation.NOTHING, 0, 0, start + 20_000_000);
    IoRequest givenUp = owner.request().plain(Operation.NOTHING, 0, 0, start + 10_000_000);
    engine.timer(timer);
    engine.timer(givenUp);
    engine.cancelTimer(givenUp);
    owner.awaitOne(givenUp, Outcome.CANCELLED);
    owner.done(timer);
    assertThat(engine.nanoTime() - start).isGreaterThanOrEqualTo(20_000_000);
  }

  IoRequest submit(IoRequest request) {
    port.submit(request);
    return request;
  }

  /** The same tests on a file. */
  abstract static class OnFile extends DiskEngineTest {
    @Override
    FileKind kind() {
      return FileKind.REGULAR;
    }

    @Override
    Path makeDisk(Deque<AutoCloseable> closeLast) throws IOException {
      return sparse(directory.resolve("disk"));
    }
  }

  /** The same tests on a loop device. */
  abstract static class OnLoopDevice extends DiskEngineTest {
    @Override
    FileKind kind() {
      return FileKind.BLOCK_DEVICE;
    }

    @Override
    Path makeDisk(Deque<AutoCloseable> closeLast) throws IOException {
      LoopDevice device = LoopDevice.over(sparse(directory.resolve("disk")), "--direct-io=on");
      closeLast.push(device);
      return device.path();
    }

    @Test
    void aMisalignedDirectTransferFailsByName() {
      IoBuffer buffer = owner.buffer(4096);
      IoRequest request = owner.transfer(Operation.READ, 100, buffer, 4096);
      owner.awaitOne(submit(request), Outcome.FAILED);
      assertThat(request.errno()).isEqualTo(Errno.EINVAL);
    }
  }

  static Path sparse(Path path) throws IOException {
    Files.createFile(path);
    try (Descriptor made = Descriptor.open(path, Abi.O_RDWR)) {
      Libc.truncate(made, DISK_BYTES);
    }
    return path;
  }

  static EngineSettings small() {
    return EngineSettings.DEFAULT.withSlab(1 << 20, 16L << 20);
  }

  static FileEngine uring() throws IOException {
    try {
      return UringEngine.open(World.real().clock(), small());
    } catch (io.spared.ffi.uring.UringUnavailableException e) {
      org.junit.jupiter.api.Assumptions.abort(e.getMessage());
      throw e;
    }
  }

  static FileEngine threads() throws IOException {
    return ThreadsEngine.open(World.real().clock(), small());
  }
}
