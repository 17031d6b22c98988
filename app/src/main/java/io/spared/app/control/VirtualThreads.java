package io.spared.app.control;

import com.typesafe.config.Config;
import java.util.concurrent.ExecutorService;
import java.util.concurrent.Executors;
import java.util.concurrent.ThreadFactory;
import org.apache.pekko.dispatch.DispatcherPrerequisites;
import org.apache.pekko.dispatch.ExecutorServiceConfigurator;
import org.apache.pekko.dispatch.ExecutorServiceFactory;

/**
 * An executor of one virtual thread for each task. Pekko's own asks for a package of the JDK to be
 * opened, for names that nobody needs.
 */
public final class VirtualThreads extends ExecutorServiceConfigurator {
  public VirtualThreads(Config config, DispatcherPrerequisites prerequisites) {
    super(config, prerequisites);
  }

  @Override
  public ExecutorServiceFactory createExecutorServiceFactory(
      String id, ThreadFactory threadFactory) {
    return new ExecutorServiceFactory() {
      @Override
      public ExecutorService createExecutorService() {
        return Executors.newThreadPerTaskExecutor(Thread.ofVirtual().name(id + "-", 0).factory());
      }
    };
  }
}
