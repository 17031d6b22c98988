package io.spared.nbd;

import java.util.List;
import java.util.Optional;

/**
 * Who is at the other end of a connection.
 *
 * @param peer the address, for people
 * @param listener the name of the listener through which it came
 * @param certificateName the subject's common name of a client certificate that was verified
 */
public record ClientIdentity(String peer, String listener, Optional<String> certificateName) {

  /**
   * Whether this client may use an export that names its clients; an empty list means that everyone
   * may who reaches the listener.
   */
  public boolean isAmong(List<String> clients) {
    return clients.isEmpty() || certificateName.filter(clients::contains).isPresent();
  }

  @Override
  public String toString() {
    return certificateName.map(name -> peer + " (" + name + ")").orElse(peer);
  }
}
