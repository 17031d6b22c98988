package io.spared.nbd;

import java.time.Duration;

/**
 * How much one listener's clients may take. Each has a default that fits a host of this kind; none
 * can be switched off but the idle time.
 *
 * @param connections at one time; more are closed at once, with a line in the log
 * @param requestsPerConnection in flight; a client that sends more is not read until some end
 * @param bytesPerConnection of buffers; the same
 * @param bytesPerRing of buffers of all connections on one ring together, of which each connection
 *     has an equal share for itself
 * @param negotiation from the connection to its first request
 * @param stall a client that takes no reply, or that breaks off within a request, for so long is
 *     disconnected
 * @param idle a client without any request for so long is disconnected; zero: never, since a
 *     mounted file system may be silent for days
 */
public record NbdLimits(
    int connections,
    int requestsPerConnection,
    long bytesPerConnection,
    long bytesPerRing,
    Duration negotiation,
    Duration stall,
    Duration idle) {

  public static final NbdLimits DEFAULTS =
      new NbdLimits(
          64,
          256,
          16L << 20,
          16L << 20,
          Duration.ofSeconds(15),
          Duration.ofSeconds(60),
          Duration.ZERO);

  public NbdLimits {
    if (connections < 1 || requestsPerConnection < 1 || bytesPerConnection < 1) {
      throw new IllegalArgumentException("limits of an NBD listener are at least 1: " + this);
    }
  }
}
