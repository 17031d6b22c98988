package io.spared.ublk;

import io.spared.ffi.Errno;
import io.spared.ffi.ublk.UblkDeviceInfo;
import io.spared.ffi.ublk.UblkDeviceState;
import io.spared.ffi.ublk.UblkFeature;
import io.spared.ffi.ublk.UblkParameters;
import java.util.List;
import java.util.Set;
import org.jspecify.annotations.Nullable;

/**
 * The life of one ublk device with its driver, as a pure function from state and fact to state and
 * effects.
 *
 * <p>Kept here, whatever fails, takes too long or is asked when:
 *
 * <ul>
 *   <li>A device that this life added is deleted by this life, unless it ends by leaving it to the
 *       next daemon. A device that was found (recovery) is never deleted because recovering it
 *       failed: programs above still wait for it.
 *   <li>The block device is stopped while its queues still serve, since removing it flushes it; it
 *       is deleted only once no queue has a tag with the driver and the file was closed.
 *   <li>Every way ends in {@link Phase#ENDED}, with one report: each step has an end of its own,
 *       and two deadlines (of starting and of stopping) end the rest.
 * </ul>
 */
record UblkLife(
    Phase phase,
    boolean recover,
    boolean exists,
    boolean ending,
    boolean leaving,
    boolean abandoned,
    boolean stopped,
    String reason,
    Set<UblkFeature> features,
    @Nullable UblkDeviceInfo info,
    int queuesFetching,
    int queuesAlive) {

  /** Where it stands: named after what is waited for. */
  enum Phase {
    FEATURES,
    FINDING,
    REMOVING_DEAD,
    ADDING,
    SETTING,
    CLAIMING,
    READING,
    OPENING,
    FETCHING,
    STARTING,
    SERVING,
    QUIESCING,
    STOPPING,
    CLOSING,
    DELETING,
    ENDED
  }

  /** What happened. */
  sealed interface Fact {
    record Features(Set<UblkFeature> features) implements Fact {}

    record Found(UblkDeviceInfo info, boolean serverLives) implements Fact {}

    record Added(UblkDeviceInfo info) implements Fact {}

    record ParametersRead(UblkParameters parameters) implements Fact {}

    /** A command without an answer of its own is done. */
    record Done(Command command) implements Fact {}

    /** The driver refused, or did not answer in time (errno ETIMEDOUT). */
    record Refused(Command command, Errno errno) implements Fact {}

    record Opened() implements Fact {}

    record NotOpened(String sentence, Errno errno) implements Fact {}

    /** A queue has given all its tags to the driver. */
    record QueueFetching(int queue) implements Fact {}

    /** A queue cannot serve; it goes on answering with errors until its tags are over. */
    record QueueFailed(int queue, String sentence) implements Fact {}

    /** None of the queue's tags is with the driver any more. */
    record QueueEnded(int queue) implements Fact {}

    record RetryTime() implements Fact {}

    record StartDeadline() implements Fact {}

    record StopDeadline() implements Fact {}

    /**
     * It is to end.
     *
     * @param leave for the next daemon, instead of removing it
     * @param onlyIfUnused refused while somebody has it open, where the driver can tell
     */
    record StopAsked(boolean leave, boolean onlyIfUnused) implements Fact {}
  }

  /** What the actor has to do, in this order. */
  sealed interface Effect {
    record Ask(Command command) implements Effect {}

    /** A command that may be on its way is to end now. */
    record GiveUp(Command command) implements Effect {}

    record OpenFile() implements Effect {}

    record CloseFile() implements Effect {}

    record RetryAfter(int milliseconds) implements Effect {}

    record BeginQueues(UblkDeviceInfo info) implements Effect {}

    /** Requests in hand are failed, so that the driver gets its tags back. */
    record AbandonQueues() implements Effect {}

    /** What is begun is finished; what comes is left for the next server. */
    record LeaveQueues() implements Effect {}

    record Serving(UblkDeviceInfo info) implements Effect {}

    /** Stopping was refused; it serves on. */
    record StopRefused(String sentence) implements Effect {}

    /**
     * The last effect of a life.
     *
     * @param sentence why, or empty when it was asked for
     * @param left whether a block device is left behind, on purpose or not
     */
    record Ended(String sentence, boolean left) implements Effect {}
  }

  record Step(UblkLife life, List<Effect> effects) {
    Step {
      effects = List.copyOf(effects);
    }
  }

  /**
   * A second stop deadline gives the driver so many retries' time before a device is left to it.
   */
  private static final int RETRY_MILLISECONDS = 50;

  static Step begin(boolean recover) {
    UblkLife life =
        new UblkLife(
            Phase.FEATURES, recover, false, false, false, false, false, "", Set.of(), null, 0, 0);
    return new Step(life, List.of(new Effect.Ask(Command.GET_FEATURES)));
  }

  // Small copies.

  private UblkLife in(Phase next) {
    return new UblkLife(
        next,
        recover,
        exists,
        ending,
        leaving,
        abandoned,
        stopped,
        reason,
        features,
        info,
        queuesFetching,
        queuesAlive);
  }

  private UblkLife withFeatures(Set<UblkFeature> next) {
    return new UblkLife(
        phase,
        recover,
        exists,
        ending,
        leaving,
        abandoned,
        stopped,
        reason,
        next,
        info,
        queuesFetching,
        queuesAlive);
  }

  private UblkLife withInfo(UblkDeviceInfo next) {
    return new UblkLife(
        phase,
        recover,
        true,
        ending,
        leaving,
        abandoned,
        stopped,
        reason,
        features,
        next,
        queuesFetching,
        queuesAlive);
  }

  /** Nothing of the found device is there any more: it is added like a new one. */
  private UblkLife afresh() {
    return new UblkLife(
        Phase.ADDING,
        false,
        false,
        ending,
        leaving,
        abandoned,
        stopped,
        reason,
        features,
        null,
        0,
        0);
  }

  private UblkLife ending(String why, boolean leave) {
    return new UblkLife(
        phase,
        recover,
        exists,
        true,
        leaving || leave,
        abandoned,
        stopped,
        ending ? reason : why,
        features,
        info,
        queuesFetching,
        queuesAlive);
  }

  private UblkLife serving() {
    return new UblkLife(
        Phase.SERVING,
        recover,
        exists,
        false,
        false,
        abandoned,
        stopped,
        "",
        features,
        info,
        queuesFetching,
        queuesAlive);
  }

  private UblkLife withAbandoned() {
    return new UblkLife(
        phase,
        recover,
        exists,
        ending,
        leaving,
        true,
        stopped,
        reason,
        features,
        info,
        queuesFetching,
        queuesAlive);
  }

  private UblkLife withStopped() {
    return new UblkLife(
        phase,
        recover,
        exists,
        ending,
        leaving,
        abandoned,
        true,
        reason,
        features,
        info,
        queuesFetching,
        queuesAlive);
  }

  private UblkLife withQueues(int fetching, int alive) {
    return new UblkLife(
        phase, recover, exists, ending, leaving, abandoned, stopped, reason, features, info,
        fetching, alive);
  }

  private Step stay() {
    return new Step(this, List.of());
  }

  private Step with(Effect... effects) {
    return new Step(this, List.of(effects));
  }

  // The function.

  /** What a fact leads to; a found device is compared with what is wanted. */
  Step next(Fact fact, UblkDeviceInfo wanted, UblkParameters parameters) {
    return switch (fact) {
      case Fact.Features f -> phase == Phase.FEATURES ? featuresKnown(f.features()) : stay();
      case Fact.Found f ->
          phase == Phase.FINDING ? found(f.info(), f.serverLives(), wanted) : stay();
      case Fact.Added f -> added(f.info());
      case Fact.ParametersRead f ->
          phase == Phase.READING ? read(f.parameters(), parameters) : stay();
      case Fact.Done f -> done(f.command());
      case Fact.Refused f -> refused(f.command(), f.errno());
      case Fact.Opened f -> opened();
      case Fact.NotOpened f -> notOpened(f);
      case Fact.QueueFetching f -> queueFetching();
      case Fact.QueueFailed f -> fail("queue " + f.queue() + ": " + f.sentence());
      case Fact.QueueEnded f -> queueEnded();
      case Fact.RetryTime f -> retry();
      case Fact.StartDeadline f ->
          isStarting() && !ending
              ? give("the driver took too long: " + waitingFor(), false, true)
              : stay();
      case Fact.StopDeadline f -> stopDeadline();
      case Fact.StopAsked f -> stopAsked(f);
    };
  }

  private boolean isStarting() {
    return switch (phase) {
      case FEATURES,
          FINDING,
          REMOVING_DEAD,
          ADDING,
          SETTING,
          CLAIMING,
          READING,
          OPENING,
          FETCHING,
          STARTING ->
          true;
      case SERVING, QUIESCING, STOPPING, CLOSING, DELETING, ENDED -> false;
    };
  }

  private String waitingFor() {
    return switch (phase) {
      case FEATURES -> "asked for its features";
      case FINDING -> "asked for the device that was left";
      case REMOVING_DEAD -> "removing a dead device";
      case ADDING -> "adding the device";
      case SETTING -> "setting its parameters";
      case CLAIMING ->
          "taking the device back, which it refuses while the dead daemon's requests are in the"
              + " kernel";
      case READING -> "reading its parameters";
      case OPENING -> "opening its character device, which somebody else has open";
      case FETCHING -> "its queues had not fetched";
      case STARTING -> "starting the device";
      case SERVING, QUIESCING, STOPPING, CLOSING, DELETING, ENDED -> phase.name();
    };
  }

  private Step featuresKnown(Set<UblkFeature> known) {
    UblkLife life = withFeatures(known);
    if (ending) {
      return life.end();
    }
    return recover
        ? life.in(Phase.FINDING).with(new Effect.Ask(Command.GET_DEV_INFO))
        : life.in(Phase.ADDING).with(new Effect.Ask(Command.ADD_DEV));
  }

  private Step found(UblkDeviceInfo there, boolean serverLives, UblkDeviceInfo wanted) {
    UblkLife life = withInfo(there);
    if (ending) {
      return life.end();
    }
    if (there.tag() != wanted.tag()) {
      return life.fail(
          "/dev/ublkb"
              + there.number()
              + " is another program's or another device's; give this device another number, or"
              + " remove that one");
    }
    if (serverLives && there.state() == UblkDeviceState.LIVE) {
      return life.fail(
          "/dev/ublkb"
              + there.number()
              + " is served by process "
              + there.serverProcess()
              + "; stop that one first");
    }
    if (there.state() == UblkDeviceState.DEAD) {
      return life.in(Phase.REMOVING_DEAD).with(new Effect.Ask(Command.DEL_DEV));
    }
    return life.in(Phase.CLAIMING).with(new Effect.Ask(Command.START_USER_RECOVERY));
  }

  private Step added(UblkDeviceInfo made) {
    if (phase == Phase.ENDED) {
      // It came after all, when nobody waited any more: it must not stay.
      return withInfo(made).with(new Effect.Ask(Command.DEL_DEV_ASYNC));
    }
    if (phase != Phase.ADDING) {
      return stay();
    }
    UblkLife life = withInfo(made);
    return ending ? life.delete() : life.in(Phase.SETTING).with(new Effect.Ask(Command.SET_PARAMS));
  }

  private Step read(UblkParameters there, UblkParameters wanted) {
    if (ending) {
      return end();
    }
    if (there.sizeBytes() != wanted.sizeBytes()
        || there.logicalSectorBytes() != wanted.logicalSectorBytes()) {
      return fail(
          "the device that was left has "
              + there.sizeBytes()
              + " bytes in sectors of "
              + there.logicalSectorBytes()
              + ", this one "
              + wanted.sizeBytes()
              + " in sectors of "
              + wanted.logicalSectorBytes()
              + "; remove it and start the device anew");
    }
    return in(Phase.OPENING).with(new Effect.OpenFile());
  }

  private Step done(Command command) {
    return switch (command) {
      case SET_PARAMS -> {
        if (phase != Phase.SETTING) {
          yield stay();
        }
        yield ending ? delete() : in(Phase.OPENING).with(new Effect.OpenFile());
      }
      case START_USER_RECOVERY -> {
        if (phase != Phase.CLAIMING) {
          yield stay();
        }
        yield ending ? end() : in(Phase.READING).with(new Effect.Ask(Command.GET_PARAMS));
      }
      case START_DEV, END_USER_RECOVERY ->
          phase == Phase.STARTING ? in(Phase.SERVING).with(new Effect.Serving(known())) : stay();
      case STOP_DEV, TRY_STOP_DEV ->
          phase == Phase.STOPPING ? withStopped().closeWhenQueuesEnded() : stay();
      case QUIESCE_DEV -> phase == Phase.QUIESCING ? withStopped().closeWhenQueuesEnded() : stay();
      case DEL_DEV, DEL_DEV_ASYNC ->
          switch (phase) {
            case REMOVING_DEAD ->
                ending ? gone().end() : afresh().with(new Effect.Ask(Command.ADD_DEV));
            case DELETING -> gone().end();
            case FEATURES,
                FINDING,
                ADDING,
                SETTING,
                CLAIMING,
                READING,
                OPENING,
                FETCHING,
                STARTING,
                SERVING,
                QUIESCING,
                STOPPING,
                CLOSING,
                ENDED ->
                stay();
          };
      case GET_FEATURES, GET_DEV_INFO, ADD_DEV, GET_PARAMS -> stay();
    };
  }

  private UblkLife gone() {
    return new UblkLife(
        phase,
        recover,
        false,
        ending,
        leaving,
        abandoned,
        stopped,
        reason,
        features,
        info,
        queuesFetching,
        queuesAlive);
  }

  private UblkDeviceInfo known() {
    if (info == null) {
      throw new IllegalStateException("a device that is not known yet, in " + phase);
    }
    return info;
  }

  private Step refused(Command command, Errno errno) {
    return switch (command) {
      case GET_FEATURES ->
          // Kernels before 6.4 have no such question; they get a device with nothing special.
          phase == Phase.FEATURES
              ? (isUnknownCommand(errno)
                  ? featuresKnown(Set.of())
                  : fail(UblkSentences.refusal(command, errno)))
              : stay();
      case GET_DEV_INFO -> {
        if (phase != Phase.FINDING) {
          yield stay();
        }
        // Nothing was left: it is added like a new one.
        if (errno == Errno.ENODEV || errno == Errno.EINVAL || errno == Errno.ENOENT) {
          yield ending ? end() : afresh().with(new Effect.Ask(Command.ADD_DEV));
        }
        yield fail(UblkSentences.refusal(command, errno));
      }
      case ADD_DEV, GET_PARAMS ->
          phase == Phase.ADDING || phase == Phase.READING
              ? fail(UblkSentences.refusal(command, errno))
              : stay();
      case SET_PARAMS ->
          phase == Phase.SETTING ? fail(UblkSentences.refusal(command, errno)) : stay();
      case START_USER_RECOVERY -> {
        if (phase != Phase.CLAIMING) {
          yield stay();
        }
        if (ending) {
          yield end();
        }
        yield errno == Errno.EBUSY
            ? with(new Effect.RetryAfter(RETRY_MILLISECONDS))
            : fail(UblkSentences.refusal(command, errno));
      }
      case START_DEV, END_USER_RECOVERY ->
          phase == Phase.STARTING ? fail(UblkSentences.refusal(command, errno)) : stay();
      case QUIESCE_DEV ->
          // What is begun is finished and the rest left: as when a daemon dies, only tidier.
          phase == Phase.QUIESCING ? with(new Effect.LeaveQueues()) : stay();
      case TRY_STOP_DEV -> {
        if (phase != Phase.STOPPING) {
          yield stay();
        }
        if (errno == Errno.EBUSY) {
          yield serving()
              .with(
                  new Effect.StopRefused(
                      "/dev/ublkb"
                          + known().number()
                          + " is in use; close what uses it, or stop it with force"));
        }
        yield with(new Effect.Ask(Command.STOP_DEV));
      }
      case STOP_DEV ->
          // The driver has no such device, or did not manage: go on towards deleting it.
          phase == Phase.STOPPING ? withStopped().closeWhenQueuesEnded() : stay();
      case DEL_DEV ->
          switch (phase) {
            case REMOVING_DEAD -> fail(UblkSentences.refusal(command, errno));
            case DELETING ->
                errno == Errno.ENODEV ? gone().end() : with(new Effect.Ask(Command.DEL_DEV_ASYNC));
            case FEATURES,
                FINDING,
                ADDING,
                SETTING,
                CLAIMING,
                READING,
                OPENING,
                FETCHING,
                STARTING,
                SERVING,
                QUIESCING,
                STOPPING,
                CLOSING,
                ENDED ->
                stay();
          };
      case DEL_DEV_ASYNC ->
          phase == Phase.DELETING
              ? ending(UblkSentences.refusal(command, errno), false).end()
              : stay();
    };
  }

  private static boolean isUnknownCommand(Errno errno) {
    return errno == Errno.EOPNOTSUPP || errno == Errno.EINVAL || errno == Errno.OTHER;
  }

  private Step opened() {
    if (phase != Phase.OPENING || ending) {
      return with(new Effect.CloseFile());
    }
    return in(Phase.FETCHING).withQueues(0, known().queues()).with(new Effect.BeginQueues(known()));
  }

  private Step notOpened(Fact.NotOpened fact) {
    if (phase != Phase.OPENING) {
      return stay();
    }
    // udev makes and looks at the file of a new device: both pass.
    boolean passes = fact.errno() == Errno.EBUSY || fact.errno() == Errno.ENOENT;
    return passes ? with(new Effect.RetryAfter(RETRY_MILLISECONDS)) : fail(fact.sentence());
  }

  private Step retry() {
    return switch (phase) {
      case CLAIMING -> with(new Effect.Ask(Command.START_USER_RECOVERY));
      case OPENING -> with(new Effect.OpenFile());
      case FEATURES,
          FINDING,
          REMOVING_DEAD,
          ADDING,
          SETTING,
          READING,
          FETCHING,
          STARTING,
          SERVING,
          QUIESCING,
          STOPPING,
          CLOSING,
          DELETING,
          ENDED ->
          stay();
    };
  }

  private Step queueFetching() {
    UblkLife life = withQueues(queuesFetching + 1, queuesAlive);
    if (phase != Phase.FETCHING || life.queuesFetching < known().queues()) {
      return life.stay();
    }
    return life.in(Phase.STARTING)
        .with(new Effect.Ask(recover ? Command.END_USER_RECOVERY : Command.START_DEV));
  }

  private Step queueEnded() {
    UblkLife life = withQueues(queuesFetching, Math.max(0, queuesAlive - 1));
    return switch (phase) {
      case SERVING ->
          // Stopped by somebody else, by the driver's commands; what is left is for them to say.
          life.ending("somebody else stopped /dev/ublkb" + known().number(), true)
              .in(Phase.CLOSING)
              .withStopped()
              .closeWhenQueuesEnded();
      case QUIESCING -> life.withStopped().closeWhenQueuesEnded();
      case STOPPING, CLOSING -> life.closeWhenQueuesEnded();
      case FETCHING, STARTING -> life.fail("a queue ended before the device was started");
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

  private Step stopAsked(Fact.StopAsked asked) {
    return switch (phase) {
      case SERVING -> {
        if (!asked.leave()) {
          yield ending("", false)
              .in(Phase.STOPPING)
              .with(
                  new Effect.Ask(
                      asked.onlyIfUnused() && features.contains(UblkFeature.SAFE_STOP_DEV)
                          ? Command.TRY_STOP_DEV
                          : Command.STOP_DEV));
        }
        UblkLife life = ending("", true).in(Phase.QUIESCING);
        yield features.contains(UblkFeature.QUIESCE)
            ? life.with(new Effect.Ask(Command.QUIESCE_DEV))
            : life.with(new Effect.LeaveQueues());
      }
      case FEATURES,
          FINDING,
          REMOVING_DEAD,
          ADDING,
          SETTING,
          CLAIMING,
          READING,
          OPENING,
          FETCHING,
          STARTING ->
          ending ? stay() : give("", asked.leave(), true);
      case QUIESCING, STOPPING, CLOSING, DELETING -> stay();
      case ENDED -> stay();
    };
  }

  /** Something went wrong: towards the end, from wherever it stands. */
  private Step fail(String sentence) {
    return switch (phase) {
      case SERVING ->
          ending(sentence, false).in(Phase.STOPPING).with(new Effect.Ask(Command.STOP_DEV));
      case QUIESCING, STOPPING, CLOSING, DELETING, ENDED -> stay();
      case FEATURES,
          FINDING,
          REMOVING_DEAD,
          ADDING,
          SETTING,
          CLAIMING,
          READING,
          OPENING,
          FETCHING,
          STARTING -> {
        if (ending && (phase == Phase.ADDING || phase == Phase.SETTING)) {
          // Waited for only to be undone, and it failed by itself.
          yield phase == Phase.ADDING ? end() : delete();
        }
        yield give(sentence, false, false);
      }
    };
  }

  /**
   * Ends a life that does not serve yet.
   *
   * @param unanswered whether the driver still owes an answer: a device may come of it, so it is
   *     waited for
   */
  private Step give(String sentence, boolean leave, boolean unanswered) {
    UblkLife life = ending(sentence, leave);
    return switch (phase) {
      case FEATURES, FINDING, REMOVING_DEAD, CLAIMING, READING -> life.end();
      case ADDING -> unanswered ? life.stay() : life.end();
      case SETTING -> unanswered ? life.stay() : life.delete();
      case OPENING -> recover ? life.end() : life.delete();
      case FETCHING, STARTING -> {
        if (recover) {
          yield life.in(Phase.QUIESCING).withLeaving().with(new Effect.LeaveQueues());
        }
        // Stopping a device that never started gives the tags back.
        yield life.in(Phase.STOPPING)
            .with(
                new Effect.GiveUp(Command.START_DEV),
                new Effect.AbandonQueues(),
                new Effect.Ask(Command.STOP_DEV));
      }
      case SERVING, QUIESCING, STOPPING, CLOSING, DELETING, ENDED -> life.stay();
    };
  }

  private UblkLife withLeaving() {
    return new UblkLife(
        phase,
        recover,
        exists,
        ending,
        true,
        abandoned,
        stopped,
        reason,
        features,
        info,
        queuesFetching,
        queuesAlive);
  }

  private Step closeWhenQueuesEnded() {
    if (!stopped || queuesAlive > 0) {
      return phase == Phase.STOPPING && stopped ? in(Phase.CLOSING).stay() : stay();
    }
    if (leaving) {
      UblkLife life = in(Phase.ENDED);
      return life.with(new Effect.CloseFile(), new Effect.Ended(reason, true));
    }
    return in(Phase.DELETING).with(new Effect.CloseFile(), new Effect.Ask(Command.DEL_DEV));
  }

  private Step stopDeadline() {
    return switch (phase) {
      case QUIESCING, STOPPING, CLOSING -> {
        if (!abandoned) {
          yield withAbandoned().with(new Effect.AbandonQueues());
        }
        // The tags are with requests that even abandoning did not end: the driver finishes alone.
        UblkLife life = ending("the kernel still holds requests of it", false).in(Phase.DELETING);
        yield leaving
            ? life.end()
            : life.with(new Effect.CloseFile(), new Effect.Ask(Command.DEL_DEV_ASYNC));
      }
      case DELETING -> with(new Effect.Ask(Command.DEL_DEV_ASYNC));
      case ADDING, SETTING -> ending ? ending("the driver does not answer", false).end() : stay();
      case FEATURES,
          FINDING,
          REMOVING_DEAD,
          CLAIMING,
          READING,
          OPENING,
          FETCHING,
          STARTING,
          SERVING,
          ENDED ->
          stay();
    };
  }

  private Step delete() {
    return in(Phase.DELETING).with(new Effect.CloseFile(), new Effect.Ask(Command.DEL_DEV));
  }

  private Step end() {
    return in(Phase.ENDED).with(new Effect.CloseFile(), new Effect.Ended(reason, exists));
  }
}
