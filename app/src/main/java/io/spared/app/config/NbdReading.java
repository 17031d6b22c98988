package io.spared.app.config;

import io.spared.nbd.NbdLimits;
import io.spared.nbd.NbdListenerSettings;
import io.spared.nbd.NbdListenerSettings.Endpoint;
import io.spared.nbd.TlsSettings;
import io.spared.nbd.negotiation.TlsMode;
import java.net.InetSocketAddress;
import java.nio.file.Path;
import java.time.Duration;
import java.util.ArrayList;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import java.util.TreeMap;

/** Reads {@code spared.nbd}: every listener has the same TLS, limits and permissions. */
final class NbdReading {
  private static final String ROOT = "spared.nbd";

  private NbdReading() {}

  static List<NbdListenerSettings> listeners(Reader reader) {
    String path = ROOT + ".listen";
    List<String> texts =
        reader.has(path) ? reader.strings(path) : List.of("unix:/run/spared/nbd.sock");
    int mode = mode(reader);
    Optional<String> owner = optional(reader, ROOT + ".unix-owner");
    boolean insecureAllowed = reader.flag(ROOT + ".insecure-allowed", false);
    TlsSettings tls = tls(reader);
    NbdLimits limits = limits(reader);
    Map<String, List<String>> clients = clients(reader);
    List<NbdListenerSettings> listeners = new ArrayList<>();
    for (String text : texts) {
      endpoint(text, mode, owner)
          .ifPresentOrElse(
              endpoint ->
                  listeners.add(
                      new NbdListenerSettings(
                          text, endpoint, insecureAllowed, tls, limits, clients)),
              () ->
                  reader.problem(
                      path,
                      "\""
                          + text
                          + "\": write unix:/PATH, tcp:ADDRESS:PORT (port 0 to 65535) or"
                          + " systemd:NUMBER"));
    }
    return listeners;
  }

  private static Optional<Endpoint> endpoint(String text, int mode, Optional<String> owner) {
    if (text.startsWith("unix:/")) {
      return Optional.of(new Endpoint.Unix(Path.of(text.substring("unix:".length())), mode, owner));
    }
    int colon = text.lastIndexOf(':');
    int number = number(text.substring(colon + 1));
    if (number < 0) {
      return Optional.empty();
    }
    if (text.startsWith("systemd:")) {
      return Optional.of(new Endpoint.Inherited(number));
    }
    String host = text.startsWith("tcp:") && colon > 4 ? text.substring(4, colon) : "";
    return host.isEmpty()
        ? Optional.empty()
        : Optional.of(
            new Endpoint.Tcp(
                new InetSocketAddress(host.replace("[", "").replace("]", ""), number)));
  }

  private static int number(String text) {
    if (!text.matches("\\d{1,5}")) {
      return -1;
    }
    int number = Integer.parseInt(text);
    return number <= 65535 ? number : -1;
  }

  private static int mode(Reader reader) {
    String path = ROOT + ".unix-mode";
    String text = reader.string(path, "0600");
    if (!text.matches("0?[0-7]{3}")) {
      reader.problem(path, "\"" + text + "\" is no mode; write three octal digits, such as 0660");
      return 0600;
    }
    return Integer.parseInt(text, 8);
  }

  private static TlsSettings tls(Reader reader) {
    TlsMode mode = reader.choice(ROOT + ".tls.mode", TlsMode.OFF, TlsMode.class);
    TlsSettings tls =
        new TlsSettings(
            mode,
            optional(reader, ROOT + ".tls.certificate").map(Path::of),
            optional(reader, ROOT + ".tls.key").map(Path::of),
            optional(reader, ROOT + ".tls.client-authority").map(Path::of));
    if (mode != TlsMode.OFF && (tls.certificate().isEmpty() || tls.key().isEmpty())) {
      reader.problem(
          ROOT + ".tls.mode", "TLS needs a certificate and a key: set tls.certificate and tls.key");
    }
    return tls;
  }

  private static NbdLimits limits(Reader reader) {
    NbdLimits otherwise = NbdLimits.DEFAULTS;
    String root = ROOT + ".limits.";
    return new NbdLimits(
        reader.number(root + "connections", otherwise.connections(), 1, 4096),
        reader.number(root + "requests", otherwise.requestsPerConnection(), 1, 1024),
        reader.bytes(root + "bytes", otherwise.bytesPerConnection(), 256 << 10, 1L << 30),
        reader.bytes(root + "bytes-per-ring", otherwise.bytesPerRing(), 1 << 20, 1L << 30),
        reader.duration(root + "negotiation", otherwise.negotiation(), Duration.ofSeconds(1), HOUR),
        reader.duration(root + "stall", otherwise.stall(), Duration.ofSeconds(1), HOUR),
        reader.duration(root + "idle", otherwise.idle(), Duration.ZERO, Duration.ofDays(365)));
  }

  private static final Duration HOUR = Duration.ofHours(1);

  private static Map<String, List<String>> clients(Reader reader) {
    Map<String, List<String>> clients = new TreeMap<>();
    for (String export : reader.namesUnder(ROOT + ".clients")) {
      clients.put(export, reader.strings(ROOT + ".clients." + export));
    }
    return clients;
  }

  private static Optional<String> optional(Reader reader, String path) {
    return reader.has(path) ? Optional.of(reader.string(path, "")) : Optional.empty();
  }
}
