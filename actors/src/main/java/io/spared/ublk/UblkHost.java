package io.spared.ublk;

import io.spared.ring.Ring;
import io.spared.ring.Rings;
import java.nio.file.Path;

/**
 * What all ublk frontends of a daemon share.
 *
 * @param control the ring on whose thread frontends live and whose engine carries their commands:
 *     its entries are long enough for them
 * @param rings for the queues
 * @param controlDevice /dev/ublk-control
 * @param deviceDirectory where the character devices appear, /dev
 */
public record UblkHost(Ring control, Rings rings, Path controlDevice, Path deviceDirectory) {
  public static final Path CONTROL_DEVICE = Path.of("/dev/ublk-control");
  public static final Path DEVICE_DIRECTORY = Path.of("/dev");
}
