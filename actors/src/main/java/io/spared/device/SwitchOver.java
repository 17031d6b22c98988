package io.spared.device;

import io.spared.device.LifeCycle.Fact;
import io.spared.ffi.Errno;
import io.spared.ffi.disk.Disk;
import io.spared.ffi.disk.DiskIdentity;
import io.spared.monitor.Event;
import io.spared.queue.QueueCommand;
import io.spared.relocation.RelocatorCommand;
import io.spared.relocation.RelocatorCommand.CommitResult;
import java.util.HashSet;
import java.util.List;
import java.util.Optional;
import java.util.Set;
import org.jspecify.annotations.Nullable;

/**
 * The last step of replacing main: nothing is in flight (queues frozen, relocator paused), both
 * disks are flushed in that state, and one commit makes the new disk main.
 *
 * <p>Durable: the new disk is main, and what queues still say of the old one is dropped until they
 * have said that they took the new one. Refused: the old one stays. Unknown: the device is
 * assembled again from its disks, and what its metadata then says is so; both disks hold the same,
 * and nothing is written until then.
 */
final class SwitchOver {
  private enum Stage {
    NONE,
    FREEZING,
    FLUSHING,
    COMMITTING
  }

  /** What the replacement does about its end. */
  interface Ends {
    /** Everything is as it was before; why. */
    void notYet(String sentence);

    /** The new disk, or the flush of another, has failed. */
    void failed(String sentence);

    /** The new disk is main. */
    void done();
  }

  private final Run run;
  private final Serving serving;
  private final ReplaceCommits commits;
  private final Ends ends;
  private final Set<Integer> onOldMain = new HashSet<>();
  private Stage stage = Stage.NONE;
  private @Nullable NewDisk next;
  private Optional<DiskIdentity> seen = Optional.empty();
  private boolean paused;
  private boolean flushed;
  private boolean stopped;

  SwitchOver(Run run, Serving serving, ReplaceCommits commits, Ends ends) {
    this.run = run;
    this.serving = serving;
    this.commits = commits;
    this.ends = ends;
  }

  /** Nothing new may begin on the device for a moment. */
  boolean isUnderWay() {
    return stage != Stage.NONE;
  }

  /** The commit was asked for: it is not taken back any more. */
  boolean isCommitting() {
    return stage == Stage.COMMITTING;
  }

  /** For people. */
  String word() {
    return switch (stage) {
      case NONE -> "copied";
      case FREEZING -> "freezing";
      case FLUSHING -> "flushing";
      case COMMITTING -> "switching";
    };
  }

  /**
   * @param now what stands on the disk now, for the record
   */
  void begin(NewDisk disk, Optional<DiskIdentity> now) {
    next = disk;
    seen = now;
    stage = Stage.FREEZING;
    paused = false;
    serving.scrubbing().stop();
    serving.relocator().tell(new RelocatorCommand.Pause());
    serving.queues().freeze(run.nowNanos());
    run.later(
        "replace-switch",
        run.settings.deadlines().request().toNanos(),
        new DeviceNews.SwitchOverdue(run.number));
  }

  private NewDisk disk() {
    NewDisk known = next;
    if (known == null) {
      throw new IllegalStateException("there is nothing to switch to");
    }
    return known;
  }

  /** The device goes on as before; nothing, once the commit was asked for. */
  void thaw() {
    if (stage == Stage.NONE || stage == Stage.COMMITTING) {
      return;
    }
    goOn();
  }

  private void goOn() {
    stage = Stage.NONE;
    run.notLater("replace-switch");
    serving.relocator().tell(new RelocatorCommand.GoOn());
    serving.queues().tellAll(new QueueCommand.Thaw());
    if (!stopped) {
      serving.scrubbing().begin();
    }
  }

  void overdue() {
    if (stage == Stage.FREEZING || stage == Stage.FLUSHING) {
      goOn();
      ends.notYet("requests did not end in time for the switch");
    }
  }

  /** The device is being stopped, whatever has not been asked to be committed is not. */
  void stop() {
    stopped = true;
    run.notLater("replace-switch");
    if (stage == Stage.FREEZING || stage == Stage.FLUSHING) {
      stage = Stage.NONE;
      serving.relocator().tell(new RelocatorCommand.GoOn());
    }
  }

  void relocatorPaused() {
    paused = true;
  }

  /** Goes on as far as it can. */
  void step() {
    if (stage == Stage.FREEZING && paused) {
      flushed = false;
      if (serving.flushOnceFrozen(() -> flushed = true)) {
        stage = Stage.FLUSHING;
      }
    }
    if (stage == Stage.FLUSHING && flushed) {
      flushed();
    }
  }

  private void flushed() {
    flushed = false;
    // A failure of the new disk ends the replacement, and this with it.
    List<String> failures = serving.flushFailures();
    if (stage != Stage.FLUSHING) {
      return;
    }
    if (failures.isEmpty()) {
      run.notLater("replace-switch");
      stage = Stage.COMMITTING;
      commits.switchTo(disk(), seen);
      return;
    }
    // What a flush did not make durable, a later one would not either (invariant 10).
    serving.doubts().flushFailed(Errno.EIO);
    ends.failed("not flushed: " + String.join("; ", failures));
  }

  /** What the hints about the old disk came to. */
  void cleared(boolean durable, String sentence) {
    if (stage == Stage.COMMITTING) {
      if (durable) {
        commits.switchTo(disk(), seen);
      } else {
        notCommitted(sentence);
      }
    }
  }

  private void notCommitted(String sentence) {
    goOn();
    ends.notYet("the switch could not be committed: " + sentence);
  }

  /** What the commit came to. */
  List<Fact> switched(CommitResult result, String sentence) {
    if (stage != Stage.COMMITTING) {
      return List.of();
    }
    switch (result) {
      case NOT_DONE -> notCommitted(sentence);
      case INDETERMINATE -> {
        return crashed("nobody knows whether the switch to " + disk().address() + " is durable");
      }
      case COMMITTED -> {
        Disk now = disk().disk();
        if (now == null) {
          return crashed("the new disk is not open");
        }
        take(now);
      }
    }
    return List.of();
  }

  private List<Fact> crashed(String cause) {
    return List.of(new Fact.Crashed("replacement", cause, run.nowNanos()));
  }

  private void take(Disk now) {
    String before = serving.main().address().toString();
    serving.disks().flushes().remove(Replacement.NEW_MAIN);
    serving.mainIs(now);
    serving.queues().tellAll(new QueueCommand.MirrorOff());
    onOldMain.addAll(serving.queues().begun());
    serving.queues().tellAll(new QueueCommand.MainReplaced(now));
    serving.relocator().tell(new RelocatorCommand.MainReplaced(run.lendTo(now)));
    serving.queues().tellAll(new QueueCommand.Thaw());
    if (!stopped) {
      serving.scrubbing().begin();
    }
    run.tell(new DeviceNews.MainSwitched(run.number, disk().claim(), disk().address()));
    serving.happened(
        Event.Severity.NOTICE,
        "replace.done",
        disk().address()
            + " is main of "
            + run.settings.name()
            + " now; name it in the configuration too. "
            + before
            + " is given back and was not changed");
    stage = Stage.NONE;
    next = null;
    ends.done();
  }

  /** Whether what this queue says of main is, or may be, about the disk that was replaced. */
  boolean isAboutOldMain(int queueId) {
    return isUnderWay() || onOldMain.contains(queueId);
  }

  void mainTaken(int queueId) {
    onOldMain.remove(queueId);
  }
}
