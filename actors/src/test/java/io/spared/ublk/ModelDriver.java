package io.spared.ublk;

import io.spared.ffi.Errno;
import io.spared.ffi.ublk.UblkDeviceInfo;
import io.spared.ffi.ublk.UblkDeviceState;
import io.spared.ffi.ublk.UblkFeature;
import io.spared.ffi.ublk.UblkParameters;
import java.util.ArrayDeque;
import java.util.ArrayList;
import java.util.List;
import java.util.Set;

/**
 * The driver and the queues as a {@link UblkLife} sees them: what was asked for is kept until the
 * test says how it is answered, and what the answer does to the device is done.
 */
final class ModelDriver {
  static final UblkDeviceInfo WANTED = UblkDeviceInfo.wanted(3, 2, 64, 1 << 19, Set.of(), 99);
  static final UblkParameters PARAMETERS =
      new UblkParameters(
          16 << 20, 512, 4096, 0, 1 << 19, false, false, true, true, 4096, 1 << 30, 1 << 26);

  final List<Command> open = new ArrayList<>();
  final List<LifeEffect.Ended> ends = new ArrayList<>();
  final ArrayDeque<LifeFact> told = new ArrayDeque<>();
  private final Set<UblkFeature> features;
  private final UblkDeviceState found;
  LifeState life;
  boolean exists;
  boolean fileOpen;
  boolean retry;
  boolean wantsFile;
  boolean writesBack;
  int queues;

  /**
   * @param found the state of the device that a daemon left; UNKNOWN when there is none
   */
  ModelDriver(Set<UblkFeature> features, UblkDeviceState found) {
    this.features = features;
    this.found = found;
    this.exists = found != UblkDeviceState.UNKNOWN;
    LifeStep first = UblkLife.begin(exists);
    life = first.state();
    carryOut(first.effects());
  }

  ModelDriver happened(LifeFact fact) {
    LifeStep step = UblkLife.next(life, fact, WANTED, PARAMETERS);
    life = step.state();
    carryOut(step.effects());
    while (!told.isEmpty()) {
      happened(told.remove());
    }
    return this;
  }

  private void carryOut(List<LifeEffect> effects) {
    for (LifeEffect effect : effects) {
      switch (effect) {
        case LifeEffect.Ask ask -> {
          open.remove(ask.command());
          open.add(ask.command());
        }
        case LifeEffect.GiveUp given -> {
          if (open.remove(given.command())) {
            told.add(new LifeFact.Refused(given.command(), Errno.ETIMEDOUT));
          }
        }
        case LifeEffect.OpenFile _ -> wantsFile = true;
        case LifeEffect.CloseFile _ -> fileOpen = false;
        case LifeEffect.RetryAfter _ -> retry = true;
        case LifeEffect.BeginQueues begin -> queues = begin.info().queues();
        case LifeEffect.WriteBack _ -> writesBack = true;
        case LifeEffect.AbandonQueues _ -> {}
        case LifeEffect.LeaveQueues _, LifeEffect.LeaveRequests _ -> queuesEnd();
        case LifeEffect.Serving _ -> {}
        case LifeEffect.StopRefused _ -> {}
        case LifeEffect.Ended ended -> ends.add(ended);
      }
    }
  }

  private void queuesEnd() {
    for (int i = 0; i < queues; i++) {
      told.add(new LifeFact.QueueEnded(i));
    }
    queues = 0;
  }

  /** Does what was asked, as a driver in good health does. */
  void answer(Command command) {
    open.remove(command);
    happened(
        switch (command) {
          case GET_FEATURES -> new LifeFact.Features(features);
          case GET_DEV_INFO ->
              new LifeFact.Found(
                  new UblkDeviceInfo(3, 2, 64, 1 << 19, found, 4711, Set.of(), 99), false);
          case ADD_DEV -> {
            exists = true;
            yield new LifeFact.Added(WANTED);
          }
          case GET_PARAMS -> new LifeFact.ParametersRead(PARAMETERS);
          case STOP_DEV, TRY_STOP_DEV, QUIESCE_DEV -> {
            queuesEnd();
            yield new LifeFact.Done(command);
          }
          case DEL_DEV, DEL_DEV_ASYNC -> {
            if (command == Command.DEL_DEV && (fileOpen || queues > 0)) {
              throw new AssertionError("deleting waits for ever: " + life);
            }
            exists = false;
            // The driver stops what it removes.
            queuesEnd();
            yield new LifeFact.Done(command);
          }
          case SET_PARAMS, START_DEV, START_USER_RECOVERY, END_USER_RECOVERY ->
              new LifeFact.Done(command);
        });
  }

  void refuse(Command command, Errno errno) {
    open.remove(command);
    if (command == Command.GET_DEV_INFO && errno == Errno.EINVAL) {
      // This is how the driver says that there is none.
      exists = false;
    }
    happened(new LifeFact.Refused(command, errno));
  }

  /** The next thing that happens by itself when everything goes well; false when nothing does. */
  boolean step() {
    if (!open.isEmpty()) {
      answer(open.getFirst());
    } else if (wantsFile) {
      wantsFile = false;
      fileOpen = true;
      happened(new LifeFact.Opened());
    } else if (writesBack) {
      writesBack = false;
      happened(new LifeFact.WrittenBack());
    } else if (retry) {
      retry = false;
      happened(new LifeFact.RetryTime());
    } else if (life.phase() == LifePhase.FETCHING) {
      happened(new LifeFact.QueueFetching(0));
    } else {
      return false;
    }
    return true;
  }

  /** Goes on until a phase; false when everything has ended without it. */
  boolean until(LifePhase phase) {
    for (int i = 0; i < 100 && life.phase() != phase; i++) {
      if (!step()) {
        return false;
      }
    }
    return life.phase() == phase;
  }
}
