package io.spared.device;

import io.spared.ffi.disk.DiskIdentity;
import io.spared.format.Change;
import io.spared.format.CleanMark;
import io.spared.format.CleanStop;
import io.spared.metadata.MetadataCommand;
import io.spared.monitor.Event;
import io.spared.queue.QueueCommand;
import io.spared.relocation.RelocatorCommand;
import java.time.Duration;
import java.util.ArrayList;
import java.util.List;
import java.util.Optional;
import org.jspecify.annotations.Nullable;

/**
 * The end of a device that serves, stage by stage: requests end, then blocks on their way, then
 * disks are flushed, the mark of a clean stop is committed, and the writer of the metadata ends.
 * Each stage has its share of the deadline ({@link DrainPlan}); what does not end in its share is
 * left behind and the next begins, so the whole ends in time whatever the disks do.
 *
 * <p>The mark is committed only when every stage before it ended by itself, nothing is in doubt and
 * every flush succeeded: it says that the disks hold all that was ever acknowledged. With it goes
 * what main looks like ({@link MainLook}), by which the next start sees whether somebody used main
 * without spared.
 */
final class Draining {
  private final Run run;
  private final Serving serving;
  private final DrainPlan plan;
  private final long sinceNanos;
  private DrainPlan.Stage stage = DrainPlan.Stage.QUEUES;
  private boolean relocatorTold;
  private boolean clean = true;
  private boolean flushed;
  private boolean metadataStopped;
  private boolean done;
  private @Nullable MainLook look;

  Draining(Run run, Serving serving, long nanos) {
    this.run = run;
    this.serving = serving;
    this.plan = new DrainPlan(nanos);
    this.sinceNanos = run.nowNanos();
    serving.scrubbing().stop();
    serving.spareLife().rest();
    serving.awayMain().rest();
    serving.replacement().stop();
    serving.queues().tellAll(new QueueCommand.Drain());
    await(DrainPlan.Stage.QUEUES);
  }

  private void await(DrainPlan.Stage next) {
    stage = next;
    run.later("drain", leftNanos(next), new DeviceNews.DrainOverdue(run.number, next));
  }

  private long leftNanos(DrainPlan.Stage of) {
    return plan.leftNanos(of, run.nowNanos() - sinceNanos);
  }

  /** Goes on as far as it can; true once all has ended. */
  boolean step() {
    if (stage == DrainPlan.Stage.QUEUES || stage == DrainPlan.Stage.ABANDONED) {
      if (!serving.queues().allDrained()) {
        return false;
      }
      if (!relocatorTold) {
        relocatorTold = true;
        serving.relocator().tell(new RelocatorCommand.Drain());
      }
      if (!serving.isRelocatorDrained() && stage == DrainPlan.Stage.QUEUES) {
        return false;
      }
      beginFlush();
    }
    if (stage == DrainPlan.Stage.FLUSH && flushed && !serving.commits().isUnderWay()) {
      if (look == null && clean) {
        beginLook();
      }
      if (look == null || look.isDone()) {
        beginCleanMark();
      }
    }
    if (stage == DrainPlan.Stage.CLEAN_MARK && serving.cleanMark().isPresent()) {
      if (serving.cleanMark().get()) {
        CleanStop stop = new CleanStop(serving.image().deviceId(), serving.image().position());
        CleanStops stops = run.parts.cleanStops();
        run.parts.blocking().execute(() -> stops.record(stop));
      } else {
        dirty("the mark of a clean stop could not be committed");
      }
      beginMetadata();
    }
    return done || (stage == DrainPlan.Stage.METADATA && metadataStopped);
  }

