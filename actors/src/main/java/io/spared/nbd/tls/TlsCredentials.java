package io.spared.nbd.tls;

import java.io.ByteArrayInputStream;
import java.io.IOException;
import java.nio.charset.StandardCharsets;
import java.security.GeneralSecurityException;
import java.security.KeyFactory;
import java.security.KeyStore;
import java.security.PrivateKey;
import java.security.cert.Certificate;
import java.security.cert.CertificateFactory;
import java.security.spec.InvalidKeySpecException;
import java.security.spec.PKCS8EncodedKeySpec;
import java.util.Arrays;
import java.util.Base64;
import java.util.Collection;
import java.util.List;
import java.util.Optional;
import javax.net.ssl.KeyManagerFactory;
import javax.net.ssl.SSLContext;
import javax.net.ssl.SSLEngine;
import javax.net.ssl.TrustManager;
import javax.net.ssl.TrustManagerFactory;
import javax.net.ssl.X509ExtendedTrustManager;

/** A listener's certificate, key and idea of trustworthy clients, ready to begin handshakes. */
public final class TlsCredentials {
  private static final List<String> KEY_KINDS = List.of("RSA", "EC", "EdDSA");

  private final SSLContext context;
  private final boolean clientsProveThemselves;

  /**
   * Reads PEM texts.
   *
   * @param clientAuthority who signs clients; without it any client may come
   * @throws GeneralSecurityException with a sentence that says which of the texts is wrong
   */
  public TlsCredentials(String certificate, String key, Optional<String> clientAuthority)
      throws GeneralSecurityException {
    try {
      KeyStore own = KeyStore.getInstance("PKCS12");
      own.load(null, null);
      char[] noPassword = new char[0];
      own.setKeyEntry(
          "server",
          privateKey(key),
          noPassword,
          certificates(certificate).toArray(new Certificate[0]));
      KeyManagerFactory keys =
          KeyManagerFactory.getInstance(KeyManagerFactory.getDefaultAlgorithm());
      keys.init(own, noPassword);
      TrustManagerFactory trust =
          TrustManagerFactory.getInstance(TrustManagerFactory.getDefaultAlgorithm());
      KeyStore trusted = KeyStore.getInstance("PKCS12");
      trusted.load(null, null);
      if (clientAuthority.isPresent()) {
        int number = 0;
        for (Certificate authority : certificates(clientAuthority.get())) {
          trusted.setCertificateEntry("authority-" + number++, authority);
        }
      }
      trust.init(trusted);
      context = SSLContext.getInstance("TLSv1.3");
      context.init(keys.getKeyManagers(), unnamed(trust.getTrustManagers()), null);
      clientsProveThemselves = clientAuthority.isPresent();
    } catch (IOException e) {
      throw new GeneralSecurityException("an empty key store could not be made", e);
    }
  }

  private static TrustManager[] unnamed(TrustManager[] managers) {
    return Arrays.stream(managers)
        .map(manager ->
            manager instanceof X509ExtendedTrustManager judge
                ? new UnnamedAuthorities(judge)
                : manager)
        .toArray(TrustManager[]::new);
  }

  private static Collection<? extends Certificate> certificates(String pem)
      throws GeneralSecurityException {
    Collection<? extends Certificate> found =
        CertificateFactory.getInstance("X.509")
            .generateCertificates(
                new ByteArrayInputStream(pem.getBytes(StandardCharsets.US_ASCII)));
    if (found.isEmpty()) {
      throw new GeneralSecurityException("there is no certificate in the certificate file");
    }
    return found;
  }

  private static PrivateKey privateKey(String pem) throws GeneralSecurityException {
    String begin = "-----BEGIN PRIVATE KEY-----";
    int from = pem.indexOf(begin);
    int to = pem.indexOf("-----END PRIVATE KEY-----");
    if (from < 0 || to < from) {
      throw new GeneralSecurityException(
          "there is no unencrypted PKCS #8 key in the key file; convert it with openssl pkcs8"
              + " -topk8 -nocrypt");
    }
    byte[] encoded = Base64.getMimeDecoder().decode(pem.substring(from + begin.length(), to));
    for (String kind : KEY_KINDS) {
      try {
        return KeyFactory.getInstance(kind).generatePrivate(new PKCS8EncodedKeySpec(encoded));
      } catch (InvalidKeySpecException e) {
        // It is of another kind.
      }
    }
    throw new GeneralSecurityException("the key is none of " + KEY_KINDS);
  }

  /** The server's side of one connection. */
  SSLEngine newEngine() {
    SSLEngine engine = context.createSSLEngine();
    engine.setUseClientMode(false);
    engine.setEnabledProtocols(new String[] {"TLSv1.3"});
    engine.setNeedClientAuth(clientsProveThemselves);
    return engine;
  }
}
