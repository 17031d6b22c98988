package io.spared.ublk;

import io.spared.ffi.Errno;
import io.spared.ffi.ublk.UblkFeature;

/** The way out, from wherever a life stands. */
final class LifeEnd {
  private LifeEnd() {}

  static LifeStep stopAsked(LifeState life, LifeFact.StopAsked asked) {
    if (life.phase().isStarting()) {
      return life.isEnding() ? life.stay() : give(life, "", asked.leave(), true);
    }
    if (life.phase() != LifePhase.SERVING) {
      return life.stay();
    }
    if (!asked.leave()) {
      boolean tries = asked.onlyIfUnused() && life.features().contains(UblkFeature.SAFE_STOP_DEV);
      return tries
          ? life.ending("", false).in(LifePhase.STOPPING).asking(Command.TRY_STOP_DEV)
          : writeBack(life.ending("", false));
    }
    LifeState leaving = life.ending("", true).in(LifePhase.QUIESCING);
    return life.features().contains(UblkFeature.QUIESCE)
        ? leaving.asking(Command.QUIESCE_DEV)
        : leaving.doing(new LifeEffect.LeaveQueues());
  }

  static LifeStep startDeadline(LifeState life) {
    return life.phase().isStarting() && !life.isEnding()
        ? give(life, "the driver took too long: " + life.phase().waitingFor(), false, true)
        : life.stay();
  }

  /** Whatever was asked before the crash may still be answered. */
  static LifeStep crashed(LifeState life, String cause) {
    String sentence = "its frontend crashed: " + cause;
    if (life.phase().isStarting()) {
      return life.isEnding() ? life.stay() : give(life, sentence, false, true);
    }
    // Its queues did not crash: they serve until the end.
    return life.phase() == LifePhase.SERVING
        ? writeBack(life.ending(sentence, false))
        : fail(life, sentence);
  }

  private static LifeStep writeBack(LifeState life) {
    return life.in(LifePhase.WRITING_BACK).doing(new LifeEffect.WriteBack());
  }

  static LifeStep writtenBack(LifeState life) {
    return life.phase() == LifePhase.WRITING_BACK ? stop(life) : life.stay();
  }

  private static LifeStep stop(LifeState life) {
    return life.in(LifePhase.STOPPING).asking(Command.STOP_DEV);
  }

  /** Something went wrong: towards the end, from wherever it stands. */
  static LifeStep fail(LifeState life, String sentence) {
    if (life.phase() == LifePhase.SERVING || life.phase() == LifePhase.WRITING_BACK) {
      return stop(life.ending(sentence, false));
    }
    if (!life.phase().isStarting()) {
      return life.stay();
    }
    // What was waited for only to be undone may have failed by itself.
    if (life.isEnding() && life.phase() == LifePhase.ADDING) {
      return end(life);
    }
    if (life.isEnding() && life.phase() == LifePhase.SETTING) {
      return delete(life);
    }
    return give(life, sentence, false, false);
  }

  /**
   * Ends a life that does not serve yet.
   *
   * @param unanswered whether the driver still owes an answer: a device may come of it, so it is
   *     waited for
   */
  private static LifeStep give(
      LifeState before, String sentence, boolean leave, boolean unanswered) {
    // A device that was never started is no use to the next daemon.
    LifeState life = before.ending(sentence, leave && before.recover());
    return switch (life.phase()) {
      case FEATURES, FINDING, CLAIMING, READING -> end(life);
      case REMOVING_DEAD, ADDING -> unanswered ? life.stay() : end(life);
      case SETTING -> unanswered ? life.stay() : delete(life);
      case OPENING -> life.recover() ? end(life) : delete(life);
      case FETCHING, STARTING -> {
        if (life.recover()) {
          yield life.in(LifePhase.QUIESCING)
              .with(life.ending().withLeaving())
              .doing(new LifeEffect.LeaveQueues());
        }
        // Stopping a device that never started gives the tags back.
        yield life.in(LifePhase.STOPPING)
            .doing(
                new LifeEffect.GiveUp(Command.START_DEV),
                new LifeEffect.AbandonQueues(),
                new LifeEffect.Ask(Command.STOP_DEV));
      }
      case SERVING, QUIESCING, WRITING_BACK, STOPPING, CLOSING, DELETING, ENDED -> life.stay();
    };
  }

