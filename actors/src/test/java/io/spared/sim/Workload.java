package io.spared.sim;

/**
 * What one client does: how many requests it keeps in flight, of what kinds, where.
 *
 * @param depth requests in flight at most
 * @param requests how many in all
 * @param hotSectors most requests fall into so many sectors from {@code hotFrom}
 * @param lengthMax sectors of one request at most
 * @param thinkMaxNanos pauses between a completion and the next request, at most
 * @param thinks whether that pause is kept when other requests of the client complete meanwhile;
 *     else the next completion ends it, and a client with several in flight hardly pauses
 */
public record Workload(
    int depth,
    long requests,
    double reads,
    double flushes,
    double fua,
    double discards,
    double zeroes,
    long hotFrom,
    long hotSectors,
    int lengthMax,
    long thinkMaxNanos,
    boolean thinks) {

  /** Something else for every seed. */
  static Workload random(SimRandom random, long sectors, long requests) {
    long hot = Math.min(sectors, random.logUniform(4, sectors));
    return new Workload(
        1 + random.below(random.nextBoolean() ? 4 : 24),
        requests,
        0.1 + 0.7 * random.nextDouble(),
        random.nextBoolean() ? 0.02 + 0.1 * random.nextDouble() : 0.005,
        random.nextBoolean() ? random.nextDouble() * 0.5 : 0,
        random.nextBoolean() ? 0.05 : 0,
        random.nextBoolean() ? 0.05 : 0,
        random.below(sectors - hot + 1),
        hot,
        (int) random.logUniform(1, 64),
        random.nextBoolean() ? 0 : random.logUniform(10_000, 20_000_000),
        false);
  }
}
