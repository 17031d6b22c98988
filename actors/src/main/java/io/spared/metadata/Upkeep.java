package io.spared.metadata;

import io.spared.ffi.engine.DiskPort;
import io.spared.format.LogAppender;
import io.spared.metadata.Alarms.Kind;
import io.spared.metadata.MetadataReply.CopyState;
import java.time.Duration;
import java.util.HashSet;
import java.util.Optional;
import java.util.Set;
import java.util.function.BiConsumer;
import org.jspecify.annotations.Nullable;

/**
 * Background work on the copies, one piece at a time: what somebody waits for first ({@link
 * Round}), then the checkpoint of the copy whose log is fullest, then a repair that is due, then a
 * scrub.
 *
 * <ul>
 *   <li><b>Always a whole area.</b> See {@link Build}; at most one is built at a time.
 *   <li><b>Not over another's.</b> Before a copy is repaired, what stands there is read.
 * </ul>
 */
final class Upkeep implements Build.Owner {
  private final WriterContext context;
  private final Lanes lanes;
  private final Copies copies;
  private final CopyFaults faults;
  private final RepairSchedule schedule;
  private final Appends appends;
  private final Round round;
  private final Scrubs scrubs;
  private final Runnable quorumMayHaveChanged;
  private final BiConsumer<Copy, String> fence;
  private final Set<Copy> checkpointsWanted = new HashSet<>();
  private @Nullable Build build;
  private boolean urgent;
  private boolean autoRepair;
  private long checkpoints;
  private long repairsDone;
  private long repairsFailed;
  private long lastRepairMillis;

  Upkeep(
      WriterContext context,
      Lanes lanes,
      Copies copies,
      CopyFaults faults,
      RepairSchedule schedule,
      Appends appends,
      Round round,
      Scrubs scrubs,
      Runnable quorumMayHaveChanged,
      BiConsumer<Copy, String> fence) {
    this.context = context;
    this.lanes = lanes;
    this.copies = copies;
    this.faults = faults;
    this.schedule = schedule;
    this.appends = appends;
    this.round = round;
    this.scrubs = scrubs;
    this.quorumMayHaveChanged = quorumMayHaveChanged;
    this.fence = fence;
    this.autoRepair = context.settings().autoRepair();
  }

  /** Begins the next piece, where none is under way. */
  void goOn() {
    if (build != null || scrubs.isRunning() || !context.history().isLoaded()) {
      return;
    }
    switch (context.standing().state()) {
      case READY, NO_QUORUM, BEGINNING -> {}
      case LOADING -> {
        if (!round.isForCreation()) {
          return;
        }
      }
      case NEW, LOADED, FENCED, STOPPING -> {
        return;
      }
    }
    Optional<Copy> needed = round.next();
    if (needed.isPresent()) {
      build(needed.get(), true);
      return;
    }
    if (round.end()) {
      return;
    }
    Optional<Copy> fullest = fullest();
    if (fullest.isPresent()) {
      build(fullest.get(), false);
      return;
    }
    Optional<Copy> due = dueForRepair();
    if (due.isPresent()) {
      build(due.get(), true);
      return;
    }
    scrubs.beginIfWanted();
    setAlarm();
  }

  /** Whether others may go first between two steps of what is under way. */
  boolean isPatient() {
    return !urgent && !round.isForRepair();
  }

  void setAutoRepair(boolean on) {
    autoRepair = on;
  }

  /** Gives every copy in step a new checkpoint, one after the other, however short its log is. */
  void checkpointAll() {
    checkpointsWanted.addAll(copies.all());
  }

  private boolean wantsCheckpoint(Copy copy) {
    LogAppender log = copy.appender;
    return copy.isInStep()
        && log != null
        && (log.fill() >= context.settings().checkpointFill()
            || log.freeBytes() < 2 * Copy.MAX_RECORD_BYTES
            || checkpointsWanted.contains(copy));
  }

  private Optional<Copy> fullest() {
    long now = context.nanoTime();
    Copy fullest = null;
    double most = -1;
    for (Copy copy : copies.all()) {
      LogAppender log = copy.appender;
      boolean may = copy.nextAttemptNanos == Copy.NEVER || copy.nextAttemptNanos <= now;
      if (may && log != null && wantsCheckpoint(copy) && log.fill() > most) {
        most = log.fill();
        fullest = copy;
      }
    }
    return Optional.ofNullable(fullest);
  }

  private Optional<Copy> dueForRepair() {
    long now = context.nanoTime();
    if (!autoRepair) {
      return Optional.empty();
    }
    return copies.all().stream()
        .filter(copy -> copy.state == CopyState.STALE && copy.nextAttemptNanos <= now)
        .findFirst();
  }

