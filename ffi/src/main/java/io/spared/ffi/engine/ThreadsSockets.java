package io.spared.ffi.engine;

import io.spared.ffi.Errno;
import io.spared.ffi.libc.Abi;
import io.spared.ffi.libc.Descriptor;
import io.spared.ffi.libc.Libc;
import io.spared.ffi.libc.Memory;
import io.spared.ffi.libc.NativeException;
import java.io.IOException;
import java.io.UncheckedIOException;
import java.lang.ref.Reference;
import java.net.SocketAddress;
import java.nio.ByteBuffer;
import java.util.ArrayDeque;
import org.jspecify.annotations.Nullable;

/** Sockets of the threads engine: non-blocking calls on the engine's own thread, and one epoll. */
final class ThreadsSockets implements Sockets {
  private final ThreadsEngine engine;

  ThreadsSockets(ThreadsEngine engine) {
    this.engine = engine;
  }

  @Override
  public Listener listen(SocketAddress address, int backlog, int unixMode) throws IOException {
    return new ThreadsListener(engine, SocketSetup.listening(address, backlog, unixMode));
  }

  @Override
  public Listener inherited(int position) throws IOException {
    return new ThreadsListener(engine, SocketSetup.inherited(position));
  }

  @Override
  public void connect(SocketAddress address, IoRequest request) {
    try {
      ByteBuffer encoded = SocketAddresses.encode(address);
      Connector connector = new Connector(engine, SocketSetup.connecting(address), encoded);
      connector.begin(request);
    } catch (IOException e) {
      engine.ledger().begin(request, Ledger.NOBODY);
      Errno errno = e instanceof NativeException n ? n.errno() : Errno.EADDRNOTAVAIL;
      engine.ledger().end(request, 0, errno, null);
    }
  }

  Stream stream(Descriptor socket) {
    try {
      return new ThreadsStream(engine, socket);
    } catch (NativeException e) {
      throw new UncheckedIOException(e);
    }
  }

  /** What all have in common: nothing is ever in the kernel's hands, so giving up is certain. */
  private abstract static class Watched implements ThreadsSocket, ThreadsEngine.Giver {
    final ThreadsEngine engine;
    final Descriptor socket;
    private final long watch;
    boolean closed;

    Watched(ThreadsEngine engine, Descriptor socket) throws NativeException {
      this.engine = engine;
      this.socket = socket;
      SocketSetup.setBlocking(socket, false);
      this.watch = engine.watch(this, socket);
    }

    /** Takes a request: false when it ended at once. */
    final boolean take(IoRequest request) {
      engine.ledger().begin(request, this);
      if (closed) {
        engine.ledger().end(request, 0, Errno.ECONNABORTED, null);
        return false;
      }
      engine.tryLater(this);
      return true;
    }

    final void forget() {
      if (!closed) {
        closed = true;
        engine.unwatch(watch, socket);
      }
    }

    static boolean isWaiting(Errno errno) {
      return errno == Errno.EAGAIN || errno == Errno.EINTR;
    }
  }

  private static final class Connector extends Watched {
    private final ByteBuffer address;
    private @Nullable IoRequest waiting;
    private boolean begun;

    Connector(ThreadsEngine engine, Descriptor socket, ByteBuffer address) throws NativeException {
      super(engine, socket);
      this.address = address;
    }

    void begin(IoRequest request) {
      if (take(request)) {
        waiting = request;
      }
    }

    @Override
    public void attempt() {
      IoRequest request = waiting;
      if (request == null) {
        return;
      }
      long result;
      if (!begun) {
        begun = true;
        try {
          result = Libc.connect(socket, Memory.address(address), address.remaining());
        } finally {
          Reference.reachabilityFence(address);
        }
        if (result == -Errno.EINPROGRESS.number()) {
          return;
        }
      } else {
        result = -Libc.socketOption(socket, Abi.SOL_SOCKET, Abi.SO_ERROR);
        if (result == 0 && Libc.peerName(socket, Memory.address(PEER), PEER_LENGTH) < 0) {
          // Neither failed nor connected: an event of no meaning.
          return;
        }
      }
      waiting = null;
      if (result < 0) {
        engine.ledger().end(request, 0, Errno.of((int) -result), null);
        close();
      } else {
        SocketSetup.tune(socket);
        forget();
        try {
          engine.ledger().end(request, 0, null, new ThreadsStream(engine, socket));
        } catch (NativeException e) {
          engine.ledger().end(request, 0, e.errno(), null);
          socket.close();
        }
      }
    }

    private static final ByteBuffer PEER =
        Memory.structure(SocketAddresses.BYTES_MAX + 4)
            .putInt(SocketAddresses.BYTES_MAX, SocketAddresses.BYTES_MAX);
    private static final long PEER_LENGTH = Memory.address(PEER) + SocketAddresses.BYTES_MAX;

    @Override
    public void giveUp(IoRequest request, IoRequest.Outcome outcome) {
      waiting = null;
      engine.ledger().endWithoutTransfer(request, outcome);
      close();
    }

