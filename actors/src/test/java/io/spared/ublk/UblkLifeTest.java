package io.spared.ublk;

import static org.assertj.core.api.Assertions.assertThat;

import io.spared.ffi.Errno;
import io.spared.ffi.ublk.UblkDeviceInfo;
import io.spared.ffi.ublk.UblkDeviceState;
import io.spared.ffi.ublk.UblkFeature;
import io.spared.ffi.ublk.UblkParameters;
import io.spared.ublk.UblkLife.Effect;
import io.spared.ublk.UblkLife.Fact;
import io.spared.ublk.UblkLife.Phase;
import java.util.ArrayList;
import java.util.EnumSet;
import java.util.List;
import java.util.Random;
import java.util.Set;
import org.junit.jupiter.api.Test;

class UblkLifeTest {
  private static final Set<UblkFeature> ALL = EnumSet.allOf(UblkFeature.class);
  private static final Set<UblkFeature> OLD =
      EnumSet.range(UblkFeature.URING_CMD_COMP_IN_TASK, UblkFeature.ZONED);
  private static final UblkDeviceInfo WANTED =
      UblkDeviceInfo.wanted(3, 2, 64, 1 << 19, Set.of(), 99);
  private static final UblkParameters PARAMETERS = parameters(16 << 20);

  private static UblkParameters parameters(long sizeBytes) {
    return new UblkParameters(
        sizeBytes, 512, 4096, 0, 1 << 19, false, false, true, true, 4096, 1 << 30, 1 << 26);
  }

  private static UblkDeviceInfo there(UblkDeviceState state, long tag) {
    return new UblkDeviceInfo(3, 2, 64, 1 << 19, state, 4711, Set.of(), tag);
  }

  /** A life that is stepped by hand, and everything that it wanted done. */
  private static final class Stepped {
    UblkLife life;
    final List<Effect> effects = new ArrayList<>();
    List<Effect> last;

    Stepped(boolean recover) {
      UblkLife.Step first = UblkLife.begin(recover);
      life = first.life();
      last = first.effects();
      effects.addAll(last);
    }

    Stepped after(Fact... facts) {
      for (Fact fact : facts) {
        UblkLife.Step step = life.next(fact, WANTED, PARAMETERS);
        life = step.life();
        last = step.effects();
        effects.addAll(last);
      }
      return this;
    }

    Stepped serving() {
      return after(
          new Fact.Features(ALL),
          new Fact.Added(WANTED),
          new Fact.Done(Command.SET_PARAMS),
          new Fact.Opened(),
          new Fact.QueueFetching(0),
          new Fact.QueueFetching(1),
          new Fact.Done(Command.START_DEV));
    }

    List<Command> asked() {
      List<Command> commands = new ArrayList<>();
      for (Effect effect : effects) {
        if (effect instanceof Effect.Ask ask) {
          commands.add(ask.command());
        }
      }
      return commands;
    }

    List<Effect.Ended> ends() {
      List<Effect.Ended> ends = new ArrayList<>();
      for (Effect effect : effects) {
        if (effect instanceof Effect.Ended ended) {
          ends.add(ended);
        }
      }
      return ends;
    }
  }

  @Test
  void aDeviceIsAddedSetOpenedFetchedAndOnlyThenStarted() {
    Stepped stepped = new Stepped(false).serving();

    assertThat(stepped.life.phase()).isEqualTo(Phase.SERVING);
    assertThat(stepped.effects)
        .containsExactly(
            new Effect.Ask(Command.GET_FEATURES),
            new Effect.Ask(Command.ADD_DEV),
            new Effect.Ask(Command.SET_PARAMS),
            new Effect.OpenFile(),
            new Effect.BeginQueues(WANTED),
            new Effect.Ask(Command.START_DEV),
            new Effect.Serving(WANTED));
  }

  @Test
  void stoppingStopsWhileQueuesServeAndDeletesWhenTheyHaveEnded() {
    Stepped stepped = new Stepped(false).serving().after(new Fact.StopAsked(false, false));
    assertThat(stepped.last).containsExactly(new Effect.Ask(Command.STOP_DEV));

    stepped.after(new Fact.QueueEnded(0), new Fact.Done(Command.STOP_DEV));
    assertThat(stepped.last).isEmpty();

    stepped.after(new Fact.QueueEnded(1));
    assertThat(stepped.last)
        .containsExactly(new Effect.CloseFile(), new Effect.Ask(Command.DEL_DEV));

    stepped.after(new Fact.Done(Command.DEL_DEV));
    assertThat(stepped.ends()).containsExactly(new Effect.Ended("", false));
  }

