package io.spared.device;

import static org.assertj.core.api.Assertions.assertThat;

import io.spared.device.LifeCycle.Ask;
import io.spared.device.LifeCycle.Disposition;
import io.spared.device.LifeCycle.Effect;
import io.spared.device.LifeCycle.Fact;
import java.util.ArrayList;
import java.util.EnumSet;
import java.util.List;
import java.util.Map;
import java.util.Random;
import java.util.Set;
import org.junit.jupiter.api.Test;

final class LifeCycleTest {
  private static final List<Fact> FACTS =
      List.of(
          new Fact.Assembled(Map.of()),
          new Fact.Assembled(Map.of(Trouble.COPIES, "copies 4 of 5")),
          new Fact.Blocked("main is busy"),
          new Fact.Unusable("all copies are gone"),
          new Fact.Crashed("relocator", "defect", 1),
          new Fact.MainBack("main is there again"),
          new Fact.Worse(Trouble.SLOTS, "no slot is left"),
          new Fact.Better(Trouble.SLOTS),
          new Fact.StopAsked(),
          new Fact.StartAsked(),
          new Fact.Frozen(),
          new Fact.Thawed(),
          new Fact.Drained());

  @Test
  void everyRequestInEveryPhaseHasAnAnswerAndARefusalSaysWhy() {
    for (Life life : everyLife()) {
      for (Ask ask : Ask.values()) {
        Disposition disposition = LifeCycle.answer(life, ask);
        switch (disposition) {
          case Disposition.Refuse refuse ->
              assertThat(refuse.sentence()).contains(life.sentence()).contains(";");
          case Disposition.Already already -> assertThat(already.sentence()).isNotBlank();
          case Disposition.Now now -> assertThat(now).isNotNull();
          case Disposition.Hold hold -> assertThat(life.phase()).isEqualTo(Phase.ASSEMBLING);
        }
      }
    }
  }

  @Test
  void queuesAreOpenedAtOnceOnlyWhileTheDeviceServes() {
    for (Life life : everyLife()) {
      boolean now = LifeCycle.answer(life, Ask.OPEN_QUEUE) instanceof Disposition.Now;
      assertThat(now).as(life.toString()).isEqualTo(life.phase().serves());
    }
  }

  @Test
  void noSequenceOfFactsServesWithoutAssemblingFirst() {
    for (long seed = 1; seed <= 2000; seed++) {
      Random random = new Random(seed);
      Life life = Life.begin();
      boolean stopped = false;
      for (int step = 0; step < 40; step++) {
        Fact fact = FACTS.get(random.nextInt(FACTS.size()));
        LifeCycle.Step next = LifeCycle.next(life, fact);
        if (next.life().phase().serves() && !life.phase().serves()) {
          assertThat(life.phase()).as("seed %d", seed).isEqualTo(Phase.ASSEMBLING);
          assertThat(fact).as("seed %d", seed).isInstanceOf(Fact.Assembled.class);
          assertThat(next.effects()).contains(new Effect.Serve());
        }
        stopped = (stopped || fact instanceof Fact.StopAsked) && !(fact instanceof Fact.StartAsked);
        if (stopped && life.phase().ended()) {
          assertThat(next.life().phase().ended()).as("seed %d", seed).isTrue();
        }
        if (next.life().phase() == Phase.ACTIVE) {
          assertThat(next.life().troubles()).isEmpty();
        }
        if (next.life().phase() == Phase.DEGRADED) {
          assertThat(next.life().troubles()).isNotEmpty();
        }
        life = next.life();
      }
    }
  }

  @Test
  void whatEndsGivesItsDisksBackExactlyOnce() {
    for (Life life : everyLife()) {
      for (Fact fact : FACTS) {
        LifeCycle.Step next = LifeCycle.next(life, fact);
        long released =
            next.effects().stream()
                .filter(e -> e instanceof Effect.Abandon || e instanceof Effect.Release)
                .count();
        boolean ended = next.life().phase().ended() && !life.phase().ended();
        assertThat(released).as("%s %s", life, fact).isLessThanOrEqualTo(1);
        if (ended) {
          assertThat(released).as("%s %s", life, fact).isEqualTo(1);
        }
      }
    }
  }

  @Test
  void threeCrashesWithinTenMinutesAreSurvivedAndTheFourthFailsTheDevice() {
    Life life = Life.begin();
    List<Long> delays = new ArrayList<>();
    for (int crash = 0; crash < LifeCycle.CRASHES_SURVIVED; crash++) {
      life = LifeCycle.next(life, new Fact.Assembled(Map.of())).life();
      LifeCycle.Step step = LifeCycle.next(life, new Fact.Crashed("relocator", "defect", crash));
      assertThat(step.life().phase()).isEqualTo(Phase.ASSEMBLING);
      step.effects().stream()
          .filter(Effect.AssembleAfter.class::isInstance)
          .forEach(effect -> delays.add(((Effect.AssembleAfter) effect).delayNanos()));
      life = step.life();
    }
    assertThat(delays).containsExactly(1_000_000_000L, 5_000_000_000L, 25_000_000_000L);
    life = LifeCycle.next(life, new Fact.Assembled(Map.of())).life();
    assertThat(LifeCycle.next(life, new Fact.Crashed("relocator", "defect", 9)).life().phase())
        .isEqualTo(Phase.FAILED);
  }

  @Test
  void crashesFarApartAreSurvivedForEver() {
    Life life = Life.begin();
    for (int crash = 0; crash < 50; crash++) {
      life = LifeCycle.next(life, new Fact.Assembled(Map.of())).life();
      long nowNanos = crash * LifeCycle.CRASH_WINDOW_NANOS;
      life = LifeCycle.next(life, new Fact.Crashed("metadata", "defect", nowNanos)).life();
      assertThat(life.phase()).isEqualTo(Phase.ASSEMBLING);
      assertThat(life.crashNanos()).hasSizeLessThanOrEqualTo(1);
    }
  }

  private static List<Life> everyLife() {
    List<Life> lives = new ArrayList<>();
    for (Phase phase : EnumSet.allOf(Phase.class)) {
      Map<Trouble, String> troubles =
          phase == Phase.DEGRADED ? Map.of(Trouble.COPIES, "copies 4 of 5") : Map.of();
      for (boolean frozen : phase.serves() ? Set.of(true, false) : Set.of(false)) {
        lives.add(
            new Life(phase, phase == Phase.FAILED ? "a reason" : "", troubles, frozen, List.of()));
      }
    }
    return lives;
  }
}
