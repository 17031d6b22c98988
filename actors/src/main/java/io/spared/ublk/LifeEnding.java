package io.spared.ublk;

/**
 * How far a life is on its way out.
 *
 * @param begun it is to end
 * @param leaving the block device is left to the next daemon
 * @param abandoned the requests in hand were failed, or left to the next server
 * @param stopped the driver brings no more requests
 * @param reason why, or empty when it was asked for
 */
record LifeEnding(
    boolean begun, boolean leaving, boolean abandoned, boolean stopped, String reason) {
  static final LifeEnding NOT_BEGUN = new LifeEnding(false, false, false, false, "");

  /** The first reason is kept; leaving once is leaving. */
  LifeEnding begin(String why, boolean leave) {
    return new LifeEnding(true, leaving || leave, abandoned, stopped, begun ? reason : why);
  }

  LifeEnding withLeaving() {
    return new LifeEnding(begun, true, abandoned, stopped, reason);
  }

  LifeEnding withAbandoned() {
    return new LifeEnding(begun, leaving, true, stopped, reason);
  }

  LifeEnding withStopped() {
    return new LifeEnding(begun, leaving, abandoned, true, reason);
  }
}
