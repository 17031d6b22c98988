package io.spared.nbd.transmission;

import io.spared.ffi.engine.IoBuffer;

/**
 * A connection's bytes in both directions, in the clear or within TLS. At most one receive and one
 * send at a time; their ends come to the {@link User}, never within the call. Used on one engine's
 * thread.
 */
public interface Transport {
  /** Who is told. After {@link #broken} nothing more comes. */
  interface User {
    /** So many bytes, at least one, stand where they were asked for. */
    void received(int bytes);

    /** All of it was handed to the system. */
    void sent();

    /**
     * The connection is over.
     *
     * @param byPeer whether the peer closed it between two frames as far as the transport can tell
     */
    void broken(boolean byPeer, String reason);
  }

  void receive(IoBuffer buffer, int offsetBytes, int lengthBytes);

  boolean isReceiving();

  void send(IoBuffer buffer, int offsetBytes, int lengthBytes);

  boolean isSending();

  /** Takes what has ended and tells the user; called when the signal came. */
  void takeEnded();

  void close();
}
