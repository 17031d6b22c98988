package io.spared.discovery;

import java.time.Duration;
import java.util.List;

/**
 * How discovery behaves.
 *
 * @param automatic whether the configuration lets certain set-ups be activated
 * @param kernelForbids whether the kernel's command line has spared.activate=0, which outranks all
 * @param threshold the confidence from which a set-up is activated
 * @param delay from the start to the first scan
 * @param retries further scans while something waits, each so long after the one before
 * @param settle how long uevents must be quiet before a scan
 * @param probeDeadline how long one disk may take, from opening to the last byte
 * @param probesAtOnce how many disks are read side by side; fewer than there are threads where
 *     blocking is allowed, so that dead disks leave some to others
 * @param lookInterval how often the system's list is compared with the last one, for disks of which
 *     no uevent tells; nothing is opened for it
 * @param answerDeadline how long the system's list and the owner's answers may take
 */
public record DiscoverySettings(
    boolean automatic,
    boolean kernelForbids,
    int threshold,
    Duration delay,
    List<Duration> retries,
    Duration settle,
    Duration probeDeadline,
    int probesAtOnce,
    Duration answerDeadline,
    Duration lookInterval) {
  public DiscoverySettings {
    retries = List.copyOf(retries);
    if (threshold < 50 || threshold > Judgement.SCORE_MAX || probesAtOnce < 1) {
      throw new IllegalArgumentException(
          "a threshold of " + threshold + ", " + probesAtOnce + " probes at once");
    }
  }

  /** The defaults, with activation as the configuration says. */
  public static DiscoverySettings standard(boolean automatic, boolean kernelForbids) {
    return new DiscoverySettings(
        automatic,
        kernelForbids,
        90,
        Duration.ofSeconds(2),
        List.of(
            Duration.ofSeconds(5),
            Duration.ofSeconds(10),
            Duration.ofSeconds(30),
            Duration.ofMinutes(1)),
        Duration.ofSeconds(1),
        Duration.ofSeconds(20),
        8,
        Duration.ofSeconds(10),
        Duration.ofSeconds(10));
  }

  /** Whether the kernel's command line, as in /proc/cmdline, switches activation off. */
  public static boolean forbiddenBy(String kernelCommandLine) {
    boolean forbidden = false;
    for (String word : kernelCommandLine.strip().split("\\s+", -1)) {
      if (word.startsWith("spared.activate=")) {
        String value = word.substring(word.indexOf('=') + 1);
        forbidden = value.equals("0") || value.equals("no") || value.equals("off");
      }
    }
    return forbidden;
  }
}
