package io.spared.nbd.client;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import io.spared.ffi.Errno;
import io.spared.ffi.disk.Disk;
import io.spared.ffi.disk.DiskAddress;
import io.spared.ffi.disk.DiskException;
import io.spared.ffi.disk.DiskOpener;
import io.spared.ffi.engine.Completions;
import io.spared.ffi.engine.DiskPort;
import io.spared.ffi.engine.Engine;
import io.spared.ffi.engine.EngineSettings;
import io.spared.ffi.engine.Engines;
import io.spared.ffi.engine.IoBuffer;
import io.spared.ffi.engine.IoRequest;
import io.spared.ffi.engine.IoRequest.Operation;
import io.spared.ffi.engine.IoRequest.Outcome;
import io.spared.ffi.world.World;
import java.io.IOException;
import java.net.UnixDomainSocketAddress;
import java.nio.channels.SocketChannel;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import java.util.Objects;
import java.util.concurrent.TimeUnit;
import org.jspecify.annotations.Nullable;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.Assumptions;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

/** Remote exports as disks, against nbdkit and its filters. */
class NbdDiskTest {
  @TempDir Path folder;
  private Engine engine;
  private @Nullable Process server;
  private final Completions completions = new Completions(() -> {});

  @BeforeEach
  void open() throws Exception {
    Assumptions.assumeTrue(
        Files.isExecutable(Path.of("/usr/bin/nbdkit")),
        "nbdkit is not installed: apt-get install nbdkit");
    engine = Engines.open(Engines.Choice.AUTOMATIC, World.real().clock(), EngineSettings.DEFAULT);
  }

  @AfterEach
  void close() {
    engine.close();
    stopServer();
  }

  private void serve(String... arguments) throws Exception {
    Path socket = folder.resolve("nbd.sock");
    Files.deleteIfExists(socket);
    List<String> command =
        new ArrayList<>(List.of("nbdkit", "-f", "-U", socket.toString(), "-e", "far"));
    command.addAll(List.of(arguments));
    Process started =
        new ProcessBuilder(command)
            .redirectErrorStream(true)
            .redirectOutput(folder.resolve("nbdkit.log").toFile())
            .start();
    server = started;
    while (!listens(socket)) {
      assertThat(started.waitFor(10, TimeUnit.MILLISECONDS))
          .as(Files.readString(folder.resolve("nbdkit.log")))
          .isFalse();
    }
  }

  private static boolean listens(Path socket) {
    try (SocketChannel channel = SocketChannel.open(UnixDomainSocketAddress.of(socket))) {
      return channel.isConnected();
    } catch (IOException e) {
      return false;
    }
  }

  private void stopServer() {
    Process running = server;
    if (running != null) {
      running.destroyForcibly();
      running.onExit().orTimeout(5, TimeUnit.SECONDS).join();
    }
  }

  private Disk disk() throws DiskException {
    DiskOpener others =
        (address, mode) -> {
          throw new IllegalStateException("no others");
        };
    return new NbdDiskOpener(others, World.real().clock())
        .open(
            new DiskAddress.OfNbd("unix:" + folder.resolve("nbd.sock") + ":far"),
            DiskOpener.Mode.OWN);
  }

  private IoBuffer buffer(int bytes, int fill) {
    IoBuffer buffer = Objects.requireNonNull(engine.buffers().take(bytes));
    for (int i = 0; i < bytes; i++) {
      buffer.bytes().put(i, (byte) fill);
    }
    return buffer;
  }

  private IoRequest transfer(Operation operation, long offset, IoBuffer buffer, int length) {
    return new IoRequest(completions)
        .transfer(
            operation, offset, buffer, 0, length, engine.nanoTime() + TimeUnit.SECONDS.toNanos(10));
  }

  private IoRequest flush() {
    return new IoRequest(completions)
        .plain(Operation.FLUSH, 0, 0, engine.nanoTime() + TimeUnit.SECONDS.toNanos(10));
  }

  /** Turns the engine until the request has ended for its owner. */
  private Outcome end(IoRequest request) {
    while (request.outcome() == Outcome.IN_FLIGHT) {
      engine.turn(true);
    }
    while (completions.next() != null) {}
    return request.outcome();
  }

