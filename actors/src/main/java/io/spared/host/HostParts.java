package io.spared.host;

import io.spared.device.CleanStops;
import io.spared.ffi.disk.DiskAddress;
import io.spared.ffi.disk.DiskOpener;
import io.spared.ffi.disk.FaultPlans;
import io.spared.ffi.world.World;
import io.spared.format.Owner;
import io.spared.metadata.MetadataSettings;
import io.spared.monitor.AuditLog;
import io.spared.nbd.NbdListenerSettings;
import io.spared.relocation.RelocationPolicy;
import io.spared.ring.Rings;
import io.spared.ublk.UblkKernel;
import java.time.Duration;
import java.util.List;
import java.util.concurrent.Executor;

/**
 * What a host is made from: everything that a simulation gives in its own way.
 *
 * @param hotSpares disks that devices whose spares fail or are full may take
 * @param blocking where opening a disk may take as long as it likes; bounded in its threads
 */
public record HostParts(
    World world,
    Rings rings,
    DiskOpener opener,
    FaultPlans faults,
    Executor blocking,
    Owner owner,
    CleanStops cleanStops,
    AddedSpares addedSpares,
    List<DiskAddress> hotSpares,
    AuditLog auditLog,
    MetadataSettings metadata,
    RelocationPolicy relocation,
    List<NbdListenerSettings> nbd,
    Duration openDeadline,
    UblkKernel ublk) {
  public HostParts {
    nbd = List.copyOf(nbd);
    hotSpares = List.copyOf(hotSpares);
  }
}
