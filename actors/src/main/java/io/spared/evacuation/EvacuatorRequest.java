package io.spared.evacuation;

/** What the evacuator of a spare asks of its device, and tells it. */
public sealed interface EvacuatorRequest {
  /** Answered by MoveEnded. */
  record MoveBlock(long block, int offSpare, boolean givenUp) implements EvacuatorRequest {}

  /**
   * All blocks were tried, or so many failed in a row that the spare does not answer.
   *
   * @param moved blocks that left the spare
   * @param failed blocks that could not be moved now
   */
  record PassEnded(long moved, long failed) implements EvacuatorRequest {}
}
