package io.spared.ublk;

import io.spared.device.DeviceCommand;
import io.spared.ffi.Errno;
import io.spared.ffi.engine.Completions;
import io.spared.ffi.engine.DriverEngine;
import io.spared.ffi.engine.IoRequest;
import io.spared.ffi.ublk.ControlCall;
import io.spared.ffi.ublk.UblkCharacterDevice;
import io.spared.ffi.ublk.UblkControl;
import io.spared.ffi.ublk.UblkDeviceInfo;
import io.spared.ffi.ublk.UblkException;
import io.spared.ffi.ublk.UblkFeature;
import io.spared.ffi.ublk.UblkParameters;
import io.spared.ring.Ring;
import java.time.Duration;
import java.util.ArrayList;
import java.util.EnumMap;
import java.util.EnumSet;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import java.util.Set;
import org.apache.pekko.actor.typed.ActorRef;
import org.apache.pekko.actor.typed.Behavior;
import org.apache.pekko.actor.typed.ChildFailed;
import org.apache.pekko.actor.typed.DispatcherSelector;
import org.apache.pekko.actor.typed.PostStop;
import org.apache.pekko.actor.typed.Terminated;
import org.apache.pekko.actor.typed.javadsl.AbstractBehavior;
import org.apache.pekko.actor.typed.javadsl.ActorContext;
import org.apache.pekko.actor.typed.javadsl.Behaviors;
import org.apache.pekko.actor.typed.javadsl.Receive;
import org.apache.pekko.actor.typed.javadsl.TimerScheduler;
import org.jspecify.annotations.Nullable;

/**
 * One ublk device's life with the driver. What happens is decided by {@link UblkLife}; this carries
 * it out: commands to the driver are requests that end as messages, so that nothing here waits,
 * START_DEV included.
 */
public final class UblkFrontend extends AbstractBehavior<FrontendMessage> {
  /** A queue may use this much of its ring's slab for tags' own buffers, when it may choose. */
  private static final long TAG_BUFFERS_BYTES_MAX = 16L << 20;

  private static final int CRASHES_SURVIVED = 3;

  private static final Duration COMMAND_DEADLINE = Duration.ofSeconds(20);

  /** After the requests in hand were failed, the driver gets so long to end. */
  private static final Duration LAST_DEADLINE = Duration.ofSeconds(5);

  private final UblkHost host;
  private final UblkSettings settings;
  private final UblkShape shape;
  private final ActorRef<DeviceCommand> device;
  private final ActorRef<UblkReport> owner;
  private final TimerScheduler<FrontendMessage> timers;
  private final DriverEngine engine;
  private final Completions completions;
  private final UblkControl control;
  private final Map<Command, ControlCall> calls = new EnumMap<>(Command.class);
  private final List<ActorRef<UblkQueueMessage>> queues = new ArrayList<>();

  private LifeState life;
  private @Nullable UblkCharacterDevice file;
  private boolean stopDeadlineArmed;
  private boolean over;
  private int crashes;

  /**
   * A frontend that begins at once.
   *
   * @param recover whether the device of {@link UblkSettings#number()} is to be taken back if it is
   *     there, with all that is in flight
   */
  public static Behavior<FrontendMessage> create(
      UblkHost host,
      UblkSettings settings,
      UblkShape shape,
      boolean recover,
      ActorRef<DeviceCommand> device,
      ActorRef<UblkReport> owner) {
    return Behaviors.setup(context ->
        Behaviors.withTimers(timers -> {
          if (!(host.control().engine() instanceof DriverEngine engine)) {
            owner.tell(
                new UblkReport.Ended(
                    "ublk devices need io_uring, which this host does not give; serve the"
                        + " device over NBD",
                    false));
            return Behaviors.stopped();
          }
          Optional<String> bad = KnownBadKernels.sentence(host.kernel().release());
          if (bad.isPresent()) {
            owner.tell(new UblkReport.Ended(bad.get(), false));
            return Behaviors.stopped();
          }
          ActorRef<FrontendMessage> self = context.getSelf();
          Completions completions =
              new Completions(() -> self.tell(new FrontendMessage.CommandsReady()));
          UblkControl control;
          try {
            control = UblkControl.open(host.kernel().controlDevice(), engine, completions);
          } catch (UblkException e) {
            owner.tell(new UblkReport.Ended(sentence(e), false));
            return Behaviors.stopped();
          }
          return new UblkFrontend(
              context,
              timers,
              host,
              settings,
              shape,
              recover,
              device,
              owner,
              engine,
              completions,
              control);
        }));
  }

