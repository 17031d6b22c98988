package io.spared.ublk;

/** What a frontend tells its owner. */
public sealed interface UblkReport {
  /**
   * Programs can use it.
   *
   * @param number N of /dev/ublkbN
   */
  record Serving(int number) implements UblkReport {}

  /** Stopping was refused; it serves on. */
  record StopRefused(String sentence) implements UblkReport {}

  /**
   * The frontend's last word.
   *
   * @param sentence why, empty when it was asked for
   * @param left whether a block device stays behind
   */
  record Ended(String sentence, boolean left) implements UblkReport {}
}
