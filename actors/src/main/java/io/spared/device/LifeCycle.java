package io.spared.device;

import java.util.ArrayList;
import java.util.EnumMap;
import java.util.List;
import java.util.Map;

/**
 * The life of a device as two pure functions: what a request is answered in each phase ({@link
 * #answer}), and what a fact leads to ({@link #next}).
 *
 * <p>Kept here, whatever the actors do: nothing is served outside ACTIVE and DEGRADED; an ended
 * device begins again only by assembling from its disks; a device that was told to stop never
 * serves again by itself; crashes lead to a bounded number of fresh assemblies and then to FAILED.
 */
public final class LifeCycle {
  /** So many crashes within the window are survived by assembling again; the next one fails it. */
  public static final int CRASHES_SURVIVED = 3;

  public static final long CRASH_WINDOW_NANOS = 600_000_000_000L;

  /** Waiting before assembling again: 1 s, 5 s, 25 s. */
  private static final long FIRST_RESTART_NANOS = 1_000_000_000L;

  private LifeCycle() {}

  /** What others may ask of a device. */
  public enum Ask {
    OPEN_QUEUE,
    START,
    STOP,
    FREEZE,
    THAW,
    SCRUB,
    REPAIR,
    SET,
    CHANGE_SPARES,
    REPLACE
  }

  /** What becomes of a request. */
  public sealed interface Disposition {
    /** Do it. */
    record Now() implements Disposition {}

    /** Keep it until assembling has ended. */
    record Hold() implements Disposition {}

    /** It is so already: answer yes and do nothing. */
    record Already(String sentence) implements Disposition {}

    record Refuse(String sentence) implements Disposition {}
  }

  /** What happened to a device. */
  public sealed interface Fact {
    /** Everything needed is there, chosen and committed under the new epoch. */
    record Assembled(Map<Trouble, String> troubles) implements Fact {}

    /** Assembling cannot go on yet, but may without anybody's help. */
    record Blocked(String reason) implements Fact {}

    /** Assembling cannot succeed without a person, or serving became unsafe. */
    record Unusable(String reason) implements Fact {}

    /** A part crashed and took state with it that only the disks still know. */
    record Crashed(String part, String cause, long nowNanos) implements Fact {}

    /** Main had gone away and is there again, proved, with nothing missing. */
    record MainBack(String sentence) implements Fact {}

    record Worse(Trouble trouble, String sentence) implements Fact {}

    record Better(Trouble trouble) implements Fact {}

    record StopAsked() implements Fact {}

    record StartAsked() implements Fact {}

    record Frozen() implements Fact {}

    record Thawed() implements Fact {}

    /**
     * Everything below has ended, or the deadline passed and what remains is left to the kernel.
     */
    record Drained() implements Fact {}
  }

  /** What the actor has to do about it, in this order. */
  public sealed interface Effect {
    record Assemble() implements Effect {}

    record AssembleAfter(long delayNanos) implements Effect {}

    /** Answer what was held. */
    record Serve() implements Effect {}

    /** Answer what was held, with the reason. */
    record RefuseHeld(String sentence) implements Effect {}

    record Drain() implements Effect {}

    /** Stop every child without ceremony and give the disks back. */
    record Abandon() implements Effect {}

    /** Children have ended: give the disks back. */
    record Release() implements Effect {}
  }

  /** Where a fact led. */
  public record Step(Life life, List<Effect> effects) {
    public Step {
      effects = List.copyOf(effects);
    }
  }

