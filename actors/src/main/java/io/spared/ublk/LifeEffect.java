package io.spared.ublk;

import io.spared.ffi.ublk.UblkDeviceInfo;

/** What the frontend of a ublk device has to do for its {@link UblkLife}. */
sealed interface LifeEffect {
  record Ask(Command command) implements LifeEffect {}

  /** A command that may be on its way is to end now. */
  record GiveUp(Command command) implements LifeEffect {}

  record OpenFile() implements LifeEffect {}

  record CloseFile() implements LifeEffect {}

  record RetryAfter(int milliseconds) implements LifeEffect {}

  record BeginQueues(UblkDeviceInfo info) implements LifeEffect {}

  /** What the kernel holds of the block device is to be written, while the queues serve. */
  record WriteBack() implements LifeEffect {}

  /** Requests in hand are failed, so that the driver gets its tags back. */
  record AbandonQueues() implements LifeEffect {}

  /** What is begun is finished; what comes is left for the next server. */
  record LeaveQueues() implements LifeEffect {}

  /** What is begun is not waited for any more: the next server gets that again, too. */
  record LeaveRequests() implements LifeEffect {}

  record Serving(UblkDeviceInfo info) implements LifeEffect {}

  /** Stopping was refused; it serves on. */
  record StopRefused(String sentence) implements LifeEffect {}

  /**
   * The last effect of a life.
   *
   * @param sentence why, or empty when it was asked for
   * @param left whether a block device is left behind, on purpose or not
   */
  record Ended(String sentence, boolean left) implements LifeEffect {}
}
