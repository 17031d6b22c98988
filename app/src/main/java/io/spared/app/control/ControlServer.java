package io.spared.app.control;

import java.io.IOException;
import java.net.StandardProtocolFamily;
import java.net.UnixDomainSocketAddress;
import java.nio.ByteBuffer;
import java.nio.channels.ClosedChannelException;
import java.nio.channels.ServerSocketChannel;
import java.nio.channels.SocketChannel;
import java.nio.file.Files;
import java.nio.file.Path;
import java.nio.file.StandardCopyOption;
import java.nio.file.attribute.BasicFileAttributes;
import java.nio.file.attribute.PosixFilePermissions;
import java.util.Optional;
import java.util.Set;
import java.util.concurrent.CompletionStage;
import java.util.concurrent.ConcurrentHashMap;
import java.util.concurrent.Semaphore;
import java.util.function.Function;
import org.apache.pekko.Done;
import org.apache.pekko.NotUsed;
import org.apache.pekko.actor.typed.ActorSystem;
import org.apache.pekko.http.javadsl.Http;
import org.apache.pekko.http.javadsl.model.HttpRequest;
import org.apache.pekko.http.javadsl.model.HttpResponse;
import org.apache.pekko.stream.ActorAttributes;
import org.apache.pekko.stream.Materializer;
import org.apache.pekko.stream.SystemMaterializer;
import org.apache.pekko.stream.TLSProtocol.SessionBytes;
import org.apache.pekko.stream.TLSProtocol.SslTlsInbound;
import org.apache.pekko.stream.TLSProtocol.SslTlsOutbound;
import org.apache.pekko.stream.javadsl.BidiFlow;
import org.apache.pekko.stream.javadsl.Flow;
import org.apache.pekko.stream.javadsl.Sink;
import org.apache.pekko.stream.javadsl.Source;
import org.apache.pekko.stream.javadsl.TLSPlacebo;
import org.apache.pekko.util.ByteString;
import org.slf4j.Logger;
import org.slf4j.LoggerFactory;

/**
 * Serves HTTP on a Unix socket that only its owner may use. Pekko's HTTP layer is joined to the
 * socket's bytes; reading and writing block on virtual threads, so connections cost no real ones.
 *
 * <p>The socket appears under its name only once it listens and has its mode: it is made in a
 * directory of its own that nobody else may enter, and renamed.
 */
public final class ControlServer {
  private static final Logger log = LoggerFactory.getLogger(ControlServer.class);
  private static final int READ_BYTES = 16 << 10;

  /** Virtual threads, from the configuration. */
  private static final String DISPATCHER = "spared.control-io";

  private final ServerSocketChannel server;
  private final Path path;
  private final String key;
  private final Semaphore places;
  private final Set<SocketChannel> open = ConcurrentHashMap.newKeySet();
  private final Materializer materializer;
  private final Flow<ByteString, ByteString, NotUsed> bytes;

  private ControlServer(
      ActorSystem<?> system,
      ServerSocketChannel server,
      Path path,
      int connections,
      Function<HttpRequest, CompletionStage<HttpResponse>> handler)
      throws IOException {
    this.server = server;
    this.path = path;
    this.key = fileKey(path);
    this.places = new Semaphore(connections);
    this.materializer = SystemMaterializer.get(system).materializer();
    this.bytes =
        Flow.of(HttpRequest.class)
            .mapAsync(1, handler::apply)
            .join(Http.get(system).serverLayer().atop(inTheClear()).atop(TLSPlacebo.getInstance()));
  }

  /** The HTTP layer speaks of TLS; here its words pass unchanged. */
  private static BidiFlow<SslTlsOutbound, SslTlsOutbound, SessionBytes, SslTlsInbound, NotUsed>
      inTheClear() {
    return BidiFlow.fromFunctions(out -> out, in -> in);
  }

  /** Begins to serve. */
  public static ControlServer start(
      ActorSystem<?> system,
      Path path,
      int connections,
      Function<HttpRequest, CompletionStage<HttpResponse>> handler)
      throws IOException {
    ServerSocketChannel server = listen(path);
    ControlServer control = new ControlServer(system, server, path, connections, handler);
    Thread.ofVirtual().name("control-accept").start(control::accept);
    return control;
  }

