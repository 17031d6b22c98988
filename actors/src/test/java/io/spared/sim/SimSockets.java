package io.spared.sim;

import io.spared.ffi.Errno;
import io.spared.ffi.engine.Engine;
import io.spared.ffi.engine.IoBuffer;
import io.spared.ffi.engine.IoRequest;
import io.spared.ffi.engine.Ledger;
import io.spared.ffi.engine.Sockets;
import java.io.ByteArrayOutputStream;
import java.io.IOException;
import java.net.SocketAddress;
import java.util.ArrayDeque;
import org.jspecify.annotations.Nullable;

/**
 * Sockets of a simulated engine: what a listener accepts are {@link Client}s, whose side a test
 * plays by hand. Bytes arrive at once, in whole or in the pieces that the receiver asks for; a
 * client that stops reading lets the server's sends wait for ever.
 */
public final class SimSockets implements Sockets {
  private final SimEngine engine;
  private @Nullable SimListener listening;

  SimSockets(SimEngine engine) {
    this.engine = engine;
  }

  @Override
  public Listener listen(SocketAddress address, int backlog, int unixMode) {
    SimListener listener = new SimListener(address);
    listening = listener;
    return listener;
  }

  @Override
  public Listener inherited(int position) throws IOException {
    throw new IOException("no socket is passed on in a simulation");
  }

  @Override
  public void connect(SocketAddress address, IoRequest request) {
    throw new UnsupportedOperationException("a simulated process only serves");
  }

  /** A client connects to the last listener. */
  public Client connect() {
    SimListener listener = listening;
    if (listener == null) {
      throw new IllegalStateException("nobody listens");
    }
    Client client = new Client();
    listener.waiting.add(client);
    listener.acceptNext();
    return client;
  }

  /** Everything that is not the end of a request in a test's hands ends as the kernel would. */
  private static void end(
      SimEngine engine, IoRequest request, int bytes, @Nullable Errno errno, @Nullable Object of) {
    if (!engine.isClosed()) {
      engine.ledger().end(request, bytes, errno, of);
      engine.watchLedger();
    }
  }

  private final class SimListener implements Listener, Ledger.Carrier {
    private final SocketAddress address;
    private final ArrayDeque<Client> waiting = new ArrayDeque<>();
    private @Nullable IoRequest accept;

    SimListener(SocketAddress address) {
      this.address = address;
    }

    @Override
    public SocketAddress address() {
      return address;
    }

    @Override
    public void accept(IoRequest request) {
      engine.ledger().begin(request, this);
      accept = request;
      acceptNext();
    }

    private void acceptNext() {
      IoRequest request = accept;
      Client client = request == null ? null : waiting.poll();
      if (request != null && client != null) {
        accept = null;
        end(engine, request, 0, null, client);
      }
    }

    @Override
    public void cancel(IoRequest request) {
      overdue(request);
    }

    @Override
    public void overdue(IoRequest request) {
      accept = null;
      end(engine, request, 0, Errno.ECANCELED, null);
    }

    @Override
    public void close() {
      IoRequest request = accept;
      if (request != null) {
        overdue(request);
      }
    }
  }

  /** The far side of one connection. */
  public static final class Client implements Accepted, Stream, Ledger.Carrier {
    private final ByteArrayOutputStream received = new ByteArrayOutputStream();
    private byte[] unread = new byte[0];
    private int unreadStart;
    private boolean reads = true;
    private boolean closedByUs;
    private boolean closedByServer;
    private @Nullable SimEngine engine;
    private @Nullable IoRequest receive;
    private @Nullable IoRequest send;

    /** Sends bytes to the server. */
    public void sends(byte[] bytes) {
      byte[] all = new byte[unread.length - unreadStart + bytes.length];
      System.arraycopy(unread, unreadStart, all, 0, unread.length - unreadStart);
      System.arraycopy(bytes, 0, all, all.length - bytes.length, bytes.length);
      unread = all;
      unreadStart = 0;
      deliver();
    }

    /** Takes nothing from the server any more. */
    public void stopsReading() {
      reads = false;
    }

    public void closes() {
      closedByUs = true;
      deliver();
    }

    /** All that the server sent so far. */
    public byte[] received() {
      return received.toByteArray();
    }

    public int receivedBytes() {
      return received.size();
    }

    /** Whether the server ended the connection. */
    public boolean isClosed() {
      return closedByServer;
    }

    @Override
    public String peer() {
      return "a simulated client";
    }

    @Override
    public Stream attach(Engine to) {
      engine = (SimEngine) to;
      return this;
    }

    private SimEngine engine() {
      SimEngine attached = engine;
      if (attached == null) {
        throw new IllegalStateException("no engine serves this connection");
      }
      return attached;
    }

    @Override
    public void receive(IoRequest request) {
      engine().ledger().begin(request, this);
      receive = request;
      if (closedByServer) {
        endReceive(0, Errno.ESHUTDOWN);
      } else {
        deliver();
      }
    }

    private void deliver() {
      IoRequest request = receive;
      int there = unread.length - unreadStart;
      if (request == null || (there == 0 && !closedByUs)) {
        return;
      }
      int bytes = Math.min(there, request.lengthBytes());
      if (bytes > 0) {
        bufferOf(request).bytes().put(request.bufferOffsetBytes(), unread, unreadStart, bytes);
        unreadStart += bytes;
      }
      endReceive(bytes, null);
    }

    private void endReceive(int bytes, @Nullable Errno errno) {
      IoRequest request = receive;
      receive = null;
      if (request != null) {
        end(engine(), request, bytes, errno, null);
      }
    }

    @Override
    public void send(IoRequest request) {
      engine().ledger().begin(request, this);
      send = request;
      if (closedByServer) {
        endSend(0, Errno.EPIPE);
      } else if (reads) {
        byte[] bytes = new byte[request.lengthBytes()];
        bufferOf(request).bytes().get(request.bufferOffsetBytes(), bytes);
        received.writeBytes(bytes);
        endSend(bytes.length, null);
      }
    }

    private void endSend(int bytes, @Nullable Errno errno) {
      IoRequest request = send;
      send = null;
      if (request != null) {
        end(engine(), request, bytes, errno, null);
      }
    }

    private static IoBuffer bufferOf(IoRequest request) {
      IoBuffer buffer = request.buffer();
      if (buffer == null) {
        throw new IllegalArgumentException("no buffer: " + request);
      }
      return buffer;
    }

    @Override
    public void cancel(IoRequest request) {
      overdue(request);
    }

    @Override
    public void overdue(IoRequest request) {
      if (request.equals(receive)) {
        endReceive(0, Errno.ECANCELED);
      } else {
        endSend(0, Errno.ECANCELED);
      }
    }

    @Override
    public void close() {
      closedByServer = true;
      if (engine != null) {
        endReceive(0, Errno.ECONNABORTED);
        endSend(0, Errno.ECONNABORTED);
      }
    }
  }
}
