package io.spared.metadata;

import io.spared.metadata.MetadataReply.State;

/**
 * How the writer stands. Who changes it: {@link Writer} on commands, {@link Commits} where a quorum
 * is reached, lost or back, {@link Round} at the end of a creation. FENCED is never left.
 */
final class Standing {
  private State state = State.NEW;

  State state() {
    return state;
  }

  boolean is(State asked) {
    return state == asked;
  }

  /** Whether the device has begun and copies are kept up, with a quorum or without. */
  boolean isServing() {
    return state == State.READY || state == State.NO_QUORUM;
  }

  void become(State next) {
    if (state != State.FENCED) {
      state = next;
    }
  }
}
