package io.spared.sim;

import static org.assertj.core.api.Assertions.assertThat;

import java.time.Duration;
import java.util.ArrayList;
import java.util.List;
import org.apache.pekko.actor.typed.ActorRef;
import org.apache.pekko.actor.typed.ActorSystem;
import org.apache.pekko.actor.typed.Behavior;
import org.apache.pekko.actor.typed.javadsl.Behaviors;
import org.apache.pekko.stream.javadsl.Sink;
import org.apache.pekko.stream.javadsl.Source;
import org.junit.jupiter.api.Test;

class SimProcessTest {
  private static Behavior<String> counter(List<String> seen, ActorRef<String> next) {
    return Behaviors.receive(String.class)
        .onAnyMessage(message -> {
          seen.add(message);
          if (message.length() < 12) {
            next.tell(message + ".");
          }
          return Behaviors.same();
        })
        .build();
  }

  private static List<String> run(long seed) {
    SimWorld world = new SimWorld(seed);
    SimProcess process = new SimProcess(world, 2);
    List<String> seen = new ArrayList<>();
    ActorSystem<String> system =
        process.start(
            Behaviors.setup(context -> {
              for (int i = 0; i < 4; i++) {
                ActorRef<String> last =
                    context.spawn(
                        counter(seen, context.getSelf()), "c" + i, SimProcess.dispatcher(i % 2));
                last.tell("a" + i);
              }
              return Behaviors.withTimers(timers -> {
                timers.startTimerAtFixedRate("tick", Duration.ofSeconds(1));
                return Behaviors.receive(String.class)
                    .onAnyMessage(m -> {
                      seen.add(m + world.nowNanos());
                      return Behaviors.same();
                    })
                    .build();
              });
            }));
    Source.range(1, 20)
        .mapAsync(3, i -> java.util.concurrent.CompletableFuture.completedFuture("s" + i))
        .runWith(Sink.foreach(seen::add), system);
    world.runFor(Duration.ofSeconds(10));
    process.kill(List.of());
    seen.add(Long.toHexString(world.trace().hash()));
    return seen;
  }

  @Test
  void actorsTimersAndStreamsRunTheSameWayForTheSameSeed() {
    List<String> first = run(1);
    assertThat(first).contains("s20").hasSizeGreaterThan(30);
    assertThat(run(1)).isEqualTo(first);
    assertThat(run(2)).isNotEqualTo(first);
  }

  @Test
  void processesAreMadeAndKilledManyTimesASecond() {
    for (int i = 0; i < 20; i++) {
      run(i);
    }
    long before = System.nanoTime();
    int count = 40;
    for (int i = 0; i < count; i++) {
      run(i);
    }
    long each = (System.nanoTime() - before) / count;
    System.out.println("a process lives and dies in " + each / 1000 + " us");
    assertThat(each).isLessThan(100_000_000L);
  }
}
