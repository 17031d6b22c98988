package io.spared.nbd.transmission;

import io.spared.ffi.engine.IoBuffer;
import java.io.ByteArrayOutputStream;
import java.util.Arrays;
import java.util.random.RandomGenerator;
import org.jspecify.annotations.Nullable;

/**
 * A connection without sockets: what the client wrote arrives in pieces of any size, and what the
 * session sends leaves when the trial lets it.
 */
final class TrialTransport implements Transport {
  private final RandomGenerator random;
  private byte[] toServer = new byte[1 << 16];
  private int toServerStart;
  private int toServerEnd;
  private final ByteArrayOutputStream toClient = new ByteArrayOutputStream();
  private @Nullable IoBuffer receiveBuffer;
  private int receiveOffset;
  private int receiveLength;
  private @Nullable IoBuffer sendBuffer;
  private int sendOffset;
  private int sendLength;
  private boolean clientClosed;
  private boolean closed;

  TrialTransport(RandomGenerator random) {
    this.random = random;
  }

  void clientSends(byte[] bytes) {
    if (toServerEnd + bytes.length > toServer.length) {
      byte[] rest = Arrays.copyOfRange(toServer, toServerStart, toServerEnd);
      toServer = Arrays.copyOf(rest, Math.max(toServer.length, 2 * (rest.length + bytes.length)));
      toServerStart = 0;
      toServerEnd = rest.length;
    }
    System.arraycopy(bytes, 0, toServer, toServerEnd, bytes.length);
    toServerEnd += bytes.length;
  }

  void clientCloses() {
    clientClosed = true;
  }

  /** Everything the session sent since the last call. */
  byte[] clientReceives() {
    byte[] bytes = toClient.toByteArray();
    toClient.reset();
    return bytes;
  }

  boolean isClosed() {
    return closed;
  }

  /** Moves some bytes; true when any moved. */
  boolean move(User user) {
    boolean moved = false;
    IoBuffer out = sendBuffer;
    if (out != null && random.nextInt(4) != 0) {
      byte[] bytes = new byte[sendLength];
      out.bytes().get(sendOffset, bytes);
      toClient.writeBytes(bytes);
      sendBuffer = null;
      out.release();
      user.sent();
      moved = true;
    }
    IoBuffer in = receiveBuffer;
    int there = toServerEnd - toServerStart;
    if (!closed && in != null && (there > 0 || clientClosed)) {
      receiveBuffer = null;
      if (there == 0) {
        in.release();
        user.broken(true, "the client closed the connection");
        return true;
      }
      int most = Math.min(there, receiveLength);
      int bytes = random.nextInt(3) == 0 ? 1 + random.nextInt(most) : most;
      in.bytes().put(receiveOffset, toServer, toServerStart, bytes);
      toServerStart += bytes;
      in.release();
      user.received(bytes);
      moved = true;
    }
    return moved;
  }

  @Override
  public void receive(IoBuffer buffer, int offsetBytes, int lengthBytes) {
    if (receiveBuffer != null || closed || lengthBytes <= 0) {
      throw new IllegalStateException("two receives at a time, or of nothing");
    }
    buffer.retain();
    receiveBuffer = buffer;
    receiveOffset = offsetBytes;
    receiveLength = lengthBytes;
  }

  @Override
  public boolean isReceiving() {
    return receiveBuffer != null;
  }

  @Override
  public void send(IoBuffer buffer, int offsetBytes, int lengthBytes) {
    if (sendBuffer != null || closed || lengthBytes <= 0) {
      throw new IllegalStateException("two sends at a time, or of nothing");
    }
    buffer.retain();
    sendBuffer = buffer;
    sendOffset = offsetBytes;
    sendLength = lengthBytes;
  }

  @Override
  public boolean isSending() {
    return sendBuffer != null;
  }

  @Override
  public void takeEnded() {}

  @Override
  public void close() {
    closed = true;
    IoBuffer in = receiveBuffer;
    IoBuffer out = sendBuffer;
    receiveBuffer = null;
    sendBuffer = null;
    if (in != null) {
      in.release();
    }
    if (out != null) {
      out.release();
    }
  }

  @Override
  public String toString() {
    return (closed ? "closed" : "open")
        + (receiveBuffer == null ? "" : ", receiving")
        + (sendBuffer == null ? "" : ", sending")
        + ", "
        + (toServerEnd - toServerStart)
        + " bytes unread";
  }
}
