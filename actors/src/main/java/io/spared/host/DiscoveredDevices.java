package io.spared.host;

import io.spared.device.Answer;
import io.spared.device.DeviceSettings;
import io.spared.device.DeviceStatus;
import io.spared.device.Phase;
import io.spared.discovery.DiscoveryRequest;
import io.spared.discovery.SetUp;
import io.spared.ffi.disk.DiskAddress;
import io.spared.format.Epoch;
import io.spared.format.Position;
import io.spared.ring.OneAnswer;
import java.time.Duration;
import java.util.HashMap;
import java.util.HashSet;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import java.util.Set;
import java.util.UUID;
import java.util.function.UnaryOperator;
import org.apache.pekko.actor.typed.ActorRef;
import org.apache.pekko.actor.typed.Behavior;
import org.apache.pekko.actor.typed.javadsl.AbstractBehavior;
import org.apache.pekko.actor.typed.javadsl.ActorContext;
import org.apache.pekko.actor.typed.javadsl.Behaviors;
import org.apache.pekko.actor.typed.javadsl.Receive;

/**
 * Stands between discovery and the host: says what is supervised, and adds what discovery is
 * certain of, as if it had been configured. A set-up whose main disk is already that of a
 * supervised device is refused whatever its name: that device may still be assembling, and its
 * identifier not be known.
 *
 * <p>It keeps nothing between two questions, so a crash costs the answers that are outstanding, and
 * discovery counts those as refused.
 */
public final class DiscoveredDevices extends AbstractBehavior<DiscoveredDevices.Command> {
  private static final Duration WAIT = Duration.ofSeconds(5);

  private final ActorRef<HostCommand> host;
  private final DeviceSettings defaults;
  private final UnaryOperator<DiskAddress> realAddress;

  /** What it is told. */
  public sealed interface Command {}

  /** A question of discovery. */
  public record Asked(DiscoveryRequest request) implements Command {}

  private record Supervised(
      ActorRef<DiscoveryRequest.Served> replyTo, Optional<List<DeviceStatus>> statuses)
      implements Command {}

  private record Disks(
      ActorRef<DiscoveryRequest.Served> replyTo,
      List<DeviceStatus> statuses,
      Optional<List<DeviceSettings>> devices)
      implements Command {}

  private record Configured(DiscoveryRequest.Activate asked, Optional<List<DeviceSettings>> devices)
      implements Command {}

  private record Added(DiscoveryRequest.Activate asked, Answer answer) implements Command {}

  private DiscoveredDevices(
      ActorContext<Command> context,
      ActorRef<HostCommand> host,
      DeviceSettings defaults,
      UnaryOperator<DiskAddress> realAddress) {
    super(context);
    this.host = host;
    this.defaults = defaults;
    this.realAddress = realAddress;
  }

  /**
   * To be spawned beside the host.
   *
   * @param defaults the settings of a device that is not configured
   * @param realAddress follows links such as /dev/disk/by-id, so that one disk has one address
   */
  public static Behavior<Command> create(
      ActorRef<HostCommand> host, DeviceSettings defaults, UnaryOperator<DiskAddress> realAddress) {
    return Behaviors.setup(context -> new DiscoveredDevices(context, host, defaults, realAddress));
  }

  @Override
  public Receive<Command> createReceive() {
    return newReceiveBuilder().onMessage(Command.class, this::on).build();
  }

  private Behavior<Command> on(Command command) {
    switch (command) {
      case Asked asked -> {
        switch (asked.request()) {
          case DiscoveryRequest.WhatIsServed what -> whatIsServed(what);
          case DiscoveryRequest.Activate activate -> whatIsConfigured(activate);
        }
      }
      case Supervised supervised -> disks(supervised);
      case Disks disks -> served(disks);
      case Configured configured -> add(configured);
      case Added added ->
          added
              .asked()
              .replyTo()
              .tell(
                  new DiscoveryRequest.Activation(
                      added.answer() instanceof Answer.Done, added.answer().sentence()));
    }
    return this;
  }

