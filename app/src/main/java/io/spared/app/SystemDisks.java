package io.spared.app;

import io.spared.ffi.disk.DiskOpener;
import io.spared.ffi.disk.SystemDiskOpener;

/** How this process opens disks. */
public final class SystemDisks {
  private SystemDisks() {}

  public static DiskOpener opener() {
    return new SystemDiskOpener();
  }
}