  public static Disposition answer(Life life, Ask ask) {
    return switch (life.phase()) {
      case ASSEMBLING ->
          switch (ask) {
            case OPEN_QUEUE -> new Disposition.Hold();
            case STOP -> new Disposition.Now();
            case START -> new Disposition.Already("it is being assembled already");
            case FREEZE, THAW, SCRUB, REPAIR, SET, CHANGE_SPARES, REPLACE -> notWhile(life);
          };
      case ACTIVE, DEGRADED ->
          switch (ask) {
            case OPEN_QUEUE, STOP, SCRUB, REPAIR, SET, CHANGE_SPARES, REPLACE ->
                new Disposition.Now();
            case START -> new Disposition.Already("it is served already");
            case FREEZE ->
                life.frozen()
                    ? new Disposition.Already("it is frozen already")
                    : new Disposition.Now();
            case THAW ->
                life.frozen() ? new Disposition.Now() : new Disposition.Already("it is not frozen");
          };
      case DRAINING ->
          switch (ask) {
            case STOP -> new Disposition.Now();
            case OPEN_QUEUE, START, FREEZE, THAW, SCRUB, REPAIR, SET, CHANGE_SPARES, REPLACE ->
                notWhile(life);
          };
      case STOPPED ->
          switch (ask) {
            case START -> new Disposition.Now();
            case STOP -> new Disposition.Already("it is stopped already");
            case OPEN_QUEUE, FREEZE, THAW, SCRUB, REPAIR, SET, CHANGE_SPARES, REPLACE ->
                notWhile(life);
          };
      case FAILED ->
          switch (ask) {
            case START, STOP -> new Disposition.Now();
            case OPEN_QUEUE, FREEZE, THAW, SCRUB, REPAIR, SET, CHANGE_SPARES, REPLACE ->
                notWhile(life);
          };
    };
  }

  private static Disposition notWhile(Life life) {
    String help =
        switch (life.phase()) {
          case STOPPED -> "; start it first";
          case FAILED -> "; see to the reason, then start it";
          case ASSEMBLING, DRAINING -> "; try again when that has ended";
          case ACTIVE, DEGRADED -> "";
        };
    return new Disposition.Refuse("the device " + life.sentence() + help);
  }

  public static Step next(Life life, Fact fact) {
    return switch (life.phase()) {
      case ASSEMBLING -> assembling(life, fact);
      case ACTIVE, DEGRADED -> serving(life, fact);
      case DRAINING -> draining(life, fact);
      case STOPPED, FAILED -> ended(life, fact);
    };
  }

  private static Step assembling(Life life, Fact fact) {
    return switch (fact) {
      case Fact.Assembled assembled ->
          new Step(
              life.in(Phase.ACTIVE, "").withTroubles(assembled.troubles()),
              List.of(new Effect.Serve()));
      case Fact.Blocked blocked -> stay(life.in(Phase.ASSEMBLING, blocked.reason()));
      case Fact.Unusable unusable -> fail(life, unusable.reason());
      case Fact.Crashed crashed -> crash(life, crashed);
      case Fact.StopAsked stop ->
          new Step(
              life.in(Phase.STOPPED, ""),
              List.of(
                  new Effect.RefuseHeld("the device was stopped while it was being assembled"),
                  new Effect.Abandon()));
      // News of parts that are only being put together: assembling judges them itself.
      case Fact.MainBack _ -> stay(life);
      case Fact.Worse _ -> stay(life);
      case Fact.Better _ -> stay(life);
      case Fact.StartAsked _ -> stay(life);
      case Fact.Frozen _ -> stay(life);
      case Fact.Thawed _ -> stay(life);
      case Fact.Drained _ -> stay(life);
    };
  }

  private static Step serving(Life life, Fact fact) {
    return switch (fact) {
      case Fact.Worse worse -> {
        Map<Trouble, String> troubles = copy(life);
        troubles.put(worse.trouble(), worse.sentence());
        yield stay(life.withTroubles(troubles));
      }
      case Fact.Better better -> {
        Map<Trouble, String> troubles = copy(life);
        troubles.remove(better.trouble());
        yield stay(life.withTroubles(troubles));
      }
      case Fact.StopAsked stop ->
          new Step(life.in(Phase.DRAINING, ""), List.of(new Effect.Drain()));
      case Fact.Unusable unusable -> fail(life, unusable.reason());
      case Fact.Crashed crashed -> crash(life, crashed);
      case Fact.MainBack back ->
          new Step(
              life.in(Phase.ASSEMBLING, back.sentence() + "; it is assembled again from its disks"),
              List.of(new Effect.Abandon(), new Effect.AssembleAfter(0)));
      case Fact.Frozen _ -> stay(life.withFrozen(true));
      case Fact.Thawed _ -> stay(life.withFrozen(false));
      case Fact.Assembled _ -> stay(life);
      case Fact.Blocked _ -> stay(life);
      case Fact.StartAsked _ -> stay(life);
      case Fact.Drained _ -> stay(life);
    };
  }