  @Test
  void aDeviceInUseGoesOnServingWhenItWasOnlyToBeStoppedUnused() {
    Stepped stepped =
        new Stepped(false)
            .serving()
            .after(
                new Fact.StopAsked(false, true),
                new Fact.Refused(Command.TRY_STOP_DEV, Errno.EBUSY));

    assertThat(stepped.life.phase()).isEqualTo(Phase.SERVING);
    assertThat(stepped.life.ending()).isFalse();
    assertThat(stepped.last).hasSize(1).first().isInstanceOf(Effect.StopRefused.class);
  }

  @Test
  void aStopDuringAddWaitsForTheAnswerAndDeletesWhatCame() {
    Stepped stepped =
        new Stepped(false).after(new Fact.Features(ALL), new Fact.StopAsked(false, false));
    assertThat(stepped.ends()).isEmpty();

    stepped.after(new Fact.Added(WANTED));
    assertThat(stepped.last).contains(new Effect.Ask(Command.DEL_DEV));

    stepped.after(new Fact.Done(Command.DEL_DEV));
    assertThat(stepped.ends()).containsExactly(new Effect.Ended("", false));
  }

  @Test
  void aDeviceThatCameAfterItsLifeHadEndedIsDeleted() {
    Stepped stepped =
        new Stepped(false)
            .after(
                new Fact.Features(ALL),
                new Fact.StartDeadline(),
                new Fact.StopDeadline(),
                new Fact.Added(WANTED));

    assertThat(stepped.ends()).hasSize(1);
    assertThat(stepped.last).containsExactly(new Effect.Ask(Command.DEL_DEV_ASYNC));
  }

  @Test
  void aQueueThatCannotFetchDuringStartTakesTheDeviceBack() {
    Stepped stepped =
        new Stepped(false)
            .after(
                new Fact.Features(ALL),
                new Fact.Added(WANTED),
                new Fact.Done(Command.SET_PARAMS),
                new Fact.Opened(),
                new Fact.QueueFetching(0),
                new Fact.QueueFailed(1, "no memory"));
    assertThat(stepped.last).contains(new Effect.AbandonQueues(), new Effect.Ask(Command.STOP_DEV));

    stepped.after(
        new Fact.QueueEnded(1),
        new Fact.Done(Command.STOP_DEV),
        new Fact.QueueEnded(0),
        new Fact.Done(Command.DEL_DEV));

    assertThat(stepped.ends()).containsExactly(new Effect.Ended("queue 1: no memory", false));
  }

  @Test
  void requestsThatHangAreFailedAtTheStopDeadlineAndTheDeviceStillGoes() {
    Stepped stepped =
        new Stepped(false)
            .serving()
            .after(new Fact.StopAsked(false, false), new Fact.StopDeadline());
    assertThat(stepped.last).containsExactly(new Effect.AbandonQueues());

    stepped.after(
        new Fact.Done(Command.STOP_DEV),
        new Fact.QueueEnded(0),
        new Fact.QueueEnded(1),
        new Fact.Done(Command.DEL_DEV));
    assertThat(stepped.ends()).containsExactly(new Effect.Ended("", false));
  }

  @Test
  void tagsThatNeverComeBackAreLeftToTheDriverAtTheLastDeadline() {
    Stepped stepped =
        new Stepped(false)
            .serving()
            .after(
                new Fact.StopAsked(false, false), new Fact.StopDeadline(), new Fact.StopDeadline());
    assertThat(stepped.last)
        .containsExactly(new Effect.CloseFile(), new Effect.Ask(Command.DEL_DEV_ASYNC));

    stepped.after(new Fact.Done(Command.DEL_DEV_ASYNC));
    assertThat(stepped.ends()).hasSize(1);
  }

  @Test
  void aWaitingDeviceIsTakenBackAndResumed() {
    Stepped stepped =
        new Stepped(true)
            .after(
                new Fact.Features(ALL),
                new Fact.Found(there(UblkDeviceState.QUIESCED, 99), false),
                new Fact.Refused(Command.START_USER_RECOVERY, Errno.EBUSY),
                new Fact.RetryTime(),
                new Fact.Done(Command.START_USER_RECOVERY),
                new Fact.ParametersRead(PARAMETERS),
                new Fact.Opened(),
                new Fact.QueueFetching(0),
                new Fact.QueueFetching(1),
                new Fact.Done(Command.END_USER_RECOVERY));

    assertThat(stepped.life.phase()).isEqualTo(Phase.SERVING);
    assertThat(stepped.asked())
        .containsExactly(
            Command.GET_FEATURES,
            Command.GET_DEV_INFO,
            Command.START_USER_RECOVERY,
            Command.START_USER_RECOVERY,
            Command.GET_PARAMS,
            Command.END_USER_RECOVERY);
  }

