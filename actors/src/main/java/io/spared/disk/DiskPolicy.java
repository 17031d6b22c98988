package io.spared.disk;

import java.time.Duration;

/**
 * When a disk is believed.
 *
 * @param proofDeadline within which it must prove itself; longer than a drive needs to wake up from
 *     a bus reset, far shorter than a request's deadline
 * @param errorsWindow how long errors count together
 * @param distantErrorsMax errors of uncertain kind in so many regions within the window are the
 *     disk's, not the medium's: media faults are local
 * @param recheck how often a doubtful disk is asked again
 */
public record DiskPolicy(
    Duration proofDeadline, Duration errorsWindow, int distantErrorsMax, Duration recheck) {

  public static final DiskPolicy DEFAULT =
      new DiskPolicy(Duration.ofSeconds(10), Duration.ofSeconds(10), 16, Duration.ofSeconds(10));
}
