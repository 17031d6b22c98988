package io.spared.ffi.engine;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import io.spared.ffi.Errno;
import io.spared.ffi.engine.IoRequest.Operation;
import io.spared.ffi.engine.IoRequest.Outcome;
import io.spared.ffi.libc.Descriptor;
import java.io.IOException;
import java.net.InetAddress;
import java.net.InetSocketAddress;
import java.net.SocketAddress;
import java.net.UnixDomainSocketAddress;
import java.nio.file.Files;
import java.nio.file.Path;
import java.nio.file.attribute.PosixFilePermissions;
import java.util.Map;
import java.util.Random;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

/** What every engine does with sockets. */
abstract class SocketEngineTest {
  @TempDir private Path directory;

  private Engine engine;
  private Owner owner;
  private int descriptorsBefore;

  abstract Engine openEngine() throws IOException;

  @BeforeEach
  void open() throws IOException {
    descriptorsBefore = Descriptor.openCount();
    engine = openEngine();
    owner = new Owner(engine);
  }

  @AfterEach
  void close() {
    engine.close();
    assertThat(Descriptor.openCount()).isEqualTo(descriptorsBefore);
  }

  private record Pair(Sockets.Stream client, Sockets.Stream server) {
    void close() {
      client.close();
      server.close();
    }
  }

  private Pair connect(Sockets.Listener listener, SocketAddress address) {
    IoRequest accept = owner.plain(Operation.ACCEPT, 0, 0);
    IoRequest connect = owner.plain(Operation.CONNECT, 0, 0);
    listener.accept(accept);
    engine.sockets().connect(address, connect);
    owner.done(connect);
    owner.done(accept);
    Sockets.Accepted accepted = (Sockets.Accepted) accept.result();
    Sockets.Stream client = (Sockets.Stream) connect.result();
    assertThat(accepted).isNotNull();
    assertThat(client).isNotNull();
    assertThat(accepted.peer()).isNotEmpty();
    return new Pair(client, accepted.attach(engine));
  }

  @Test
  void bytesArriveOverAUnixSocketWithItsMode() throws IOException {
    Path path = directory.resolve("socket");
    SocketAddress address = UnixDomainSocketAddress.of(path);
    Sockets.Listener listener = engine.sockets().listen(address, 16, 0660);
    assertThat(PosixFilePermissions.toString(Files.getPosixFilePermissions(path)))
        .isEqualTo("rw-rw----");
    assertThat(listener.address()).isEqualTo(address);
    Pair pair = connect(listener, address);
    exchange(pair);
    pair.close();
    listener.close();
  }

  @Test
  void bytesArriveOverTcp() throws IOException {
    Sockets.Listener listener =
        engine.sockets().listen(new InetSocketAddress(InetAddress.getLoopbackAddress(), 0), 16, 0);
    Pair pair = connect(listener, listener.address());
    exchange(pair);
    pair.close();
    listener.close();
  }

  private void exchange(Pair pair) {
    // More than any socket buffer holds, so that sending has to go on.
    int bytes = 1 << 20;
    int rounds = 8;
    Random random = new Random(1);
    IoBuffer out = owner.buffer(bytes);
    IoBuffer in = owner.buffer(bytes);
    byte[] content = new byte[bytes];
    for (int round = 0; round < rounds; round++) {
      random.nextBytes(content);
      out.bytes().put(0, content);
      IoRequest send = owner.transfer(Operation.SEND, 0, out, bytes);
      pair.client().send(send);
      int received = 0;
      while (received < bytes) {
        IoRequest receive =
            owner
                .request()
                .transfer(Operation.RECEIVE, 0, in, received, bytes - received, owner.soon());
        pair.server().receive(receive);
        owner.done(receive);
        assertThat(receive.transferredBytes()).isPositive();
        received += receive.transferredBytes();
      }
      owner.done(send);
      assertThat(send.transferredBytes()).isEqualTo(bytes);
      byte[] got = new byte[bytes];
      in.bytes().get(0, got);
      assertThat(got).isEqualTo(content);
    }
  }

