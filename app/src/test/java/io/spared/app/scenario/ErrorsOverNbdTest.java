package io.spared.app.scenario;

import static java.util.Objects.requireNonNull;
import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import io.spared.device.Phase;
import io.spared.ffi.Errno;
import io.spared.ffi.disk.Disk;
import io.spared.ffi.disk.DiskAddress;
import io.spared.ffi.disk.DiskOpener;
import io.spared.ffi.engine.Completions;
import io.spared.ffi.engine.DiskPort;
import io.spared.ffi.engine.Engine;
import io.spared.ffi.engine.EngineSettings;
import io.spared.ffi.engine.Engines;
import io.spared.ffi.engine.IoBuffer;
import io.spared.ffi.engine.IoRequest;
import io.spared.ffi.world.World;
import io.spared.nbd.Tool;
import io.spared.nbd.client.NbdDiskOpener;
import java.io.BufferedReader;
import java.io.IOException;
import java.io.Writer;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.List;
import java.util.concurrent.TimeUnit;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.Timeout;
import org.junit.jupiter.api.io.TempDir;

/** What a client is told when the whole daemon cannot do what it asks. */
@Timeout(120)
final class ErrorsOverNbdTest {
  private static final String FAILS =
      """
      import errno
      def fails(how, what):
          try:
              how()
          except nbd.Error as e:
              assert e.errnum == what, (e.errnum, what)
          else:
              raise AssertionError("it did not fail with %s" % what)
      """;

  @TempDir Path directory;

  private String uri() {
    return "nbd+unix:///a?socket=" + directory.resolve("nbd.sock");
  }

  @Test
  void aWriteThatFindsNoFreeSlotIsOutOfSpaceAndChangesNothing() throws Exception {
    Tool.needs("nbdsh", "python3-libnbd");
    int block = 64 << 10;
    try (Trial trial = new Trial(directory).create("a", block, 32 << 20).start("a")) {
      assertThat(trial.serves("a")).isTrue();
      trial.fault("a", "main", "write fail=ENODATA");
      String output =
          Tool.run(
                  "nbdsh",
                  "-c",
                  FAILS,
                  "-c",
                  """
                  h.connect_uri('%s')
                  block = %d
                  count = 0
                  try:
                      while True:
                          h.pwrite(bytes([count %% 251 + 1]) * block, count * block)
                          count += 1
                  except nbd.Error as e:
                      assert e.errnum == errno.ENOSPC, e
                  # It stays so, a block that has a slot is written on, and nothing else changed.
                  fails(lambda: h.pwrite(b'x' * 512, count * block), errno.ENOSPC)
                  h.pwrite(b'y' * 512, 0)
                  h.flush()
                  assert h.pread(block, 0) == b'y' * 512 + bytes([1]) * (block - 512)
                  for i in range(1, count):
                      assert h.pread(block, i * block) == bytes([i %% 251 + 1]) * block
                  assert h.pread(block, count * block) == bytes(block)
                  print("moved", count)
                  h.shutdown()
                  """
                      .formatted(uri(), block))
              .succeeded()
              .output();
      assertThat(output).startsWith("moved ");
      long moved = Long.parseLong(output.strip().substring("moved ".length()));
      assertThat(moved).isGreaterThan(20);
      assertThat(trial.status("a").remaps().remapped()).isEqualTo(moved);
      assertThat(trial.until("a", status -> status.phase() == Phase.DEGRADED)).isTrue();
    }
  }

  @Test
  void aLongReadThatFailsIsAnErrorToAClientWithoutStructuredRepliesAndItsConnectionStays()
      throws Exception {
    Tool.needs("nbdsh", "python3-libnbd");
    try (Trial trial = new Trial(directory).create("a").start("a")) {
      assertThat(trial.serves("a")).isTrue();
      trial.fault("a", "main", "read fail=ENODATA range=1M+4K");
      Tool.run(
              "nbdsh",
              "-c",
              FAILS,
              "-c",
              """
              h.set_request_structured_replies(False)
              h.connect_uri('%s')
              # As long as the kernel's client asks, with the bad place far behind its beginning.
              fails(lambda: h.pread(1280 * 1024, 512 * 1024), errno.EIO)
              assert h.pread(512, 0) == bytes(512)
              h.shutdown()
              """
                  .formatted(uri()))
          .succeeded();
    }
  }

