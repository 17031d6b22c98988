package io.spared.metadata;

import io.spared.format.DeviceImage;
import io.spared.format.Epoch;
import io.spared.format.LogAppender.Payload;
import io.spared.format.LogAppender.PayloadBuilder;
import io.spared.format.Position;
import org.jspecify.annotations.Nullable;

/**
 * The device's history as this start goes on with it: the image, the last commit, the last record.
 *
 * <p><b>One history.</b> Commits get consecutive sequences within one epoch, in the order asked
 * for, and a sequence is never given to anything else: it is taken when a record is made ({@link
 * #record}), and the record is kept until every copy has it or was given up.
 */
final class History {
  private final Retained retained = new Retained();
  private @Nullable DeviceImage image;
  private Epoch epoch = Epoch.NONE;
  private Position committed = Position.NONE;
  private long lastSequence;
  private long lastGeneration;

  boolean isLoaded() {
    return image != null;
  }

  DeviceImage image() {
    DeviceImage known = image;
    if (known == null) {
      throw new IllegalStateException("no device is loaded");
    }
    return known;
  }

  void adopt(DeviceImage loaded) {
    image = loaded;
    epoch = loaded.epoch();
    committed = loaded.position();
    lastSequence = committed.sequence();
  }

  /** The device could not be created. */
  void forget() {
    image = null;
  }

  Epoch epoch() {
    return epoch;
  }

  void raise(Epoch newEpoch) {
    epoch = newEpoch;
  }

  /** The last commit that a quorum is known to hold. */
  Position committed() {
    return committed;
  }

  void commit(Position position) {
    committed = position;
  }

  /** The sequence of the last record that was made. */
  long lastSequence() {
    return lastSequence;
  }

  /** Makes the next record. */
  Payload record(PayloadBuilder changes) {
    lastSequence++;
    Payload payload = changes.at(new Position(epoch, lastSequence));
    retained.add(payload);
    return payload;
  }

  Retained retained() {
    return retained;
  }

  /** Whether a copy that holds everything up to this sequence can be given the rest. */
  boolean canFollow(long sequence) {
    return sequence == lastSequence || retained.get(sequence + 1) != null;
  }

  void sawGeneration(long generation) {
    lastGeneration = Math.max(lastGeneration, generation);
  }

  long nextGeneration() {
    return ++lastGeneration;
  }
}
