package io.spared.device;

import io.spared.ffi.disk.DiskOpener;
import io.spared.ffi.disk.FaultPlans;
import io.spared.ffi.world.World;
import io.spared.format.Owner;
import io.spared.metadata.MetadataSettings;
import io.spared.monitor.MonitorCommand;
import io.spared.relocation.RelocationPolicy;
import io.spared.ring.Ring;
import io.spared.spare.SpareCommand;
import java.util.concurrent.Executor;
import org.apache.pekko.actor.typed.ActorRef;

/**
 * What a device is made from.
 *
 * @param home the ring on whose thread the device and all of its parts live
 * @param host hears of spares that come and go
 * @param blocking where opening a disk may take as long as it likes
 */
public record DeviceParts(
    World world,
    Ring home,
    DiskOpener opener,
    FaultPlans faults,
    Executor blocking,
    ActorRef<SpareCommand> spares,
    ActorRef<MonitorCommand> monitor,
    ActorRef<SpareNotice> host,
    Owner owner,
    CleanStops cleanStops,
    MetadataSettings metadata,
    RelocationPolicy relocation) {}
