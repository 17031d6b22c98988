package io.spared.host;

import io.spared.device.DeviceCommand;
import io.spared.monitor.Event;
import io.spared.monitor.MonitorCommand;
import io.spared.nbd.NbdRequest;
import io.spared.nbd.negotiation.Answer;
import io.spared.nbd.negotiation.ExportDescription;
import io.spared.ring.OneAnswer;
import java.time.Duration;
import java.util.ArrayList;
import java.util.List;
import java.util.Map;
import java.util.TreeMap;
import org.apache.pekko.actor.typed.ActorRef;
import org.apache.pekko.actor.typed.Behavior;
import org.apache.pekko.actor.typed.javadsl.AbstractBehavior;
import org.apache.pekko.actor.typed.javadsl.ActorContext;
import org.apache.pekko.actor.typed.javadsl.Behaviors;
import org.apache.pekko.actor.typed.javadsl.Receive;
import org.jspecify.annotations.Nullable;

/**
 * Knows which device answers to which export name, and passes on what NBD frontends ask. It holds
 * no state but that list, which the host tells it, so a crash of it costs nothing: it is restarted
 * and told again.
 */
final class Exports extends AbstractBehavior<Exports.Command> {
  sealed interface Command {}

  /** A device, and what people call it. */
  record Exported(ActorRef<DeviceCommand> device, String description) {}

  /** The devices that are exported now. */
  record Devices(Map<String, Exported> devices) implements Command {
    Devices {
      devices = Map.copyOf(devices);
    }
  }

  record FromNbd(NbdRequest request) implements Command {}

  private record Done() implements Command {}

  /** A device answers at once, or it is not there. */
  private static final Duration DESCRIBE_WAIT = Duration.ofSeconds(2);

  /** A queue is opened once assembling has ended: a client that reconnects waits for that. */
  private static final Duration OPEN_WAIT = Duration.ofSeconds(30);

  private final ActorRef<MonitorCommand> monitor;
  private Map<String, Exported> devices = Map.of();

  private Exports(ActorContext<Command> context, ActorRef<MonitorCommand> monitor) {
    super(context);
    this.monitor = monitor;
  }

  static Behavior<Command> create(ActorRef<MonitorCommand> monitor) {
    return Behaviors.setup(context -> new Exports(context, monitor));
  }

  @Override
  public Receive<Command> createReceive() {
    return newReceiveBuilder().onMessage(Command.class, this::on).build();
  }

  private Behavior<Command> on(Command command) {
    switch (command) {
      case Devices known -> devices = new TreeMap<>(known.devices());
      case FromNbd from -> fromNbd(from.request());
      case Done done -> {}
    }
    return this;
  }

  private void fromNbd(NbdRequest request) {
    switch (request) {
      case NbdRequest.ListExports list -> {
        List<Answer.Name> names = new ArrayList<>();
        devices.forEach((name, known) -> names.add(new Answer.Name(name, known.description())));
        list.replyTo().tell(new Answer.Names(names));
      }
      case NbdRequest.FindExport find -> find(find);
      case NbdRequest.OpenQueue open -> open(open);
      case NbdRequest.Listening listening -> {
        happened(
            Event.Severity.INFO,
            "",
            "nbd.listening",
            "NBD " + listening.listener() + " listens at " + listening.address());
        listening
            .warning()
            .ifPresent(sentence -> happened(Event.Severity.WARNING, "", "nbd.insecure", sentence));
      }
      case NbdRequest.ListenFailed failed ->
          monitor.tell(
              new MonitorCommand.Raise(
                  Event.Severity.ERROR,
                  "",
                  "nbd.listen-failed:" + failed.listener(),
                  failed.sentence()));
      case NbdRequest.ClientArrived came ->
          happened(
              Event.Severity.INFO,
              came.export(),
              "nbd.client-arrived",
              "NBD client " + came.client());
      case NbdRequest.ClientLeft left ->
          happened(
              left.orderly() ? Event.Severity.INFO : Event.Severity.NOTICE,
              left.export(),
              "nbd.client-left",
              "NBD client " + left.client() + " left: " + left.reason());
    }
  }

  /** The empty name is the only device there is. */
  private @Nullable ActorRef<DeviceCommand> device(String name) {
    if (name.isEmpty() && devices.size() == 1) {
      return devices.values().iterator().next().device();
    }
    Exported known = devices.get(name);
    return known == null ? null : known.device();
  }

  private void find(NbdRequest.FindExport find) {
    ActorRef<DeviceCommand> device = device(find.name());
    if (device == null) {
      find.replyTo()
          .tell(
              new Answer.Refused(
                  Answer.Refusal.UNKNOWN, "there is no export " + find.name() + " here"));
      return;
    }
    // A device that is being assembled is described once it is, by way of opening nothing.
    OneAnswer.ask(
        getContext(),
        DeviceCommand.Description.class,
        device,
        DESCRIBE_WAIT,
        replyTo -> new DeviceCommand.DescribeWhenReady(replyTo),
        (description, failure) -> {
          find.replyTo().tell(answer(find.name(), description));
          return new Done();
        });
  }

  private static Answer answer(String name, DeviceCommand.@Nullable Description description) {
    if (description == null) {
      return new Answer.Refused(
          Answer.Refusal.UNAVAILABLE, name + " does not answer; try again later");
    }
    if (!description.phase().serves()) {
      return new Answer.Refused(
          description.phase() == io.spared.device.Phase.DRAINING
              ? Answer.Refusal.SHUTTING_DOWN
              : Answer.Refusal.UNAVAILABLE,
          name
              + " is "
              + description.phase().name().toLowerCase(java.util.Locale.ROOT)
              + ", it cannot be used now");
    }
    return new Answer.Found(
        new ExportDescription(
            name,
            description.text(),
            description.sizeBytes(),
            description.sectorBytes(),
            description.blockBytes(),
            description.readOnly(),
            description.rotational(),
            description.discard(),
            true));
  }

  private void open(NbdRequest.OpenQueue open) {
    ActorRef<DeviceCommand> device = device(open.name());
    if (device == null) {
      open.replyTo()
          .tell(
              new NbdRequest.QueueAnswer.Refused(
                  Answer.Refusal.UNKNOWN, "there is no export " + open.name() + " here"));
      return;
    }
    OneAnswer.ask(
        getContext(),
        DeviceCommand.QueueOpening.class,
        device,
        OPEN_WAIT,
        replyTo ->
            new DeviceCommand.OpenQueue("NBD client " + open.client(), open.queue(), replyTo),
        (opening, failure) -> {
          open.replyTo()
              .tell(
                  switch (opening) {
                    case DeviceCommand.QueueOpening.Opened opened ->
                        new NbdRequest.QueueAnswer.Opened(opened.context());
                    case DeviceCommand.QueueOpening.NotOpened not ->
                        new NbdRequest.QueueAnswer.Refused(
                            Answer.Refusal.UNAVAILABLE, not.sentence());
                    case null ->
                        new NbdRequest.QueueAnswer.Refused(
                            Answer.Refusal.UNAVAILABLE, open.name() + " does not answer");
                  });
          return new Done();
        });
  }

  private void happened(Event.Severity severity, String device, String kind, String sentence) {
    monitor.tell(new MonitorCommand.Happened(severity, device, kind, sentence));
  }
}
