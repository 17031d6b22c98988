package io.spared.discovery;

import io.spared.ffi.disk.DiskOpener;
import io.spared.ffi.engine.Engine;
import io.spared.monitor.MonitorCommand;
import java.util.UUID;
import java.util.concurrent.Executor;
import org.apache.pekko.actor.typed.ActorRef;

/**
 * What discovery is made from.
 *
 * @param engine of the ring on whose thread it lives
 * @param blocking where opening a disk, or reading sysfs, may take as long as it likes
 * @param hostId this host, as it stands in the metadata of devices that it owns
 */
public record DiscoveryParts(
    Engine engine,
    DiskOpener opener,
    DiskCatalog catalog,
    Executor blocking,
    HostMemory memory,
    ActorRef<MonitorCommand> monitor,
    UUID hostId) {}
