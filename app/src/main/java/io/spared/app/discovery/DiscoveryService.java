package io.spared.app.discovery;

import io.spared.app.config.DaemonConfig;
import io.spared.discovery.Discovery;
import io.spared.discovery.DiscoveryCommand;
import io.spared.discovery.DiscoveryParts;
import io.spared.discovery.DiscoveryRequest;
import io.spared.discovery.DiscoverySettings;
import io.spared.ffi.disk.DiskAddress;
import io.spared.host.DiscoveredDevices;
import io.spared.host.HostCommand;
import io.spared.host.HostParts;
import io.spared.monitor.MonitorCommand;
import io.spared.ring.Ring;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import org.apache.pekko.actor.typed.ActorRef;
import org.apache.pekko.actor.typed.ActorSystem;
import org.apache.pekko.actor.typed.Behavior;
import org.apache.pekko.actor.typed.Props;
import org.apache.pekko.actor.typed.SupervisorStrategy;
import org.apache.pekko.actor.typed.javadsl.Behaviors;

/** Starts discovery with this machine's disks, this host's memory, and the configuration's word. */
public final class DiscoveryService {
  private static final Path KERNEL_COMMAND_LINE = Path.of("/proc/cmdline");

  private DiscoveryService() {}

  /**
   * Starts it beside the host. A crash of it, or of what stands between it and the host, is
   * answered by starting that one again: neither keeps anything that matters, and neither writes to
   * a disk.
   */
  public static ActorRef<DiscoveryCommand> start(
      ActorSystem<?> system,
      HostParts parts,
      ActorRef<HostCommand> host,
      ActorRef<MonitorCommand> monitor,
      DaemonConfig config) {
    ActorRef<DiscoveredDevices.Command> devices =
        system.systemActorOf(
            restarted(
                DiscoveredDevices.create(host, config.defaults(), DiscoveryService::realAddress)),
            "discovered",
            Props.empty());
    Behavior<DiscoveryRequest> ask =
        Behaviors.receiveMessage(request -> {
          devices.tell(new DiscoveredDevices.Asked(request));
          return Behaviors.same();
        });
    ActorRef<DiscoveryRequest> owner = system.systemActorOf(ask, "discovery-owner", Props.empty());
    Ring ring = parts.rings().ring(0);
    Path data = config.dataDirectory();
    DiscoveryParts discovery =
        new DiscoveryParts(
            ring.engine(),
            parts.opener(),
            new SystemCatalog(config.discovery().files()),
            parts.blocking(),
            new MemoryFiles(data.resolve("devices"), parts.cleanStops()),
            monitor,
            parts.owner().hostId());
    return system.systemActorOf(
        restarted(Discovery.create(discovery, settings(config.discovery()), owner)),
        "discovery",
        ring.dispatcher());
  }

  private static DiscoverySettings settings(DaemonConfig.Discovery config) {
    DiscoverySettings standard =
        DiscoverySettings.standard(config.activate(), isForbiddenByKernel());
    return new DiscoverySettings(
        config.activate(),
        standard.kernelForbids(),
        config.threshold(),
        config.delay(),
        standard.retries(),
        standard.settle(),
        standard.probeDeadline(),
        standard.probesAtOnce(),
        standard.answerDeadline(),
        standard.lookInterval());
  }

  private static boolean isForbiddenByKernel() {
    try {
      return DiscoverySettings.forbiddenBy(Files.readString(KERNEL_COMMAND_LINE));
    } catch (IOException e) {
      // Without /proc nobody said so there.
      return false;
    }
  }

  /** The address without links, so that one disk has one address. */
  private static DiskAddress realAddress(DiskAddress address) {
    if (address instanceof DiskAddress.OfPath ofPath) {
      try {
        return new DiskAddress.OfPath(ofPath.path().toRealPath());
      } catch (IOException e) {
        return address;
      }
    }
    return address instanceof DiskAddress.OfFault fault ? realAddress(fault.inner()) : address;
  }

  private static <T> Behavior<T> restarted(Behavior<T> behavior) {
    return Behaviors.supervise(behavior).onFailure(SupervisorStrategy.restart());
  }
}