  private void setAlarm() {
    long due = Copy.NEVER;
    for (Copy copy : copies.all()) {
      boolean counts = (copy.state == CopyState.STALE && autoRepair) || wantsCheckpoint(copy);
      if (counts) {
        due = Math.min(due, copy.nextAttemptNanos);
      }
    }
    if (due == Copy.NEVER) {
      context.alarms().cancel(Kind.REPAIR);
    } else {
      context.alarms().set(Kind.REPAIR, Duration.ofNanos(Math.max(due - context.nanoTime(), 0)));
    }
  }

  private void build(Copy copy, boolean repair) {
    DiskPort port = copy.port;
    if (port == null) {
      throw new IllegalStateException("a copy without a disk cannot be built");
    }
    round.trying(copy);
    checkpointsWanted.remove(copy);
    LogAppender log = copy.appender;
    urgent = !repair && log != null && log.fill() > 0.8;
    if (repair) {
      copy.state = CopyState.REPAIRING;
      if (!copy.isNew) {
        schedule.attemptBegins(copy);
      }
    }
    copy.nextAttemptNanos = Copy.NEVER;
    Build made = new Build(context, lanes, faults, this, copy, port, repair);
    build = made;
    copy.build = made;
    made.begin();
  }

  private void isOver(Build over) {
    build = null;
    over.copy.build = null;
    urgent = false;
  }

  @Override
  public void buildDone(Build done, LogAppender log) {
    isOver(done);
    Copy copy = done.copy;
    copy.appender = log;
    copy.durable = log.last();
    copy.state = CopyState.IN_STEP;
    copy.nextAttemptNanos = Copy.NEVER;
    copy.reason = "";
    copy.wasOnlyAway = false;
    if (done.repair && copy.isNew) {
      copy.isNew = false;
    } else if (done.repair) {
      repairsDone++;
      lastRepairMillis = context.world().clock().now().toEpochMilli();
      context.tell(
          new MetadataEvent.CopyRepaired(copy.place.copy(), copy.place.spare(), copy.attempts));
      schedule.keep(copy);
    } else {
      checkpoints++;
      context.tell(new MetadataEvent.CheckpointDone(log.seal().generation()));
    }
    appends.feed(copy);
  }

  @Override
  public void buildFailed(Build failed, String reason) {
    isOver(failed);
    Copy copy = failed.copy;
    if (failed.repair) {
      repairsFailed++;
      if (copy.state == CopyState.REPAIRING) {
        copy.state = CopyState.STALE;
      }
      copy.reason = reason;
    } else {
      schedule.attemptFailed(copy);
    }
    schedule.schedule(copy);
    tellFailed(copy, schedule.isSlow(copy), reason, schedule.untilNextMillis(copy));
    schedule.keep(copy);
    quorumMayHaveChanged.run();
  }

  private void tellFailed(Copy copy, boolean isSlow, String reason, long untilNextMillis) {
    context.tell(
        new MetadataEvent.RepairFailed(
            copy.place.copy(), copy.place.spare(), copy.attempts, isSlow, reason, untilNextMillis));
  }

  @Override
  public void fence(Copy copy, String sentence) {
    fence.accept(copy, sentence);
  }

  // Giving up.

  void cancelBuild() {
    Build running = build;
    if (running != null) {
      giveUp(running);
      schedule.schedule(running.copy);
      tellFailed(running.copy, false, "cancelled", -1);
    }
  }

  /** Ends a build; a write of it that is still in flight keeps the copy HELD until it ends. */
  private void giveUp(Build running) {
    isOver(running);
    Copy copy = running.copy;
    running.cancel();
    if (copy.buildWrites > 0) {
      faults.held(copy, "a write of its checkpoint is being given up");
    } else if (copy.state == CopyState.REPAIRING) {
      copy.stale("its repair was cancelled");
    }
  }

  /** The disk of a copy is gone, and with it whatever was built there. */
  void diskGone(Copy copy) {
    Build running = build;
    if (running != null && running.copy == copy) {
      running.cancel();
      isOver(running);
    }
  }

  /** What was under way may be tried again at once. */
  void cancelAll() {
    Build running = build;
    if (running != null) {
      giveUp(running);
      running.copy.nextAttemptNanos = context.nanoTime();
    }
    scrubs.cancelRunning();
  }

  // Counters.

  boolean isAutoRepair() {
    return autoRepair;
  }

  boolean isRepairing() {
    Build running = build;
    return running != null && running.repair;
  }

  double progress() {
    Build running = build;
    return running != null ? running.progress() : scrubs.progress();
  }

  long checkpoints() {
    return checkpoints;
  }

  long repairsDone() {
    return repairsDone;
  }

  long repairsFailed() {
    return repairsFailed;
  }

  long lastRepairMillis() {
    return lastRepairMillis;
  }
}
