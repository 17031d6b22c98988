package io.spared.nbd;

import java.net.InetSocketAddress;
import java.net.SocketAddress;
import java.nio.file.Path;
import java.util.List;
import java.util.Map;
import java.util.Optional;

/**
 * One listening socket and what is asked of those who come through it.
 *
 * @param name for logs and status
 * @param insecureAllowed whether it may leave loopback without TLS being required; without this it
 *     does not start
 * @param clients for exports that not everyone may use: the names in the certificates of those who
 *     may
 */
public record NbdListenerSettings(
    String name,
    Endpoint endpoint,
    boolean insecureAllowed,
    TlsSettings tls,
    NbdLimits limits,
    Map<String, List<String>> clients) {

  public NbdListenerSettings {
    clients = Map.copyOf(clients);
  }

  /** Whether this client may see and use an export. */
  public boolean allows(String export, ClientIdentity client) {
    return client.isAmong(clients.getOrDefault(export, List.of()));
  }

  /** Where it listens. */
  public sealed interface Endpoint {
    record Tcp(InetSocketAddress address) implements Endpoint {}

    /** A Unix socket; mode such as 0600, and the user who is to own it if not the daemon's own. */
    record Unix(Path path, int mode, Optional<String> owner) implements Endpoint {}

    /** What systemd opened for us, by its position among the sockets handed over. */
    record Inherited(int position) implements Endpoint {}
  }

  /**
   * Whether bytes in the clear may leave this host by this address. A socket that was handed over
   * is judged by what it turns out to be bound to.
   */
  public static boolean leavesHost(SocketAddress address) {
    return address instanceof InetSocketAddress inet
        && (inet.getAddress() == null || !inet.getAddress().isLoopbackAddress());
  }
}
