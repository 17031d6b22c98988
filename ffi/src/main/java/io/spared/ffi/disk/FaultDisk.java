package io.spared.ffi.disk;

import io.spared.ffi.engine.DiskPort;
import io.spared.ffi.engine.Engine;

/** Another disk with faults injected as its plan says; on any engine. */
public final class FaultDisk implements Disk {
  private final DiskAddress.OfFault address;
  private final Disk inner;
  private final FaultPlan plan;

  public FaultDisk(DiskAddress.OfFault address, Disk inner, FaultPlan plan) {
    this.address = address;
    this.inner = inner;
    this.plan = plan;
  }

  public FaultPlan plan() {
    return plan;
  }

  @Override
  public DiskAddress address() {
    return address;
  }

  @Override
  public DiskGeometry geometry() {
    DiskGeometry geometry = inner.geometry();
    return new DiskGeometry(
        geometry.sizeBytes(),
        geometry.logicalSectorBytes(),
        geometry.physicalSectorBytes(),
        geometry.discardGranularityBytes(),
        geometry.rotational(),
        geometry.volatileCache() || plan.keepsUnflushed(),
        geometry.maxTransferBytes());
  }

  @Override
  public DiskIdentity identity() {
    return inner.identity();
  }

  @Override
  public DiskPort attach(Engine engine) {
    return new FaultPort(engine, inner.attach(engine), plan, inner.geometry().logicalSectorBytes());
  }

  @Override
  public void close() {
    inner.close();
  }
}