    @Override
    public void close() {
      forget();
      socket.close();
    }
  }

  private static final class ThreadsListener extends Watched implements Listener {
    private final ArrayDeque<IoRequest> waiting = new ArrayDeque<>();

    ThreadsListener(ThreadsEngine engine, Descriptor socket) throws NativeException {
      super(engine, socket);
    }

    @Override
    public SocketAddress address() {
      return SocketSetup.localAddress(socket);
    }

    @Override
    public void accept(IoRequest request) {
      if (take(request)) {
        waiting.add(request);
      }
    }

    @Override
    public void attempt() {
      while (!waiting.isEmpty() && !closed) {
        long result = Libc.accept(socket);
        if (result >= 0) {
          Descriptor accepted = Descriptor.owning((int) result, "accepted connection");
          SocketSetup.tune(accepted);
          engine.ledger().end(waiting.remove(), 0, null, new AcceptedSocket(accepted));
        } else {
          Errno errno = Errno.of((int) -result);
          if (errno == Errno.EAGAIN) {
            return;
          }
          if (errno != Errno.EINTR && errno != Errno.ECONNABORTED) {
            engine.ledger().end(waiting.remove(), 0, errno, null);
          }
        }
      }
    }

    @Override
    public void cancel(IoRequest request) {
      if (request.outcome() == IoRequest.Outcome.IN_FLIGHT) {
        giveUp(request, IoRequest.Outcome.CANCELLED);
      }
    }

    @Override
    public void giveUp(IoRequest request, IoRequest.Outcome outcome) {
      waiting.remove(request);
      engine.ledger().endWithoutTransfer(request, outcome);
    }

    @Override
    public void close() {
      if (!closed) {
        forget();
        socket.close();
        IoRequest request = waiting.poll();
        while (request != null) {
          engine.ledger().end(request, 0, Errno.EINVAL, null);
          request = waiting.poll();
        }
      }
    }
  }

  private static final class ThreadsStream extends Watched implements Stream {
    private @Nullable IoRequest receiving;
    private @Nullable IoRequest sending;
    private int sent;

    ThreadsStream(ThreadsEngine engine, Descriptor socket) throws NativeException {
      super(engine, socket);
    }

    @Override
    public void receive(IoRequest request) {
      if (receiving != null) {
        throw new IllegalStateException("two receives at once on " + socket);
      }
      if (take(request)) {
        receiving = request;
      }
    }

    @Override
    public void send(IoRequest request) {
      if (sending != null) {
        throw new IllegalStateException("two sends at once on " + socket);
      }
      if (take(request)) {
        sending = request;
        sent = 0;
      }
    }

    @Override
    public void attempt() {
      attemptReceive();
      attemptSend();
    }

    private static IoBuffer bufferOf(IoRequest request) {
      IoBuffer buffer = request.buffer();
      if (buffer == null) {
        throw new IllegalArgumentException("no buffer: " + request);
      }
      return buffer;
    }

    private void attemptReceive() {
      IoRequest request = receiving;
      if (request == null) {
        return;
      }
      long address = bufferOf(request).address() + request.bufferOffsetBytes();
      long result = Libc.receive(socket, address, request.lengthBytes());
      if (result >= 0) {
        receiving = null;
        engine.ledger().end(request, (int) result, null, null);
      } else if (!isWaiting(Errno.of((int) -result))) {
        receiving = null;
        engine.ledger().end(request, 0, Errno.of((int) -result), null);
      }
    }

    private void attemptSend() {
      IoRequest request = sending;
      if (request == null) {
        return;
      }
      long address = bufferOf(request).address() + request.bufferOffsetBytes();
      while (sent < request.lengthBytes()) {
        long result = Libc.send(socket, address + sent, request.lengthBytes() - sent);
        if (result < 0) {
          Errno errno = Errno.of((int) -result);
          if (!isWaiting(errno)) {
            sending = null;
            engine.ledger().end(request, sent, errno, null);
          }
          return;
        }
        sent += (int) result;
      }
      sending = null;
      engine.ledger().end(request, sent, null, null);
    }

    @Override
    public void cancel(IoRequest request) {
      if (request.outcome() == IoRequest.Outcome.IN_FLIGHT) {
        giveUp(request, IoRequest.Outcome.CANCELLED);
      }
    }

    @Override
    public void giveUp(IoRequest request, IoRequest.Outcome outcome) {
      if (request.equals(receiving)) {
        receiving = null;
      } else {
        sending = null;
      }
      engine.ledger().endWithoutTransfer(request, outcome);
    }

    @Override
    public void close() {
      if (!closed) {
        forget();
        Libc.shutdown(socket);
        socket.close();
        IoRequest in = receiving;
        IoRequest out = sending;
        receiving = null;
        sending = null;
        if (in != null) {
          engine.ledger().end(in, 0, Errno.ECONNABORTED, null);
        }
        if (out != null) {
          engine.ledger().end(out, 0, Errno.ECONNABORTED, null);
        }
      }
    }
  }
}
