package io.spared.nbd;

import io.spared.nbd.negotiation.TlsMode;
import java.nio.file.Path;
import java.util.Optional;

/**
 * TLS 1.3 on a listener: PEM files, as other NBD servers take them. Pre-shared keys cannot be had:
 * the JDK's TLS has none that an application could set.
 *
 * @param certificate the server's certificate and those that lead to an authority
 * @param key its private key, PKCS #8
 * @param clientAuthority certificates by which clients must be signed; empty: any client
 */
public record TlsSettings(
    TlsMode mode, Optional<Path> certificate, Optional<Path> key, Optional<Path> clientAuthority) {

  public static final TlsSettings OFF =
      new TlsSettings(TlsMode.OFF, Optional.empty(), Optional.empty(), Optional.empty());
}
