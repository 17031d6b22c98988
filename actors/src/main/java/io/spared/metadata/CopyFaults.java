package io.spared.metadata;

import io.spared.ffi.engine.DiskPort;
import io.spared.format.LogAppender;
import io.spared.format.Position;
import io.spared.metadata.MetadataReply.CopyState;

/**
 * How a copy falls out of step, and how one whose write was abandoned comes back.
 *
 * <p><b>Nothing in flight is written again.</b> A copy with an abandoned write is HELD: it takes
 * neither commits nor a checkpoint until the kernel lets go of the last of them. Then it goes on
 * where it holds all that was written to it and what it missed is still kept; else it is STALE, and
 * built anew with everything.
 */
final class CopyFaults {
  private final WriterContext context;
  private final RepairSchedule schedule;
  private final Runnable quorumMayHaveChanged;

  CopyFaults(WriterContext context, RepairSchedule schedule, Runnable quorumMayHaveChanged) {
    this.context = context;
    this.schedule = schedule;
    this.quorumMayHaveChanged = quorumMayHaveChanged;
  }

  /** An abandoned write stands in the way of everything on this copy. */
  void held(Copy copy, String reason) {
    if (copy.state == CopyState.GONE) {
      return;
    }
    boolean news = copy.isInStep();
    copy.state = CopyState.HELD;
    copy.reason = reason;
    Build building = copy.build;
    if (building != null) {
      building.fail(reason);
    }
    if (news) {
      tellDamaged(copy, reason);
    }
    quorumMayHaveChanged.run();
  }

  /** The kernel let go of a write on this copy. */
  void released(Copy copy) {
    if (copy.state != CopyState.HELD || copy.buildWrites > 0 || copy.lane.isHeld()) {
      return;
    }
    LogAppender log = copy.appender;
    boolean canGoOn =
        log != null
            && copy.durable.equals(log.last())
            && context.history().canFollow(log.last().sequence());
    if (canGoOn) {
      copy.state = CopyState.IN_STEP;
      copy.nextAttemptNanos = Copy.NEVER;
      copy.reason = "";
      quorumMayHaveChanged.run();
    } else {
      copy.stale(copy.reason);
      schedule.schedule(copy);
    }
  }

  /** It missed a commit. */
  void stale(Copy copy, String reason) {
    if (copy.state == CopyState.GONE || copy.state == CopyState.STALE) {
      return;
    }
    copy.stale(reason);
    tellDamaged(copy, reason);
    schedule.schedule(copy);
    quorumMayHaveChanged.run();
  }

  /** What stands on a copy is not what was written: it counts for nothing until repaired. */
  void damaged(Copy copy, String reason) {
    copy.appender = null;
    copy.durable = Position.NONE;
    stale(copy, reason);
  }

  /** Its disk went away. */
  void gone(Copy copy, String reason) {
    copy.port = null;
    copy.wasOnlyAway = copy.isInStep();
    copy.state = CopyState.GONE;
    copy.reason = reason;
    copy.switching = false;
    copy.nextAttemptNanos = Copy.NEVER;
    tellDamaged(copy, reason);
  }

  /** Its disk came back: it is looked at again at once. */
  void back(Copy copy, DiskPort port) {
    copy.port = port;
    if (copy.state == CopyState.GONE) {
      copy.state = copy.lane.isFree() && copy.buildWrites == 0 ? CopyState.STALE : CopyState.HELD;
      copy.reason = "its disk came back";
      copy.attempts = 0;
      copy.nextAttemptNanos = context.nanoTime();
    }
  }

  private void tellDamaged(Copy copy, String reason) {
    context.tell(new MetadataEvent.CopyDamaged(copy.place.copy(), copy.place.spare(), reason));
  }
}
