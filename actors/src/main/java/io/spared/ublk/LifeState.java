package io.spared.ublk;

import io.spared.ffi.ublk.UblkDeviceInfo;
import io.spared.ffi.ublk.UblkFeature;
import java.util.List;
import java.util.Set;
import org.jspecify.annotations.Nullable;

/**
 * What {@link UblkLife} knows between two facts.
 *
 * @param recover the device is one that was found
 * @param exists the driver has the device, as far as is known
 * @param info what it was made with, once that is known
 * @param queuesAlive queues that were begun and may have tags with the driver
 */
record LifeState(
    LifePhase phase,
    boolean recover,
    boolean exists,
    LifeEnding ending,
    Set<UblkFeature> features,
    @Nullable UblkDeviceInfo info,
    int queuesFetching,
    int queuesAlive) {

  static LifeState first(boolean recover) {
    return new LifeState(
        LifePhase.FEATURES, recover, recover, LifeEnding.NOT_BEGUN, Set.of(), null, 0, 0);
  }

  boolean isEnding() {
    return ending.begun();
  }

  UblkDeviceInfo known() {
    if (info == null) {
      throw new IllegalStateException("a device that is not known yet, in " + phase);
    }
    return info;
  }

  /** The block device's path, for sentences. */
  String path() {
    return "/dev/ublkb" + known().number();
  }

  LifeState in(LifePhase next) {
    return new LifeState(
        next, recover, exists, ending, features, info, queuesFetching, queuesAlive);
  }

  LifeState withFeatures(Set<UblkFeature> next) {
    return new LifeState(phase, recover, exists, ending, next, info, queuesFetching, queuesAlive);
  }

  /** The driver has it. */
  LifeState with(UblkDeviceInfo next) {
    return new LifeState(phase, recover, true, ending, features, next, queuesFetching, queuesAlive);
  }

  LifeState gone() {
    return new LifeState(
        phase, recover, false, ending, features, info, queuesFetching, queuesAlive);
  }

  /** Nothing of the found device is there any more: it is added like a new one. */
  LifeState afresh() {
    return new LifeState(LifePhase.ADDING, false, false, ending, features, null, 0, 0);
  }

  LifeState with(LifeEnding next) {
    return new LifeState(phase, recover, exists, next, features, info, queuesFetching, queuesAlive);
  }

  LifeState ending(String why, boolean leave) {
    return with(ending.begin(why, leave));
  }

  LifeState withQueues(int fetching, int alive) {
    return new LifeState(phase, recover, exists, ending, features, info, fetching, alive);
  }

  LifeStep stay() {
    return new LifeStep(this, List.of());
  }

  LifeStep doing(LifeEffect... effects) {
    return new LifeStep(this, List.of(effects));
  }

  LifeStep asking(Command command) {
    return doing(new LifeEffect.Ask(command));
  }
}
