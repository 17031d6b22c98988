package io.spared.ffi.engine;

import java.io.IOException;
import java.net.SocketAddress;

/** An engine's sockets. Addresses are InetSocketAddress or UnixDomainSocketAddress. */
public interface Sockets {
  /** Begins to listen. A Unix socket's file is made anew with the given mode, such as 0600. */
  Listener listen(SocketAddress address, int backlog, int unixMode) throws IOException;

  /** A listener that systemd handed over, by its position among LISTEN_FDS. */
  Listener inherited(int position) throws IOException;

  /**
   * Begins to connect; the CONNECT request ends with the connected {@link Stream} as its result.
   */
  void connect(SocketAddress address, IoRequest request);

  /** A listening socket. */
  interface Listener {
    SocketAddress address();

    /** The ACCEPT request ends with an {@link Accepted} as its result. */
    void accept(IoRequest request);

    void cancel(IoRequest request);

    void close();
  }

  /** A connection that no engine serves yet: it may be handed to another engine's thread. */
  interface Accepted {
    /** Who is there, for people. */
    String peer();

    Stream attach(Engine engine);

    void close();
  }

  /** A connected socket. At most one RECEIVE and one SEND are in flight at a time. */
  interface Stream {
    void receive(IoRequest request);

    /** Sends all of it, however many calls that takes. */
    void send(IoRequest request);

    void cancel(IoRequest request);

    /** Ends what is in flight (ECONNABORTED or so) and closes. */
    void close();
  }
}