  /** Longer still, and the server can say so only by ending the connection, again and again. */
  @Test
  void aReadWhoseDataBreakOffTwiceHasFailedForADiskBehindNbd() throws Exception {
    try (Trial trial = new Trial(directory).create("a").start("a");
        Engine engine =
            Engines.open(Engines.Choice.AUTOMATIC, World.real().clock(), EngineSettings.DEFAULT)) {
      assertThat(trial.serves("a")).isTrue();
      trial.fault("a", "main", "read fail=ENODATA range=4M+4K");
      DiskOpener others =
          (address, mode) -> {
            throw new IllegalStateException("no others");
          };
      Disk disk =
          new NbdDiskOpener(others, World.real().clock())
              .open(
                  new DiskAddress.OfNbd("unix:" + directory.resolve("nbd.sock") + ":a"),
                  DiskOpener.Mode.OWN);
      DiskPort port = disk.attach(engine);
      int bytes = 4 << 20;
      IoBuffer buffer = requireNonNull(engine.buffers().take(bytes));
      Completions completions = new Completions(() -> {});
      IoRequest read =
          new IoRequest(completions)
              .transfer(
                  IoRequest.Operation.READ,
                  1 << 20,
                  buffer,
                  0,
                  bytes,
                  engine.nanoTime() + TimeUnit.SECONDS.toNanos(60));
      port.submit(read);
      while (read.outcome() == IoRequest.Outcome.IN_FLIGHT) {
        engine.turn(true);
      }
      assertThat(read.outcome()).isEqualTo(IoRequest.Outcome.FAILED);
      assertThat(read.errno()).isEqualTo(Errno.EIO);
      port.detach();
      disk.close();
    }
  }

  @Test
  void whatComesWhileTheDeviceDrainsIsToldSoAtOnce() throws Exception {
    Tool.needs("nbdsh", "python3-libnbd");
    try (Trial trial = new Trial(directory).create("a").start("a")) {
      assertThat(trial.serves("a")).isTrue();
      trial.fault("a", "main", "read hang range=1M+4K");
      Process shell =
          Tool.builder(
                  List.of(
                      "nbdsh",
                      "-c",
                      FAILS,
                      "-c",
                      """
                      import sys
                      h.connect_uri('%s')
                      h.aio_pread(nbd.Buffer(4096), 1024 * 1024)
                      h.pread(512, 0)
                      print('hangs', flush=True)
                      sys.stdin.readline()
                      fails(lambda: h.pread(512, 0), errno.ESHUTDOWN)
                      fails(lambda: h.pwrite(bytes(512), 0), errno.ESHUTDOWN)
                      print('told', flush=True)
                      """
                          .formatted(uri())))
              .start();
      try (BufferedReader said = shell.inputReader();
          Writer to = shell.outputWriter()) {
        assertThat(said.readLine()).isEqualTo("hangs");
        var stopped =
            trial.begin("a", replyTo -> new io.spared.device.DeviceCommand.Stop(true, 0, replyTo));
        assertThat(trial.until("a", status -> status.phase() == Phase.DRAINING)).isTrue();
        to.write("\n");
        to.flush();
        assertThat(said.readLine()).isEqualTo("told");
        stopped.toCompletableFuture().get(30, TimeUnit.SECONDS);
        assertThat(trial.status("a").phase()).isEqualTo(Phase.STOPPED);
      } finally {
        shell.destroyForcibly();
      }
    }
  }

  @Test
  void aRemoteMainWhoseWritesFailIsMovedBlockByBlock() throws Exception {
    Tool.needs("nbdkit", "nbdkit");
    Path failing = directory.resolve("failing");
    try (FarServer far =
            FarServer.start(
                directory.resolve("far.sock"),
                "--filter=error",
                "--filter=delay",
                "file",
                image("far.img"),
                "rdelay=2ms",
                "wdelay=2ms",
                "error=EIO",
                "error-pwrite-rate=100%",
                "error-file=" + failing);
        Trial trial = new Trial(directory).createOn("a", far.disk()).start("a")) {
      assertThat(trial.serves("a")).isTrue();
      trial.client(
          "a",
          disk -> {
            for (int number = 0; number < 20; number++) {
              disk.write(number * 4096L, Trial.block(number, 1));
            }
            Files.createFile(failing);
            for (int number = 5; number < 10; number++) {
              disk.write(number * 4096L, Trial.block(number, 2));
            }
            Files.delete(failing);
            for (int number = 0; number < 20; number++) {
              int version = number >= 5 && number < 10 ? 2 : 1;
              assertThat(disk.read(number * 4096L, 4096)).isEqualTo(Trial.block(number, version));
            }
          });
      assertThat(trial.status("a").remaps().remapped()).isEqualTo(5);
    }
  }

  @Test
  void aRemoteMainThatTakesTooLongFailsTheWriteAndMovesNothing() throws Exception {
    Tool.needs("nbdkit", "nbdkit");
    try (FarServer far =
            FarServer.start(
                directory.resolve("far.sock"),
                "--filter=delay",
                "file",
                image("far.img"),
                "wdelay=8");
        Trial trial = new Trial(directory).createOn("a", far.disk()).start("a")) {
      assertThat(trial.serves("a")).isTrue();
      trial.client(
          "a",
          disk -> {
            assertThatThrownBy(() -> disk.write(0, Trial.block(0, 1)))
                .isInstanceOf(IOException.class);
            assertThat(disk.read(1 << 20, 4096).get(0)).isZero();
          });
      assertThat(trial.status("a").remaps().remapped()).isZero();
      assertThat(trial.status("a").traffic().inDoubt()).isPositive();
    }
  }

  private String image(String name) throws IOException {
    return new Trial(directory).empty(name).toString();
  }
}
