package io.spared.ublk;

import io.spared.ffi.Errno;
import io.spared.ffi.ublk.UblkDeviceInfo;
import io.spared.ffi.ublk.UblkParameters;
import java.util.Set;

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
 *   <li>The driver fails every write from the moment it is told to stop a device that can be
 *       recovered, so what the kernel holds of one that may be in use is written back before, also
 *       when this life ends by a crash of its actor. It ends at the deadline of stopping, or when a
 *       queue fails: then nobody could write it. A device that nobody has open holds nothing.
 *   <li>Every way ends in {@link LifePhase#ENDED}, with one report: each step has an end of its
 *       own, and two deadlines (of starting and of stopping) end the rest.
 * </ul>
 *
 * <p>Here the facts are sent where they belong: {@link LifeStart} has the way to a device that is
 * served, {@link LifeEnd} the way out.
 */
final class UblkLife {
  private UblkLife() {}

  static LifeStep begin(boolean recover) {
    return LifeState.first(recover).asking(Command.GET_FEATURES);
  }

  /** What a fact leads to; a found device is compared with what is wanted. */
  static LifeStep next(
      LifeState life, LifeFact fact, UblkDeviceInfo wanted, UblkParameters parameters) {
    LifePhase phase = life.phase();
    return switch (fact) {
      case LifeFact.Features f ->
          phase == LifePhase.FEATURES
              ? LifeStart.featuresKnown(life, f.features(), wanted)
              : life.stay();
      case LifeFact.Found f ->
          phase == LifePhase.FINDING
              ? LifeStart.found(life, f.info(), f.serverLives(), wanted)
              : life.stay();
      case LifeFact.Added f -> LifeStart.added(life, f.info());
      case LifeFact.ParametersRead f ->
          phase == LifePhase.READING
              ? LifeStart.read(life, f.parameters(), parameters)
              : life.stay();
      case LifeFact.Done f -> done(life, f.command());
      case LifeFact.Refused f -> refused(life, f.command(), f.errno(), wanted);
      case LifeFact.Opened _ -> LifeStart.opened(life);
      case LifeFact.NotOpened f -> LifeStart.notOpened(life, f);
      case LifeFact.QueueFetching _ -> LifeStart.queueFetching(life);
      case LifeFact.QueueFailed f -> LifeEnd.fail(life, "queue " + f.queue() + ": " + f.sentence());
      case LifeFact.QueueEnded _ -> LifeEnd.queueEnded(life);
      case LifeFact.Crashed f -> LifeEnd.crashed(life, f.cause());
      case LifeFact.WrittenBack _ -> LifeEnd.writtenBack(life);
      case LifeFact.RetryTime _ -> LifeStart.retry(life);
      case LifeFact.StartDeadline _ -> LifeEnd.startDeadline(life);
      case LifeFact.StopDeadline _ -> LifeEnd.stopDeadline(life);
      case LifeFact.StopAsked f -> LifeEnd.stopAsked(life, f);
    };
  }

  /** The phase in which an answer to a command is waited for; in any other it comes too late. */
  private static boolean isAwaited(LifeState life, Command command) {
    LifePhase phase = life.phase();
    return switch (command) {
      case GET_FEATURES -> phase == LifePhase.FEATURES;
      case GET_DEV_INFO -> phase == LifePhase.FINDING;
      case ADD_DEV -> phase == LifePhase.ADDING;
      case SET_PARAMS -> phase == LifePhase.SETTING;
      case GET_PARAMS -> phase == LifePhase.READING;
      case START_USER_RECOVERY -> phase == LifePhase.CLAIMING;
      case START_DEV, END_USER_RECOVERY -> phase == LifePhase.STARTING;
      case QUIESCE_DEV -> phase == LifePhase.QUIESCING;
      case STOP_DEV, TRY_STOP_DEV -> phase == LifePhase.STOPPING;
      case DEL_DEV -> phase == LifePhase.REMOVING_DEAD || phase == LifePhase.DELETING;
      case DEL_DEV_ASYNC -> phase == LifePhase.DELETING;
    };
  }

  private static LifeStep done(LifeState life, Command command) {
    if (!isAwaited(life, command)) {
      return life.stay();
    }
    return switch (command) {
      case SET_PARAMS ->
          life.isEnding()
              ? LifeEnd.delete(life)
              : life.in(LifePhase.OPENING).doing(new LifeEffect.OpenFile());
      case START_USER_RECOVERY ->
          life.isEnding()
              ? LifeEnd.end(life)
              : life.in(LifePhase.READING).asking(Command.GET_PARAMS);
      case START_DEV, END_USER_RECOVERY ->
          life.in(LifePhase.SERVING).doing(new LifeEffect.Serving(life.known()));
      case STOP_DEV, TRY_STOP_DEV -> LifeEnd.stopped(life);
      case QUIESCE_DEV -> LifeEnd.quiesced(life);
      case DEL_DEV, DEL_DEV_ASYNC ->
          life.phase() == LifePhase.DELETING || life.isEnding()
              ? LifeEnd.end(life.gone())
              : life.afresh().asking(Command.ADD_DEV);
      case GET_FEATURES, GET_DEV_INFO, ADD_DEV, GET_PARAMS ->
          throw new IllegalArgumentException(command + " has an answer of its own");
    };
  }

  /** The driver refused, or did not answer in time. */
  private static LifeStep refused(
      LifeState life, Command command, Errno errno, UblkDeviceInfo wanted) {
    if (!isAwaited(life, command)) {
      return life.stay();
    }
    String sentence = UblkSentences.refusal(command, errno);
    return switch (command) {
      // Kernels before 6.4 have no such question; they get a device with nothing special.
      case GET_FEATURES ->
          isUnknownCommand(errno)
              ? LifeStart.featuresKnown(life, Set.of(), wanted)
              : LifeEnd.fail(life, sentence);
      case GET_DEV_INFO -> LifeStart.notFound(life, errno);
      case ADD_DEV, GET_PARAMS, SET_PARAMS, START_DEV, END_USER_RECOVERY ->
          LifeEnd.fail(life, sentence);
      case START_USER_RECOVERY -> LifeStart.notClaimed(life, errno);
      // What is begun is finished and the rest left: as when a daemon dies, only tidier.
      case QUIESCE_DEV -> life.doing(new LifeEffect.LeaveQueues());
      case TRY_STOP_DEV -> LifeEnd.notStoppedUnused(life, errno);
      // The driver has no such device, or did not manage: go on towards deleting it.
      case STOP_DEV -> LifeEnd.stopped(life);
      case DEL_DEV -> {
        if (life.phase() == LifePhase.REMOVING_DEAD) {
          yield LifeEnd.fail(life, sentence);
        }
        yield errno == Errno.ENODEV ? LifeEnd.end(life.gone()) : life.asking(Command.DEL_DEV_ASYNC);
      }
      case DEL_DEV_ASYNC -> LifeEnd.end(life.ending(sentence, false));
    };
  }

  private static boolean isUnknownCommand(Errno errno) {
    return errno == Errno.EOPNOTSUPP || errno == Errno.EINVAL || errno == Errno.OTHER;
  }
}
