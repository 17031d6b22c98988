package io.spared.sim;

import com.typesafe.config.Config;
import java.io.Closeable;
import java.util.concurrent.ThreadFactory;
import org.apache.pekko.actor.AbstractScheduler;
import org.apache.pekko.actor.Cancellable;
import org.apache.pekko.event.LoggingAdapter;
import org.jspecify.annotations.Nullable;
import scala.concurrent.ExecutionContext;
import scala.concurrent.duration.FiniteDuration;

/** Pekko's scheduler in simulated time. */
public final class SimScheduler extends AbstractScheduler implements Closeable {
  private final SimExecutor executor;

  public SimScheduler(Config config, LoggingAdapter log, ThreadFactory threadFactory) {
    this.executor = SimSystem.current();
  }

  @Override
  public double maxFrequency() {
    return 1_000_000;
  }

  @Override
  @SuppressWarnings("deprecation") // Pekko asks for it until it is gone
  public Cancellable schedule(
      FiniteDuration initialDelay,
      FiniteDuration interval,
      Runnable runnable,
      ExecutionContext context) {
    Timer timer = new Timer(runnable, context, interval.toNanos());
    timer.arm(initialDelay.toNanos());
    return timer;
  }

  @Override
  public Cancellable scheduleOnce(
      FiniteDuration delay, Runnable runnable, ExecutionContext context) {
    Timer timer = new Timer(runnable, context, 0);
    timer.arm(delay.toNanos());
    return timer;
  }

  @Override
  public void close() {}

  private final class Timer implements Cancellable {
    private final Runnable runnable;
    private final ExecutionContext context;
    private final long intervalNanos;
    private @Nullable SimEvent event;
    private boolean cancelled;

    Timer(Runnable runnable, ExecutionContext context, long intervalNanos) {
      this.runnable = runnable;
      this.context = context;
      this.intervalNanos = intervalNanos;
    }

    void arm(long delayNanos) {
      if (!executor.isDead()) {
        event =
            executor.world().at(executor.world().nowNanos() + Math.max(0, delayNanos), this::fire);
      }
    }

    private void fire() {
      event = null;
      if (executor.isDead() || cancelled) {
        return;
      }
      context.execute(runnable);
      if (intervalNanos > 0) {
        arm(intervalNanos);
      }
    }

    @Override
    public boolean cancel() {
      SimEvent armed = event;
      boolean wasWaiting = !cancelled && armed != null;
      cancelled = true;
      if (armed != null) {
        executor.world().cancel(armed);
        event = null;
      }
      return wasWaiting;
    }

    @Override
    public boolean isCancelled() {
      return cancelled;
    }
  }
}
