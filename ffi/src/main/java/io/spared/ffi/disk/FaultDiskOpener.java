package io.spared.ffi.disk;

/**
 * Opens {@code fault:} addresses by opening the disk inside with the given opener, and leaves all
 * others to it. Wrapped around every other opener.
 */
public final class FaultDiskOpener implements DiskOpener {
  private final DiskOpener others;
  private final FaultPlans plans;

  public FaultDiskOpener(DiskOpener others, FaultPlans plans) {
    this.others = others;
    this.plans = plans;
  }

  @Override
  public Disk open(DiskAddress address, Mode mode) throws DiskException {
    if (address instanceof DiskAddress.OfFault fault) {
      return new FaultDisk(fault, open(fault.inner(), mode), plans.of(fault));
    }
    return others.open(address, mode);
  }
}
