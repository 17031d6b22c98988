package io.spared.queue;

import io.spared.ffi.engine.Engine;

/**
 * The present call from outside and the policy in force: the time is looked at once in each call,
 * for all that it does.
 */
final class Turn {
  private final Engine engine;
  private QueuePolicy policy;
  private long deadlineNanos;
  private long nowNanos;

  Turn(Engine engine, QueuePolicy policy) {
    this.engine = engine;
    this.policy = policy;
    this.deadlineNanos = policy.requestDeadline().toNanos();
  }

  void begin() {
    nowNanos = engine.nanoTime();
  }

  long nowNanos() {
    return nowNanos;
  }

  QueuePolicy policy() {
    return policy;
  }

  void setPolicy(QueuePolicy next) {
    policy = next;
    deadlineNanos = next.requestDeadline().toNanos();
  }

  /** Until when a disk may take over what is submitted in this turn. */
  long deadlineNanos() {
    return nowNanos + deadlineNanos;
  }

  /** As above, for what may take long within a turn. */
  long deadlineFromNowNanos() {
    return engine.nanoTime() + deadlineNanos;
  }

  boolean isOver(long deadline) {
    return engine.nanoTime() - deadline > 0;
  }
}
