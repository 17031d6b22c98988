package io.spared.app.control;

import io.spared.device.Answer;
import java.time.Duration;
import java.util.concurrent.CompletableFuture;
import java.util.concurrent.CompletionStage;
import java.util.concurrent.TimeoutException;
import java.util.concurrent.atomic.AtomicLong;
import java.util.function.Function;
import org.apache.pekko.actor.typed.ActorRef;
import org.apache.pekko.actor.typed.ActorSystem;
import org.apache.pekko.actor.typed.Behavior;
import org.apache.pekko.actor.typed.Props;
import org.apache.pekko.actor.typed.javadsl.Behaviors;

/**
 * A command with one answer, also when the actor that carries it out crashes over it: what it was
 * told and has not answered yet is gone with it, and nobody else would say so before the deadline,
 * which is as long as disks may take. What had been begun may have been done, so the answer is that
 * nobody knows.
 */
final class Question {
  private static final AtomicLong ASKED = new AtomicLong();

  private Question() {}

  private record Ended() {}

  private record Late() {}

  /**
   * Asks.
   *
   * @param doing who carries it out, in the end: another than the asked one where that hands it on
   */
  static <C> CompletionStage<Answer> ask(
      ActorSystem<?> system,
      ActorRef<C> asked,
      ActorRef<?> doing,
      Duration deadline,
      Function<ActorRef<Answer>, C> command) {
    CompletableFuture<Answer> answer = new CompletableFuture<>();
    Behavior<Object> asker =
        Behaviors.setup(context ->
            Behaviors.withTimers(timers -> {
              try {
                asked.tell(command.apply(context.getSelf().narrow()));
              } catch (RuntimeException cannotBeAsked) {
                answer.completeExceptionally(cannotBeAsked);
                return Behaviors.stopped();
              }
              context.watchWith(doing, new Ended());
              timers.startSingleTimer(new Late(), deadline);
              return Behaviors.receiveMessage(message -> {
                switch (message) {
                  case Answer said -> answer.complete(said);
                  case Ended ended ->
                      answer.complete(
                          new Answer.InDoubt(
                              "the device crashed or was removed before it answered, so nobody"
                                  + " knows yet whether it was done; see its status"));
                  default ->
                      answer.completeExceptionally(
                          new TimeoutException("nothing within " + deadline.toSeconds() + " s"));
                }
                return Behaviors.stopped();
              });
            }));
    system.systemActorOf(asker, "question-" + ASKED.incrementAndGet(), Props.empty());
    return answer;
  }
}
