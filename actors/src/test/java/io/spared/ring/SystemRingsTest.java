package io.spared.ring;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import com.typesafe.config.Config;
import com.typesafe.config.ConfigFactory;
import io.spared.ffi.engine.Completions;
import io.spared.ffi.engine.Engine;
import io.spared.ffi.engine.IoRequest;
import io.spared.ffi.engine.IoRequest.Operation;
import io.spared.ffi.libc.Descriptor;
import java.time.Duration;
import java.util.concurrent.CompletableFuture;
import java.util.concurrent.TimeUnit;
import org.apache.pekko.actor.testkit.typed.javadsl.TestProbe;
import org.apache.pekko.actor.typed.ActorRef;
import org.apache.pekko.actor.typed.ActorSystem;
import org.apache.pekko.actor.typed.Behavior;
import org.apache.pekko.actor.typed.javadsl.AskPattern;
import org.apache.pekko.actor.typed.javadsl.Behaviors;
import org.awaitility.Awaitility;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.ValueSource;

class SystemRingsTest {
  private static final Duration PATIENCE = Duration.ofSeconds(20);

  private sealed interface Command {}

  private record Count(int timers, ActorRef<String> replyTo) implements Command {}

  private record Ended() implements Command {}

  /** Submits timers on its ring and answers with the thread they came back on. */
  private static Behavior<Command> timers(Ring ring) {
    return Behaviors.setup(context -> {
      Completions completions = new Completions(() -> context.getSelf().tell(new Ended()));
      int[] left = new int[1];
      ActorRef<?>[] replyTo = new ActorRef<?>[1];
      return Behaviors.receive(Command.class)
          .onMessage(
              Count.class,
              count -> {
                left[0] = count.timers();
                replyTo[0] = count.replyTo();
                for (int i = 0; i < count.timers(); i++) {
                  Engine engine = ring.engine();
                  engine.timer(
                      new IoRequest(completions)
                          .plain(Operation.NOTHING, 0, 0, engine.nanoTime() + i * 1000L));
                }
                return Behaviors.same();
              })
          .onMessage(
              Ended.class,
              ended -> {
                while (completions.next() != null) {
                  left[0]--;
                }
                if (left[0] == 0) {
                  answer(replyTo[0], Thread.currentThread().getName());
                }
                return Behaviors.same();
              })
          .build();
    });
  }

  private static void answer(ActorRef<?> to, String text) {
    to.unsafeUpcast().tell(text);
  }

  private static Config config(String text) {
    return ConfigFactory.parseString(
            text + "\npekko.loglevel = WARNING\npekko.jvm-shutdown-hooks = off")
        .withFallback(ConfigFactory.load());
  }

  @ParameterizedTest
  @ValueSource(strings = {"auto", "threads"})
  void anActorUsesItsRingsEngineOnItsRingsThread(String engine) throws Exception {
    ActorSystem<Void> system =
        ActorSystem.create(
            Behaviors.empty(),
            "rings",
            config("spared.rings.count = 2\nspared.ring.engine = " + engine));
    try {
      Rings rings = SystemRings.start(system);
      assertThat(rings.count()).isEqualTo(2);
      for (int index = 0; index < 2; index++) {
        ActorRef<Command> actor =
            system.systemActorOf(
                timers(rings.ring(index)), "timers-" + index, rings.ring(index).dispatcher());
        String thread =
            AskPattern.<Command, String>ask(
                    actor, replyTo -> new Count(1000, replyTo), PATIENCE, system.scheduler())
                .toCompletableFuture()
                .get(20, TimeUnit.SECONDS);
        assertThat(thread).isEqualTo("spared.ring-" + index);
      }
    } finally {
      system.terminate();
      system.getWhenTerminated().toCompletableFuture().get(20, TimeUnit.SECONDS);
    }
  }