  private void beginFlush() {
    await(DrainPlan.Stage.FLUSH);
    if (serving.disks().flushes().isRunning()) {
      dirty("a flush that began before has not ended");
      flushed = true;
      return;
    }
    serving
        .disks()
        .flushes()
        .begin(
            run.parts.home().engine().nanoTime() + leftNanos(DrainPlan.Stage.FLUSH),
            () -> {
              flushed = true;
              List<String> failures = serving.flushFailures();
              if (!failures.isEmpty()) {
                dirty("not flushed: " + String.join("; ", failures));
              }
            });
  }

  /** Nothing writes to main any more: what it looks like now is what the next start should see. */
  private void beginLook() {
    MainLook begun =
        new MainLook(
            run,
            serving.image(),
            serving.main(),
            run.parts.home().engine().nanoTime() + leftNanos(DrainPlan.Stage.FLUSH),
            () -> run.tell(new DeviceNews.DisksAnswered(run.number)));
    look = begun;
    begun.begin();
  }

  /** Requests of its own may have ended. */
  void disksAnswered() {
    if (look != null) {
      look.answered();
    }
  }

  void mainSeen(Optional<DiskIdentity> identity) {
    if (look != null) {
      look.seen(identity);
    }
  }

  private void beginCleanMark() {
    if (serving.doubts().inDoubtCount() > 0) {
      dirty("writes are in doubt");
    }
    if (serving.doubts().failedFlush() != null) {
      dirty("a flush had failed");
    }
    if (serving.spareLife().isAnyAwayUnflushed()) {
      dirty("a spare went away with writes that were not flushed");
    }
    if (!serving.commits().isQuiet()) {
      dirty("commits are not decided");
    }
    if (!clean) {
      beginMetadata();
      return;
    }
    await(DrainPlan.Stage.CLEAN_MARK);
    List<Change> changes = new ArrayList<>(serving.replacement().cleanChanges());
    if (look != null) {
      changes.addAll(look.changes());
    }
    changes.add(
        new Change.CleanMarked(
            new CleanMark(
                run.parts.owner().hostId(),
                look == null ? 0 : look.headsHash(),
                run.parts.world().clock().now().toEpochMilli())));
    serving.commits().ask(changes, new Commits.Purpose.CleanMark(), run.nowNanos());
  }

  private void beginMetadata() {
    await(DrainPlan.Stage.METADATA);
    serving
        .writer()
        .tell(
            new MetadataCommand.Stop(
                Duration.ofNanos(leftNanos(DrainPlan.Stage.METADATA)), serving.metadataInbox()));
  }

  void metadataStopped(int heldWrites) {
    if (heldWrites > 0) {
      serving.happened(
          Event.Severity.WARNING,
          "drain.held",
          "the kernel still holds " + heldWrites + " writes to its metadata");
    }
    metadataStopped = true;
  }

  /** A stage's time is over: what is missing is left behind. */
  void overdue(DrainPlan.Stage of) {
    if (of != stage) {
      return;
    }
    switch (of) {
      case QUEUES -> {
        dirty("requests did not end in time and were abandoned");
        serving.queues().tellAll(new QueueCommand.Abandon());
        serving.relocator().tell(new RelocatorCommand.Abandon());
        relocatorTold = true;
        await(DrainPlan.Stage.ABANDONED);
      }
      case ABANDONED -> {
        dirty("queues do not answer");
        beginFlush();
      }
      case FLUSH -> {
        if (look != null && flushed && !serving.commits().isUnderWay()) {
          // What main looks like is not worth more than this: without it the stop is clean too.
          beginCleanMark();
          return;
        }
        dirty("its disks were not flushed, or its commits not decided, in time");
        flushed = true;
        beginMetadata();
      }
      case CLEAN_MARK -> {
        dirty("the mark of a clean stop was not committed in time");
        beginMetadata();
      }
      case METADATA -> {
        dirty("the writer of its metadata did not end in time");
        done = true;
      }
    }
  }

  private void dirty(String why) {
    if (clean) {
      serving.happened(Event.Severity.WARNING, "drain.unclean", "not a clean stop: " + why);
    }
    clean = false;
  }
}
