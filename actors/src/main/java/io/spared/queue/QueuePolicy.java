package io.spared.queue;

import java.time.Duration;

/**
 * A queue's bounds.
 *
 * @param requestDeadline how long a request to a disk may take; above a drive's own recovery time
 * @param mediaRetries how often one sector or block that failed for its medium is tried again
 * @param requestsMax requests that the frontend may have in hand at a time; more wait there
 * @param partsMax requests to disks in flight at a time
 */
public record QueuePolicy(
    Duration requestDeadline, int mediaRetries, int requestsMax, int partsMax) {

  public static final QueuePolicy DEFAULT = new QueuePolicy(Duration.ofSeconds(30), 2, 1024, 2048);

  public QueuePolicy {
    if (requestDeadline.isNegative()
        || requestDeadline.isZero()
        || mediaRetries < 0
        || requestsMax < 1
        || partsMax < 2) {
      throw new IllegalArgumentException("a queue needs time, a request and two parts at least");
    }
  }
}