  private void whatIsServed(DiscoveryRequest.WhatIsServed what) {
    OneAnswer.ask(
        getContext(),
        OneAnswer.listOf(DeviceStatus.class),
        host,
        WAIT,
        HostCommand.Statuses::new,
        (statuses, late) -> new Supervised(what.replyTo(), Optional.ofNullable(statuses)));
  }

  /** Without an answer of the host nothing is said, and discovery opens nothing. */
  private void disks(Supervised supervised) {
    supervised
        .statuses()
        .ifPresent(statuses ->
            OneAnswer.ask(
                getContext(),
                OneAnswer.listOf(DeviceSettings.class),
                host,
                WAIT,
                HostCommand.Devices::new,
                (devices, late) ->
                    new Disks(supervised.replyTo(), statuses, Optional.ofNullable(devices))));
  }

  private void served(Disks supervised) {
    if (supervised.devices().isEmpty()) {
      return;
    }
    Set<UUID> deviceIds = new HashSet<>();
    Map<UUID, Position> positions = new HashMap<>();
    Set<String> unknown = new HashSet<>();
    for (DeviceStatus status : supervised.statuses()) {
      Optional<UUID> deviceId = identifier(status.uuid());
      deviceId.ifPresentOrElse(
          deviceIds::add,
          () -> {
            if (status.phase() == Phase.ASSEMBLING) {
              unknown.add(status.name());
            }
          });
      Optional<Epoch> epoch = Epoch.parse(status.epoch());
      if (deviceId.isPresent() && epoch.isPresent()) {
        positions.put(deviceId.get(), new Position(epoch.get(), status.sequence()));
      }
    }
    Map<DiskAddress, String> assembling = new HashMap<>();
    for (DeviceSettings device : supervised.devices().get()) {
      if (unknown.contains(device.name())) {
        assembling.put(realAddress.apply(device.main()), device.name());
        device.spares().forEach(spare -> assembling.put(realAddress.apply(spare), device.name()));
      }
    }
    supervised
        .replyTo()
        .tell(new DiscoveryRequest.Served(deviceIds, Set.of(), positions, assembling));
  }

  /** Empty while a device is being assembled and its metadata is not read. */
  private static Optional<UUID> identifier(String text) {
    try {
      return Optional.of(UUID.fromString(text));
    } catch (IllegalArgumentException e) {
      return Optional.empty();
    }
  }

  private void whatIsConfigured(DiscoveryRequest.Activate activate) {
    OneAnswer.ask(
        getContext(),
        OneAnswer.listOf(DeviceSettings.class),
        host,
        WAIT,
        HostCommand.Devices::new,
        (devices, late) -> new Configured(activate, Optional.ofNullable(devices)));
  }

  private void add(Configured configured) {
    DiscoveryRequest.Activate asked = configured.asked();
    SetUp setUp = asked.setUp();
    Optional<String> obstacle =
        configured.devices().isEmpty()
            ? Optional.of("the host did not say in time which devices it has")
            : obstacle(setUp, configured.devices().get());
    if (obstacle.isPresent()) {
      asked.replyTo().tell(new DiscoveryRequest.Activation(false, obstacle.get()));
      return;
    }
    DeviceSettings settings = defaults.withDisks(setUp.name(), setUp.main(), setUp.spares());
    OneAnswer.ask(
        getContext(),
        Answer.class,
        host,
        WAIT,
        replyTo -> new HostCommand.Add(settings, replyTo),
        (answer, late) ->
            new Added(
                asked,
                answer == null ? new Answer.Refused("the host did not answer in time") : answer));
  }

  private Optional<String> obstacle(SetUp setUp, List<DeviceSettings> devices) {
    DiskAddress main = realAddress.apply(setUp.main());
    for (DeviceSettings device : devices) {
      if (realAddress.apply(device.main()).equals(main)) {
        return Optional.of(main + " is the main disk of " + device.name() + " already");
      }
    }
    return Optional.empty();
  }
}
