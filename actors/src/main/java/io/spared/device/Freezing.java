package io.spared.device;

import io.spared.ffi.Errno;
import java.util.ArrayList;
import java.util.List;
import org.apache.pekko.actor.typed.ActorRef;

/**
 * A freeze on its way: every queue has to say that nothing is begun and not finished, then the
 * disks are flushed. It does not touch the map or any fence.
 */
final class Freezing {
  private final Run run;
  private final Serving serving;
  private final List<ActorRef<Answer>> askers = new ArrayList<>();
  private final long freezeId;
  private boolean flushing;
  private boolean flushed;

  Freezing(Run run, Serving serving, ActorRef<Answer> asker) {
    this.run = run;
    this.serving = serving;
    this.freezeId = run.nowNanos();
    askers.add(asker);
    serving.queues().freeze(freezeId);
    run.later(
        "freeze",
        run.settings.deadlines().request().toNanos(),
        new DeviceNews.FreezeOverdue(run.number, freezeId));
    step();
  }

  void alsoTell(ActorRef<Answer> asker) {
    askers.add(asker);
  }

  /** Goes on as far as it can; true once the device is frozen. */
  boolean step() {
    if (!flushing) {
      flushing = serving.flushOnceFrozen(() -> flushed = true);
    }
    if (!flushed) {
      return false;
    }
    run.notLater("freeze");
    List<String> failures = serving.flushFailures();
    if (!failures.isEmpty()) {
      // What a flush did not make durable, a later one would not either (invariant 10).
      serving.doubts().flushFailed(Errno.EIO);
    }
    Answer answer =
        failures.isEmpty()
            ? new Answer.Done(run.settings.name() + " is frozen")
            : new Answer.Refused(
                run.settings.name()
                    + " is frozen, but was not flushed: "
                    + String.join("; ", failures));
    askers.forEach(asker -> asker.tell(answer));
    askers.clear();
    return true;
  }

  void giveUp(String why) {
    run.notLater("freeze");
    askers.forEach(asker -> asker.tell(new Answer.Refused("not frozen: " + why)));
    askers.clear();
  }
}
