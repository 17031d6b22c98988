package io.spared.sim;

import java.util.Arrays;
import org.jspecify.annotations.Nullable;

/**
 * All threads of a simulated process in one: ready tasks, of which the seed chooses the next. A
 * killed process runs nothing more, whatever is still handed to it.
 */
final class SimExecutor {
  private final SimWorld world;
  private final SimRandom random;
  private @Nullable Runnable[] ready = new @Nullable Runnable[64];
  private int size;
  private boolean dead;
  private boolean paused;
  private long ran;
  private Runnable afterEach = () -> {};

  SimExecutor(SimWorld world) {
    this.world = world;
    this.random = world.random().fork();
  }

  SimWorld world() {
    return world;
  }

  void ready(Runnable task) {
    if (dead) {
      return;
    }
    if (size == ready.length) {
      ready = Arrays.copyOf(ready, size * 2);
    }
    ready[size++] = task;
  }

  /** Ready after this much simulated time. */
  void readyLater(Runnable task, long nanos) {
    if (!dead) {
      world.at(world.nowNanos() + nanos, () -> ready(task));
    }
  }

  boolean hasReady() {
    return size > 0 && !paused;
  }

  void pause(boolean pause) {
    paused = pause;
  }

  long ran() {
    return ran;
  }

  void runOne() {
    int at = size == 1 ? 0 : random.below(size);
    Runnable task = ready[at];
    ready[at] = ready[--size];
    ready[size] = null;
    if (task == null) {
      throw new IllegalStateException("no task at " + at);
    }
    ran++;
    SimMessages.trace(world, task, at, size);
    SimSystem.runAs(this, task);
    afterEach.run();
  }

  void afterEach(Runnable action) {
    afterEach = action;
  }

  /** The process is gone, between two messages. */
  void die() {
    dead = true;
    Arrays.fill(ready, 0, size, null);
    size = 0;
  }

  boolean isDead() {
    return dead;
  }
}
