package io.spared.disk;

import io.spared.disk.DiskReport.Health;
import io.spared.ffi.Errno;
import java.util.HashMap;
import java.util.Map;

/**
 * How one disk stands, from what was seen of it. Pure: time comes in as a number.
 *
 * <p>A disk that is gone stays gone here: another look through the same open handle proves nothing,
 * and whether the disk that comes back is the same one is for whoever opens it to say.
 */
final class DiskHealth {
  /** Regions are a 64th of the disk, but at least so large: a scratch is not many errors. */
  private static final long REGION_BYTES_MIN = 64L << 20;

  private static final int REGIONS = 64;

  private final DiskPolicy policy;
  private final long regionBytes;

  /** The last error of uncertain kind in each region that had one: bounded, whatever comes. */
  private final Map<Long, Long> uncertainNanosByRegion = new HashMap<>();

  private boolean hasMediaFaults;
  private Health health = Health.WELL;
  private String reason = "no error was seen";

  DiskHealth(DiskPolicy policy, long sizeBytes) {
    this.policy = policy;
    this.regionBytes = Math.max(REGION_BYTES_MIN, sizeBytes / REGIONS);
  }

  Health health() {
    return health;
  }

  String reason() {
    return reason;
  }

  /** Whether the disk has media faults that were proved to be. */
  boolean hasMediaFaults() {
    return hasMediaFaults;
  }

  void failed(Errno errno, long offsetBytes, long nowNanos) {
    switch (ErrorPolicy.faultOf(errno)) {
      case MEDIA -> mediaFault(errno, offsetBytes);
      case TO_BE_PROVED -> uncertainNanosByRegion.put(offsetBytes / regionBytes, nowNanos);
      case TIMEOUT ->
          change(Health.DOUBTFUL, "a request at byte " + offsetBytes + " was not answered in time");
      case TRANSPORT -> {
        if (ErrorPolicy.isGone(errno)) {
          change(Health.GONE, "the system says: " + errno.meaning());
        } else {
          change(Health.DOUBTFUL, "the way to it failed: " + errno.meaning());
        }
      }
      case PROTECTION -> change(Health.DOUBTFUL, "it refuses writes: " + errno.meaning());
      case NO_SPACE, UNSUPPORTED -> {}
    }
  }

  private void mediaFault(Errno errno, long offsetBytes) {
    hasMediaFaults = true;
    if (health == Health.WELL) {
      change(Health.AGEING, "a media fault at byte " + offsetBytes + ": " + errno.meaning());
    }
  }

  /** Errors in so many places at once that they cannot all be the medium's. */
  boolean hasManyDistantErrors(long nowNanos) {
    long windowNanos = policy.errorsWindow().toNanos();
    uncertainNanosByRegion.values().removeIf(at -> nowNanos - at > windowNanos);
    return uncertainNanosByRegion.size() >= policy.distantErrorsMax();
  }

  /** It proved itself, after this error if there was one. */
  void proved(boolean afterError, long offsetBytes) {
    if (health == Health.GONE) {
      return;
    }
    if (afterError) {
      hasMediaFaults = true;
    }
    if (health == Health.DOUBTFUL || (afterError && health == Health.WELL)) {
      change(
          hasMediaFaults ? Health.AGEING : Health.WELL,
          afterError ? "a media fault near byte " + offsetBytes : "it proves itself again");
    }
  }

  void notProved(String why) {
    change(Health.DOUBTFUL, why);
  }

  void isAnother(String why) {
    change(Health.GONE, why);
  }

  private void change(Health to, String why) {
    if (health == Health.GONE) {
      return;
    }
    if (health != to) {
      health = to;
      reason = why;
    }
  }
}
