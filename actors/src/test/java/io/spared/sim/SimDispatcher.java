package io.spared.sim;

import com.typesafe.config.Config;
import java.util.List;
import java.util.concurrent.AbstractExecutorService;
import java.util.concurrent.ExecutorService;
import java.util.concurrent.ThreadFactory;
import java.util.concurrent.TimeUnit;
import org.apache.pekko.dispatch.DispatcherPrerequisites;
import org.apache.pekko.dispatch.ExecutorServiceConfigurator;
import org.apache.pekko.dispatch.ExecutorServiceFactory;

/**
 * Puts a dispatcher's tasks onto the simulated process's one executor. A dispatcher configured with
 * {@code sim-blocking = on} has its tasks start late, as threads that wait for system calls do.
 */
public final class SimDispatcher extends ExecutorServiceConfigurator {
  private final boolean blocking;

  public SimDispatcher(Config config, DispatcherPrerequisites prerequisites) {
    super(config, prerequisites);
    blocking = config.hasPath("sim-blocking") && config.getBoolean("sim-blocking");
  }

  @Override
  public ExecutorServiceFactory createExecutorServiceFactory(
      String id, ThreadFactory threadFactory) {
    SimExecutor executor = SimSystem.current();
    return () -> new Service(executor, blocking);
  }

  private static final class Service extends AbstractExecutorService implements ExecutorService {
    private final SimExecutor executor;
    private final boolean blocking;
    private final SimRandom random;

    Service(SimExecutor executor, boolean blocking) {
      this.executor = executor;
      this.blocking = blocking;
      this.random = blocking ? executor.world().random().fork() : executor.world().random();
    }

    @Override
    public void execute(Runnable task) {
      if (blocking) {
        executor.readyLater(task, random.logUniform(10_000, 2_000_000));
      } else {
        executor.ready(task);
      }
    }

    @Override
    public void shutdown() {}

    @Override
    public List<Runnable> shutdownNow() {
      return List.of();
    }

    @Override
    public boolean isShutdown() {
      return executor.isDead();
    }

    @Override
    public boolean isTerminated() {
      return executor.isDead();
    }

    @Override
    public boolean awaitTermination(long timeout, TimeUnit unit) {
      return true;
    }
  }
}
