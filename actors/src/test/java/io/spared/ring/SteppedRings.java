package io.spared.ring;

import com.typesafe.config.Config;
import com.typesafe.config.ConfigValueFactory;
import io.spared.ffi.engine.Engine;
import io.spared.ffi.engine.EngineSettings;
import io.spared.ffi.engine.Engines;
import io.spared.ffi.world.World;
import java.io.IOException;
import java.util.ArrayList;
import java.util.List;
import java.util.concurrent.AbstractExecutorService;
import java.util.concurrent.TimeUnit;
import java.util.function.BooleanSupplier;
import org.apache.pekko.actor.typed.ActorSystem;
import org.apache.pekko.actor.typed.DispatcherSelector;
import org.apache.pekko.dispatch.Dispatcher;
import org.apache.pekko.dispatch.DispatcherPrerequisites;
import org.apache.pekko.dispatch.Dispatchers;
import org.apache.pekko.dispatch.MessageDispatcher;
import org.apache.pekko.dispatch.MessageDispatcherConfigurator;
import scala.concurrent.duration.Duration;
import scala.concurrent.duration.FiniteDuration;

/**
 * Rings without threads, for tests: the test's own thread is every ring's thread, and nothing on
 * them happens but by {@link #step}.
 *
 * <pre>{@code
 * try (SteppedRings rings = SteppedRings.make(system, 2)) {
 *   ActorRef<Command> actor = testKit.spawn(MyActor.create(rings), rings.ring(0).dispatcher());
 *   actor.tell(new Begin());
 *   rings.stepUntil(() -> ...);
 * }
 * }</pre>
 */
public final class SteppedRings implements Rings, AutoCloseable {
  private static final long PATIENCE_NANOS = 20_000_000_000L;

  private final List<SteppedRing> rings = new ArrayList<>();

  private SteppedRings() {}

  /** Makes rings with real engines, opened by and for the calling thread. */
  public static SteppedRings make(ActorSystem<?> system, int count) throws IOException {
    List<Engine> engines = new ArrayList<>();
    for (int i = 0; i < count; i++) {
      engines.add(
          Engines.open(
              Engines.Choice.AUTOMATIC,
              World.real().clock(),
              EngineSettings.DEFAULT.withSlab(1 << 20, 16L << 20)));
    }
    return make(system, engines);
  }

  /** Makes rings with the given engines, which are closed with the rings. */
  public static SteppedRings make(ActorSystem<?> system, List<? extends Engine> engines) {
    SteppedRings stepped = new SteppedRings();
    Dispatchers dispatchers = system.classicSystem().dispatchers();
    for (int index = 0; index < engines.size(); index++) {
      String id = "spared.ring-" + index;
      RingLoop loop = new RingLoop(engines.get(index));
      Config config =
          system
              .settings()
              .config()
              .getConfig("spared.ring")
              .withValue("id", ConfigValueFactory.fromAnyRef(id))
              .withFallback(dispatchers.defaultDispatcherConfig());
      dispatchers.registerConfigurator(
          id, new Configurator(config, dispatchers.prerequisites(), id, loop));
      stepped.rings.add(new SteppedRing(index, loop, DispatcherSelector.fromConfig(id)));
    }
    return stepped;
  }

  private record SteppedRing(int index, RingLoop loop, DispatcherSelector dispatcher)
      implements Ring {
    @Override
    public Engine engine() {
      return loop.engine();
    }
  }

  @Override
  public int count() {
    return rings.size();
  }

  @Override
  public Ring ring(int index) {
    return rings.get(index);
  }

  /** One step of every ring, without waiting; gives how many tasks ran and requests ended. */
  public int step() {
    int done = 0;
    for (SteppedRing ring : rings) {
      done += ring.loop().step(false);
    }
    return done;
  }

  /** Steps until nothing happens any more by itself. */
  public void settle() {
    int idle = 0;
    while (idle < 3) {
      idle = step() == 0 ? idle + 1 : 0;
    }
  }

  /** Steps until the condition holds; fails after a long time without it. */
  public void stepUntil(BooleanSupplier condition) {
    long until = System.nanoTime() + PATIENCE_NANOS;
    while (!condition.getAsBoolean()) {
      if (System.nanoTime() > until) {
        throw new AssertionError("the condition did not come to hold while the rings were stepped");
      }
      if (step() == 0) {
        Thread.onSpinWait();
      }
    }
  }

  @Override
  public void close() {
    for (SteppedRing ring : rings) {
      ring.loop().end();
    }
  }

  /** Gives Pekko a dispatcher whose executor is the loop that the test steps. */
  private static final class Configurator extends MessageDispatcherConfigurator {
    private final Dispatcher dispatcher;

    Configurator(Config config, DispatcherPrerequisites prerequisites, String id, RingLoop loop) {
      super(config, prerequisites);
      this.dispatcher =
          new Dispatcher(
              this,
              id,
              config.getInt("throughput"),
              Duration.Zero(),
              (ignoredId, threads) -> () -> new LoopExecutor(loop),
              FiniteDuration.create(1, TimeUnit.HOURS));
    }

    @Override
    public MessageDispatcher dispatcher() {
      return dispatcher;
    }
  }

  private static final class LoopExecutor extends AbstractExecutorService {
    private final RingLoop loop;
    private boolean shutdown;

    LoopExecutor(RingLoop loop) {
      this.loop = loop;
    }

    @Override
    public void execute(Runnable task) {
      loop.execute(task);
    }

    @Override
    public void shutdown() {
      shutdown = true;
    }

    @Override
    public List<Runnable> shutdownNow() {
      shutdown = true;
      return List.of();
    }

    @Override
    public boolean isShutdown() {
      return shutdown;
    }

    @Override
    public boolean isTerminated() {
      return shutdown;
    }

    @Override
    public boolean awaitTermination(long timeout, TimeUnit unit) {
      return true;
    }
  }
}
