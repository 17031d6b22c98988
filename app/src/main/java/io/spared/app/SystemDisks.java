package io.spared.app;

import io.spared.ffi.disk.DiskOpener;
import io.spared.ffi.disk.FaultDiskOpener;
import io.spared.ffi.disk.FaultPlans;
import io.spared.ffi.disk.SystemDiskOpener;
import io.spared.ffi.world.World;
import io.spared.nbd.client.NbdDiskOpener;

/** How this process opens disks. */
public final class SystemDisks {
  private SystemDisks() {}

  /** Every kind of disk: paths, memory, remote exports, and faults around any of them. */
  public static DiskOpener opener(World world, FaultPlans faults) {
    return new FaultDiskOpener(new NbdDiskOpener(new SystemDiskOpener(), world.clock()), faults);
  }
}