  private UblkFrontend(
      ActorContext<FrontendMessage> context,
      TimerScheduler<FrontendMessage> timers,
      UblkHost host,
      UblkSettings settings,
      UblkShape shape,
      boolean recover,
      ActorRef<DeviceCommand> device,
      ActorRef<UblkReport> owner,
      DriverEngine engine,
      Completions completions,
      UblkControl control) {
    super(context);
    this.timers = timers;
    this.host = host;
    this.settings = settings;
    this.shape = shape;
    this.device = device;
    this.owner = owner;
    this.engine = engine;
    this.completions = completions;
    this.control = control;
    timers.startSingleTimer(new FrontendMessage.StartDeadline(), settings.startDeadline());
    LifeStep first = UblkLife.begin(recover);
    this.life = first.state();
    carryOut(first.effects());
  }

  private static String sentence(UblkException e) {
    return e.getMessage() == null ? e.toString() : e.getMessage();
  }

  @Override
  public Receive<FrontendMessage> createReceive() {
    return newReceiveBuilder()
        .onMessage(FrontendMessage.class, this::received)
        .onSignal(ChildFailed.class, UblkFrontend::queueDied)
        .onSignal(Terminated.class, ended -> this)
        .onSignal(PostStop.class, signal -> stopped())
        .build();
  }

  private Behavior<FrontendMessage> received(FrontendMessage message) {
    try {
      on(message);
    } catch (RuntimeException e) {
      crashed(e);
    }
    // A command that the kernel holds yet may still make a device: it is waited for.
    return over && calls.isEmpty() ? Behaviors.stopped() : this;
  }

  /**
   * A defect of this actor must not leave programs waiting: the device is removed, its queues
   * serving until the end, and the owner begins anew. Only when that crashes too, again and again,
   * the actor ends as it is.
   */
  private void crashed(RuntimeException cause) {
    getContext().getLog().error("the frontend of /dev/ublkb{} crashed", number(), cause);
    if (++crashes > CRASHES_SURVIVED) {
      throw cause;
    }
    happened(new LifeFact.Crashed(cause.toString()));
  }

  private void on(FrontendMessage message) {
    switch (message) {
      case FrontendMessage.Stop m -> happened(new LifeFact.StopAsked(false, m.onlyIfUnused()));
      case FrontendMessage.HandOver _ -> happened(new LifeFact.StopAsked(true, false));
      case FrontendMessage.QueueFetching m -> happened(new LifeFact.QueueFetching(m.queue()));
      case FrontendMessage.QueueFailed m ->
          happened(new LifeFact.QueueFailed(m.queue(), m.sentence()));
      case FrontendMessage.QueueEnded m -> happened(new LifeFact.QueueEnded(m.queue()));
      case FrontendMessage.CommandsReady _ -> commandsReady();
      case FrontendMessage.WrittenBack m -> {
        if (!m.failure().isEmpty()) {
          notWritten(m.failure());
        }
        happened(new LifeFact.WrittenBack());
      }
      case FrontendMessage.RetryTime _ -> happened(new LifeFact.RetryTime());
      case FrontendMessage.StartDeadline _ -> happened(new LifeFact.StartDeadline());
      case FrontendMessage.StopDeadline _ -> {
        stopDeadlineArmed = false;
        if (life.phase() == LifePhase.WRITING_BACK) {
          notWritten("it takes longer than a third of the drain deadline");
        }
        happened(new LifeFact.StopDeadline());
      }
    }
  }

  /** Its tags are nobody's now: only another process can take them back. */
  private static Behavior<FrontendMessage> queueDied(ChildFailed failed) {
    throw new IllegalStateException("a ublk queue could not even fail", failed.cause());
  }

  private void happened(LifeFact fact) {
    LifeState before = life;
    LifeStep step = UblkLife.next(life, fact, wanted(), parameters());
    life = step.state();
    if (before.phase() != life.phase()) {
      getContext().getLog().debug("ublk: {} led from {} to {}", fact, before.phase(), life.phase());
    }
    if (before.phase() == LifePhase.WRITING_BACK && life.phase() != before.phase()) {
      // Stopping has a deadline of its own.
      stopDeadlineArmed = false;
    }
    carryOut(step.effects());
    armStopDeadline();
  }

  private void armStopDeadline() {
    if (life.isEnding() && !over && !stopDeadlineArmed) {
      stopDeadlineArmed = true;
      timers.startSingleTimer(
          new FrontendMessage.StopDeadline(),
          life.ending().abandoned() ? LAST_DEADLINE : settings.stopDeadline());
    }
  }

