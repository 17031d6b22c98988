package io.spared.ffi.disk;

/**
 * Opens disks. It blocks (a dead device's open may hang), so it is called where blocking is
 * allowed.
 */
public interface DiskOpener {
  /** What for. */
  enum Mode {
    /** To look at, sharing with anybody. */
    READ,
    /** To own: O_EXCL on block devices, a lock on files. */
    OWN
  }

  Disk open(DiskAddress address, Mode mode) throws DiskException;
}
