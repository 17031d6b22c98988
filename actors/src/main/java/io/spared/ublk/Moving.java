package io.spared.ublk;

import io.spared.ffi.ublk.UblkDeviceInfo;
import io.spared.ffi.ublk.UblkFeature;

/** Who moves a request's data between the kernel's pages and memory, as the device was made. */
enum Moving {
  /** The driver, into a buffer that the tag has for good. */
  BY_DRIVER,
  /** The daemon, into a buffer taken when the request comes. */
  BY_DAEMON,
  /** Nobody: the disks below read and write the pages; the daemon where that cannot be. */
  BY_NOBODY;

  static Moving of(UblkDeviceInfo info) {
    if (info.has(UblkFeature.AUTO_BUF_REG)) {
      return BY_NOBODY;
    }
    return info.has(UblkFeature.USER_COPY) ? BY_DAEMON : BY_DRIVER;
  }
}
