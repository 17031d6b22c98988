package io.spared.ring;

import com.typesafe.config.Config;
import io.spared.ffi.engine.Engines;
import io.spared.ffi.world.World;
import java.util.concurrent.ThreadFactory;
import org.apache.pekko.dispatch.DispatcherPrerequisites;
import org.apache.pekko.dispatch.ExecutorServiceConfigurator;
import org.apache.pekko.dispatch.ExecutorServiceFactory;

/**
 * Makes the executor of a dispatcher whose one thread is a ring's thread; named in a dispatcher's
 * configuration as {@code executor}, beside the settings of {@code spared.ring}.
 */
public final class RingExecutorConfigurator extends ExecutorServiceConfigurator {
  private final RingSettings settings;

  public RingExecutorConfigurator(Config config, DispatcherPrerequisites prerequisites) {
    super(config, prerequisites);
    this.settings = RingSettings.of(config);
  }

  @Override
  public ExecutorServiceFactory createExecutorServiceFactory(
      String id, ThreadFactory threadFactory) {
    return () ->
        new RingExecutor(
            id,
            threadFactory,
            () -> Engines.open(settings.choice(), World.real().clock(), settings.engine()));
  }
}
