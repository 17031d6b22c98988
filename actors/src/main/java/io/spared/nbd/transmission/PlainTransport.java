package io.spared.nbd.transmission;

import io.spared.ffi.engine.Completions;
import io.spared.ffi.engine.IoBuffer;
import io.spared.ffi.engine.IoRequest;
import io.spared.ffi.engine.Ledger;
import io.spared.ffi.engine.Sockets;

/** The socket's bytes as they are. */
public final class PlainTransport implements Transport {
  private final Sockets.Stream stream;
  private final Completions completions;
  private final User user;
  private final IoRequest receive;
  private final IoRequest send;
  private boolean receiving;
  private boolean sending;
  private boolean over;

  public PlainTransport(Sockets.Stream stream, Runnable signal, User user) {
    this.stream = stream;
    this.completions = new Completions(signal);
    this.user = user;
    this.receive = new IoRequest(completions);
    this.send = new IoRequest(completions);
  }

  @Override
  public void receive(IoBuffer buffer, int offsetBytes, int lengthBytes) {
    receiving = true;
    stream.receive(
        receive.transfer(
            IoRequest.Operation.RECEIVE, 0, buffer, offsetBytes, lengthBytes, Ledger.NEVER));
  }

  @Override
  public boolean isReceiving() {
    return receiving;
  }

  @Override
  public void send(IoBuffer buffer, int offsetBytes, int lengthBytes) {
    sending = true;
    stream.send(
        send.transfer(IoRequest.Operation.SEND, 0, buffer, offsetBytes, lengthBytes, Ledger.NEVER));
  }

  @Override
  public boolean isSending() {
    return sending;
  }

  @Override
  public void takeEnded() {
    for (IoRequest ended = completions.next(); ended != null; ended = completions.next()) {
      if (ended.operation() == IoRequest.Operation.RECEIVE) {
        receiving = false;
      } else {
        sending = false;
      }
      if (over) {
        continue;
      }
      if (ended.outcome() != IoRequest.Outcome.DONE) {
        over = true;
        user.broken(false, "the socket failed: " + ended);
      } else if (ended.operation() == IoRequest.Operation.SEND) {
        user.sent();
      } else if (ended.transferredBytes() == 0) {
        over = true;
        user.broken(true, "the client closed the connection");
      } else {
        user.received(ended.transferredBytes());
      }
    }
  }

  @Override
  public void close() {
    over = true;
    stream.close();
  }
}
