package io.spared.ffi.engine;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import io.spared.ffi.libc.Libc;
import io.spared.ffi.libc.Memory;
import io.spared.ffi.uring.UringUnavailableException;
import io.spared.ffi.world.World;
import java.lang.ref.Reference;
import java.nio.ByteBuffer;
import java.util.concurrent.Callable;
import java.util.concurrent.CompletableFuture;
import java.util.concurrent.TimeUnit;
import org.junit.jupiter.api.Test;

class EnginesTest {
  private static final int PR_SET_NO_NEW_PRIVS = 38;
  private static final int PR_SET_SECCOMP = 22;
  private static final int SECCOMP_MODE_FILTER = 2;
  private static final int SECCOMP_RET_ERRNO_EPERM = 0x0005_0001;
  private static final int SECCOMP_RET_ALLOW = 0x7fff_0000;

  /** Runs on a thread of its own, which may not set up an io_uring, as containers forbid it. */
  private static <T> T whereIoUringIsForbidden(Callable<T> task) throws Exception {
    CompletableFuture<T> result = new CompletableFuture<>();
    Thread thread =
        new Thread(() -> {
          try {
            forbid();
            result.complete(task.call());
          } catch (Throwable e) {
            result.completeExceptionally(e);
          }
        });
    thread.start();
    T value = result.get(20, TimeUnit.SECONDS);
    thread.join();
    return value;
  }

  /** A filter for this thread alone: io_uring_setup gives EPERM, all else is allowed. */
  private static void forbid() {
    ByteBuffer filter = Memory.structure(4 * 8 + 16);
    instruction(filter, 0, 0x20, 0, 0, 0);
    instruction(filter, 1, 0x15, 0, 1, 425);
    instruction(filter, 2, 0x06, 0, 0, SECCOMP_RET_ERRNO_EPERM);
    instruction(filter, 3, 0x06, 0, 0, SECCOMP_RET_ALLOW);
    filter.putShort(32, (short) 4).putLong(40, Memory.address(filter));
    try {
      assertThat(Libc.prctl(PR_SET_NO_NEW_PRIVS, 1)).isZero();
      assertThat(Libc.prctl(PR_SET_SECCOMP, SECCOMP_MODE_FILTER, Memory.address(filter) + 32))
          .isZero();
    } finally {
      Reference.reachabilityFence(filter);
    }
  }

  private static void instruction(
      ByteBuffer filter, int index, int code, int whenTrue, int whenFalse, int value) {
    int at = index * 8;
    filter.putShort(at, (short) code).put(at + 2, (byte) whenTrue).put(at + 3, (byte) whenFalse);
    filter.putInt(at + 4, value);
  }

  private static String kindOf(Engines.Choice choice) throws Exception {
    try (Engine engine = Engines.open(choice, World.real().clock(), DiskEngineTest.small())) {
      return engine.kind();
    }
  }

  @Test
  void whereIoUringIsForbiddenTheThreadsEngineIsTakenByItself() throws Exception {
    assertThat(whereIoUringIsForbidden(() -> kindOf(Engines.Choice.AUTOMATIC)))
        .isEqualTo("threads");
  }

  @Test
  void whereIoUringIsForbiddenAndAskedForOneSentenceSaysSo() {
    assertThatThrownBy(() -> whereIoUringIsForbidden(() -> kindOf(Engines.Choice.IO_URING)))
        .hasCauseInstanceOf(UringUnavailableException.class)
        .hasMessageContaining("this host forbids io_uring")
        .hasMessageContaining("take the threads engine");
  }

  @Test
  void theThreadsEngineCanBeChosen() throws Exception {
    assertThat(kindOf(Engines.Choice.THREADS)).isEqualTo("threads");
  }

  @Test
  void choicesHaveTheWordsOfTheSetting() {
    assertThat(Engines.Choice.of("auto")).isEqualTo(Engines.Choice.AUTOMATIC);
    assertThat(Engines.Choice.of("io_uring")).isEqualTo(Engines.Choice.IO_URING);
    assertThat(Engines.Choice.of("threads")).isEqualTo(Engines.Choice.THREADS);
    assertThatThrownBy(() -> Engines.Choice.of("aio"))
        .hasMessage("no engine is called aio; choose auto, io_uring or threads");
  }
}