  @Test
  void aTerminatedSystemLeavesNoThreadAndNoDescriptor() throws Exception {
    int descriptors = Descriptor.openCount();
    for (int i = 0; i < 5; i++) {
      ActorSystem<Void> system =
          ActorSystem.create(Behaviors.empty(), "rings", config("spared.rings.count = 2"));
      SystemRings.start(system);
      system.terminate();
      system.getWhenTerminated().toCompletableFuture().get(20, TimeUnit.SECONDS);
    }
    Awaitility.await()
        .atMost(PATIENCE)
        .untilAsserted(() -> {
          assertThat(Thread.getAllStackTraces().keySet())
              .noneMatch(thread -> thread.getName().startsWith("spared.ring-"));
          // Others may have left some that close meanwhile; these ten would stand out.
          assertThat(Descriptor.openCount()).isLessThanOrEqualTo(descriptors);
        });
  }

  @Test
  void aRingWithoutActorsKeepsItsEngine() throws Exception {
    ActorSystem<Void> system =
        ActorSystem.create(
            Behaviors.empty(),
            "rings",
            config("spared.rings.count = 1\nspared.ring.shutdown-timeout = 1 ms"));
    try {
      Ring ring = SystemRings.start(system).ring(0);
      TestProbe<Object> probe = TestProbe.create(system);
      for (int i = 0; i < 3; i++) {
        ActorRef<Object> actor =
            system.systemActorOf(
                Behaviors.<Object>receiveMessage(message -> Behaviors.stopped()),
                "short-" + i,
                ring.dispatcher());
        actor.tell("stop");
        probe.expectTerminated(actor, PATIENCE);
        CompletableFuture<Engine> engine = new CompletableFuture<>();
        system
            .dispatchers()
            .lookup(ring.dispatcher())
            .execute(() -> {
              RingLoop loop = RingLoop.current();
              if (loop != null) {
                engine.complete(loop.engine());
              }
            });
        assertThat(engine.get(20, TimeUnit.SECONDS)).isSameAs(ring.engine());
      }
    } finally {
      system.terminate();
      system.getWhenTerminated().toCompletableFuture().get(20, TimeUnit.SECONDS);
    }
  }

  @Test
  void anEngineThatDoesNotExistIsRefusedWithASentence() throws Exception {
    ActorSystem<Void> system =
        ActorSystem.create(
            Behaviors.empty(),
            "rings",
            config("spared.rings.count = 1\nspared.ring.engine = steam"));
    try {
      assertThatThrownBy(() -> SystemRings.start(system))
          .hasStackTraceContaining("no engine is called steam; choose auto, io_uring or threads");
    } finally {
      system.terminate();
      system.getWhenTerminated().toCompletableFuture().get(20, TimeUnit.SECONDS);
    }
  }

  @Test
  void steppedRingsDoNothingByThemselvesAndEverythingByHand() throws Exception {
    ActorSystem<Void> system =
        ActorSystem.create(Behaviors.empty(), "rings", config("spared.rings.count = 1"));
    try (SteppedRings rings = SteppedRings.make(system, 1)) {
      CompletableFuture<String> answer = new CompletableFuture<>();
      Behavior<String> receiver =
          Behaviors.receiveMessage(message -> {
            answer.complete(message);
            return Behaviors.same();
          });
      ActorRef<String> replyTo =
          system.systemActorOf(
              receiver,
              "receiver",
              org.apache.pekko.actor.typed.DispatcherSelector.defaultDispatcher());
      ActorRef<Command> actor =
          system.systemActorOf(timers(rings.ring(0)), "timers", rings.ring(0).dispatcher());
      actor.tell(new Count(10, replyTo));
      assertThat(answer).isNotDone();
      rings.stepUntil(answer::isDone);
      assertThat(answer.get()).isEqualTo(Thread.currentThread().getName());
      system.terminate();
      rings.stepUntil(() -> system.getWhenTerminated().toCompletableFuture().isDone());
    }
  }
}
