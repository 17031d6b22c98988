package io.spared.sim;

import com.typesafe.config.Config;
import com.typesafe.config.ConfigFactory;
import java.io.IOException;
import java.net.URL;
import java.util.Collections;
import java.util.Enumeration;
import java.util.Objects;
import java.util.concurrent.atomic.AtomicReference;
import org.apache.pekko.actor.BootstrapSetup;
import org.apache.pekko.actor.typed.ActorSystem;
import org.apache.pekko.actor.typed.Behavior;
import org.jspecify.annotations.Nullable;
import scala.Function0;
import scala.concurrent.BlockContext;
import scala.concurrent.CanAwait;

/**
 * Makes actor systems whose dispatchers and scheduler are simulated: no thread is started, and
 * nothing runs but by {@link SimWorld#step()}.
 */
final class SimSystem {
  /** More rings than any simulated host has. */
  static final int RINGS_MAX = 4;

  private static final Config CONFIG = config();

  /**
   * The executor of the process that this thread runs, or whose actor system it makes: a dispatcher
   * is made when it is first asked for, which may be long after its system was.
   */
  private static final ThreadLocal<@Nullable SimExecutor> CURRENT = new ThreadLocal<>();

  /** Every new system reads the manifests of all libraries to compare their versions. */
  private static final ClassLoader WITHOUT_MANIFESTS =
      new ClassLoader(Objects.requireNonNull(SimSystem.class.getClassLoader())) {
        @Override
        public Enumeration<URL> getResources(String name) throws IOException {
          return name.equals("META-INF/MANIFEST.MF")
              ? Collections.emptyEnumeration()
              : super.getResources(name);
        }
      };

  private SimSystem() {}

  private static Config config() {
    StringBuilder text =
        new StringBuilder(
            """
            sim-dispatcher {
              type = Dispatcher
              executor = "io.spared.sim.SimDispatcher"
              throughput = 1
            }
            sim-blocking-dispatcher = ${sim-dispatcher} { sim-blocking = on }
            pekko {
              loglevel = OFF
              stdout-loglevel = OFF
              use-slf4j = off
              log-dead-letters = off
              log-dead-letters-during-shutdown = off
              jvm-shutdown-hooks = off
              daemonic = on
              jvm-exit-on-fatal-error = off
              coordinated-shutdown.run-by-jvm-shutdown-hook = off
              scheduler.implementation = "io.spared.sim.SimScheduler"
              actor {
                default-dispatcher = ${sim-dispatcher}
                internal-dispatcher = ${sim-dispatcher}
                default-blocking-io-dispatcher = ${sim-blocking-dispatcher}
              }
              stream.materializer.dispatcher = pekko.actor.default-dispatcher
              stream.materializer.blocking-io-dispatcher = pekko.actor.default-blocking-io-dispatcher
            }
            spared.blocking = ${sim-blocking-dispatcher}
            """);
    for (int i = 0; i < RINGS_MAX; i++) {
      text.append("spared.ring-").append(i).append(" = ${sim-dispatcher}\n");
    }
    return ConfigFactory.parseString(text.toString())
        .withFallback(ConfigFactory.defaultReference())
        .resolve();
  }

  static SimExecutor current() {
    SimExecutor executor = CURRENT.get();
    if (executor == null) {
      throw new IllegalStateException("a simulated dispatcher outside of a simulated process");
    }
    return executor;
  }

  /** Runs the task as the executor's process. */
  static void runAs(SimExecutor executor, Runnable task) {
    SimExecutor before = CURRENT.get();
    CURRENT.set(executor);
    try {
      task.run();
    } finally {
      CURRENT.set(before);
    }
  }

  /**
   * Pekko finds dispatchers and schedulers by name, and without being told through the thread's
   * context class loader. It is told: beside a broken variant this class is loaded more than once,
   * and another's dispatcher would wait for another's executor.
   */
  static <T> ActorSystem<T> make(SimExecutor executor, Behavior<T> guardian, String name) {
    BootstrapSetup setup = BootstrapSetup.create(CONFIG).withClassloader(WITHOUT_MANIFESTS);
    // A system waits for its loggers while it is made: whoever waits here runs the others instead.
    BlockContext runOthers =
        new BlockContext() {
          @Override
          public <R> R blockOn(Function0<R> thunk, CanAwait permission) {
            while (executor.hasReady()) {
              executor.runOne();
            }
            return thunk.apply();
          }
        };
    AtomicReference<@Nullable ActorSystem<T>> made = new AtomicReference<>();
    runAs(
        executor,
        () ->
            made.set(
                BlockContext.withBlockContext(
                    runOthers, () -> ActorSystem.create(guardian, name, setup))));
    return Objects.requireNonNull(made.get());
  }
}