  private static ServerSocketChannel listen(Path path) throws IOException {
    if (path.toString().length() > 100) {
      throw new IOException(path + ": too long for a socket's name; use at most 100 characters");
    }
    Path directory = path.toAbsolutePath().getParent();
    if (directory == null) {
      throw new IOException(path + ": not a place for a socket");
    }
    Files.createDirectories(directory);
    if (Files.exists(path) && answers(path)) {
      throw new IOException(path + ": another daemon serves here; stop it, or name another socket");
    }
    Path closed = Files.createTempDirectory(directory, ".c");
    Path made = closed.resolve("s");
    ServerSocketChannel server = ServerSocketChannel.open(StandardProtocolFamily.UNIX);
    try {
      server.bind(UnixDomainSocketAddress.of(made), 64);
      Files.setPosixFilePermissions(made, PosixFilePermissions.fromString("rw-------"));
      Files.move(made, path, StandardCopyOption.ATOMIC_MOVE, StandardCopyOption.REPLACE_EXISTING);
      return server;
    } catch (IOException | RuntimeException failed) {
      server.close();
      Files.deleteIfExists(made);
      throw failed;
    } finally {
      Files.deleteIfExists(closed);
    }
  }

  /** What tells our socket from one that another daemon put in its place. */
  private static String fileKey(Path path) throws IOException {
    return Files.exists(path)
        ? String.valueOf(Files.readAttributes(path, BasicFileAttributes.class).fileKey())
        : "";
  }

  private static boolean answers(Path path) {
    try (SocketChannel probe = SocketChannel.open(StandardProtocolFamily.UNIX)) {
      return probe.connect(UnixDomainSocketAddress.of(path));
    } catch (IOException nobody) {
      return false;
    }
  }

  private void accept() {
    while (server.isOpen()) {
      try {
        SocketChannel channel = server.accept();
        if (places.tryAcquire()) {
          serve(channel);
        } else {
          log.warn("control socket: too many connections, one was turned away");
          channel.close();
        }
      } catch (ClosedChannelException stopped) {
        return;
      } catch (IOException trouble) {
        log.warn("control socket: a connection could not be accepted: {}", trouble.getMessage());
      }
    }
  }

  private void serve(SocketChannel channel) {
    open.add(channel);
    Source<ByteString, NotUsed> in =
        Source.unfoldResource(
                () -> ByteBuffer.allocate(READ_BYTES),
                buffer -> read(channel, buffer),
                buffer -> {})
            .withAttributes(ActorAttributes.dispatcher(DISPATCHER));
    Sink<ByteString, CompletionStage<Done>> out =
        Flow.of(ByteString.class)
            .map(piece -> write(channel, piece))
            .withAttributes(ActorAttributes.dispatcher(DISPATCHER))
            .toMat(Sink.ignore(), (left, right) -> right);
    in.via(bytes)
        .runWith(out, materializer)
        .whenComplete((done, failure) -> {
          close(channel);
          if (open.remove(channel)) {
            places.release();
          }
        });
  }

  private static Optional<ByteString> read(SocketChannel channel, ByteBuffer buffer) {
    try {
      buffer.clear();
      int count = channel.read(buffer);
      return count < 0 ? Optional.empty() : Optional.of(ByteString.fromByteBuffer(buffer.flip()));
    } catch (IOException closed) {
      return Optional.empty();
    }
  }

  private static NotUsed write(SocketChannel channel, ByteString piece) throws IOException {
    ByteBuffer buffer = piece.asByteBuffer();
    while (buffer.hasRemaining()) {
      channel.write(buffer);
    }
    return NotUsed.getInstance();
  }

  /** Ends every connection and takes the socket away. */
  public void close() {
    try {
      server.close();
      if (key.equals(fileKey(path))) {
        Files.deleteIfExists(path);
      }
    } catch (IOException trouble) {
      log.warn("control socket {}: {}", path, trouble.getMessage());
    }
    open.forEach(ControlServer::close);
  }

  private static void close(SocketChannel channel) {
    try {
      channel.close();
    } catch (IOException gone) {
      log.debug("control socket: {}", gone.getMessage());
    }
  }
}
