package io.spared.sim;

import java.util.function.Consumer;
import org.apache.pekko.actor.typed.Behavior;
import org.apache.pekko.actor.typed.BehaviorInterceptor;
import org.apache.pekko.actor.typed.Signal;
import org.apache.pekko.actor.typed.TypedActorContext;
import org.apache.pekko.actor.typed.javadsl.Behaviors;

/** Sees what an actor throws before its supervisor does. */
final class Guarded<T> extends BehaviorInterceptor<T, T> {
  private final Consumer<Throwable> crashed;

  private Guarded(Class<T> type, Consumer<Throwable> crashed) {
    super(type);
    this.crashed = crashed;
  }

  static <T> Behavior<T> guard(Class<T> type, Behavior<T> behavior, Consumer<Throwable> crashed) {
    return Behaviors.intercept(() -> new Guarded<>(type, crashed), behavior);
  }

  @Override
  public Behavior<T> aroundStart(TypedActorContext<T> context, PreStartTarget<T> target) {
    try {
      return target.start(context);
    } catch (RuntimeException | Error e) {
      crashed.accept(e);
      throw e;
    }
  }

  @Override
  public Behavior<T> aroundReceive(
      TypedActorContext<T> context, T message, ReceiveTarget<T> target) {
    try {
      return target.apply(context, message);
    } catch (RuntimeException | Error e) {
      crashed.accept(e);
      throw e;
    }
  }

  @Override
  public Behavior<T> aroundSignal(
      TypedActorContext<T> context, Signal signal, SignalTarget<T> target) {
    try {
      return target.apply(context, signal);
    } catch (RuntimeException | Error e) {
      crashed.accept(e);
      throw e;
    }
  }
}
