package io.spared.ring;

import com.typesafe.config.Config;
import com.typesafe.config.ConfigValueFactory;
import io.spared.ffi.NativeAccess;
import io.spared.ffi.engine.Engine;
import java.time.Duration;
import java.util.ArrayList;
import java.util.List;
import java.util.concurrent.CompletableFuture;
import java.util.concurrent.ExecutionException;
import java.util.concurrent.RejectedExecutionException;
import java.util.concurrent.TimeUnit;
import java.util.concurrent.TimeoutException;
import org.apache.pekko.actor.typed.ActorSystem;
import org.apache.pekko.actor.typed.Behavior;
import org.apache.pekko.actor.typed.DispatcherSelector;
import org.apache.pekko.actor.typed.javadsl.Behaviors;
import org.apache.pekko.dispatch.DispatcherConfigurator;
import org.apache.pekko.dispatch.Dispatchers;

/**
 * The rings of an actor system, as {@code spared.rings} and {@code spared.ring} say.
 *
 * <p>A dispatcher without actors would be shut down by Pekko and made anew for the next one, with
 * another engine. So each ring has an anchor, an actor that does nothing and lives as long as the
 * system; when it stops with the system, the ring's thread ends and closes its engine.
 */
public final class SystemRings implements Rings {
  private static final Duration START_TIMEOUT = Duration.ofSeconds(20);
  private static final int COUNT_MAX = 64;
  private static final int COUNT_AUTOMATIC_MAX = 8;

  private final List<Ring> rings;

  private SystemRings(List<Ring> rings) {
    this.rings = List.copyOf(rings);
  }

  private record SystemRing(int index, Engine engine, DispatcherSelector dispatcher)
      implements Ring {}

  /**
   * Starts the rings.
   *
   * @throws IllegalStateException when an engine that was asked for cannot be had, with the reason
   */
  public static SystemRings start(ActorSystem<?> system) {
    NativeAccess.prove();
    Config config = system.settings().config();
    int configured = config.getInt("spared.rings.count");
    if (configured < 0 || configured > COUNT_MAX) {
      throw new IllegalStateException(
          "spared.rings.count is "
              + configured
              + " but must be between 0 (automatic) and "
              + COUNT_MAX);
    }
    int count =
        configured > 0
            ? configured
            : Math.min(COUNT_AUTOMATIC_MAX, Runtime.getRuntime().availableProcessors());
    List<Ring> rings = new ArrayList<>();
    for (int index = 0; index < count; index++) {
      rings.add(startRing(system, config, index));
    }
    return new SystemRings(rings);
  }

  private static Ring startRing(ActorSystem<?> system, Config config, int index) {
    String id = "spared.ring-" + index;
    Dispatchers dispatchers = system.classicSystem().dispatchers();
    if (!dispatchers.hasDispatcher(id)) {
      dispatchers.registerConfigurator(
          id,
          new DispatcherConfigurator(
              config
                  .getConfig("spared.ring")
                  .withValue("id", ConfigValueFactory.fromAnyRef(id))
                  .withFallback(dispatchers.defaultDispatcherConfig()),
              dispatchers.prerequisites()));
    }
    DispatcherSelector selector = DispatcherSelector.fromConfig(id);
    Behavior<Void> anchor = Behaviors.ignore();
    system.systemActorOf(anchor, "ring-" + index, selector);
    CompletableFuture<Engine> engine = new CompletableFuture<>();
    try {
      system
          .dispatchers()
          .lookup(selector)
          .execute(() -> {
            RingLoop loop = RingLoop.current();
            if (loop == null) {
              engine.completeExceptionally(
                  new IllegalStateException(
                      id + " is not a ring; its executor must be RingExecutorConfigurator"));
            } else {
              engine.complete(loop.engine());
            }
          });
      return new SystemRing(
          index, engine.get(START_TIMEOUT.toMillis(), TimeUnit.MILLISECONDS), selector);
    } catch (RejectedExecutionException | ExecutionException | TimeoutException e) {
      throw new IllegalStateException("ring " + index + " does not start: " + reason(e), e);
    } catch (InterruptedException e) {
      Thread.currentThread().interrupt();
      throw new IllegalStateException("interrupted while ring " + index + " started", e);
    }
  }

  private static String reason(Exception e) {
    Throwable innermost = e;
    while (innermost.getCause() != null) {
      innermost = innermost.getCause();
    }
    String message = innermost.getMessage();
    return message == null ? innermost.getClass().getSimpleName() : message;
  }

  @Override
  public int count() {
    return rings.size();
  }

  @Override
  public Ring ring(int index) {
    return rings.get(index);
  }
}
