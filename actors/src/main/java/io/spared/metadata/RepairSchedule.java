package io.spared.metadata;

import io.spared.format.Change;
import java.time.Duration;
import java.util.List;

/**
 * When a copy is tried again. Attempts are counted for each copy, across restarts too: after each
 * the delay to the next grows, and after an hour in which nothing went wrong the count begins anew.
 * So a disk that fails for good is asked once an hour, however often the daemon is started.
 */
final class RepairSchedule {
  /** How long nothing may have gone wrong with a copy for its attempts to begin anew. */
  private static final long QUIET_NANOS = Duration.ofHours(1).toNanos();

  private final WriterContext context;

  RepairSchedule(WriterContext context) {
    this.context = context;
  }

  /** The next attempt comes after a delay that fits the attempts so far. */
  void schedule(Copy copy) {
    switch (context.standing().state()) {
      case NEW, LOADING, LOADED -> {
        return;
      }
      case BEGINNING, READY, NO_QUORUM, FENCED, STOPPING -> {}
    }
    long now = context.nanoTime();
    forgetOldAttempts(copy, now);
    List<Duration> delays = context.settings().repairDelays();
    Duration delay =
        copy.attempts < delays.size()
            ? delays.get(copy.attempts)
            : context.settings().repairLaterDelay();
    copy.nextAttemptNanos = now + delay.toNanos();
  }

  void attemptBegins(Copy copy) {
    forgetOldAttempts(copy, context.nanoTime());
    attemptFailed(copy);
  }

  /** Counts an attempt that happened now. */
  void attemptFailed(Copy copy) {
    copy.attempts++;
    copy.lastAttemptNanos = context.nanoTime();
  }

  private static void forgetOldAttempts(Copy copy, long nowNanos) {
    if (copy.attempts > 0 && nowNanos - copy.lastAttemptNanos > QUIET_NANOS) {
      copy.attempts = 0;
    }
  }

  boolean isSlow(Copy copy) {
    return copy.attempts >= context.settings().repairDelays().size();
  }

  /** How long until the next attempt; -1 where none is planned. */
  long untilNextMillis(Copy copy) {
    return copy.nextAttemptNanos == Copy.NEVER
        ? -1
        : (copy.nextAttemptNanos - context.nanoTime()) / 1_000_000;
  }

  private static String attemptsName(Copy copy) {
    return "repair-attempts-" + copy.place.copy();
  }

  /** Attempts are kept with the time of the last, in seconds, above the lowest ten bits. */
  void keep(Copy copy) {
    long seconds = context.world().clock().now().getEpochSecond();
    context.tell(
        new MetadataEvent.ChangesWanted(
            List.of(
                new Change.CounterSet(
                    attemptsName(copy), seconds << 10 | Math.min(copy.attempts, 1023)))));
  }

  /** Goes on with the attempts of an earlier start. */
  void recall(Copy copy) {
    copy.attempts = 0;
    Long recorded = context.history().image().counters().get(attemptsName(copy));
    if (recorded == null) {
      return;
    }
    long ageSeconds = context.world().clock().now().getEpochSecond() - (recorded >> 10);
    if (ageSeconds < 0 || ageSeconds > Duration.ofNanos(QUIET_NANOS).toSeconds()) {
      return;
    }
    copy.lastAttemptNanos = context.nanoTime() - Duration.ofSeconds(ageSeconds).toNanos();
    copy.attempts = (int) (recorded & 1023);
  }
}