  @Test
  void aPeerThatClosesIsSeenAsZeroBytes() throws IOException {
    SocketAddress address = UnixDomainSocketAddress.of(directory.resolve("socket"));
    Sockets.Listener listener = engine.sockets().listen(address, 16, 0600);
    Pair pair = connect(listener, address);
    pair.client().close();
    IoRequest receive = owner.transfer(Operation.RECEIVE, 0, owner.buffer(4096), 4096);
    pair.server().receive(receive);
    owner.done(receive);
    assertThat(receive.transferredBytes()).isZero();
    IoRequest send = owner.transfer(Operation.SEND, 0, owner.buffer(4096), 4096);
    pair.server().send(send);
    owner.awaitOne(send, Outcome.FAILED);
    assertThat(send.errno()).isEqualTo(Errno.EPIPE);
    pair.server().close();
    listener.close();
  }

  @Test
  void whatWaitsEndsWhenItIsCancelledClosedOrLate() throws IOException {
    SocketAddress address = UnixDomainSocketAddress.of(directory.resolve("socket"));
    Sockets.Listener listener = engine.sockets().listen(address, 16, 0600);
    Pair pair = connect(listener, address);
    IoBuffer buffer = owner.buffer(4096);
    IoRequest cancelled = owner.transfer(Operation.RECEIVE, 0, buffer, 4096);
    pair.server().receive(cancelled);
    engine.turn(false);
    pair.server().cancel(cancelled);
    owner.awaitOne(cancelled, Outcome.CANCELLED);
    assertThat(cancelled.held()).isFalse();

    IoRequest late =
        owner
            .request()
            .transfer(Operation.RECEIVE, 0, buffer, 0, 4096, engine.nanoTime() + 10_000_000);
    pair.server().receive(late);
    owner.awaitOne(late, Outcome.TIMED_OUT);
    while (late.held()) {
      owner.awaitOne(late, Outcome.RELEASED);
    }

    IoRequest closed = owner.transfer(Operation.RECEIVE, 0, buffer, 4096);
    pair.server().receive(closed);
    engine.turn(false);
    pair.server().close();
    owner.awaitOne(closed, Outcome.FAILED);
    assertThat(closed.errno()).isEqualTo(Errno.ECONNABORTED);

    IoRequest accept = owner.plain(Operation.ACCEPT, 0, 0);
    listener.accept(accept);
    engine.turn(false);
    listener.close();
    owner.awaitOne(accept, Outcome.FAILED);
    pair.client().close();
  }

  @Test
  void connectingToNobodyIsRefused() {
    IoRequest connect = owner.plain(Operation.CONNECT, 0, 0);
    engine.sockets().connect(UnixDomainSocketAddress.of(directory.resolve("nobody")), connect);
    owner.awaitOne(connect, Outcome.FAILED);
    assertThat(connect.errno()).isEqualTo(Errno.ENOENT);
  }

  @Test
  void aStaleSocketFileIsMadeAnewAndALiveOneIsNot() throws IOException {
    Path path = directory.resolve("socket");
    SocketAddress address = UnixDomainSocketAddress.of(path);
    engine.sockets().listen(address, 16, 0600).close();
    Sockets.Listener listener = engine.sockets().listen(address, 16, 0600);
    assertThatThrownBy(() -> engine.sockets().listen(address, 16, 0600))
        .isInstanceOf(IOException.class)
        .hasMessageContaining("address in use");
    listener.close();
    Path file = Files.writeString(directory.resolve("file"), "content");
    assertThatThrownBy(() -> engine.sockets().listen(UnixDomainSocketAddress.of(file), 16, 0600))
        .hasMessageContaining("is there and is not a socket");
    assertThat(Files.readString(file)).isEqualTo("content");
  }

  @Test
  void inheritedSocketsAreCountedForTheirOwnProcessOnly() {
    Map<String, String> environment =
        Map.of("LISTEN_PID", "7", "LISTEN_FDS", "2", "LISTEN_FDNAMES", "nbd:control");
    assertThat(InheritedSockets.count(environment, 7)).isEqualTo(2);
    assertThat(InheritedSockets.names(environment, 7)).containsExactly("nbd", "control");
    assertThat(InheritedSockets.count(environment, 8)).isZero();
    assertThatThrownBy(() -> engine.sockets().inherited(0))
        .hasMessageContaining("is asked for, but 0 were passed on");
  }
}
