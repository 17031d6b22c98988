package io.spared.app.control;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import io.spared.device.Answer;
import io.spared.device.DeviceCommand;
import java.time.Duration;
import java.util.concurrent.CompletionStage;
import java.util.concurrent.ExecutionException;
import java.util.concurrent.TimeUnit;
import java.util.concurrent.TimeoutException;
import java.util.function.Consumer;
import org.apache.pekko.actor.typed.ActorRef;
import org.apache.pekko.actor.typed.ActorSystem;
import org.apache.pekko.actor.typed.Props;
import org.apache.pekko.actor.typed.javadsl.Behaviors;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.Timeout;

/** Commands to actors that crash over them, or never answer. */
@Timeout(60)
final class QuestionTest {
  private final ActorSystem<Void> system = ActorSystem.create(Behaviors.empty(), "questions");

  @AfterEach
  void terminate() {
    system.terminate();
  }

  @Test
  void whoCrashesOverACommandHasItAnsweredAtOnce()
      throws InterruptedException, ExecutionException, TimeoutException {
    Answer answer =
        answer(
            ask(
                Duration.ofMinutes(10),
                freeze -> {
                  throw new IllegalStateException("a defect");
                }));
    assertThat(answer).isInstanceOf(Answer.InDoubt.class);
    assertThat(answer.sentence()).contains("see its status");
  }

  @Test
  void anAnswerThatCameBeforeTheEndIsTheAnswer()
      throws InterruptedException, ExecutionException, TimeoutException {
    Answer answer =
        answer(
            ask(
                Duration.ofMinutes(10),
                freeze -> {
                  freeze.replyTo().tell(new Answer.Done("frozen"));
                  throw new IllegalStateException("a defect");
                }));
    assertThat(answer).isEqualTo(new Answer.Done("frozen"));
  }

  @Test
  void whoNeverAnswersIsWaitedForNoLongerThanTheDeadline() {
    assertThatThrownBy(() -> answer(ask(Duration.ofMillis(10), freeze -> {})))
        .hasCauseInstanceOf(TimeoutException.class);
  }

  private CompletionStage<Answer> ask(Duration deadline, Consumer<DeviceCommand.Freeze> takes) {
    ActorRef<DeviceCommand> device =
        system.systemActorOf(
            Behaviors.receive(DeviceCommand.class)
                .onMessage(
                    DeviceCommand.Freeze.class,
                    freeze -> {
                      takes.accept(freeze);
                      return Behaviors.same();
                    })
                .build(),
            "device",
            Props.empty());
    return Question.ask(system, device, device, deadline, DeviceCommand.Freeze::new);
  }

  private static Answer answer(CompletionStage<Answer> asked)
      throws InterruptedException, ExecutionException, TimeoutException {
    return asked.toCompletableFuture().get(30, TimeUnit.SECONDS);
  }
}