  private void carryOut(List<LifeEffect> effects) {
    for (LifeEffect effect : effects) {
      switch (effect) {
        case LifeEffect.Ask e -> ask(e.command());
        case LifeEffect.GiveUp e -> giveUp(e.command());
        case LifeEffect.OpenFile _ -> openFile();
        case LifeEffect.CloseFile _ -> closeFile();
        case LifeEffect.RetryAfter e ->
            timers.startSingleTimer(
                new FrontendMessage.RetryTime(), Duration.ofMillis(e.milliseconds()));
        case LifeEffect.BeginQueues e -> beginQueues(e.info());
        case LifeEffect.WriteBack _ -> writeBack();
        case LifeEffect.AbandonQueues _ -> tellQueues(UblkQueueMessage.Abandon.INSTANCE);
        case LifeEffect.LeaveQueues _ -> tellQueues(UblkQueueMessage.Leave.INSTANCE);
        case LifeEffect.LeaveRequests _ -> tellQueues(UblkQueueMessage.LeaveRequests.INSTANCE);
        case LifeEffect.Serving e -> {
          timers.cancel(new FrontendMessage.StartDeadline());
          owner.tell(new UblkReport.Serving(e.info().number()));
        }
        case LifeEffect.StopRefused e -> {
          timers.cancel(new FrontendMessage.StopDeadline());
          stopDeadlineArmed = false;
          owner.tell(new UblkReport.StopRefused(e.sentence()));
        }
        case LifeEffect.Ended e -> {
          over = true;
          timers.cancelAll();
          owner.tell(new UblkReport.Ended(e.sentence(), e.left()));
        }
      }
    }
  }

  private void writeBack() {
    getContext()
        .spawn(
            UblkWriteBack.create(
                host,
                number(),
                getContext()
                    .messageAdapter(
                        UblkWriteBack.Done.class,
                        done -> new FrontendMessage.WrittenBack(done.failure()))),
            "write-back",
            DispatcherSelector.blocking());
  }

  private void notWritten(String why) {
    getContext()
        .getLog()
        .error(
            "not everything that the kernel holds of /dev/ublkb{} was written: {}", number(), why);
  }

  private void tellQueues(UblkQueueMessage message) {
    for (ActorRef<UblkQueueMessage> queue : queues) {
      queue.tell(message);
    }
  }

  // Commands.

  private UblkDeviceInfo wanted() {
    Set<UblkFeature> features = EnumSet.noneOf(UblkFeature.class);
    want(features, UblkFeature.CMD_IOCTL_ENCODE);
    want(features, UblkFeature.USER_RECOVERY);
    want(features, UblkFeature.USER_RECOVERY_REISSUE);
    want(features, UblkFeature.QUIESCE);
    want(features, UblkFeature.UPDATE_SIZE);
    want(features, UblkFeature.SAFE_STOP_DEV);
    if (settings.copying() == UblkSettings.Copying.BY_NOBODY) {
      // Not left out where they are not offered: it is refused then.
      features.addAll(LifeStart.ZERO_COPY);
    } else if (!byDriver()) {
      want(features, UblkFeature.USER_COPY);
    }
    return UblkDeviceInfo.wanted(
        settings.number(),
        settings.queues(),
        settings.depth(),
        settings.largestRequestBytes(),
        features,
        settings.identity());
  }

  private void want(Set<UblkFeature> features, UblkFeature feature) {
    if (life.features().contains(feature)) {
      features.add(feature);
    }
  }

  /** Whether the driver moves the data: always, where it cannot let the daemon do it. */
  private boolean byDriver() {
    if (!life.features().contains(UblkFeature.USER_COPY)) {
      return true;
    }
    return switch (settings.copying()) {
      case BY_DRIVER -> true;
      case BY_DAEMON, BY_NOBODY -> false;
      case AUTOMATIC ->
          (long) settings.depth() * settings.largestRequestBytes() <= TAG_BUFFERS_BYTES_MAX;
    };
  }

  private UblkParameters parameters() {
    UblkDeviceInfo info = life.info() == null ? wanted() : life.info();
    return UblkLimits.of(
        shape.sizeBytes(),
        shape.sectorBytes(),
        shape.blockBytes(),
        shape.main(),
        shape.disks(),
        settings.readOnly(),
        info);
  }

  private int number() {
    UblkDeviceInfo info = life.info();
    return info == null ? settings.number() : info.number();
  }

  private void ask(Command command) {
    ControlCall call =
        switch (command) {
          case GET_FEATURES -> control.features();
          case GET_DEV_INFO -> control.info(number());
          case ADD_DEV -> control.add(wanted());
          case SET_PARAMS -> control.setParameters(number(), parameters());
          case GET_PARAMS -> control.parameters(number());
          case START_DEV -> control.start(number());
          case START_USER_RECOVERY -> control.startRecovery(number());
          case END_USER_RECOVERY -> control.endRecovery(number());
          case QUIESCE_DEV -> control.quiesce(number(), settings.stopDeadline().toMillis());
          case STOP_DEV -> control.stop(number());
          case TRY_STOP_DEV -> control.stopIfUnused(number());
          case DEL_DEV -> control.delete(number());
          case DEL_DEV_ASYNC -> control.deleteLater(number());
        };
    calls.put(command, call);
    control.submit(call, engine.nanoTime() + deadline(command).toNanos());
  }