  private Outcome run(DiskPort port, IoRequest request) {
    port.submit(request);
    return end(request);
  }

  @Test
  void bytesGoThereAndComeBackInSmallAndLargePieces() throws Exception {
    serve("memory", "16M");
    Disk disk = disk();
    assertThat(disk.geometry().sizeBytes()).isEqualTo(16 << 20);
    DiskPort port = disk.attach(engine);
    for (int bytes : new int[] {512, 4096, 100 << 10, 1 << 20}) {
      IoBuffer out = buffer(bytes, bytes % 251);
      IoBuffer in = buffer(bytes, 0);
      assertThat(run(port, transfer(Operation.WRITE, 1 << 20, out, bytes))).isEqualTo(Outcome.DONE);
      assertThat(run(port, transfer(Operation.READ, 1 << 20, in, bytes))).isEqualTo(Outcome.DONE);
      assertThat(in.bytes().slice(0, bytes)).isEqualTo(out.bytes().slice(0, bytes));
      out.release();
      in.release();
    }
    assertThat(run(port, flush())).isEqualTo(Outcome.DONE);
    port.detach();
  }

  @Test
  void manyAtOnceEachGetTheirOwnBytes() throws Exception {
    serve("--filter=delay", "memory", "16M", "rdelay=1ms", "wdelay=1ms");
    DiskPort port = disk().attach(engine);
    List<IoRequest> requests = new ArrayList<>();
    for (int i = 0; i < 200; i++) {
      IoRequest write = transfer(Operation.WRITE, i * 4096L, buffer(4096, i), 4096);
      port.submit(write);
      requests.add(write);
    }
    requests.forEach(this::end);
    for (int i = 0; i < 200; i++) {
      IoRequest read = requests.get(i);
      assertThat(read.outcome()).isEqualTo(Outcome.DONE);
      port.submit(
          read.transfer(
              Operation.READ,
              i * 4096L,
              Objects.requireNonNull(read.buffer()),
              0,
              4096,
              engine.nanoTime() + TimeUnit.SECONDS.toNanos(10)));
    }
    requests.forEach(this::end);
    for (int i = 0; i < 200; i++) {
      IoBuffer buffer = Objects.requireNonNull(requests.get(i).buffer());
      assertThat(buffer.bytes().get(17)).isEqualTo((byte) i);
      buffer.release();
    }
  }

  @Test
  void whatTheServerCannotReadIsAnError() throws Exception {
    serve("--filter=error", "memory", "16M", "error=EIO", "error-pread-rate=100%");
    DiskPort port = disk().attach(engine);
    IoBuffer buffer = buffer(4096, 1);
    IoRequest read = transfer(Operation.READ, 0, buffer, 4096);
    assertThat(run(port, read)).isEqualTo(Outcome.FAILED);
    assertThat(read.errno()).isEqualTo(Errno.EIO);
    assertThat(run(port, transfer(Operation.WRITE, 0, buffer, 4096))).isEqualTo(Outcome.DONE);
    buffer.release();
  }

  @Test
  void aServerThatComesBackServesOnAndReadsAreAskedAgain() throws Exception {
    Path file = folder.resolve("far");
    Files.write(file, new byte[1 << 20]);
    serve("file", file.toString());
    DiskPort port = disk().attach(engine);
    IoBuffer buffer = buffer(4096, 7);
    assertThat(run(port, transfer(Operation.WRITE, 8192, buffer, 4096))).isEqualTo(Outcome.DONE);
    assertThat(run(port, flush())).isEqualTo(Outcome.DONE);
    stopServer();
    IoBuffer in = buffer(4096, 0);
    IoRequest read = transfer(Operation.READ, 8192, in, 4096);
    port.submit(read);
    engine.turn(false);
    serve("file", file.toString());
    assertThat(end(read)).isEqualTo(Outcome.DONE);
    assertThat(in.bytes().get(100)).isEqualTo((byte) 7);
    assertThat(run(port, flush())).isEqualTo(Outcome.DONE);
    buffer.release();
    in.release();
  }

