package io.spared.sim;

import io.spared.ffi.disk.Disk;
import io.spared.ffi.disk.DiskAddress;
import io.spared.ffi.disk.DiskGeometry;
import io.spared.ffi.disk.DiskIdentity;
import io.spared.ffi.disk.DiskOpener;
import io.spared.ffi.engine.DiskPort;
import io.spared.ffi.engine.Engine;

/**
 * An open simulated disk: a handle to a {@link SimDrive}. A handle from before the drive went away
 * stays dead when the drive comes back, as a file descriptor would.
 */
public final class SimDisk implements Disk {
  private final SimDrive drive;
  private final DiskAddress address;
  private final DiskOpener.Mode mode;
  private final SimOpener opener;
  private final long plugging;
  private boolean closed;
  int inFlight;
  int ports;

  SimDisk(SimDrive drive, DiskAddress address, DiskOpener.Mode mode, SimOpener opener) {
    this.opener = opener;
    this.drive = drive;
    this.address = address;
    this.mode = mode;
    this.plugging = drive.plugging();
  }

  SimDrive drive() {
    return drive;
  }

  boolean isConnected() {
    return drive.isPresent() && drive.plugging() == plugging;
  }

  boolean isClosed() {
    return closed;
  }

  SimOpener opener() {
    return opener;
  }

  /** Whether nobody else may own the drive because of this handle. */
  boolean claims(int host) {
    return host == opener.host() && mode == DiskOpener.Mode.OWN && isConnected() && isOpen();
  }

  /** As a descriptor: for as long as it, a port or a request has it. */
  boolean isOpen() {
    return !closed || inFlight > 0 || ports > 0;
  }

  /** The process that had it died. */
  void ownerDied() {
    closed = true;
    ports = 0;
  }

  @Override
  public DiskAddress address() {
    return address;
  }

  @Override
  public DiskGeometry geometry() {
    return drive.geometry();
  }

  @Override
  public DiskIdentity identity() {
    return drive.identity();
  }

  @Override
  public DiskPort attach(Engine engine) {
    if (!(engine instanceof SimEngine simulated)) {
      throw new IllegalArgumentException("a simulated disk needs a simulated engine");
    }
    ports++;
    return new SimPort(this, simulated);
  }

  @Override
  public void close() {
    closed = true;
  }
}