  /** Starting and stopping have deadlines of their own, kept by the life. */
  private Duration deadline(Command command) {
    return switch (command) {
      case START_DEV, END_USER_RECOVERY ->
          settings.startDeadline().plus(LAST_DEADLINE).plus(COMMAND_DEADLINE);
      case STOP_DEV, TRY_STOP_DEV, QUIESCE_DEV ->
          settings.stopDeadline().plus(LAST_DEADLINE).plus(COMMAND_DEADLINE);
      case GET_FEATURES,
          GET_DEV_INFO,
          ADD_DEV,
          SET_PARAMS,
          GET_PARAMS,
          START_USER_RECOVERY,
          DEL_DEV,
          DEL_DEV_ASYNC ->
          COMMAND_DEADLINE;
    };
  }

  private void giveUp(Command command) {
    ControlCall call = calls.get(command);
    if (call != null) {
      control.cancel(call);
    }
  }

  private void commandsReady() {
    IoRequest request = completions.next();
    while (request != null) {
      IoRequest.Outcome outcome = completions.lastOutcome();
      for (Map.Entry<Command, ControlCall> entry : List.copyOf(calls.entrySet())) {
        if (entry.getValue().request() == request) {
          commandEnded(entry.getKey(), entry.getValue(), outcome);
        }
      }
      request = completions.next();
    }
  }

  private void commandEnded(Command command, ControlCall call, IoRequest.Outcome outcome) {
    boolean held = call.request().held();
    switch (outcome) {
      case DONE -> {
        calls.remove(command);
        happened(answer(command, call));
      }
      case RELEASED -> {
        calls.remove(command);
        if (call.request().errno() == null) {
          happened(answer(command, call));
        }
      }
      case FAILED -> {
        if (!control.sentAgain(call)) {
          calls.remove(command);
          Errno errno = call.request().errno();
          happened(new LifeFact.Refused(command, errno == null ? Errno.OTHER : errno));
        }
      }
      case TIMED_OUT, CANCELLED -> {
        if (!held) {
          calls.remove(command);
        }
        happened(new LifeFact.Refused(command, Errno.ETIMEDOUT));
      }
      case IDLE, IN_FLIGHT -> throw new IllegalStateException("not an end: " + outcome);
    }
  }

  private static LifeFact answer(Command command, ControlCall call) {
    return switch (command) {
      case GET_FEATURES -> new LifeFact.Features(call.features());
      case GET_DEV_INFO -> {
        UblkDeviceInfo info = call.info();
        yield new LifeFact.Found(info, info.isServedByLivingProcess());
      }
      case ADD_DEV -> new LifeFact.Added(call.info());
      case GET_PARAMS -> new LifeFact.ParametersRead(call.parameters());
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

  // The character device and the queues.

  private void openFile() {
    UblkDeviceInfo info = life.info();
    if (info == null) {
      throw new IllegalStateException("a device that nobody knows is to be opened");
    }
    try {
      file = UblkCharacterDevice.open(host.kernel().deviceDirectory(), info);
      happened(new LifeFact.Opened());
    } catch (UblkException e) {
      happened(new LifeFact.NotOpened(sentence(e), e.errno()));
    }
  }

  private void closeFile() {
    UblkCharacterDevice open = file;
    file = null;
    if (open != null) {
      open.close();
    }
  }

  private void beginQueues(UblkDeviceInfo info) {
    UblkCharacterDevice open = file;
    if (open == null) {
      throw new IllegalStateException("queues without the character device");
    }
    Moving moving = Moving.of(info);
    for (int index = 0; index < info.queues(); index++) {
      Ring ring = host.rings().ring(index % host.rings().count());
      if (!(ring.engine() instanceof DriverEngine queueEngine)) {
        throw new IllegalStateException("rings of two kinds");
      }
      ActorRef<UblkQueueMessage> queue =
          getContext()
              .spawn(
                  UblkQueue.create(
                      queueEngine, open, index, moving, device, getContext().getSelf()),
                  "queue-" + index,
                  ring.dispatcher());
      getContext().watch(queue);
      queues.add(queue);
    }
  }

  /** Stopped from above without being asked to stop: what is known is given back at once. */
  private Behavior<FrontendMessage> stopped() {
    closeFile();
    control.close();
    return this;
  }
}
