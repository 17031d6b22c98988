package io.spared.ring;

import io.spared.ffi.engine.Engine;
import java.util.ArrayDeque;
import java.util.concurrent.ConcurrentLinkedQueue;
import java.util.concurrent.Executor;
import org.jspecify.annotations.Nullable;
import org.slf4j.Logger;
import org.slf4j.LoggerFactory;

/**
 * What a ring's thread does in a circle: run tasks, turn the engine. One thread owns a loop; a test
 * may step it by hand instead.
 *
 * <p>No wake-up is lost: whoever comes from another thread puts the task into the queue first and
 * wakes the engine then, and the owner looks into the queue after every turn and before it lets the
 * engine wait; the engine remembers a wake that came while it did not wait. Neither side starves
 * the other: a step runs the tasks that were there when it began, then turns the engine once.
 */
final class RingLoop implements Executor {
  private static final Logger LOG = LoggerFactory.getLogger(RingLoop.class);
  private static final ThreadLocal<@Nullable RingLoop> CURRENT = new ThreadLocal<>();

  /** Foreign tasks of one step; more wait for the next one. */
  private static final int FOREIGN_MAX = 256;

  private final ArrayDeque<Runnable> local = new ArrayDeque<>(1024);
  private final ConcurrentLinkedQueue<Runnable> foreign = new ConcurrentLinkedQueue<>();
  private final Thread owner;
  private final Engine engine;

  /** A loop owned by the calling thread. */
  RingLoop(Engine engine) {
    this.owner = Thread.currentThread();
    this.engine = engine;
    CURRENT.set(this);
  }

  /** The loop of the calling thread; null on any other. */
  static @Nullable RingLoop current() {
    return CURRENT.get();
  }

  Engine engine() {
    return engine;
  }

  @Override
  public void execute(Runnable task) {
    if (Thread.currentThread() == owner) {
      local.add(task);
    } else {
      foreign.add(task);
      engine.wake();
    }
  }

  boolean hasTasks() {
    return !local.isEmpty() || !foreign.isEmpty();
  }

  /** One step; gives how many tasks ran and requests ended. */
  int step(boolean mayWait) {
    int ran = runTasks();
    return ran + engine.turn(mayWait && !hasTasks());
  }

  /** Runs the tasks that are there now. */
  int runTasks() {
    int ran = 0;
    for (int bound = local.size(); bound > 0; bound--) {
      run(local.remove());
      ran++;
    }
    Runnable task = foreign.poll();
    while (task != null) {
      run(task);
      ran++;
      task = ran < FOREIGN_MAX ? foreign.poll() : null;
    }
    return ran;
  }

  private static void run(Runnable task) {
    try {
      task.run();
    } catch (RuntimeException e) {
      // Actors answer for their own failures; what arrives here is a bare task's.
      LOG.error("a task on a ring's thread failed", e);
    }
  }

  /** The loop is over: closes the engine and runs what its last signals brought. */
  void end() {
    engine.close();
    // Bounded: actors that are gone take no messages, and tasks of tasks come to an end.
    for (int round = 0; round < 1000 && hasTasks(); round++) {
      runTasks();
    }
    CURRENT.remove();
  }
}
