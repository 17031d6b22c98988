package io.spared.ublk;

import java.nio.file.Path;

/**
 * Where the kernel's ublk driver is met.
 *
 * @param controlDevice /dev/ublk-control
 * @param deviceDirectory where the character devices appear, /dev
 * @param release of the kernel, as {@code uname -r} tells it
 */
public record UblkKernel(Path controlDevice, Path deviceDirectory, String release) {
  public static final Path CONTROL_DEVICE = Path.of("/dev/ublk-control");

  public static UblkKernel of(Path controlDevice, String release) {
    return new UblkKernel(controlDevice, Path.of("/dev"), release);
  }
}
