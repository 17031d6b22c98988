package io.spared.sim;

import java.util.ArrayList;
import java.util.List;
import org.apache.pekko.actor.typed.ActorSystem;
import org.apache.pekko.actor.typed.Behavior;
import org.apache.pekko.actor.typed.DispatcherSelector;
import org.jspecify.annotations.Nullable;

/**
 * One life of a simulated daemon: an actor system and its engines. It can be killed between any two
 * messages; its requests then go on in the simulated kernel, and its disks are closed.
 */
public final class SimProcess {
  private final SimWorld world;
  private final SimExecutor executor;
  private final @Nullable SimOpener opener;
  private final List<SimEngine> engines = new ArrayList<>();

  /** The only process that has disks open. */
  public SimProcess(SimWorld world, int ringCount) {
    this(world, ringCount, null);
  }

  /** One of several: what it has open was opened with this. */
  SimProcess(SimWorld world, int ringCount, @Nullable SimOpener opener) {
    this.opener = opener;
    this.world = world;
    this.executor = new SimExecutor(world);
    world.add(executor);
    for (int i = 0; i < ringCount; i++) {
      engines.add(new SimEngine(world, "ring-" + i));
    }
    executor.afterEach(() -> {
      for (int i = 0; i < engines.size(); i++) {
        engines.get(i).watchLedger();
      }
    });
  }

  public SimWorld world() {
    return world;
  }

  public List<SimEngine> engines() {
    return engines;
  }

  public SimEngine engine(int ring) {
    return engines.get(ring);
  }

  /** The dispatcher of a ring's thread. */
  public static DispatcherSelector dispatcher(int ring) {
    return DispatcherSelector.fromConfig("spared.ring-" + ring);
  }

  public <T> ActorSystem<T> start(Behavior<T> guardian) {
    return SimSystem.make(executor, guardian, "spared");
  }

  /** Tasks and messages run so far. */
  public long tasksRun() {
    return executor.ran();
  }

  /** As SIGSTOP, or a virtual machine that is not scheduled: nothing runs until {@link #resume}. */
  public void pause() {
    executor.pause(true);
  }

  public void resume() {
    executor.pause(false);
  }

  /** As SIGKILL: nothing runs any more, between one message and the next. */
  public void kill(Iterable<SimDrive> drives) {
    executor.die();
    for (SimEngine engine : engines) {
      engine.close();
    }
    for (SimDrive drive : drives) {
      drive.ownerDied(opener);
    }
  }

  /** Buffers out and requests in flight on all engines. */
  public int buffersTaken() {
    int sum = 0;
    for (SimEngine engine : engines) {
      sum += engine.buffersTaken();
    }
    return sum;
  }
}
