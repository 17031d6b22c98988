package io.spared.ring;

import java.time.Duration;
import java.util.List;
import java.util.concurrent.TimeoutException;
import java.util.function.BiFunction;
import java.util.function.Function;
import org.apache.pekko.actor.typed.ActorRef;
import org.apache.pekko.actor.typed.Behavior;
import org.apache.pekko.actor.typed.DispatcherSelector;
import org.apache.pekko.actor.typed.javadsl.ActorContext;
import org.apache.pekko.actor.typed.javadsl.Behaviors;
import org.jspecify.annotations.Nullable;

/**
 * Questions with one answer, kept on the asker's dispatcher. In place of {@code ActorContext.ask}
 * and {@code pipeToSelf}: their Java versions hand every answer through the JVM's common pool
 * (scala.jdk's futures complete asynchronously), so that it comes late, and from a thread that
 * nobody injected; in the simulator a seed is then no longer one run.
 */
public final class OneAnswer {
  private OneAnswer() {}

  /** The type of an answer that is a list. */
  @SuppressWarnings(
      "unchecked") // A list's elements are not known to its class; they are read only.
  public static <T> Class<List<T>> listOf(Class<T> element) {
    return (Class<List<T>>) (Class<?>) List.class;
  }

  /**
   * Asks, and tells the asker one thing: what is made of the answer, or of a {@link
   * TimeoutException} when none came in time. What is made is made beside the asker, so it must not
   * touch the asker's state.
   */
  public static <Q, A, M> void ask(
      ActorContext<M> asker,
      Class<A> answerType,
      ActorRef<Q> asked,
      Duration deadline,
      Function<ActorRef<A>, Q> question,
      BiFunction<@Nullable A, @Nullable Throwable, M> made) {
    ActorRef<M> self = asker.getSelf();
    Behavior<Object> once =
        Behaviors.withTimers(timers -> {
          TimeoutException late =
              new TimeoutException("no answer from " + asked.path() + " within " + deadline);
          timers.startSingleTimer(late, deadline);
          return Behaviors.receiveMessage(message -> {
            self.tell(
                answerType.isInstance(message)
                    ? made.apply(answerType.cast(message), null)
                    : made.apply(null, late));
            return Behaviors.stopped();
          });
        });
    ActorRef<A> inbox = asker.spawnAnonymous(once, DispatcherSelector.sameAsParent()).<A>narrow();
    asked.tell(question.apply(inbox));
  }
}
