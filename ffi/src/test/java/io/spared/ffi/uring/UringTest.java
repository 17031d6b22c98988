package io.spared.ffi.uring;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;
import static org.junit.jupiter.api.Assumptions.assumeTrue;

import io.spared.ffi.Errno;
import io.spared.ffi.libc.Abi;
import io.spared.ffi.libc.Descriptor;
import io.spared.ffi.libc.Libc;
import io.spared.ffi.libc.Memory;
import io.spared.ffi.libc.NativeException;
import java.nio.ByteBuffer;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.MethodSource;

/** Each test runs on every kind of ring that this kernel gives. */
class UringTest {
  @TempDir private Path directory;

  static List<UringSettings> kinds() {
    return List.of(
        new UringSettings(8, 32, false, true),
        new UringSettings(8, 32, false, false),
        new UringSettings(8, 32, true, true),
        new UringSettings(8, 32, true, false));
  }

  private static Uring open(UringSettings settings) throws NativeException {
    try {
      return Uring.open(settings);
    } catch (UringUnavailableException e) {
      assumeTrue(false, e.getMessage());
      throw new AssertionError(e);
    }
  }

  @ParameterizedTest
  @MethodSource("kinds")
  void requestsComeBackWithTheirUserDataOverManyLapsOfTheQueues(UringSettings settings)
      throws Exception {
    try (Uring ring = open(settings)) {
      long next = 0x1234_5678_0000_0000L;
      List<Long> taken = new ArrayList<>();
      for (int lap = 0; lap < 50; lap++) {
        int batch = 1 + lap % ring.space();
        for (int i = 0; i < batch; i++) {
          ring.push(UringNumbers.IORING_OP_NOP, 0, -1, 0, 0, 0, 0, 0, next + taken.size() + i);
        }
        assertThat(ring.enter(batch)).isZero();
        assertThat(ring.ready()).isEqualTo(batch);
        while (ring.take()) {
          assertThat(ring.result()).isZero();
          taken.add(ring.userData());
        }
        ring.taken();
      }
      for (int i = 0; i < taken.size(); i++) {
        assertThat(taken.get(i)).isEqualTo(next + i);
      }
    }
  }

  /** {@link UringMemory} says why; what happens else comes once in hundreds of rings. */
  @ParameterizedTest
  @MethodSource("kinds")
  void aRingStandsInTheKernelsMemoryAndNotInOurs(UringSettings settings) throws Exception {
    try (Uring ring = open(settings)) {
      assertThat(ring.layout().setupFlags() & UringNumbers.IORING_SETUP_NO_MMAP).isZero();
    }
  }

  @ParameterizedTest
  @MethodSource("kinds")
  void aClosedRingIsEmptyAndNotTouched(UringSettings settings) throws Exception {
    Uring ring = open(settings);
    ring.push(UringNumbers.IORING_OP_NOP, 0, -1, 0, 0, 0, 0, 0, 7);
    ring.enter(1);
    ring.close();
    assertThat(ring.ready()).isLessThanOrEqualTo(0);
    assertThat(ring.wantsEnter()).isFalse();
    ring.push(UringNumbers.IORING_OP_NOP, 0, -1, 0, 0, 0, 0, 0, 8);
  }

  @ParameterizedTest
  @MethodSource("kinds")
  void registeredBuffersAndFilesMoveBytes(UringSettings settings) throws Exception {
    try (Uring ring = open(settings);
        Descriptor file = Descriptor.open(directory.resolve("file"), Abi.O_RDWR | Abi.O_CREAT)) {
      ByteBuffer slab = Memory.pages(8192);
      long address = Memory.address(slab);
      assertThat(ring.registerBuffers(4)).isTrue();
      assertThat(ring.registerFiles(4)).isTrue();
      assertThat(ring.updateBuffer(2, address, 8192)).isTrue();
      assertThat(ring.updateFile(3, file.number())).isTrue();
      for (int i = 0; i < 4096; i++) {
        slab.put(i, (byte) (i * 31));
      }
      ring.push(
          UringNumbers.IORING_OP_WRITE_FIXED,
          UringNumbers.IOSQE_FIXED_FILE,
          3,
          512,
          address,
          4096,
          0,
          2,
          1);
      assertThat(endOf(ring)).isEqualTo(4096);
      ring.push(
          UringNumbers.IORING_OP_READ_FIXED,
          UringNumbers.IOSQE_FIXED_FILE,
          3,
          512,
          address + 4096,
          4096,
          0,
          2,
          2);
      assertThat(endOf(ring)).isEqualTo(4096);
      assertThat(slab.slice(4096, 4096)).isEqualTo(slab.slice(0, 4096));
      assertThat(ring.updateFile(3, -1)).isTrue();
      ring.push(UringNumbers.IORING_OP_FSYNC, UringNumbers.IOSQE_FIXED_FILE, 3, 0, 0, 0, 0, 0, 3);
      assertThat(endOf(ring)).isEqualTo(-Errno.EBADF.number());
    }
  }

