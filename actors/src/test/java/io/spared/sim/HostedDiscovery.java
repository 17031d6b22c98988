package io.spared.sim;

import io.spared.device.DeviceSettings;
import io.spared.discovery.AdoptedDisk;
import io.spared.discovery.BlockDevice;
import io.spared.discovery.Discovery;
import io.spared.discovery.DiscoveryCommand;
import io.spared.discovery.DiscoveryParts;
import io.spared.discovery.DiscoveryRequest;
import io.spared.discovery.DiscoverySettings;
import io.spared.discovery.HostMemory;
import io.spared.discovery.Remembered;
import io.spared.host.DiscoveredDevices;
import io.spared.host.HostCommand;
import io.spared.monitor.MonitorCommand;
import java.util.ArrayList;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import java.util.Set;
import java.util.UUID;
import org.apache.pekko.actor.typed.ActorRef;
import org.apache.pekko.actor.typed.DispatcherSelector;
import org.apache.pekko.actor.typed.javadsl.ActorContext;
import org.apache.pekko.actor.typed.javadsl.Behaviors;

/** The daemon's own discovery over simulated drives: nothing is configured, all is found. */
final class HostedDiscovery {
  private HostedDiscovery() {}

  static ActorRef<DiscoveryCommand> start(
      CoreSetup setup,
      HostedDevice.Start start,
      SimProcess process,
      ActorContext<Runnable> context,
      ActorRef<HostCommand> host,
      DeviceSettings defaults) {
    ActorRef<DiscoveredDevices.Command> found =
        context.spawn(DiscoveredDevices.create(host, defaults, address -> address), "discovered");
    ActorRef<DiscoveryRequest> owner =
        context.spawn(
            Behaviors.receive(DiscoveryRequest.class)
                .onAnyMessage(request -> {
                  setup.world.coverage().hit("discovery." + request.getClass().getSimpleName());
                  found.tell(new DiscoveredDevices.Asked(request));
                  return Behaviors.same();
                })
                .build(),
            "discovery-owner");
    ActorRef<MonitorCommand> monitor =
        context.spawn(
            Behaviors.receive(MonitorCommand.class)
                .onAnyMessage(told -> {
                  setup.world.trace().line(() -> setup.world.nowNanos() + " discovery: " + told);
                  return Behaviors.same();
                })
                .build(),
            "discovery-monitor");
    return context.spawn(
        Discovery.create(
            new DiscoveryParts(
                process.engine(0),
                start.opener(),
                () -> listed(setup),
                context
                    .getSystem()
                    .dispatchers()
                    .lookup(DispatcherSelector.fromConfig("spared.blocking")),
                new Memory(setup, start),
                monitor,
                HostedDevice.HOST),
            DiscoverySettings.standard(true, false),
            owner),
        "discovery",
        SimProcess.dispatcher(0));
  }

  private static List<BlockDevice> listed(CoreSetup setup) {
    List<BlockDevice> all = new ArrayList<>();
    for (SimDrive drive : setup.drives()) {
      if (drive.isPresent()) {
        all.add(
            new BlockDevice(
                CoreSetup.address(drive.name()),
                drive.name(),
                "8:" + all.size(),
                drive.geometry().sizeBytes(),
                false,
                List.of(),
                Optional.empty(),
                Optional.empty(),
                Optional.empty()));
      }
    }
    return all;
  }

  /** What the host remembers outlives the daemon, as its files do. */
  private record Memory(CoreSetup setup, HostedDevice.Start start) implements HostMemory {
    @Override
    public Contents read() {
      Map<UUID, Remembered> remembered = Map.copyOf(setup.remembered);
      return new Contents(start.cleanStops().all(), remembered, Optional.empty());
    }

    @Override
    public void remember(Remembered remembered) {
      setup.remembered.put(remembered.deviceId(), remembered);
    }

    @Override
    public void rememberAdopted(Set<AdoptedDisk> disks) {}

    @Override
    public void rememberAutomatic(boolean on) {}
  }
}