  static LifeStep queueEnded(LifeState before) {
    LifeState life =
        before.withQueues(before.queuesFetching(), Math.max(0, before.queuesAlive() - 1));
    return switch (life.phase()) {
      case SERVING ->
          // Stopped by somebody else, by the driver's commands; what is left is for them to say.
          stopped(life.ending("somebody else stopped " + life.path(), true).in(LifePhase.CLOSING));
      case QUIESCING -> stopped(life);
      case WRITING_BACK -> stop(life);
      case STOPPING, CLOSING -> closeWhenQueuesEnded(life);
      case FETCHING, STARTING -> fail(life, "a queue ended before the device was started");
      case FEATURES,
          FINDING,
          REMOVING_DEAD,
          ADDING,
          SETTING,
          CLAIMING,
          READING,
          OPENING,
          DELETING,
          ENDED ->
          life.stay();
    };
  }

  /** The driver brings no more requests. */
  static LifeStep stopped(LifeState life) {
    return closeWhenQueuesEnded(life.with(life.ending().withStopped()));
  }

  /**
   * The driver took back the tags that it had then. Those of requests in hand come to it when they
   * are answered, and it keeps them: a queue that waited for them would wait for its deadlines.
   */
  static LifeStep quiesced(LifeState life) {
    LifeStep step = stopped(life);
    return step.state().phase() == LifePhase.QUIESCING
        ? step.state().doing(new LifeEffect.LeaveQueues())
        : step;
  }

  private static LifeStep closeWhenQueuesEnded(LifeState life) {
    if (!life.ending().stopped()) {
      return life.stay();
    }
    if (life.queuesAlive() > 0) {
      return life.phase() == LifePhase.STOPPING ? life.in(LifePhase.CLOSING).stay() : life.stay();
    }
    return life.ending().leaving() ? end(life) : delete(life);
  }

  static LifeStep notStoppedUnused(LifeState life, Errno errno) {
    // Requests that were failed meanwhile cannot be taken back: then it ends all the same.
    if (errno != Errno.EBUSY || life.ending().abandoned()) {
      return life.asking(Command.STOP_DEV);
    }
    return life.in(LifePhase.SERVING)
        .with(LifeEnding.NOT_BEGUN)
        .doing(
            new LifeEffect.StopRefused(
                life.path() + " is in use; close what uses it, or stop it with force"));
  }

  static LifeStep stopDeadline(LifeState life) {
    return switch (life.phase()) {
      case QUIESCING, STOPPING, CLOSING -> {
        if (!life.ending().abandoned()) {
          // The next server gets again what is not answered, so nothing has to fail.
          yield life.with(life.ending().withAbandoned())
              .doing(
                  life.phase() == LifePhase.QUIESCING
                      ? new LifeEffect.LeaveRequests()
                      : new LifeEffect.AbandonQueues());
        }
        // The tags are with requests that even abandoning did not end: the driver finishes alone.
        LifeState left =
            life.ending("the kernel still holds requests of it", false).in(LifePhase.DELETING);
        yield left.ending().leaving()
            ? end(left)
            : left.doing(new LifeEffect.CloseFile(), new LifeEffect.Ask(Command.DEL_DEV_ASYNC));
      }
      case WRITING_BACK -> stop(life);
      case DELETING -> life.asking(Command.DEL_DEV_ASYNC);
      case REMOVING_DEAD, ADDING ->
          life.isEnding() ? end(life.ending("the driver does not answer", false)) : life.stay();
      case SETTING ->
          life.isEnding() ? life.in(LifePhase.DELETING).asking(Command.DEL_DEV_ASYNC) : life.stay();
      case FEATURES, FINDING, CLAIMING, READING, OPENING, FETCHING, STARTING, SERVING, ENDED ->
          life.stay();
    };
  }

  static LifeStep delete(LifeState life) {
    return life.in(LifePhase.DELETING)
        .doing(new LifeEffect.CloseFile(), new LifeEffect.Ask(Command.DEL_DEV));
  }

  /** The last step; what the driver still has is left to it, or to the next daemon. */
  static LifeStep end(LifeState life) {
    return life.in(LifePhase.ENDED)
        .doing(
            new LifeEffect.CloseFile(),
            new LifeEffect.Ended(life.ending().reason(), life.exists()));
  }
}
