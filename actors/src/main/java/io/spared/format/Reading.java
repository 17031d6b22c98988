package io.spared.format;

import java.nio.ByteBuffer;
import java.util.Optional;

/**
 * Something that is read from one disk step by step. Whoever drives it asks for the next step,
 * reads those bytes in its own way, and gives them or the failure back, until there is no next
 * step.
 */
public interface Reading {
  /** Bytes to be read next. */
  record Step(long offsetBytes, int lengthBytes) {}

  /** The same until it was answered; empty at the end. */
  Optional<Step> next();

  /** All bytes of the step, from position 0 to the limit. */
  void accept(ByteBuffer bytes);

  /** The step could not be read. */
  void failed(String reason);
}
