package io.spared.nbd.client;

import io.spared.nbd.wire.NbdProtocol;
import java.net.InetSocketAddress;
import java.net.SocketAddress;
import java.net.URI;
import java.net.URISyntaxException;
import java.net.UnixDomainSocketAddress;
import java.nio.charset.StandardCharsets;

/**
 * Where a remote export is: {@code unix:/path/of.sock:name}, {@code //host:port/name}, {@code
 * nbd://host:port/name} or {@code nbd+unix:///name?socket=/path}. The name may be left out, which
 * means the server's default export.
 */
public record NbdAddress(SocketAddress server, String export) {

  /** Parses what stands behind {@code nbd:}; the exception's message is a sentence for people. */
  public static NbdAddress parse(String text) {
    if (text.startsWith("unix:")) {
      String rest = text.substring("unix:".length());
      int colon = rest.indexOf(':');
      String path = colon < 0 ? rest : rest.substring(0, colon);
      String name = colon < 0 ? "" : rest.substring(colon + 1);
      if (!path.startsWith("/")) {
        throw wrong(text, "the socket's path must be absolute");
      }
      return new NbdAddress(UnixDomainSocketAddress.of(path), name);
    }
    URI uri;
    try {
      uri = new URI(text.startsWith("//") ? "nbd:" + text : text);
    } catch (URISyntaxException e) {
      throw wrong(text, e.getReason());
    }
    String path = uri.getPath() == null ? "" : uri.getPath();
    String name = path.startsWith("/") ? path.substring(1) : path;
    if (name.getBytes(StandardCharsets.UTF_8).length > NbdProtocol.STRING_BYTES_MAX) {
      throw wrong(text, "an export's name has at most 4096 bytes");
    }
    return switch (String.valueOf(uri.getScheme())) {
      case "nbd" -> {
        String host = uri.getHost();
        if (host == null) {
          throw wrong(text, "a host is missing");
        }
        String bare = host.startsWith("[") ? host.substring(1, host.length() - 1) : host;
        int port = uri.getPort() < 0 ? NbdProtocol.PORT : uri.getPort();
        yield new NbdAddress(new InetSocketAddress(bare, port), name);
      }
      case "nbd+unix" -> {
        String query = uri.getQuery();
        if (query == null || !query.startsWith("socket=/")) {
          throw wrong(text, "it must end with ?socket=/path");
        }
        yield new NbdAddress(UnixDomainSocketAddress.of(query.substring("socket=".length())), name);
      }
      default -> throw wrong(text, "use unix:/path:name or //host:port/name");
    };
  }

  private static IllegalArgumentException wrong(String text, String why) {
    return new IllegalArgumentException("nbd:" + text + " is not an NBD address: " + why);
  }

  @Override
  public String toString() {
    return "export \"" + export + "\" of " + server;
  }
}
