package io.spared.nbd.tls;

import io.spared.ffi.engine.IoBuffer;
import io.spared.ffi.engine.Sockets;
import io.spared.nbd.transmission.PlainTransport;
import io.spared.nbd.transmission.Transport;
import java.nio.ByteBuffer;
import java.util.Optional;
import java.util.concurrent.Executor;
import javax.net.ssl.SSLEngine;
import javax.net.ssl.SSLEngineResult;
import javax.net.ssl.SSLEngineResult.HandshakeStatus;
import javax.net.ssl.SSLException;
import javax.net.ssl.SSLPeerUnverifiedException;
import javax.security.auth.x500.X500Principal;
import org.jspecify.annotations.Nullable;

/**
 * A connection's bytes within TLS 1.3. The handshake's arithmetic, which takes milliseconds, is
 * done elsewhere ({@code tasks}), so that clients who only shake hands do not hold up a ring;
 * everything else happens on the ring's thread.
 *
 * <p>Bytes are only handed to the user after the handshake, the client's certificate included where
 * one is asked for. Unlike the plain transport it copies and allocates.
 */
public final class TlsTransport implements Transport {
  /** How the end of the handshake is told. */
  public interface Handshake {
    /** The user's bytes flow from here on; the name is that of the client's certificate. */
    void secured(Optional<String> clientName);
  }

  private static final int BUFFER_BYTES = 64 << 10;
  private static final ByteBuffer NOTHING = ByteBuffer.allocate(0);

  private final SSLEngine tls;
  private final PlainTransport socket;
  private final User user;
  private final Handshake handshake;
  private final Executor tasks;
  private final Runnable resume;
  private final Runnable signal;

  /** Off the slab: TLS copies anyway. In holds what was received, plain what was decrypted. */
  private final ByteBuffer in;

  private final ByteBuffer plain;
  private final IoBuffer inBuffer;
  private final IoBuffer outBuffer;

  private boolean tasksRunning;
  private boolean secured;
  private boolean over;

  private @Nullable ByteBuffer target;
  private int delivered;
  private @Nullable ByteBuffer source;
  private boolean sourceSent;

  /**
   * Takes the socket over; the next byte from the client belongs to the handshake.
   *
   * @param buffers two of {@link #bufferBytes()}, released when it is closed
   * @param tasks runs blocking arithmetic on another thread
   * @param resume called there when it is done: makes {@link #resume} be called on the ring's
   *     thread
   * @param signal makes {@link #takeEnded} be called soon
   */
  public TlsTransport(
      TlsCredentials credentials,
      Sockets.Stream stream,
      IoBuffer[] buffers,
      User user,
      Handshake handshake,
      Executor tasks,
      Runnable resume,
      Runnable signal) {
    this.tls = credentials.newEngine();
    this.user = user;
    this.handshake = handshake;
    this.tasks = tasks;
    this.resume = resume;
    this.signal = signal;
    this.inBuffer = buffers[0];
    this.outBuffer = buffers[1];
    this.in = inBuffer.bytes().clear().limit(0);
    this.plain = ByteBuffer.allocate(BUFFER_BYTES).limit(0);
    this.socket = new PlainTransport(stream, signal, new SocketUser());
    begin();
  }

  /** An engine that has not begun claims to be through with its handshake. */
  private void begin() {
    try {
      tls.beginHandshake();
    } catch (SSLException e) {
      throw new IllegalStateException("a TLS handshake cannot even begin", e);
    }
    drive();
  }

  public static int bufferBytes() {
    return BUFFER_BYTES;
  }

  @Override
  public void receive(IoBuffer buffer, int offsetBytes, int lengthBytes) {
    target = buffer.bytes().slice(offsetBytes, lengthBytes);
    drive();
  }

  @Override
  public boolean isReceiving() {
    return target != null || delivered > 0;
  }

  @Override
  public void send(IoBuffer buffer, int offsetBytes, int lengthBytes) {
    source = buffer.bytes().slice(offsetBytes, lengthBytes);
    drive();
  }

  @Override
  public boolean isSending() {
    return source != null || sourceSent;
  }

  @Override
  public void takeEnded() {
    socket.takeEnded();
    if (delivered > 0 && !over) {
      int bytes = delivered;
      delivered = 0;
      user.received(bytes);
    }
    if (sourceSent && !over) {
      sourceSent = false;
      user.sent();
    }
  }

  /** The arithmetic was done; called on the ring's thread. */
  public void resume() {
    tasksRunning = false;
    drive();
  }

  @Override
  public void close() {
    if (!over) {
      over = true;
      socket.close();
      inBuffer.release();
      outBuffer.release();
    }
  }

  /** What the socket below tells. */
  private final class SocketUser implements User {
    @Override
    public void received(int bytes) {
      in.limit(in.limit() + bytes);
      drive();
    }

    @Override
    public void sent() {
      drive();
    }

