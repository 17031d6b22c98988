package io.spared.sim;

import io.spared.device.Answer;
import io.spared.device.CleanStops;
import io.spared.device.DeviceCommand;
import io.spared.device.DeviceSettings;
import io.spared.device.DeviceStatus;
import io.spared.device.Phase;
import io.spared.discovery.DiscoveryCommand;
import io.spared.ffi.disk.DiskAddress;
import io.spared.ffi.disk.FaultPlans;
import io.spared.format.Owner;
import io.spared.host.Host;
import io.spared.host.HostCommand;
import io.spared.host.HostParts;
import io.spared.metadata.MetadataSettings;
import io.spared.monitor.AuditLog;
import io.spared.relocation.RelocationPolicy;
import io.spared.ublk.UblkKernel;
import java.time.Duration;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import java.util.UUID;
import java.util.function.Consumer;
import java.util.function.Function;
import org.apache.pekko.actor.typed.ActorRef;
import org.apache.pekko.actor.typed.DispatcherSelector;
import org.apache.pekko.actor.typed.javadsl.ActorContext;
import org.apache.pekko.actor.typed.javadsl.Behaviors;
import org.jspecify.annotations.Nullable;

/**
 * A whole daemon with one device: the host with everything that it spawns, as in production but for
 * rings, disks, clock and randomness.
 */
final class HostedDevice {
  /** While things happen; what a healed device does is seldom looked at. */
  private static final Duration POLL = Duration.ofMillis(25);

  private static final Duration POLL_HEALED = Duration.ofMillis(500);
  static final UUID HOST = new UUID(1, 1);
  static final Duration DRAIN = Duration.ofSeconds(10);

  private final CoreSetup setup;
  private final SimWorld world;
  private final SimProcess process;
  private final Keeper.View view;
  private final ActorContext<Runnable> context;
  private final ActorRef<HostCommand> host;
  private final DeviceSettings settings;
  private final AlertWatch alerts;
  private final Function<Consumer<DeviceStatus>, ActorRef<DeviceStatus>> answers;
  private @Nullable ActorRef<DeviceCommand> device;
  private @Nullable ActorRef<DiscoveryCommand> discovery;
  private int healthyCopies;
  private @Nullable Phase phase;
  private String sentence = "";
  private boolean served;

  /** What a daemon is started with. */
  record Start(
      SimOpener opener,
      List<DiskAddress> spares,
      boolean discovers,
      CleanStops cleanStops,
      RelocationPolicy relocation,
      Duration requestDeadline) {}

  HostedDevice(
      CoreSetup setup,
      SimProcess process,
      Keeper.View view,
      Start start,
      ActorContext<Runnable> context) {
    this(
        setup,
        process,
        view,
        start,
        context,
        host(setup, process, start, context),
        seen -> context.messageAdapter(DeviceStatus.class, status -> () -> seen.accept(status)));
  }

  /** A further device of a host that is there; the context has one adapter for a class only. */
  static HostedDevice further(
      CoreSetup setup,
      SimProcess process,
      Keeper.View view,
      Start start,
      ActorContext<Runnable> context,
      ActorRef<HostCommand> host) {
    return new HostedDevice(
        setup,
        process,
        view,
        start,
        context,
        host,
        seen ->
            context.spawnAnonymous(
                Behaviors.receiveMessage(status -> {
                  context.getSelf().tell(() -> seen.accept(status));
                  return Behaviors.stopped();
                })));
  }

  private HostedDevice(
      CoreSetup setup,
      SimProcess process,
      Keeper.View view,
      Start start,
      ActorContext<Runnable> context,
      ActorRef<HostCommand> host,
      Function<Consumer<DeviceStatus>, ActorRef<DeviceStatus>> answers) {
    this.answers = answers;
    this.setup = setup;
    this.world = process.world();
    this.process = process;
    this.view = view;
    this.context = context;
    this.host = host;
    this.settings =
        new DeviceSettings(
            setup.name(),
            "",
            setup.mainAddress(),
            start.spares(),
            DeviceSettings.Frontend.NONE,
            false,
            new DeviceSettings.Deadlines(
                Duration.ofSeconds(10), start.requestDeadline(), Duration.ofSeconds(5), DRAIN),
            DeviceSettings.Upkeep.standard(),
            Map.of(),
            DeviceSettings.BlockDevice.standard());
    if (start.discovers()) {
      discovery = HostedDiscovery.start(setup, start, process, context, host, settings);
    } else {
      host.tell(new HostCommand.Add(settings, context.getSystem().ignoreRef()));
    }
    this.alerts = new AlertWatch(setup, context, host);
    poll();
  }