  @Test
  void aDeviceOfAnotherIsNotTaken() {
    Stepped stepped =
        new Stepped(true)
            .after(
                new Fact.Features(ALL), new Fact.Found(there(UblkDeviceState.QUIESCED, 1), false));

    assertThat(stepped.asked()).containsExactly(Command.GET_FEATURES, Command.GET_DEV_INFO);
    assertThat(stepped.ends()).hasSize(1);
    assertThat(stepped.ends().getFirst().sentence()).contains("another");
  }

  @Test
  void aDeviceThatALivingProcessServesIsNotTaken() {
    Stepped stepped =
        new Stepped(true)
            .after(new Fact.Features(ALL), new Fact.Found(there(UblkDeviceState.LIVE, 99), true));

    assertThat(stepped.asked()).containsExactly(Command.GET_FEATURES, Command.GET_DEV_INFO);
    assertThat(stepped.ends().getFirst().sentence()).contains("process 4711");
  }

  @Test
  void aDeviceThatWasStoppedWhileItsDaemonWasDeadIsMadeAnew() {
    Stepped stepped =
        new Stepped(true)
            .after(
                new Fact.Features(ALL),
                new Fact.Found(there(UblkDeviceState.DEAD, 99), false),
                new Fact.Done(Command.DEL_DEV));

    assertThat(stepped.asked())
        .containsExactly(
            Command.GET_FEATURES, Command.GET_DEV_INFO, Command.DEL_DEV, Command.ADD_DEV);
  }

  @Test
  void recoveringWhatIsNotThereAddsIt() {
    Stepped stepped =
        new Stepped(true)
            .after(new Fact.Features(ALL), new Fact.Refused(Command.GET_DEV_INFO, Errno.ENODEV));

    assertThat(stepped.last).containsExactly(new Effect.Ask(Command.ADD_DEV));
    stepped.after(
        new Fact.Added(WANTED),
        new Fact.Done(Command.SET_PARAMS),
        new Fact.Opened(),
        new Fact.QueueFetching(0),
        new Fact.QueueFetching(1));
    assertThat(stepped.last).containsExactly(new Effect.Ask(Command.START_DEV));
  }

  @Test
  void aDeviceOfAnotherSizeIsLeftAsItIs() {
    Stepped stepped =
        new Stepped(true)
            .after(
                new Fact.Features(ALL),
                new Fact.Found(there(UblkDeviceState.QUIESCED, 99), false),
                new Fact.Done(Command.START_USER_RECOVERY),
                new Fact.ParametersRead(parameters(32 << 20)));

    assertThat(stepped.ends()).hasSize(1);
    assertThat(stepped.ends().getFirst().left()).isTrue();
    assertThat(stepped.asked()).doesNotContain(Command.DEL_DEV, Command.STOP_DEV);
  }

  @Test
  void handingOverQuiescesWhereTheDriverCanAndNeverDeletes() {
    Stepped stepped =
        new Stepped(false)
            .serving()
            .after(
                new Fact.StopAsked(true, false),
                new Fact.Done(Command.QUIESCE_DEV),
                new Fact.QueueEnded(0),
                new Fact.QueueEnded(1));

    assertThat(stepped.asked()).endsWith(Command.QUIESCE_DEV);
    assertThat(stepped.ends()).containsExactly(new Effect.Ended("", true));
  }

  @Test
  void handingOverOnAnOldKernelFinishesWhatIsBegunAndLeavesTheRest() {
    Stepped stepped =
        new Stepped(false)
            .after(
                new Fact.Features(OLD),
                new Fact.Added(WANTED),
                new Fact.Done(Command.SET_PARAMS),
                new Fact.Opened(),
                new Fact.QueueFetching(0),
                new Fact.QueueFetching(1),
                new Fact.Done(Command.START_DEV),
                new Fact.StopAsked(true, false));
    assertThat(stepped.last).containsExactly(new Effect.LeaveQueues());

    stepped.after(new Fact.QueueEnded(0), new Fact.QueueEnded(1));
    assertThat(stepped.ends()).containsExactly(new Effect.Ended("", true));
  }

