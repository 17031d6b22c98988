package io.spared.discovery;

import java.util.Optional;
import java.util.Set;
import java.util.regex.Pattern;

/**
 * Which disks are looked at. Discovery never opens what spared serves: the read would wait for
 * spared itself. It leaves alone what something else is built on, the paths of a multipath device
 * (the device on top is looked at instead), and what cannot be a disk of a set-up.
 */
public final class Eligibility {
  /**
   * Nothing that lasts is kept on these. ublk devices are served by spared or by its dead
   * predecessor, whose devices wait for ever until somebody recovers them. nbd devices may be
   * clients of this daemon, and nothing tells; a remote disk is named in the configuration instead.
   */
  private static final Pattern NEVER = Pattern.compile("(ram|zram|sr|fd|ublkb|nbd)\\d+.*");

  private static final String MULTIPATH_UUID = "mpath-";

  /**
   * Smaller than three tables with room between them and a copy: neither main nor spare of
   * anything.
   */
  private static final long BYTES_MIN = 4 << 20;

  private static final Pattern LOOP = Pattern.compile("loop\\d+");

  private Eligibility() {}

  /** Whether disks of this kernel's name are of a kind that is never part of a set-up. */
  public static boolean isNeverLookedAt(String kernelName) {
    return NEVER.matcher(kernelName).matches();
  }

  /**
   * Whether this is no disk but a place for one: a loop device without a file. Most systems list
   * several, and nobody wants to hear of them.
   */
  static boolean isEmptyPlace(BlockDevice device) {
    return device.sizeBytes() == 0 && LOOP.matcher(device.kernelName()).matches();
  }

  /**
   * Why this disk is not opened, or nothing when it may be.
   *
   * @param servedByUs kernel names and paths of what this daemon serves
   */
  public static Optional<String> obstacle(BlockDevice device, Set<String> servedByUs) {
    String name = device.kernelName();
    if (servedByUs.contains(name) || servedByUs.contains(device.address().toString())) {
      return Optional.of("it is served by spared itself");
    }
    if (device.backingFile().filter(servedByUs::contains).isPresent()) {
      return Optional.of("it is a loop over a disk that spared serves");
    }
    if (isNeverLookedAt(name)) {
      return Optional.of("devices of its kind are never part of a set-up unless named");
    }
    if (device.sizeBytes() < BYTES_MIN) {
      return Optional.of(
          device.sizeBytes() == 0
              ? "it has no medium"
              : "it has only " + device.sizeBytes() + " bytes");
    }
    boolean onTopOfPaths =
        device.deviceMapperUuid().filter(uuid -> uuid.startsWith(MULTIPATH_UUID)).isPresent();
    if (device.fileSystemKind().filter("mpath_member"::equals).isPresent() && !onTopOfPaths) {
      return Optional.of("it is one path of a multipath device, which is looked at instead");
    }
    if (!device.holders().isEmpty()) {
      return Optional.of("it is used by " + String.join(", ", device.holders()));
    }
    return Optional.empty();
  }
}
