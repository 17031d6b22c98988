package io.spared.ffi.engine;

import io.spared.ffi.libc.Descriptor;

/** An accepted connection, until an engine serves it. */
final class AcceptedSocket implements Sockets.Accepted {
  private final Descriptor socket;

  AcceptedSocket(Descriptor socket) {
    this.socket = socket;
  }

  @Override
  public String peer() {
    return SocketSetup.peer(socket);
  }

  @Override
  public Sockets.Stream attach(Engine engine) {
    return switch (engine) {
      case UringEngine uring -> new UringSockets.UringStream(uring, socket);
      case ThreadsEngine threads -> threads.stream(socket);
      default ->
          throw new IllegalArgumentException(
              "a real connection cannot be served by an engine of kind " + engine.kind());
    };
  }

  @Override
  public void close() {
    socket.close();
  }
}
