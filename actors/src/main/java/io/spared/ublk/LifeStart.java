package io.spared.ublk;

import io.spared.ffi.Errno;
import io.spared.ffi.ublk.UblkDeviceInfo;
import io.spared.ffi.ublk.UblkDeviceState;
import io.spared.ffi.ublk.UblkFeature;
import io.spared.ffi.ublk.UblkParameters;
import java.util.Set;

/** The way from the first question to a device that is served. */
final class LifeStart {
  private static final int RETRY_MILLISECONDS = 50;

  private LifeStart() {}

  /** What zero copy needs: user copy for what the disks below cannot do with the pages. */
  static final Set<UblkFeature> ZERO_COPY =
      Set.of(UblkFeature.SUPPORT_ZERO_COPY, UblkFeature.AUTO_BUF_REG, UblkFeature.USER_COPY);

  static LifeStep featuresKnown(LifeState before, Set<UblkFeature> known, UblkDeviceInfo wanted) {
    LifeState life = before.withFeatures(known);
    if (life.isEnding()) {
      return LifeEnd.end(life);
    }
    if (wanted.has(UblkFeature.AUTO_BUF_REG) && !known.containsAll(ZERO_COPY)) {
      return LifeEnd.fail(
          life,
          "this kernel's ublk driver cannot do without copying (Linux 6.16 and later can); set"
              + " copying = auto");
    }
    return life.recover()
        ? life.in(LifePhase.FINDING).asking(Command.GET_DEV_INFO)
        : life.in(LifePhase.ADDING).asking(Command.ADD_DEV);
  }

  /** A device that was left is there; it is compared with what is wanted. */
  static LifeStep found(
      LifeState before, UblkDeviceInfo there, boolean serverLives, UblkDeviceInfo wanted) {
    LifeState life = before.with(there);
    if (life.isEnding()) {
      return LifeEnd.end(life);
    }
    if (there.tag() != wanted.tag()) {
      return LifeEnd.fail(
          life,
          life.path()
              + " is another program's or another device's; give this device another number, or"
              + " remove that one");
    }
    if (serverLives && there.state() == UblkDeviceState.LIVE) {
      return LifeEnd.fail(
          life,
          life.path() + " is served by process " + there.serverProcess() + "; stop that one first");
    }
    if (there.state() == UblkDeviceState.DEAD) {
      return life.in(LifePhase.REMOVING_DEAD).asking(Command.DEL_DEV);
    }
    return life.in(LifePhase.CLAIMING).asking(Command.START_USER_RECOVERY);
  }

  /** No device was left, or what was left could not be told of. */
  static LifeStep notFound(LifeState life, Errno errno) {
    if (errno != Errno.ENODEV && errno != Errno.EINVAL && errno != Errno.ENOENT) {
      return LifeEnd.fail(life, UblkSentences.refusal(Command.GET_DEV_INFO, errno));
    }
    return life.isEnding() ? LifeEnd.end(life.gone()) : life.afresh().asking(Command.ADD_DEV);
  }

  static LifeStep added(LifeState before, UblkDeviceInfo made) {
    if (before.phase() == LifePhase.ENDED) {
      // It came after all, when nobody waited any more: it must not stay.
      return before.with(made).asking(Command.DEL_DEV_ASYNC);
    }
    if (before.phase() != LifePhase.ADDING) {
      return before.stay();
    }
    LifeState life = before.with(made);
    return life.isEnding()
        ? LifeEnd.delete(life)
        : life.in(LifePhase.SETTING).asking(Command.SET_PARAMS);
  }

  /** The parameters of a device that was taken back. */
  static LifeStep read(LifeState life, UblkParameters there, UblkParameters wanted) {
    if (life.isEnding()) {
      return LifeEnd.end(life);
    }
    if (there.sizeBytes() != wanted.sizeBytes()
        || there.logicalSectorBytes() != wanted.logicalSectorBytes()) {
      return LifeEnd.fail(
          life,
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
    return life.in(LifePhase.OPENING).doing(new LifeEffect.OpenFile());
  }

  static LifeStep notClaimed(LifeState life, Errno errno) {
    if (life.isEnding()) {
      return LifeEnd.end(life);
    }
    return errno == Errno.EBUSY
        ? life.doing(new LifeEffect.RetryAfter(RETRY_MILLISECONDS))
        : LifeEnd.fail(life, UblkSentences.refusal(Command.START_USER_RECOVERY, errno));
  }

  static LifeStep opened(LifeState life) {
    if (life.phase() != LifePhase.OPENING || life.isEnding()) {
      return life.doing(new LifeEffect.CloseFile());
    }
    return life.in(LifePhase.FETCHING)
        .withQueues(0, life.known().queues())
        .doing(new LifeEffect.BeginQueues(life.known()));
  }

  static LifeStep notOpened(LifeState life, LifeFact.NotOpened fact) {
    if (life.phase() != LifePhase.OPENING) {
      return life.stay();
    }
    // udev makes and looks at the file of a new device: both pass.
    boolean passes = fact.errno() == Errno.EBUSY || fact.errno() == Errno.ENOENT;
    return passes
        ? life.doing(new LifeEffect.RetryAfter(RETRY_MILLISECONDS))
        : LifeEnd.fail(life, fact.sentence());
  }

  static LifeStep retry(LifeState life) {
    if (life.phase() == LifePhase.CLAIMING) {
      return life.asking(Command.START_USER_RECOVERY);
    }
    return life.phase() == LifePhase.OPENING ? life.doing(new LifeEffect.OpenFile()) : life.stay();
  }

  static LifeStep queueFetching(LifeState before) {
    LifeState life = before.withQueues(before.queuesFetching() + 1, before.queuesAlive());
    if (life.phase() != LifePhase.FETCHING || life.queuesFetching() < life.known().queues()) {
      return life.stay();
    }
    return life.in(LifePhase.STARTING)
        .asking(life.recover() ? Command.END_USER_RECOVERY : Command.START_DEV);
  }
}
