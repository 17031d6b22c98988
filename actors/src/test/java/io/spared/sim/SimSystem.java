package io.spared.sim;

import com.typesafe.config.Config;
import com.typesafe.config.ConfigFactory;
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

  /** The executor of the process whose actor system is being made on this thread. */
  private static final ThreadLocal<@Nullable SimExecutor> MAKING = new ThreadLocal<>();

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

  static SimExecutor beingMade() {
    SimExecutor executor = MAKING.get();
    if (executor == null) {
      throw new IllegalStateException("a simulated dispatcher outside of a simulated process");
    }
    return executor;
  }

  static <T> ActorSystem<T> make(SimExecutor executor, Behavior<T> guardian, String name) {
    MAKING.set(executor);
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
    return BlockContext.withBlockContext(
        runOthers, () -> ActorSystem.create(guardian, name, CONFIG));
  }
}
