package io.spared.app.ctl;

import java.io.BufferedInputStream;
import java.io.ByteArrayOutputStream;
import java.io.EOFException;
import java.io.IOException;
import java.io.InputStream;
import java.net.StandardProtocolFamily;
import java.net.UnixDomainSocketAddress;
import java.nio.ByteBuffer;
import java.nio.channels.Channels;
import java.nio.channels.SocketChannel;
import java.nio.charset.StandardCharsets;
import java.nio.file.Path;
import java.util.Locale;
import java.util.function.Consumer;

/**
 * Speaks just enough HTTP/1.1 over a Unix socket for the control interface: one request, one
 * answer, then the connection ends. It loads nothing but the JDK's sockets, since the client has
 * 300 ms for its first answer.
 */
final class ControlClient {
  /** An answer larger than this is not one of ours. */
  private static final int MOST_BYTES = 256 << 20;

  private final Path socket;

  ControlClient(Path socket) {
    this.socket = socket;
  }

  /** What came back. */
  record Reply(int status, String body) {
    boolean succeeded() {
      return status >= 200 && status < 300;
    }
  }

  /** One request with its whole answer. */
  Reply call(String method, String path, boolean json, String body) throws IOException {
    StringBuilder text = new StringBuilder();
    int status = stream(method, path, json ? "application/json" : "text/plain", body, text::append);
    return new Reply(status, text.toString());
  }

  /** One request whose answer is handed on as it comes, piece by piece. */
  int stream(String method, String path, String accept, String body, Consumer<String> pieces)
      throws IOException {
    try (SocketChannel channel = SocketChannel.open(StandardProtocolFamily.UNIX)) {
      channel.connect(UnixDomainSocketAddress.of(socket));
      byte[] bodyBytes = body.getBytes(StandardCharsets.UTF_8);
      String head =
          method
              + " "
              + path
              + " HTTP/1.1\r\nHost: spared\r\nConnection: close\r\nAccept: "
              + accept
              + "\r\n"
              + (bodyBytes.length == 0
                  ? ""
                  : "Content-Type: application/json\r\nContent-Length: "
                      + bodyBytes.length
                      + "\r\n")
              + "\r\n";
      write(channel, head.getBytes(StandardCharsets.US_ASCII));
      write(channel, bodyBytes);
      InputStream in = new BufferedInputStream(Channels.newInputStream(channel));
      String[] statusLine = line(in).split(" ", 3);
      if (statusLine.length < 2 || !statusLine[0].startsWith("HTTP/1.")) {
        throw new IOException("the answer is not HTTP");
      }
      boolean chunked = false;
      long length = -1;
      for (String header = line(in); !header.isEmpty(); header = line(in)) {
        String lower = header.toLowerCase(Locale.ROOT);
        if (lower.startsWith("content-length:")) {
          length = Long.parseLong(lower.substring("content-length:".length()).strip());
        } else if (lower.startsWith("transfer-encoding:") && lower.contains("chunked")) {
          chunked = true;
        }
      }
      if (chunked) {
        for (int size = chunkSize(in); size > 0; size = chunkSize(in)) {
          pieces.accept(text(in, size));
          line(in);
        }
      } else if (length >= 0) {
        pieces.accept(text(in, length));
      } else {
        pieces.accept(new String(in.readAllBytes(), StandardCharsets.UTF_8));
      }
      return Integer.parseInt(statusLine[1]);
    }
  }

  private static int chunkSize(InputStream in) throws IOException {
    String line = line(in);
    int end = line.indexOf(';');
    return Integer.parseInt((end < 0 ? line : line.substring(0, end)).strip(), 16);
  }

  private static String text(InputStream in, long length) throws IOException {
    if (length > MOST_BYTES) {
      throw new IOException("the answer is too long: " + length + " bytes");
    }
    byte[] bytes = in.readNBytes((int) length);
    if (bytes.length < length) {
      throw new EOFException("the daemon closed the connection in the middle of its answer");
    }
    return new String(bytes, StandardCharsets.UTF_8);
  }

  private static void write(SocketChannel channel, byte[] bytes) throws IOException {
    ByteBuffer buffer = ByteBuffer.wrap(bytes);
    while (buffer.hasRemaining()) {
      channel.write(buffer);
    }
  }

  private static String line(InputStream in) throws IOException {
    ByteArrayOutputStream line = new ByteArrayOutputStream(64);
    for (int c = in.read(); c != '\n'; c = in.read()) {
      if (c < 0) {
        throw new EOFException("the daemon closed the connection before it answered");
      }
      if (c != '\r') {
        line.write(c);
      }
      if (line.size() > 16_384) {
        throw new IOException("the answer's head is too long");
      }
    }
    return line.toString(StandardCharsets.UTF_8);
  }
}