    @Override
    public void broken(boolean byPeer, String reason) {
      breakOff(byPeer && secured, reason);
    }
  }

  private void breakOff(boolean byPeer, String reason) {
    if (!over) {
      close();
      user.broken(byPeer, reason);
    }
  }

  /** Goes as far as socket, tasks and the user's wishes allow. */
  private void drive() {
    try {
      boolean progress = true;
      while (progress && !over) {
        progress = step();
      }
    } catch (SSLException e) {
      breakOff(false, "TLS failed: " + e.getMessage());
    }
  }

  private boolean step() throws SSLException {
    HandshakeStatus status = tls.getHandshakeStatus();
    return switch (status) {
      case NEED_TASK -> {
        runTasks();
        yield false;
      }
      case NEED_WRAP -> wrap(NOTHING);
      case NEED_UNWRAP, NEED_UNWRAP_AGAIN -> unwrap();
      case NOT_HANDSHAKING, FINISHED -> {
        if (!secured) {
          secured = true;
          handshake.secured(clientName());
        }
        yield moveBytes();
      }
    };
  }

  private void runTasks() {
    if (tasksRunning) {
      return;
    }
    tasksRunning = true;
    tasks.execute(() -> {
      for (Runnable task = tls.getDelegatedTask(); task != null; task = tls.getDelegatedTask()) {
        task.run();
      }
      resume.run();
    });
  }

  private boolean moveBytes() throws SSLException {
    boolean progress = false;
    ByteBuffer from = source;
    if (from != null && !socket.isSending()) {
      if (from.hasRemaining()) {
        progress = wrap(from);
      } else {
        source = null;
        sourceSent = true;
        signal.run();
      }
    }
    ByteBuffer to = target;
    if (to != null) {
      if (plain.hasRemaining()) {
        int bytes = Math.min(plain.remaining(), to.remaining());
        to.put(plain.slice(plain.position(), bytes));
        plain.position(plain.position() + bytes);
        target = null;
        delivered = bytes;
        signal.run();
      } else {
        progress |= unwrap();
      }
    }
    return progress;
  }

  /** Encrypts as much as fits and sends it; true when it may be worth to go on at once. */
  private boolean wrap(ByteBuffer from) throws SSLException {
    if (socket.isSending()) {
      return false;
    }
    ByteBuffer out = outBuffer.bytes().clear();
    boolean more = true;
    while (more && out.remaining() >= tls.getSession().getPacketBufferSize()) {
      SSLEngineResult result = tls.wrap(from, out);
      if (result.getStatus() == SSLEngineResult.Status.CLOSED) {
        breakOff(true, "the client closed TLS");
        return false;
      }
      more =
          result.bytesProduced() > 0
              && (from.hasRemaining() || tls.getHandshakeStatus() == HandshakeStatus.NEED_WRAP);
    }
    int bytes = out.position();
    out.clear();
    if (bytes > 0) {
      socket.send(outBuffer, 0, bytes);
    }
    return bytes > 0;
  }

  /** Decrypts one record; true when one was there. */
  private boolean unwrap() throws SSLException {
    plain.compact();
    SSLEngineResult result;
    try {
      result = tls.unwrap(in, plain);
    } finally {
      plain.flip();
    }
    switch (result.getStatus()) {
      case BUFFER_UNDERFLOW -> {
        receiveMore();
        return false;
      }
      case CLOSED -> {
        breakOff(secured, "the client closed TLS");
        return false;
      }
      case BUFFER_OVERFLOW -> {
        return false;
      }
      case OK -> {
        return result.bytesConsumed() > 0
            || result.bytesProduced() > 0
            || tls.getHandshakeStatus() != HandshakeStatus.NEED_UNWRAP;
      }
    }
    return false;
  }

  private void receiveMore() {
    if (socket.isReceiving()) {
      return;
    }
    in.compact();
    int end = in.position();
    in.flip();
    socket.receive(inBuffer, end, in.capacity() - end);
  }

  private Optional<String> clientName() {
    try {
      if (tls.getSession().getPeerPrincipal() instanceof X500Principal principal) {
        return commonName(principal.getName(X500Principal.RFC2253));
      }
      return Optional.empty();
    } catch (SSLPeerUnverifiedException e) {
      return Optional.empty();
    }
  }

  /**
   * The common name within a distinguished name. Names with escapes or quotes in them are not taken
   * at all: a comma inside another part must not pass for the begin of a common name.
   */
  static Optional<String> commonName(String distinguishedName) {
    if (distinguishedName.contains("\\")
        || distinguishedName.contains("\"")
        || distinguishedName.contains("+")) {
      return Optional.empty();
    }
    for (String part : distinguishedName.split(",", -1)) {
      if (part.startsWith("CN=")) {
        return Optional.of(part.substring(3));
      }
    }
    return Optional.empty();
  }
}
