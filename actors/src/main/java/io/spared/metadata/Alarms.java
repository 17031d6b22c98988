package io.spared.metadata;

import java.time.Duration;

/** The writer's timers: one of each kind; setting one again replaces it. */
public interface Alarms {
  /** What a timer is for. */
  enum Kind {
    /** The oldest commit without its quorum, or the oldest that waits, is late. */
    COMMIT,
    /** A repair is due. */
    REPAIR,
    /** Background work goes on after a pause. */
    BACKGROUND,
    /** A buffer may be free again. */
    BUFFER,
    /** The time to stop is over. */
    STOP
  }

  void set(Kind kind, Duration delay);

  void cancel(Kind kind);
}
