package io.spared.relocation;

import java.time.Duration;

/**
 * The relocator's bounds.
 *
 * @param deadline how long the move of a block may take before its writes fail, its commit not
 *     counted (that has a deadline of its own)
 * @param requestDeadline how long one request to a disk may take
 * @param mediaRetries how often an unreadable old sector is tried again
 * @param slotAttemptsMax how many slots may fail before the move does
 * @param relocationsMax blocks being moved at a time; more wait
 * @param waitingMax blocks that wait at a time; more fail
 */
public record RelocationPolicy(
    Duration deadline,
    Duration requestDeadline,
    int mediaRetries,
    int slotAttemptsMax,
    int relocationsMax,
    int waitingMax) {

  public static final RelocationPolicy DEFAULT =
      new RelocationPolicy(Duration.ofSeconds(60), Duration.ofSeconds(30), 2, 8, 16, 16_384);
}
