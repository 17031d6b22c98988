package io.spared.ffi.engine;

import io.spared.ffi.engine.IoRequest.Operation;
import io.spared.ffi.world.World;
import java.io.IOException;

/**
 * What a service manager starts in {@link SocketActivationTest}: takes the sockets that it was
 * given, says what it found, and sends the bytes of one connection to the first back.
 */
final class ActivatedEcho {
  private ActivatedEcho() {}

  public static void main(String[] arguments) throws IOException {
    EngineSettings settings = EngineSettings.DEFAULT.withSlab(1 << 20, 1 << 20);
    try (Engine engine =
        arguments[0].equals("io_uring")
            ? UringEngine.open(World.real().clock(), settings)
            : ThreadsEngine.open(World.real().clock(), settings)) {
      System.out.println("names " + InheritedSockets.names());
      for (int position = 1; position <= InheritedSockets.count(); position++) {
        try {
          System.out.println(
              position + " listens at " + engine.sockets().inherited(position).address());
        } catch (IOException refused) {
          System.out.println("refused: " + refused.getMessage());
        }
      }
      Sockets.Listener listener = engine.sockets().inherited(0);
      try {
        engine.sockets().inherited(0);
      } catch (IOException refused) {
        System.out.println("refused: " + refused.getMessage());
      }
      echo(engine, listener);
      listener.close();
    }
    System.out.println("done");
  }

  private static void echo(Engine engine, Sockets.Listener listener) {
    Owner owner = new Owner(engine);
    IoRequest accept = owner.plain(Operation.ACCEPT, 0, 0);
    listener.accept(accept);
    owner.done(accept);
    if (!(accept.result() instanceof Sockets.Accepted accepted)) {
      throw new AssertionError("nobody was accepted: " + accept);
    }
    Sockets.Stream stream = accepted.attach(engine);
    IoBuffer buffer = owner.buffer(4096);
    while (true) {
      IoRequest receive = owner.transfer(Operation.RECEIVE, 0, buffer, 4096);
      stream.receive(receive);
      owner.done(receive);
      if (receive.transferredBytes() == 0) {
        break;
      }
      IoRequest send = owner.transfer(Operation.SEND, 0, buffer, receive.transferredBytes());
      stream.send(send);
      owner.done(send);
    }
    stream.close();
  }
}