  @ParameterizedTest
  @MethodSource("kinds")
  void severalPiecesOfMemoryMoveInOneRequest(UringSettings settings) throws Exception {
    try (Uring ring = open(settings);
        Descriptor file = Descriptor.open(directory.resolve("file"), Abi.O_RDWR | Abi.O_CREAT)) {
      ByteBuffer memory = Memory.structure(4 * 1024 + 32);
      long address = Memory.address(memory);
      for (int i = 0; i < 2048; i++) {
        memory.put(i, (byte) (i * 7));
      }
      int vectors = 4 * 1024;
      // The second piece first.
      memory.putLong(vectors, address + 1024).putLong(vectors + 8, 1024);
      memory.putLong(vectors + 16, address).putLong(vectors + 24, 1024);
      ring.push(UringNumbers.IORING_OP_WRITEV, 0, file.number(), 0, address + vectors, 2, 0, 0, 1);
      assertThat(endOf(ring)).isEqualTo(2048);
      memory.putLong(vectors, address + 2048).putLong(vectors + 16, address + 3072);
      ring.push(UringNumbers.IORING_OP_READV, 0, file.number(), 0, address + vectors, 2, 0, 0, 2);
      assertThat(endOf(ring)).isEqualTo(2048);
      assertThat(memory.slice(2048, 1024)).isEqualTo(memory.slice(1024, 1024));
      assertThat(memory.slice(3072, 1024)).isEqualTo(memory.slice(0, 1024));
    }
  }

  @ParameterizedTest
  @MethodSource("kinds")
  void aPollEndsWhenTheEventComes(UringSettings settings) throws Exception {
    try (Uring ring = open(settings);
        Descriptor counter = Libc.eventCounter(false)) {
      ring.push(UringNumbers.IORING_OP_POLL_ADD, 0, counter.number(), 0, 0, 0, Abi.EPOLLIN, 0, 3);
      assertThat(ring.enter(0)).isZero();
      assertThat(ring.ready()).isZero();
      ByteBuffer one = Memory.structure(8).putLong(0, 1);
      assertThat(Libc.write(counter, Memory.address(one), 8)).isEqualTo(8);
      assertThat(endOf(ring) & Abi.EPOLLIN).isEqualTo(Abi.EPOLLIN);
    }
  }

  @ParameterizedTest
  @MethodSource("kinds")
  void aReadThatWaitsForAnEventCanBeCancelled(UringSettings settings) throws Exception {
    try (Uring ring = open(settings);
        Descriptor counter = Libc.eventCounter(true)) {
      ByteBuffer value = Memory.structure(8);
      long address = Memory.address(value);
      ring.push(UringNumbers.IORING_OP_READ, 0, counter.number(), 0, address, 8, 0, 0, 7);
      assertThat(ring.enter(0)).isZero();
      assertThat(ring.ready()).isZero();
      ring.push(UringNumbers.IORING_OP_ASYNC_CANCEL, 0, -1, 0, 7, 0, 0, 0, 8);
      assertThat(ring.enter(2)).isZero();
      assertThat(ring.ready()).isEqualTo(2);
      while (ring.take()) {
        assertThat(ring.result()).isEqualTo(ring.userData() == 7 ? -Errno.ECANCELED.number() : 0);
      }
      ring.taken();
    }
  }

  @ParameterizedTest
  @MethodSource("kinds")
  void waitingEndsAfterItsTime(UringSettings settings) throws Exception {
    try (Uring ring = open(settings)) {
      assertThat(ring.enterUntil(1, 1_000_000)).isEqualTo(-Errno.ETIME.number());
      ring.push(UringNumbers.IORING_OP_NOP, 0, -1, 0, 0, 0, 0, 0, 9);
      assertThat(ring.enterUntil(1, 10_000_000_000L)).isZero();
      assertThat(ring.unsubmitted()).isZero();
      assertThat(ring.ready()).isEqualTo(1);
    }
  }

  @ParameterizedTest
  @MethodSource("kinds")
  void aCommandThatTheFileDoesNotKnowIsRefusedByTheKernel(UringSettings settings) throws Exception {
    try (Uring ring = open(settings);
        Descriptor file = Descriptor.open(directory.resolve("file"), Abi.O_RDWR | Abi.O_CREAT)) {
      ring.pushCommand(0, file.number(), 0xc010_7520, 0, 0, 0, 5, 1, 2);
      assertThat(endOf(ring)).isEqualTo(-Errno.EOPNOTSUPP.number());
      if (settings.wideCommands()) {
        ring.pushWideCommand(0, file.number(), 0xc020_7504, 6, 1, 2, 3, 4);
        assertThat(endOf(ring)).isEqualTo(-Errno.EOPNOTSUPP.number());
      } else {
        assertThatThrownBy(() -> ring.pushWideCommand(0, file.number(), 1, 6, 1, 2, 3, 4))
            .isInstanceOf(IllegalStateException.class);
      }
    }
  }

  @ParameterizedTest
  @MethodSource("kinds")
  void pushingIntoAFullQueueIsAnErrorAndNothingIsOverwritten(UringSettings settings)
      throws Exception {
    try (Uring ring = open(settings)) {
      int space = ring.space();
      assertThat(space).isEqualTo(8);
      for (int i = 0; i < space; i++) {
        ring.push(UringNumbers.IORING_OP_NOP, 0, -1, 0, 0, 0, 0, 0, i);
      }
      assertThat(ring.space()).isZero();
      assertThatThrownBy(() -> ring.push(UringNumbers.IORING_OP_NOP, 0, -1, 0, 0, 0, 0, 0, 99))
          .isInstanceOf(IllegalStateException.class);
      assertThat(ring.enter(space)).isZero();
      assertThat(ring.ready()).isEqualTo(space);
      assertThat(ring.space()).isEqualTo(8);
    }
  }

  @ParameterizedTest
  @MethodSource("kinds")
  void closingLeavesNoDescriptorBehind(UringSettings settings) throws Exception {
    open(settings).close();
    int before = Descriptor.openCount();
    for (int i = 0; i < 20; i++) {
      open(settings).close();
    }
    assertThat(Descriptor.openCount()).isEqualTo(before);
  }

  private static int endOf(Uring ring) {
    assertThat(ring.enter(1)).isZero();
    assertThat(ring.ready()).isEqualTo(1);
    assertThat(ring.take()).isTrue();
    ring.taken();
    return ring.result();
  }
}
