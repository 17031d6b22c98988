package io.spared.ublk;

import static org.assertj.core.api.Assertions.assertThat;

import io.spared.ffi.Errno;
import io.spared.ffi.ublk.UblkDeviceInfo;
import io.spared.ffi.ublk.UblkDeviceState;
import io.spared.ffi.ublk.UblkFeature;
import io.spared.ffi.ublk.UblkParameters;
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
    LifeState life;
    final List<LifeEffect> effects = new ArrayList<>();
    List<LifeEffect> last;

    Stepped(boolean recover) {
      LifeStep first = UblkLife.begin(recover);
      life = first.state();
      last = first.effects();
      effects.addAll(last);
    }

    Stepped after(LifeFact... facts) {
      for (LifeFact fact : facts) {
        LifeStep step = UblkLife.next(life, fact, WANTED, PARAMETERS);
        life = step.state();
        last = step.effects();
        effects.addAll(last);
      }
      return this;
    }

    Stepped serving() {
      return after(
          new LifeFact.Features(ALL),
          new LifeFact.Added(WANTED),
          new LifeFact.Done(Command.SET_PARAMS),
          new LifeFact.Opened(),
          new LifeFact.QueueFetching(0),
          new LifeFact.QueueFetching(1),
          new LifeFact.Done(Command.START_DEV));
    }

    List<Command> asked() {
      List<Command> commands = new ArrayList<>();
      for (LifeEffect effect : effects) {
        if (effect instanceof LifeEffect.Ask ask) {
          commands.add(ask.command());
        }
      }
      return commands;
    }

    List<LifeEffect.Ended> ends() {
      List<LifeEffect.Ended> ends = new ArrayList<>();
      for (LifeEffect effect : effects) {
        if (effect instanceof LifeEffect.Ended ended) {
          ends.add(ended);
        }
      }
      return ends;
    }
  }

  @Test
  void aDeviceIsAddedSetOpenedFetchedAndOnlyThenStarted() {
    Stepped stepped = new Stepped(false).serving();

    assertThat(stepped.life.phase()).isEqualTo(LifePhase.SERVING);
    assertThat(stepped.effects)
        .containsExactly(
            new LifeEffect.Ask(Command.GET_FEATURES),
            new LifeEffect.Ask(Command.ADD_DEV),
            new LifeEffect.Ask(Command.SET_PARAMS),
            new LifeEffect.OpenFile(),
            new LifeEffect.BeginQueues(WANTED),
            new LifeEffect.Ask(Command.START_DEV),
            new LifeEffect.Serving(WANTED));
  }

  @Test
  void zeroCopyThatTheDriverDoesNotOfferIsRefusedInASentenceAndNothingIsAdded() {
    UblkDeviceInfo wanted = UblkDeviceInfo.wanted(3, 2, 64, 1 << 19, LifeStart.ZERO_COPY, 99);
    for (boolean recover : new boolean[] {false, true}) {
      LifeStep step =
          UblkLife.next(
              UblkLife.begin(recover).state(), new LifeFact.Features(OLD), wanted, PARAMETERS);
      assertThat(step.effects().getFirst()).isEqualTo(new LifeEffect.CloseFile());
      assertThat(step.effects().getLast())
          .isInstanceOfSatisfying(
              LifeEffect.Ended.class,
              ended -> assertThat(ended.sentence()).contains("6.16", "copying = auto"));
    }
    LifeStep offered =
        UblkLife.next(
            UblkLife.begin(false).state(), new LifeFact.Features(ALL), wanted, PARAMETERS);
    assertThat(offered.effects()).containsExactly(new LifeEffect.Ask(Command.ADD_DEV));
  }

  @Test
  void stoppingStopsWhileQueuesServeAndDeletesWhenTheyHaveEnded() {
    Stepped stepped = new Stepped(false).serving().after(new LifeFact.StopAsked(false, false));
    // What the kernel holds is written while everything serves.
    assertThat(stepped.last).containsExactly(new LifeEffect.WriteBack());
    stepped.after(new LifeFact.WrittenBack());
    assertThat(stepped.last).containsExactly(new LifeEffect.Ask(Command.STOP_DEV));

    stepped.after(new LifeFact.QueueEnded(0), new LifeFact.Done(Command.STOP_DEV));
    assertThat(stepped.last).isEmpty();

    stepped.after(new LifeFact.QueueEnded(1));
    assertThat(stepped.last)
        .containsExactly(new LifeEffect.CloseFile(), new LifeEffect.Ask(Command.DEL_DEV));

    stepped.after(new LifeFact.Done(Command.DEL_DEV));
    assertThat(stepped.ends()).containsExactly(new LifeEffect.Ended("", false));
  }

  @Test
  void aDeviceInUseGoesOnServingWhenItWasOnlyToBeStoppedUnused() {
    Stepped stepped =
        new Stepped(false)
            .serving()
            .after(
                new LifeFact.StopAsked(false, true),
                new LifeFact.Refused(Command.TRY_STOP_DEV, Errno.EBUSY));

    assertThat(stepped.life.phase()).isEqualTo(LifePhase.SERVING);
    assertThat(stepped.life.isEnding()).isFalse();
    assertThat(stepped.last).hasSize(1).first().isInstanceOf(LifeEffect.StopRefused.class);
  }

  @Test
  void aFrontendThatCrashesHasWhatTheKernelHoldsWrittenBeforeTheDeviceIsStopped() {
    Stepped stepped = new Stepped(false).serving().after(new LifeFact.Crashed("a defect"));
    assertThat(stepped.last).containsExactly(new LifeEffect.WriteBack());

    stepped.after(new LifeFact.WrittenBack());
    assertThat(stepped.last).containsExactly(new LifeEffect.Ask(Command.STOP_DEV));
  }

  @Test
  void writingBackThatHangsEndsAtTheStopDeadline() {
    Stepped stepped =
        new Stepped(false)
            .serving()
            .after(new LifeFact.Crashed("a defect"), new LifeFact.StopDeadline());
    assertThat(stepped.last).containsExactly(new LifeEffect.Ask(Command.STOP_DEV));

    stepped.after(new LifeFact.WrittenBack());
    assertThat(stepped.last).isEmpty();
  }

  @Test
  void nothingIsWrittenBackThroughAQueueThatFailed() {
    Stepped stepped = new Stepped(false).serving().after(new LifeFact.QueueFailed(1, "broken"));
    assertThat(stepped.last).containsExactly(new LifeEffect.Ask(Command.STOP_DEV));

    stepped = new Stepped(false).serving().after(new LifeFact.Crashed("a defect"));
    stepped.after(new LifeFact.QueueFailed(1, "broken"));
    assertThat(stepped.last).containsExactly(new LifeEffect.Ask(Command.STOP_DEV));
  }

  @Test
  void aStopDuringAddWaitsForTheAnswerAndDeletesWhatCame() {
    Stepped stepped =
        new Stepped(false).after(new LifeFact.Features(ALL), new LifeFact.StopAsked(false, false));
    assertThat(stepped.ends()).isEmpty();

    stepped.after(new LifeFact.Added(WANTED));
    assertThat(stepped.last).contains(new LifeEffect.Ask(Command.DEL_DEV));

    stepped.after(new LifeFact.Done(Command.DEL_DEV));
    assertThat(stepped.ends()).containsExactly(new LifeEffect.Ended("", false));
  }

  @Test
  void aDeviceThatCameAfterItsLifeHadEndedIsDeleted() {
    Stepped stepped =
        new Stepped(false)
            .after(
                new LifeFact.Features(ALL),
                new LifeFact.StartDeadline(),
                new LifeFact.StopDeadline(),
                new LifeFact.Added(WANTED));

    assertThat(stepped.ends()).hasSize(1);
    assertThat(stepped.last).containsExactly(new LifeEffect.Ask(Command.DEL_DEV_ASYNC));
  }

  @Test
  void aQueueThatCannotFetchDuringStartTakesTheDeviceBack() {
    Stepped stepped =
        new Stepped(false)
            .after(
                new LifeFact.Features(ALL),
                new LifeFact.Added(WANTED),
                new LifeFact.Done(Command.SET_PARAMS),
                new LifeFact.Opened(),
                new LifeFact.QueueFetching(0),
                new LifeFact.QueueFailed(1, "no memory"));
    assertThat(stepped.last)
        .contains(new LifeEffect.AbandonQueues(), new LifeEffect.Ask(Command.STOP_DEV));

    stepped.after(
        new LifeFact.QueueEnded(1),
        new LifeFact.Done(Command.STOP_DEV),
        new LifeFact.QueueEnded(0),
        new LifeFact.Done(Command.DEL_DEV));

    assertThat(stepped.ends()).containsExactly(new LifeEffect.Ended("queue 1: no memory", false));
  }

  @Test
  void requestsThatHangAreFailedAtTheStopDeadlineAndTheDeviceStillGoes() {
    Stepped stepped =
        new Stepped(false)
            .serving()
            .after(
                new LifeFact.StopAsked(false, false),
                new LifeFact.WrittenBack(),
                new LifeFact.StopDeadline());
    assertThat(stepped.last).containsExactly(new LifeEffect.AbandonQueues());

    stepped.after(
        new LifeFact.Done(Command.STOP_DEV),
        new LifeFact.QueueEnded(0),
        new LifeFact.QueueEnded(1),
        new LifeFact.Done(Command.DEL_DEV));
    assertThat(stepped.ends()).containsExactly(new LifeEffect.Ended("", false));
  }

  @Test
  void tagsThatNeverComeBackAreLeftToTheDriverAtTheLastDeadline() {
    Stepped stepped =
        new Stepped(false)
            .serving()
            .after(
                new LifeFact.StopAsked(false, false),
                new LifeFact.StopDeadline(),
                new LifeFact.StopDeadline(),
                new LifeFact.StopDeadline());
    assertThat(stepped.last)
        .containsExactly(new LifeEffect.CloseFile(), new LifeEffect.Ask(Command.DEL_DEV_ASYNC));

    stepped.after(new LifeFact.Done(Command.DEL_DEV_ASYNC));
    assertThat(stepped.ends()).hasSize(1);
  }

  @Test
  void aWaitingDeviceIsTakenBackAndResumed() {
    Stepped stepped =
        new Stepped(true)
            .after(
                new LifeFact.Features(ALL),
                new LifeFact.Found(there(UblkDeviceState.QUIESCED, 99), false),
                new LifeFact.Refused(Command.START_USER_RECOVERY, Errno.EBUSY),
                new LifeFact.RetryTime(),
                new LifeFact.Done(Command.START_USER_RECOVERY),
                new LifeFact.ParametersRead(PARAMETERS),
                new LifeFact.Opened(),
                new LifeFact.QueueFetching(0),
                new LifeFact.QueueFetching(1),
                new LifeFact.Done(Command.END_USER_RECOVERY));

    assertThat(stepped.life.phase()).isEqualTo(LifePhase.SERVING);
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
                new LifeFact.Features(ALL),
                new LifeFact.Found(there(UblkDeviceState.QUIESCED, 1), false));

    assertThat(stepped.asked()).containsExactly(Command.GET_FEATURES, Command.GET_DEV_INFO);
    assertThat(stepped.ends()).hasSize(1);
    assertThat(stepped.ends().getFirst().sentence()).contains("another");
  }

  @Test
  void aDeviceThatALivingProcessServesIsNotTaken() {
    Stepped stepped =
        new Stepped(true)
            .after(
                new LifeFact.Features(ALL),
                new LifeFact.Found(there(UblkDeviceState.LIVE, 99), true));

    assertThat(stepped.asked()).containsExactly(Command.GET_FEATURES, Command.GET_DEV_INFO);
    assertThat(stepped.ends().getFirst().sentence()).contains("process 4711");
  }

  @Test
  void aDeviceThatWasStoppedWhileItsDaemonWasDeadIsMadeAnew() {
    Stepped stepped =
        new Stepped(true)
            .after(
                new LifeFact.Features(ALL),
                new LifeFact.Found(there(UblkDeviceState.DEAD, 99), false),
                new LifeFact.Done(Command.DEL_DEV));

    assertThat(stepped.asked())
        .containsExactly(
            Command.GET_FEATURES, Command.GET_DEV_INFO, Command.DEL_DEV, Command.ADD_DEV);
  }

  @Test
  void recoveringWhatIsNotThereAddsIt() {
    Stepped stepped =
        new Stepped(true)
            .after(
                new LifeFact.Features(ALL),
                new LifeFact.Refused(Command.GET_DEV_INFO, Errno.ENODEV));

    assertThat(stepped.last).containsExactly(new LifeEffect.Ask(Command.ADD_DEV));
    stepped.after(
        new LifeFact.Added(WANTED),
        new LifeFact.Done(Command.SET_PARAMS),
        new LifeFact.Opened(),
        new LifeFact.QueueFetching(0),
        new LifeFact.QueueFetching(1));
    assertThat(stepped.last).containsExactly(new LifeEffect.Ask(Command.START_DEV));
  }

  @Test
  void aDeviceOfAnotherSizeIsLeftAsItIs() {
    Stepped stepped =
        new Stepped(true)
            .after(
                new LifeFact.Features(ALL),
                new LifeFact.Found(there(UblkDeviceState.QUIESCED, 99), false),
                new LifeFact.Done(Command.START_USER_RECOVERY),
                new LifeFact.ParametersRead(parameters(32 << 20)));

    assertThat(stepped.ends()).hasSize(1);
    assertThat(stepped.ends().getFirst().left()).isTrue();
    assertThat(stepped.asked()).doesNotContain(Command.DEL_DEV, Command.STOP_DEV);
  }

  @Test
  void handingOverQuiescesWhereTheDriverCanAndNeverDeletes() {
    Stepped stepped = new Stepped(false).serving().after(new LifeFact.StopAsked(true, false));
    assertThat(stepped.last).containsExactly(new LifeEffect.Ask(Command.QUIESCE_DEV));

    // The driver keeps the tags of requests that are answered from now on.
    stepped.after(new LifeFact.QueueEnded(0), new LifeFact.Done(Command.QUIESCE_DEV));
    assertThat(stepped.last).containsExactly(new LifeEffect.LeaveQueues());

    stepped.after(new LifeFact.QueueEnded(1));
    assertThat(stepped.ends()).containsExactly(new LifeEffect.Ended("", true));
  }

  @Test
  void requestsThatHangWhenADeviceIsHandedOverAreLeftToTheNextServerAndDoNotFail() {
    for (List<LifeFact> before :
        List.of(
            List.<LifeFact>of(),
            List.<LifeFact>of(new LifeFact.Done(Command.QUIESCE_DEV)),
            List.<LifeFact>of(new LifeFact.Refused(Command.QUIESCE_DEV, Errno.EBUSY)))) {
      Stepped stepped = new Stepped(false).serving().after(new LifeFact.StopAsked(true, false));
      stepped.after(before.toArray(new LifeFact[0])).after(new LifeFact.StopDeadline());
      assertThat(stepped.last).containsExactly(new LifeEffect.LeaveRequests());
      stepped.after(new LifeFact.QueueEnded(0), new LifeFact.QueueEnded(1));
      assertThat(stepped.ends()).containsExactly(new LifeEffect.Ended("", true));
    }
  }

  @Test
  void handingOverOnAnOldKernelFinishesWhatIsBegunAndLeavesTheRest() {
    Stepped stepped =
        new Stepped(false)
            .after(
                new LifeFact.Features(OLD),
                new LifeFact.Added(WANTED),
                new LifeFact.Done(Command.SET_PARAMS),
                new LifeFact.Opened(),
                new LifeFact.QueueFetching(0),
                new LifeFact.QueueFetching(1),
                new LifeFact.Done(Command.START_DEV),
                new LifeFact.StopAsked(true, false));
    assertThat(stepped.last).containsExactly(new LifeEffect.LeaveQueues());

    stepped.after(new LifeFact.QueueEnded(0), new LifeFact.QueueEnded(1));
    assertThat(stepped.ends()).containsExactly(new LifeEffect.Ended("", true));
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
      boolean writing = false;
      int stops = 0;
      for (int step = 0; step < 80; step++) {
        LifeFact fact;
        int choice = random.nextInt(10);
        if (step > 50 && stops < 5) {
          fact = stops++ == 0 ? new LifeFact.StopAsked(false, false) : new LifeFact.StopDeadline();
        } else if (!open.isEmpty() && (choice < 6 || step > 50)) {
          Command command = open.remove(random.nextInt(open.size()));
          boolean refuse = random.nextInt(6) == 0;
          if (refuse && command != Command.DEL_DEV_ASYNC) {
            fact = new LifeFact.Refused(command, random.nextBoolean() ? Errno.EBUSY : Errno.EINVAL);
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
        } else if (writing && choice < 7) {
          writing = false;
          fact =
              random.nextInt(3) == 0 ? new LifeFact.Crashed("twice") : new LifeFact.WrittenBack();
        } else if (opening && choice < 8) {
          opening = false;
          fact =
              random.nextInt(5) == 0
                  ? new LifeFact.NotOpened("no", Errno.EACCES)
                  : new LifeFact.Opened();
        } else if (queuesAlive > 0 && (choice < 9 || step > 50)) {
          int kind = step > 50 ? 2 : random.nextInt(3);
          if (kind == 2) {
            queuesAlive--;
          }
          fact =
              switch (kind) {
                case 0 -> new LifeFact.QueueFetching(0);
                case 1 -> new LifeFact.QueueFailed(0, "broken");
                default -> new LifeFact.QueueEnded(0);
              };
        } else {
          fact =
              switch (random.nextInt(8)) {
                case 0 -> new LifeFact.StartDeadline();
                case 1 -> new LifeFact.Crashed("a defect");
                default -> new LifeFact.RetryTime();
              };
        }
        boolean endedBefore = !stepped.ends().isEmpty();
        stepped.after(fact);
        for (LifeEffect effect : stepped.effects.subList(seen, stepped.effects.size())) {
          switch (effect) {
            case LifeEffect.Ask ask -> {
              assertThat(!endedBefore || ask.command() == Command.DEL_DEV_ASYNC)
                  .as("seed %d asks %s after its end", seed, ask)
                  .isTrue();
              open.add(ask.command());
            }
            case LifeEffect.OpenFile _ -> opening = true;
            case LifeEffect.WriteBack _ -> writing = true;
            case LifeEffect.BeginQueues begin -> queuesAlive = begin.info().queues();
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

  private static LifeFact answer(Command command, Random random) {
    return switch (command) {
      case GET_FEATURES -> new LifeFact.Features(random.nextBoolean() ? ALL : OLD);
      case GET_DEV_INFO ->
          new LifeFact.Found(
              there(
                  random.nextBoolean() ? UblkDeviceState.QUIESCED : UblkDeviceState.DEAD,
                  random.nextInt(5) == 0 ? 1 : 99),
              false);
      case ADD_DEV -> new LifeFact.Added(WANTED);
      case GET_PARAMS -> new LifeFact.ParametersRead(PARAMETERS);
      case SET_PARAMS,
          START_DEV,
          START_USER_RECOVERY,
          END_USER_RECOVERY,
          QUIESCE_DEV,
          STOP_DEV,
          TRY_STOP_DEV,
          DEL_DEV,
          DEL_DEV_ASYNC ->
          new LifeFact.Done(command);
    };
  }
}
