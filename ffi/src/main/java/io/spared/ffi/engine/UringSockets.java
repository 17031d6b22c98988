package io.spared.ffi.engine;

import io.spared.ffi.Errno;
import io.spared.ffi.libc.Abi;
import io.spared.ffi.libc.Descriptor;
import io.spared.ffi.libc.Libc;
import io.spared.ffi.libc.Memory;
import io.spared.ffi.libc.NativeException;
import io.spared.ffi.uring.UringNumbers;
import java.io.IOException;
import java.net.SocketAddress;
import java.nio.ByteBuffer;

/** Sockets on an io_uring. */
final class UringSockets implements Sockets {
  private final UringEngine engine;

  UringSockets(UringEngine engine) {
    this.engine = engine;
  }

  @Override
  public Listener listen(SocketAddress address, int backlog, int unixMode) throws IOException {
    return listener(SocketSetup.listening(address, backlog, unixMode));
  }

  @Override
  public Listener inherited(int position) throws IOException {
    return listener(SocketSetup.inherited(position));
  }

  private UringListener listener(Descriptor socket) {
    return new UringListener(engine, socket);
  }

  @Override
  public void connect(SocketAddress address, IoRequest request) {
    ByteBuffer encoded;
    Descriptor socket;
    try {
      encoded = SocketAddresses.encode(address);
      socket = SocketSetup.connecting(address);
    } catch (IOException e) {
      engine.ledger().begin(request, Ledger.NOBODY);
      Errno errno = e instanceof NativeException n ? n.errno() : Errno.EADDRNOTAVAIL;
      engine.ledger().end(request, 0, errno, null);
      return;
    }
    new Connector(engine, socket, encoded).connect(request);
  }

  /** Carries one CONNECT. */
  private static final class Connector extends UringPort {
    private final Descriptor socket;
    private final ByteBuffer address;

    Connector(UringEngine engine, Descriptor socket, ByteBuffer address) {
      super(engine, socket);
      this.socket = socket;
      this.address = address;
    }

    void connect(IoRequest request) {
      take(request);
      start(request);
      detach();
    }

    @Override
    void push(IoRequest request, int slot) {
      engine.push(
          slot,
          UringNumbers.IORING_OP_CONNECT,
          entryFlags(),
          file(),
          address.remaining(),
          Memory.address(address),
          0,
          0,
          0);
    }

    @Override
    void completed(IoRequest request, int slot, int result) {
      Errno errno = result < 0 ? Errno.of(-result) : null;
      if (errno == null && !request.held()) {
        SocketSetup.tune(socket);
        UringStream stream = new UringStream(engine, socket);
        end(request, 0, null, stream);
      } else {
        socket.close();
        end(request, 0, errno, null);
      }
    }
  }

  private static final class UringListener extends UringPort implements Listener {
    private final Descriptor socket;

    UringListener(UringEngine engine, Descriptor socket) {
      super(engine, socket);
      SocketSetup.setBlocking(socket, true);
      this.socket = socket;
    }

    @Override
    public SocketAddress address() {
      return SocketSetup.localAddress(socket);
    }

    @Override
    public void accept(IoRequest request) {
      if (take(request)) {
        start(request);
      }
    }

    @Override
    void push(IoRequest request, int slot) {
      engine.push(
          slot, UringNumbers.IORING_OP_ACCEPT, entryFlags(), file(), 0, 0, 0, Abi.SOCK_CLOEXEC, 0);
    }

    @Override
    void completed(IoRequest request, int slot, int result) {
      if (result >= 0) {
        Descriptor accepted = Descriptor.owning(result, "accepted connection");
        if (request.held()) {
          // Nobody waits for it any more.
          accepted.close();
          end(request, 0, null, null);
        } else {
          SocketSetup.tune(accepted);
          end(request, 0, null, new AcceptedSocket(accepted));
        }
        return;
      }
      Errno errno = Errno.of(-result);
      boolean again = errno == Errno.EINTR || errno == Errno.EAGAIN || errno == Errno.ECONNABORTED;
      if (again && !request.held() && !isDetached()) {
        start(request);
      } else {
        end(request, 0, errno, null);
      }
    }

    @Override
    public void cancel(IoRequest request) {
      engine.cancel(request);
    }

    @Override
    public void close() {
      if (!isDetached()) {
        // Ends an accept that waits, with EINVAL.
        Libc.shutdown(socket);
        socket.close();
        detach();
      }
    }
  }

  /** A stream on an io_uring. */
  static final class UringStream extends UringPort implements Stream {
    private final Descriptor socket;

    UringStream(UringEngine engine, Descriptor socket) {
      super(engine, socket);
      SocketSetup.setBlocking(socket, true);
      this.socket = socket;
    }

    @Override
    public void receive(IoRequest request) {
      if (take(request)) {
        start(request);
      }
    }

    @Override
    public void send(IoRequest request) {
      if (take(request)) {
        start(request);
      }
    }

    @Override
    void push(IoRequest request, int slot) {
      IoBuffer buffer = request.buffer();
      if (buffer == null) {
        throw new IllegalArgumentException("no buffer: " + request);
      }
      boolean sending = request.operation() == IoRequest.Operation.SEND;
      int done = engine.progress(slot);
      engine.push(
          slot,
          sending ? UringNumbers.IORING_OP_SEND : UringNumbers.IORING_OP_RECV,
          entryFlags(),
          file(),
          0,
          buffer.address() + request.bufferOffsetBytes() + done,
          request.lengthBytes() - done,
          sending ? Abi.MSG_NOSIGNAL : 0,
          0);
    }

    @Override
    void completed(IoRequest request, int slot, int result) {
      if (request.held()) {
        end(request, Math.max(0, result), result < 0 ? Errno.of(-result) : null, null);
      } else if (isDetached()) {
        end(request, 0, Errno.ECONNABORTED, null);
      } else if (result < 0) {
        Errno errno = Errno.of(-result);
        if (errno == Errno.EINTR || errno == Errno.EAGAIN) {
          start(request);
        } else {
          end(request, engine.progress(slot), errno, null);
        }
      } else if (request.operation() == IoRequest.Operation.SEND) {
        sent(request, slot, result);
      } else {
        end(request, result, null, null);
      }
    }

    private void sent(IoRequest request, int slot, int bytes) {
      engine.progressed(slot, bytes);
      int done = engine.progress(slot);
      if (done >= request.lengthBytes()) {
        end(request, done, null, null);
      } else if (bytes == 0) {
        end(request, done, Errno.EPIPE, null);
      } else {
        start(request);
      }
    }

    @Override
    public void cancel(IoRequest request) {
      engine.cancel(request);
    }

    @Override
    public void close() {
      if (!isDetached()) {
        Libc.shutdown(socket);
        socket.close();
        detach();
      }
    }

    @Override
    public String toString() {
      return socket.toString();
    }
  }
}