  @Test
  void aWriteThatWasNotAnsweredStaysInDoubt() throws Exception {
    serve("--filter=delay", "memory", "16M", "wdelay=30");
    DiskPort port = disk().attach(engine);
    IoBuffer buffer = buffer(4096, 7);
    IoBuffer in = buffer(4096, 7);
    assertThat(run(port, transfer(Operation.READ, 0, in, 4096))).isEqualTo(Outcome.DONE);
    IoRequest write = transfer(Operation.WRITE, 0, buffer, 4096);
    port.submit(write);
    for (int i = 0; i < 20; i++) {
      engine.turn(false);
    }
    stopServer();
    assertThat(end(write)).isEqualTo(Outcome.TIMED_OUT);
    assertThat(write.held()).isTrue();
    serve("memory", "16M");
    assertThat(run(port, transfer(Operation.READ, 0, in, 4096))).isEqualTo(Outcome.DONE);
    assertThat(write.held()).as("nothing a server says ends the doubt").isTrue();
    port.detach();
    assertThat(write.outcome()).isEqualTo(Outcome.RELEASED);
    buffer.release();
    in.release();
  }

  @Test
  void afterABreakWithUnflushedWritesEveryFlushFails() throws Exception {
    Path file = folder.resolve("far");
    Files.write(file, new byte[1 << 20]);
    serve("file", file.toString());
    DiskPort port = disk().attach(engine);
    IoBuffer buffer = buffer(4096, 7);
    assertThat(run(port, transfer(Operation.WRITE, 0, buffer, 4096))).isEqualTo(Outcome.DONE);
    stopServer();
    serve("file", file.toString());
    assertThat(run(port, transfer(Operation.READ, 0, buffer, 4096))).isEqualTo(Outcome.DONE);
    IoRequest flush = flush();
    assertThat(run(port, flush)).isEqualTo(Outcome.FAILED);
    assertThat(flush.errno()).isEqualTo(Errno.EIO);
    assertThat(run(port, flush())).isEqualTo(Outcome.FAILED);
    buffer.release();
  }

  @Test
  void zeroesThatMustStayAllocatedAreAskedForAsSuch() throws Exception {
    Path log = folder.resolve("requests.log");
    serve("--filter=log", "memory", "16M", "logfile=" + log);
    DiskPort port = disk().attach(engine);
    IoRequest zeroes =
        new IoRequest(completions)
            .plain(Operation.WRITE_ZEROES, 4096, 8192, engine.nanoTime() + 10_000_000_000L);
    assertThat(run(port, zeroes)).isEqualTo(Outcome.DONE);
    zeroes.plain(Operation.WRITE_ZEROES, 16384, 8192, engine.nanoTime() + 10_000_000_000L);
    assertThat(run(port, zeroes.withoutHoles())).isEqualTo(Outcome.DONE);
    port.detach();
    stopServer();
    assertThat(Files.readString(log))
        .containsPattern("Zero .*offset=0x1000 .*trim=1")
        .containsPattern("Zero .*offset=0x4000 .*trim=0");
  }

  @Test
  void aServerThatIsNotThereIsOneSentence() {
    assertThatThrownBy(this::disk)
        .isInstanceOf(DiskException.class)
        .hasMessageContaining("nobody listens");
  }

  @Test
  void aReadOnlyExportIsRefused() throws Exception {
    serve("-r", "memory", "16M");
    assertThatThrownBy(this::disk)
        .isInstanceOf(DiskException.class)
        .hasMessageContaining("read-only");
  }

  @Test
  void addressesAreUnderstoodAndWrongOnesExplained() {
    assertThat(NbdAddress.parse("unix:/run/x.sock:name").export()).isEqualTo("name");
    assertThat(NbdAddress.parse("//host.invalid:123/a/b").export()).isEqualTo("a/b");
    assertThat(NbdAddress.parse("nbd+unix:///n?socket=/run/y").server().toString())
        .isEqualTo("/run/y");
    assertThatThrownBy(() -> NbdAddress.parse("http://x/"))
        .hasMessageContaining("use unix:/path:name");
  }
}