  private static ActorRef<HostCommand> host(
      CoreSetup setup, SimProcess process, Start start, ActorContext<Runnable> context) {
    return context.spawn(
        Host.create(
            new HostParts(
                process.world().world(),
                new SimRings(process),
                start.opener(),
                new FaultPlans(process.world().seed()),
                context
                    .getSystem()
                    .dispatchers()
                    .lookup(DispatcherSelector.fromConfig("spared.blocking")),
                new Owner(HOST, "sim"),
                start.cleanStops(),
                setup.memory(),
                List.of(),
                AuditLog.none(),
                MetadataSettings.defaults(),
                start.relocation(),
                List.of(),
                Duration.ofSeconds(10),
                UblkKernel.of(UblkKernel.CONTROL_DEVICE, ""))),
        "spared");
  }

  ActorRef<HostCommand> host() {
    return host;
  }

  /** Looks at the device again and again, for as long as the process lives. */
  private void poll() {
    if (isDead()) {
      return;
    }
    context.getSelf().tell(this::look);
    world.after(setup.healed ? POLL_HEALED : POLL, this::poll);
  }

  private boolean isDead() {
    return process.engine(0).isClosed();
  }

  private void look() {
    ActorRef<DeviceCommand> known = device;
    if (known == null) {
      ActorRef<Optional<ActorRef<DeviceCommand>>> found =
          context.spawnAnonymous(
              Behaviors.receiveMessage(answer -> {
                answer.ifPresent(actor -> device = actor);
                return Behaviors.stopped();
              }));
      host.tell(new HostCommand.Find(settings.name(), found));
      return;
    }
    known.tell(new DeviceCommand.GetStatus(answers.apply(this::seen)));
  }

  private void seen(DeviceStatus status) {
    if (status.phase() != phase) {
      world.coverage().hit("device." + (phase == null ? "NEW" : phase) + "-" + status.phase());
      phase = status.phase();
      world
          .trace()
          .line(() -> world.nowNanos() + " device is " + status.phase() + ": " + status.sentence());
    }
    sentence = status.sentence();
    lookAtReplacing(status);
    alerts.seen(status);
    healthyCopies = status.copies().good();
    view.serving = phase == Phase.ACTIVE || phase == Phase.DEGRADED;
    view.failure = phase == Phase.FAILED ? sentence : null;
  }

  private void lookAtReplacing(DeviceStatus status) {
    status
        .replacing()
        .ifPresent(copy -> {
          world.coverage().hit("replace." + copy.phase());
          if (copy.againBytes() > 0) {
            world.coverage().hit("replace.again");
          }
          if (!served) {
            world.coverage().hit("replace.resumed");
          }
          if (copy.movedBlocks() > 0) {
            world.coverage().hit("replace.movedBlocks");
          }
        });
    served |= status.phase() == Phase.ACTIVE || status.phase() == Phase.DEGRADED;
    if (status.disks().stream().anyMatch(disk -> disk.address().endsWith("/next"))) {
      world.coverage().hit("replace.switched");
    }
  }

  String describe() {
    return phase + ": " + sentence;
  }

  boolean isActive() {
    return phase == Phase.ACTIVE;
  }

  int healthyCopies() {
    return healthyCopies;
  }

