package io.spared.device;

import java.util.Collections;
import java.util.EnumMap;
import java.util.List;
import java.util.Map;

/**
 * All that {@link LifeCycle} knows of a device.
 *
 * @param reason why it waits in ASSEMBLING, or why it FAILED; empty otherwise
 * @param troubles why it is DEGRADED
 * @param frozen intake is paused on request
 * @param crashNanos when its parts crashed, within {@link LifeCycle#CRASH_WINDOW_NANOS}
 */
public record Life(
    Phase phase,
    String reason,
    Map<Trouble, String> troubles,
    boolean frozen,
    List<Long> crashNanos) {

  public Life {
    troubles = troubles.isEmpty() ? Map.of() : Collections.unmodifiableMap(new EnumMap<>(troubles));
    crashNanos = List.copyOf(crashNanos);
  }

  /** A device that was just added. */
  public static Life begin() {
    return new Life(Phase.ASSEMBLING, "", Map.of(), false, List.of());
  }

  Life in(Phase next, String why) {
    return new Life(
        next, why, next.serves() ? troubles : Map.of(), next.serves() && frozen, crashNanos);
  }

  Life withTroubles(Map<Trouble, String> next) {
    return new Life(
        next.isEmpty() ? Phase.ACTIVE : Phase.DEGRADED, reason, next, frozen, crashNanos);
  }

  Life withFrozen(boolean next) {
    return new Life(phase, reason, troubles, next, crashNanos);
  }

  Life withCrashes(List<Long> next) {
    return new Life(phase, reason, troubles, frozen, next);
  }

  /** The state in one sentence, for status and for refusals. */
  public String sentence() {
    return switch (phase) {
      case ASSEMBLING -> reason.isEmpty() ? "is being assembled" : "waits: " + reason;
      case ACTIVE -> frozen ? "is frozen" : "serves";
      case DEGRADED ->
          (frozen ? "is frozen and degraded: " : "serves, degraded: ")
              + String.join("; ", troubles.values());
      case DRAINING -> "is draining";
      case STOPPED -> "is stopped";
      case FAILED -> "has failed: " + reason;
    };
  }
}
