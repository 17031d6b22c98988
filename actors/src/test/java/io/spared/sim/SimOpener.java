package io.spared.sim;

import io.spared.ffi.disk.Disk;
import io.spared.ffi.disk.DiskAddress;
import io.spared.ffi.disk.DiskException;
import io.spared.ffi.disk.DiskOpener;
import java.util.LinkedHashMap;
import java.util.Map;

/** The simulated host's disks by their paths: what is plugged in where. */
public final class SimOpener implements DiskOpener {
  private final Map<String, SimDrive> drives;
  private final int host;

  public SimOpener() {
    this(new LinkedHashMap<>(), 0);
  }

  private SimOpener(Map<String, SimDrive> drives, int host) {
    this.drives = drives;
    this.host = host;
  }

  /** The same disks for another process; on another host, where claims of this one are unknown. */
  SimOpener another(int onHost) {
    return new SimOpener(drives, onHost);
  }

  int host() {
    return host;
  }

  /** Puts a drive where this address points to, instead of what was there. */
  public SimOpener plug(DiskAddress address, SimDrive drive) {
    drives.put(address.toString(), drive);
    return this;
  }

  public void unplug(DiskAddress address) {
    drives.remove(address.toString());
  }

  public Map<String, SimDrive> drives() {
    return drives;
  }

  @Override
  public Disk open(DiskAddress address, Mode mode) throws DiskException {
    SimDrive drive = drives.get(address.toString());
    if (drive == null || !drive.isPresent()) {
      throw new DiskException(
          DiskException.Reason.MISSING, "disk " + address + " is not there; plug it in");
    }
    if (mode == Mode.OWN && drive.isClaimed(host)) {
      throw new DiskException(
          DiskException.Reason.BUSY,
          "disk " + address + " is in use, perhaps by requests of a dead process; wait");
    }
    return drive.open(address, mode, this);
  }
}