  /**
   * Whatever comes in whatever order: at most one end; nothing asked after it but the deletion of a
   * device that came late; a device that was added here is deleted unless it was to be left; and
   * when stop and both deadlines have come and every question was answered, it has ended.
   */
  @Test
  void everyOrderOfFactsEndsOnceAndLeavesNoDeviceThatWasAdded() {
    for (int seed = 0; seed < 20_000; seed++) {
      Random random = new Random(seed);
      boolean recover = random.nextBoolean();
      Stepped stepped = new Stepped(recover);
      List<Command> open = new ArrayList<>(stepped.asked());
      int seen = stepped.effects.size();
      boolean added = false;
      boolean deleted = false;
      int queuesAlive = 0;
      boolean opening = false;
      int stops = 0;
      for (int step = 0; step < 80; step++) {
        Fact fact;
        int choice = random.nextInt(10);
        if (step > 50 && stops < 4) {
          fact = stops++ == 0 ? new Fact.StopAsked(false, false) : new Fact.StopDeadline();
        } else if (!open.isEmpty() && (choice < 6 || step > 50)) {
          Command command = open.remove(random.nextInt(open.size()));
          boolean refuse = random.nextInt(6) == 0;
          if (refuse && command != Command.DEL_DEV_ASYNC) {
            fact = new Fact.Refused(command, random.nextBoolean() ? Errno.EBUSY : Errno.EINVAL);
          } else {
            if (command == Command.ADD_DEV) {
              added = true;
              deleted = false;
            }
            if (command == Command.DEL_DEV || command == Command.DEL_DEV_ASYNC) {
              deleted = true;
            }
            fact = answer(command, random);
          }
        } else if (opening && choice < 8) {
          opening = false;
          fact =
              random.nextInt(5) == 0 ? new Fact.NotOpened("no", Errno.EACCES) : new Fact.Opened();
        } else if (queuesAlive > 0 && (choice < 9 || step > 50)) {
          int kind = step > 50 ? 2 : random.nextInt(3);
          if (kind == 2) {
            queuesAlive--;
          }
          fact =
              switch (kind) {
                case 0 -> new Fact.QueueFetching(0);
                case 1 -> new Fact.QueueFailed(0, "broken");
                default -> new Fact.QueueEnded(0);
              };
        } else {
          fact = random.nextInt(8) == 0 ? new Fact.StartDeadline() : new Fact.RetryTime();
        }
        boolean endedBefore = !stepped.ends().isEmpty();
        stepped.after(fact);
        for (Effect effect : stepped.effects.subList(seen, stepped.effects.size())) {
          switch (effect) {
            case Effect.Ask ask -> {
              assertThat(!endedBefore || ask.command() == Command.DEL_DEV_ASYNC)
                  .as("seed %d asks %s after its end", seed, ask)
                  .isTrue();
              open.add(ask.command());
            }
            case Effect.OpenFile _ -> opening = true;
            case Effect.BeginQueues begin -> queuesAlive = begin.info().queues();
            default -> {}
          }
        }
        seen = stepped.effects.size();
      }
      assertThat(stepped.ends()).as("seed %d in %s", seed, stepped.life).hasSize(1);
      assertThat(!added || deleted || stepped.ends().getFirst().left() || !open.isEmpty())
          .as("seed %d leaves a device: %s", seed, stepped.effects)
          .isTrue();
    }
  }

  private static Fact answer(Command command, Random random) {
    return switch (command) {
      case GET_FEATURES -> new Fact.Features(random.nextBoolean() ? ALL : OLD);
      case GET_DEV_INFO ->
          new Fact.Found(
              there(
                  random.nextBoolean() ? UblkDeviceState.QUIESCED : UblkDeviceState.DEAD,
                  random.nextInt(5) == 0 ? 1 : 99),
              false);
      case ADD_DEV -> new Fact.Added(WANTED);
      case GET_PARAMS -> new Fact.ParametersRead(PARAMETERS);
      case SET_PARAMS,
          START_DEV,
          START_USER_RECOVERY,
          END_USER_RECOVERY,
          QUIESCE_DEV,
          STOP_DEV,
          TRY_STOP_DEV,
          DEL_DEV,
          DEL_DEV_ASYNC ->
          new Fact.Done(command);
    };
  }
}
