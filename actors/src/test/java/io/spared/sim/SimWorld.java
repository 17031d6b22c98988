package io.spared.sim;

import io.spared.ffi.world.Clock;
import io.spared.ffi.world.World;
import java.time.Duration;
import java.time.Instant;
import java.util.ArrayList;
import java.util.List;
import java.util.function.BooleanSupplier;
import java.util.function.Consumer;
import org.jspecify.annotations.Nullable;

/**
 * One simulated universe: its time, its randomness, what is going to happen, and, when actors run
 * in it, the tasks of their dispatchers. Single-threaded; the same seed gives the same run.
 *
 * <p>{@link #step()} is the only thing that moves: it runs one ready task chosen by the seed, or
 * else lets time pass to the next event. Nothing waits.
 */
public final class SimWorld {
  private static final Instant BEGINNING = Instant.parse("2026-01-01T00:00:00Z");

  private final long seed;
  private final SimRandom random;
  private final SimEvents events = new SimEvents();
  private final SimTrace trace;
  private final World world;
  private final Coverage coverage = new Coverage();
  private long nowNanos = 1_000_000_000L;
  private long wallOffsetNanos;
  private final List<SimExecutor> executors = new ArrayList<>();
  private Consumer<Throwable> actorFailed = failure -> {};
  private long taskCostMaxNanos = 2_000;
  private long steps;

  public SimWorld(long seed) {
    this(seed, 0);
  }

  /** With so many last lines of trace kept as text. */
  public SimWorld(long seed, int traceLinesKept) {
    this.seed = seed;
    this.random = new SimRandom(SimRandom.mix(seed));
    this.trace = new SimTrace(traceLinesKept);
    SimRandom forWorld = random.fork();
    this.world =
        new World(
            new Clock() {
              @Override
              public long nanoTime() {
                return nowNanos;
              }

              @Override
              public Instant now() {
                return BEGINNING.plusNanos(nowNanos + wallOffsetNanos);
              }
            },
            forWorld);
  }

  public long seed() {
    return seed;
  }

  /** The randomness of the simulation itself: fork it before drawing from it. */
  public SimRandom random() {
    return random;
  }

  /** What the code under test gets. */
  public World world() {
    return world;
  }

  public SimTrace trace() {
    return trace;
  }

  /** What was reached in this universe. */
  public Coverage coverage() {
    return coverage;
  }

  public long nowNanos() {
    return nowNanos;
  }

  public long steps() {
    return steps;
  }

  /** The time of day jumps, as when somebody sets the clock; monotonic time does not. */
  public void jumpWallClock(Duration by) {
    wallOffsetNanos += by.toNanos();
  }

  /** Whom to tell when any actor fails, before its supervisor decides. */
  void onActorFailure(Consumer<Throwable> told) {
    actorFailed = told;
  }

  void actorFailed(Throwable cause) {
    actorFailed.accept(cause);
  }

  /** How long a task of an actor may take at most, in simulated time. */
  public void taskCostMaxNanos(long nanos) {
    taskCostMaxNanos = nanos;
  }

  public SimEvent after(Duration delay, Runnable action) {
    return at(nowNanos + delay.toNanos(), action);
  }

  public SimEvent at(long nanos, Runnable action) {
    SimEvent event = new SimEvent.OfRunnable(action);
    schedule(event, nanos);
    return event;
  }

  public void cancel(SimEvent event) {
    events.remove(event);
  }

  void schedule(SimEvent event, long atNanos) {
    events.schedule(event, Math.max(atNanos, nowNanos));
  }

  void unschedule(SimEvent event) {
    events.remove(event);
    event.atNanos = SimEvent.NEVER;
  }

  /** A further process; those that are dead are forgotten. */
  void add(SimExecutor executor) {
    executors.removeIf(SimExecutor::isDead);
    executors.add(executor);
  }

  /** The process that was started last. */
  @Nullable SimExecutor executor() {
    return executors.isEmpty() ? null : executors.getLast();
  }

  /** A process with something to do, the seed's choice if there are several. */
  private @Nullable SimExecutor ready() {
    SimExecutor ready = null;
    int count = 0;
    for (int i = 0; i < executors.size(); i++) {
      SimExecutor each = executors.get(i);
      if (each.hasReady() && (++count == 1 || random.below(count) == 0)) {
        ready = each;
      }
    }
    return ready;
  }

  private boolean hasReady() {
    for (int i = 0; i < executors.size(); i++) {
      if (executors.get(i).hasReady()) {
        return true;
      }
    }
    return false;
  }

  /** When the next event is due; {@link SimEvent#NEVER} when nothing is to come. */
  public long nextEventNanos() {
    return events.nextNanos();
  }

  /** Runs one due event or one ready task, or lets time pass to the next event. False: the end. */
  public boolean step() {
    steps++;
    if (events.nextNanos() <= nowNanos) {
      events.takeFirst().happen();
      return true;
    }
    SimExecutor tasks = ready();
    if (tasks != null) {
      tasks.runOne();
      if (taskCostMaxNanos > 0) {
        nowNanos += random.below(taskCostMaxNanos);
      }
      return true;
    }
    long next = events.nextNanos();
    if (next == SimEvent.NEVER) {
      return false;
    }
    nowNanos = next;
    events.takeFirst().happen();
    return true;
  }

  /** Runs all that is due at or before now; time stands still. Returns how much that was. */
  public int runDue() {
    int count = 0;
    while (events.nextNanos() <= nowNanos) {
      events.takeFirst().happen();
      count++;
    }
    return count;
  }

  /** Steps for so much simulated time. */
  public void runFor(Duration duration) {
    long until = nowNanos + duration.toNanos();
    runUntil(() -> false, until);
    nowNanos = Math.max(nowNanos, until);
  }

  /** Steps until the condition holds; false when the time is over or nothing is to come. */
  public boolean runUntil(BooleanSupplier condition, Duration atMost) {
    return runUntil(condition, nowNanos + atMost.toNanos());
  }

  /** Steps until the condition holds or the moment has come. */
  public boolean runUntil(BooleanSupplier condition, long untilNanos) {
    while (!condition.getAsBoolean()) {
      if (nowNanos >= untilNanos || (events.nextNanos() > untilNanos && !hasReady())) {
        return false;
      }
      if (!step()) {
        return false;
      }
    }
    return true;
  }
}