  /** For clients: asks for a queue. */
  SimClient.Opening opening(int n) {
    return (clientContext, queue) -> {
      ActorRef<SimClient.Command> client = clientContext.getSelf();
      ActorRef<DeviceCommand.QueueOpening> answer =
          clientContext.messageAdapter(
              DeviceCommand.QueueOpening.class,
              opening ->
                  switch (opening) {
                    case DeviceCommand.QueueOpening.Opened opened ->
                        new SimClient.Command.Opened(opened.context());
                    case DeviceCommand.QueueOpening.NotOpened refused ->
                        new SimClient.Command.NotOpened(refused.sentence());
                  });
      return () -> {
        ActorRef<DeviceCommand> known = device;
        if (known == null) {
          client.tell(new SimClient.Command.NotOpened("there is no device yet"));
        } else {
          known.tell(new DeviceCommand.OpenQueue("client " + n, queue, answer));
        }
      };
    };
  }

  /** A command of an operator; it has to be answered. */
  void command(SimAction.Kind kind) {
    command(kind, 0);
  }

  void command(SimAction.Kind kind, long number) {
    ActorRef<DeviceCommand> known = device;
    if (known == null) {
      return;
    }
    context
        .getSelf()
        .tell(() -> {
          ClientBook.Asked asked = setup.book.ask("COMMAND " + kind);
          ActorRef<Answer> answer =
              context.spawnAnonymous(
                  Behaviors.receive(Answer.class)
                      .onAnyMessage(said -> {
                        setup.book.commandAnswered(asked, said);
                        return Behaviors.stopped();
                      })
                      .build());
          switch (kind) {
            case REMOVE_DEVICE -> {
              remove(answer);
              return;
            }
            case ADD_SPARE -> {
              host.tell(
                  new HostCommand.AddSpare(
                      settings.name(), CoreSetup.address("further"), -1, answer));
              return;
            }
            default -> {}
          }
          known.tell(
              switch (kind) {
                case FREEZE -> new DeviceCommand.Freeze(answer);
                case THAW -> new DeviceCommand.Thaw(answer);
                case SCRUB -> new DeviceCommand.Scrub(true, answer);
                case REPAIR -> new DeviceCommand.Repair(answer);
                case STOP_DEVICE -> new DeviceCommand.Stop(true, DRAIN.toNanos(), answer);
                case START_DEVICE -> new DeviceCommand.Start(answer);
                case REPLACE ->
                    new DeviceCommand.Replace(CoreSetup.address("next"), number, answer);
                case EVACUATE -> new DeviceCommand.Evacuate((int) number, false, answer);
                case CANCEL_EVACUATION -> new DeviceCommand.CancelEvacuation((int) number, answer);
                case CANCEL_REPLACE -> new DeviceCommand.CancelReplace(answer);
                default -> throw new IllegalArgumentException("no command: " + kind);
              });
        });
  }

  /** Removes the device and adds it again, as an operator would who changed his mind. */
  private void remove(ActorRef<Answer> answer) {
    ActorRef<Answer> removed =
        context.spawnAnonymous(
            Behaviors.receive(Answer.class)
                .onAnyMessage(said -> {
                  answer.tell(said);
                  if (said instanceof Answer.Done) {
                    device = null;
                    view.serving = false;
                    host.tell(new HostCommand.Add(settings, context.getSystem().ignoreRef()));
                  }
                  return Behaviors.stopped();
                })
                .build());
    host.tell(new HostCommand.Remove(settings.name(), true, removed));
  }

  AlertWatch alerts() {
    return alerts;
  }

  void shutdown(Runnable done) {
    context
        .getSelf()
        .tell(() -> {
          ActorRef<DiscoveryCommand> discovering = discovery;
          if (discovering != null) {
            discovering.tell(new DiscoveryCommand.Stop(context.getSystem().ignoreRef()));
          }
          host.tell(
              new HostCommand.Shutdown(
                  DRAIN.toNanos(),
                  context.messageAdapter(
                      HostCommand.Farewell.class,
                      farewell ->
                          () -> {
                            if (!farewell.leftBehind().isEmpty()) {
                              world.coverage().hit("host.leftSomethingBehind");
                            }
                            view.stopped = true;
                            view.serving = false;
                            done.run();
                          })));
        });
  }
}
