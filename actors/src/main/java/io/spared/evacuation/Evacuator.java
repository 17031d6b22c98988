package io.spared.evacuation;

import io.spared.ffi.engine.Engine;
import io.spared.format.Geometry;
import io.spared.remap.RemapTable;
import java.time.Duration;
import java.util.ArrayDeque;
import java.util.HashMap;
import java.util.Map;
import java.util.concurrent.CompletableFuture;
import java.util.function.Consumer;
import org.apache.pekko.Done;
import org.apache.pekko.actor.typed.ActorRef;
import org.apache.pekko.actor.typed.Behavior;
import org.apache.pekko.actor.typed.PostStop;
import org.apache.pekko.actor.typed.javadsl.AbstractBehavior;
import org.apache.pekko.actor.typed.javadsl.ActorContext;
import org.apache.pekko.actor.typed.javadsl.Behaviors;
import org.apache.pekko.actor.typed.javadsl.Receive;
import org.apache.pekko.actor.typed.javadsl.TimerScheduler;
import org.apache.pekko.stream.KillSwitches;
import org.apache.pekko.stream.Materializer;
import org.apache.pekko.stream.UniqueKillSwitch;
import org.apache.pekko.stream.javadsl.Keep;
import org.apache.pekko.stream.javadsl.Sink;
import org.apache.pekko.stream.javadsl.Source;
import org.jspecify.annotations.Nullable;

/**
 * Has the blocks of one spare moved off it, pass by pass, a few at a time and at a rate: a flow of
 * the blocks, each of which the device's relocator moves. It keeps nothing that matters: what is
 * left to do is what the map says, so after a crash or a restart a pass begins anew.
 *
 * <p>A block that cannot be moved now is passed over. When many in a row cannot, the spare or the
 * others are in trouble, and the pass ends: its owner decides when the next one begins.
 */
public final class Evacuator extends AbstractBehavior<EvacuatorCommand> {
  /** Few, so that blocks that clients wait for find room in the relocator. */
  private static final int AT_ONCE = 4;

  private static final int FAILED_IN_A_ROW_MAX = 16;

  /** What an evacuator is made of. */
  public record Setup(
      Engine engine,
      Geometry geometry,
      RemapTable table,
      int spare,
      boolean givenUp,
      long bytesPerSecond,
      Consumer<EvacuatorRequest> owner) {}

  private final TimerScheduler<EvacuatorCommand> timers;
  private final Setup setup;
  private final MovePace pace;
  private final ArrayDeque<EvacuatorCommand.Next> waiting = new ArrayDeque<>();
  private final Map<Long, CompletableFuture<Done>> moving = new HashMap<>();
  private final Materializer materializer;
  private @Nullable UniqueKillSwitch flow;
  private boolean givenUp;
  private long pass;
  private long moved;
  private long failed;
  private int failedInARow;

  private Evacuator(
      ActorContext<EvacuatorCommand> context,
      TimerScheduler<EvacuatorCommand> timers,
      Setup setup) {
    super(context);
    this.timers = timers;
    this.setup = setup;
    this.givenUp = setup.givenUp();
    this.materializer = Materializer.createMaterializer(context);
    this.pace =
        new MovePace(
            setup.geometry().blockBytes(), setup.bytesPerSecond(), setup.engine().nanoTime());
  }

  /** To be spawned on the dispatcher of the ring whose engine is given. */
  public static Behavior<EvacuatorCommand> create(Setup setup) {
    return Behaviors.setup(
        context -> Behaviors.withTimers(timers -> new Evacuator(context, timers, setup)));
  }

  @Override
  public Receive<EvacuatorCommand> createReceive() {
    return newReceiveBuilder()
        .onMessage(EvacuatorCommand.class, this::on)
        .onSignal(
            PostStop.class,
            stopped -> {
              endFlow();
              return this;
            })
        .build();
  }

  private Behavior<EvacuatorCommand> on(EvacuatorCommand command) {
    switch (command) {
      case EvacuatorCommand.BeginPass begin -> beginPass();
      case EvacuatorCommand.Next next -> {
        if (flow == null) {
          next.ended().complete(Done.getInstance());
        } else {
          waiting.add(next);
          moveWhatIsDue();
        }
      }
      case EvacuatorCommand.MoveNow now -> moveWhatIsDue();
      case EvacuatorCommand.MoveEnded ended -> moveEnded(ended);
      case EvacuatorCommand.SetRate set -> pace.setRate(set.bytesPerSecond());
      case EvacuatorCommand.GiveUp give -> givenUp = true;
      case EvacuatorCommand.FlowEnded ended -> {
        if (flow != null && ended.pass() == pass) {
          flow = null;
          if (!ended.problem().isEmpty()) {
            throw new IllegalStateException("the flow of blocks failed: " + ended.problem());
          }
          setup.owner().accept(new EvacuatorRequest.PassEnded(moved, failed));
        }
      }
      case EvacuatorCommand.Stop stop -> {
        return Behaviors.stopped();
      }
    }
    return this;
  }

  private void beginPass() {
    if (flow != null) {
      return;
    }
    long number = ++pass;
    moved = 0;
    failed = 0;
    failedInARow = 0;
    ActorRef<EvacuatorCommand> self = getContext().getSelf();
    BlocksOnSpare blocks = new BlocksOnSpare(setup.table().walk(), setup.spare());
    flow =
        Source.fromIterator(() -> blocks)
            .viaMat(KillSwitches.single(), Keep.right())
            .mapAsync(
                AT_ONCE,
                block -> {
                  CompletableFuture<Done> ended = new CompletableFuture<>();
                  self.tell(new EvacuatorCommand.Next(block, ended));
                  return ended;
                })
            .toMat(
                Sink.onComplete(end ->
                    self.tell(
                        new EvacuatorCommand.FlowEnded(
                            number, end.isSuccess() ? "" : String.valueOf(end)))),
                Keep.left())
            .run(materializer);
  }

  private void moveWhatIsDue() {
    while (!waiting.isEmpty()) {
      long now = setup.engine().nanoTime();
      long wait = pace.waitNanos(now);
      if (wait > 0) {
        timers.startSingleTimer(new EvacuatorCommand.MoveNow(), Duration.ofNanos(wait));
        return;
      }
      pace.moves(now);
      EvacuatorCommand.Next next = waiting.remove();
      moving.put(next.block(), next.ended());
      setup.owner().accept(new EvacuatorRequest.MoveBlock(next.block(), setup.spare(), givenUp));
    }
  }

  private void moveEnded(EvacuatorCommand.MoveEnded ended) {
    CompletableFuture<Done> asker = moving.remove(ended.block());
    if (asker == null) {
      return;
    }
    if (ended.moved()) {
      moved++;
      failedInARow = 0;
    } else {
      failed++;
      failedInARow++;
    }
    UniqueKillSwitch running = flow;
    if (failedInARow == FAILED_IN_A_ROW_MAX && running != null) {
      running.shutdown();
      waiting.forEach(next -> next.ended().complete(Done.getInstance()));
      waiting.clear();
    }
    asker.complete(Done.getInstance());
  }

  private void endFlow() {
    UniqueKillSwitch running = flow;
    flow = null;
    if (running != null) {
      running.shutdown();
    }
    // The flow ends only when nothing of it is still asked for.
    waiting.forEach(next -> next.ended().complete(Done.getInstance()));
    waiting.clear();
    moving.values().forEach(asker -> asker.complete(Done.getInstance()));
    moving.clear();
  }
}
