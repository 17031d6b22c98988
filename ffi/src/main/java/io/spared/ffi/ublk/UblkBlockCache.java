package io.spared.ffi.ublk;

import io.spared.ffi.Errno;
import io.spared.ffi.libc.Abi;
import io.spared.ffi.libc.Descriptor;
import io.spared.ffi.libc.Libc;
import io.spared.ffi.libc.NativeException;
import java.nio.file.Path;

/** What the kernel holds of /dev/ublkbN and has not written to it yet. */
public final class UblkBlockCache {
  private UblkBlockCache() {}

  /**
   * Writes it to the device, that of a file system mounted on it included, and flushes the device;
   * returns what went wrong, or nothing. It waits for the device's server: never for a thread that
   * serves.
   */
  public static String writeBack(Path directory, int number) {
    Path path = directory.resolve("ublkb" + number);
    try (Descriptor file = Descriptor.open(path, Abi.O_RDONLY)) {
      long result = Libc.ioctl(file, Abi.BLKFLSBUF, 0);
      if (result >= 0) {
        result = Libc.fdatasync(file);
      }
      return result >= 0 ? "" : path + ": " + Errno.of((int) -result).meaning();
    } catch (NativeException e) {
      return String.valueOf(e.getMessage());
    }
  }
}
