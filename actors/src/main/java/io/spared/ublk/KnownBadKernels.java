package io.spared.ublk;

import java.util.Optional;
import java.util.regex.Matcher;
import java.util.regex.Pattern;

/**
 * Kernels whose ublk driver must not be asked for a device, because asking brings the kernel down.
 *
 * <p>One defect is known: commit 529d4d632788 (memory allocated per NUMA node) without 011af85ccd87
 * (the tag set initialised before the queues). The first ADD_DEV follows a null pointer, the
 * command never ends, and nothing that needs the driver works until a reboot. Stable 6.18.4 and
 * 6.18.5 have it, and Ubuntu's 6.17.0 for clouds took it over; a version that is not known is
 * trusted.
 */
final class KnownBadKernels {
  private static final Pattern RELEASE =
      Pattern.compile("(\\d+)\\.(\\d+)\\.(\\d+)(?:-(\\d+)-([a-z]+))?.*");

  private KnownBadKernels() {}

  /** Why no device is made on a kernel of this release, as {@code uname -r} tells it. */
  static Optional<String> sentence(String release) {
    Matcher parts = RELEASE.matcher(release);
    if (!parts.matches() || !addingOopses(parts)) {
      return Optional.empty();
    }
    return Optional.of(
        "the ublk driver of kernel "
            + release
            + " crashes when a device is added; boot a kernel with the fix (6.18.6 or later), or"
            + " serve the device over NBD");
  }

  private static boolean addingOopses(Matcher release) {
    String version = release.group(1) + "." + release.group(2) + "." + release.group(3);
    if (version.equals("6.18.4") || version.equals("6.18.5")) {
      return true;
    }
    String flavour = release.group(5);
    if (!version.equals("6.17.0") || flavour == null) {
      return false;
    }
    int build = Integer.parseInt(release.group(4));
    return switch (flavour) {
      case "azure" -> build >= 1015 && build <= 1018;
      case "aws" -> build == 1017;
      default -> false;
    };
  }
}