  private static Step draining(Life life, Fact fact) {
    return switch (fact) {
      case Fact.Drained drained ->
          new Step(life.in(Phase.STOPPED, ""), List.of(new Effect.Release()));
      // It was asked to stop, so it stops, only not cleanly: the next start reads the disks.
      case Fact.Crashed crashed ->
          new Step(life.in(Phase.STOPPED, ""), List.of(new Effect.Abandon()));
      case Fact.Unusable unusable ->
          new Step(life.in(Phase.STOPPED, ""), List.of(new Effect.Abandon()));
      case Fact.MainBack _ -> stay(life);
      case Fact.Worse _ -> stay(life);
      case Fact.Better _ -> stay(life);
      case Fact.StopAsked _ -> stay(life);
      case Fact.StartAsked _ -> stay(life);
      case Fact.Assembled _ -> stay(life);
      case Fact.Blocked _ -> stay(life);
      case Fact.Frozen _ -> stay(life);
      case Fact.Thawed _ -> stay(life);
    };
  }

  private static Step ended(Life life, Fact fact) {
    return switch (fact) {
      case Fact.StartAsked start -> new Step(Life.begin(), List.of(new Effect.Assemble()));
      case Fact.StopAsked stop -> stay(life.in(Phase.STOPPED, ""));
      case Fact.Assembled _ -> stay(life);
      case Fact.Blocked _ -> stay(life);
      case Fact.Unusable _ -> stay(life);
      case Fact.Crashed _ -> stay(life);
      case Fact.MainBack _ -> stay(life);
      case Fact.Worse _ -> stay(life);
      case Fact.Better _ -> stay(life);
      case Fact.Frozen _ -> stay(life);
      case Fact.Thawed _ -> stay(life);
      case Fact.Drained _ -> stay(life);
    };
  }

  private static Step stay(Life life) {
    return new Step(life, List.of());
  }

  private static Step fail(Life life, String reason) {
    return new Step(
        life.in(Phase.FAILED, reason),
        List.of(new Effect.RefuseHeld("the device has failed: " + reason), new Effect.Abandon()));
  }

  private static Step crash(Life life, Fact.Crashed crashed) {
    List<Long> recent = new ArrayList<>();
    for (long nanos : life.crashNanos()) {
      if (crashed.nowNanos() - nanos < CRASH_WINDOW_NANOS) {
        recent.add(nanos);
      }
    }
    recent.add(crashed.nowNanos());
    Life remembered = life.withCrashes(recent);
    String what = "its " + crashed.part() + " crashed (" + crashed.cause() + ")";
    if (recent.size() > CRASHES_SURVIVED) {
      return fail(remembered, what + ", the " + recent.size() + "th crash within ten minutes");
    }
    long delayNanos = FIRST_RESTART_NANOS;
    for (int i = 1; i < recent.size(); i++) {
      delayNanos *= 5;
    }
    return new Step(
        remembered.in(Phase.ASSEMBLING, what + "; it is assembled again from its disks"),
        List.of(new Effect.Abandon(), new Effect.AssembleAfter(delayNanos)));
  }

  private static Map<Trouble, String> copy(Life life) {
    Map<Trouble, String> troubles = new EnumMap<>(Trouble.class);
    troubles.putAll(life.troubles());
    return troubles;
  }
}
