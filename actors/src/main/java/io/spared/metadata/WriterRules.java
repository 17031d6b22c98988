package io.spared.metadata;

import io.spared.format.AreaReading;
import io.spared.format.CopyReading;
import io.spared.format.Epoch;
import java.util.Optional;
import java.util.UUID;

/**
 * The writer's rules, one decision each. The tests keep broken variants of every one of them and
 * show that each is caught.
 */
class WriterRules {
  private final QuorumRule quorum;

  WriterRules() {
    this(new QuorumRule());
  }

  WriterRules(QuorumRule quorum) {
    this.quorum = quorum;
  }

  QuorumRule quorum() {
    return quorum;
  }

  /** Why what stands in a copy's place is not ours to write over: the device must stop. */
  Optional<String> foreign(CopyReading found, UUID deviceId, Epoch own) {
    if (found.kind() == CopyReading.Kind.NEWER) {
      return Optional.of("a copy of a newer format stands there: " + found.sentence());
    }
    boolean ofAnotherDevice =
        found.superblock().map(there -> !there.deviceId().equals(deviceId)).orElse(false);
    if (ofAnotherDevice) {
      return Optional.of(found.sentence());
    }
    for (AreaReading area : found.areas()) {
      Epoch there = area.tail().epoch();
      int newer = Long.compareUnsigned(there.counter(), own.counter());
      if (newer > 0 || (newer == 0 && there.startId() != own.startId())) {
        return Optional.of(
            "a copy is at "
                + area.tail()
                + ", this start is epoch "
                + own
                + ": it was started"
                + " elsewhere");
      }
    }
    return Optional.empty();
  }

  /** A copy that missed a commit takes no later one until it was repaired. */
  boolean staleCopyWaits() {
    return true;
  }

  /** A repair or checkpoint goes into the area that does not hold the copy's state. */
  boolean buildsAside() {
    return true;
  }
}
