package io.spared.ublk;

import io.spared.ffi.Errno;
import io.spared.ffi.ublk.UblkDeviceInfo;
import io.spared.ffi.ublk.UblkFeature;
import io.spared.ffi.ublk.UblkParameters;
import java.util.Set;

/** What happened to a ublk device, for {@link UblkLife}. */
sealed interface LifeFact {
  record Features(Set<UblkFeature> features) implements LifeFact {}

  record Found(UblkDeviceInfo info, boolean serverLives) implements LifeFact {}

  record Added(UblkDeviceInfo info) implements LifeFact {}

  record ParametersRead(UblkParameters parameters) implements LifeFact {}

  /** A command without an answer of its own is done. */
  record Done(Command command) implements LifeFact {}

  /** The driver refused, or did not answer in time (errno ETIMEDOUT). */
  record Refused(Command command, Errno errno) implements LifeFact {}

  record Opened() implements LifeFact {}

  record NotOpened(String sentence, Errno errno) implements LifeFact {}

  /** A queue has given all its tags to the driver. */
  record QueueFetching(int queue) implements LifeFact {}

  /** A queue cannot serve; it goes on answering with errors until its tags are over. */
  record QueueFailed(int queue, String sentence) implements LifeFact {}

  /** None of the queue's tags is with the driver any more. */
  record QueueEnded(int queue) implements LifeFact {}

  /** The actor whose life it is threw what it should not have. */
  record Crashed(String cause) implements LifeFact {}

  /** The kernel holds nothing of the block device any more, or could not write it. */
  record WrittenBack() implements LifeFact {}

  record RetryTime() implements LifeFact {}

  record StartDeadline() implements LifeFact {}

  record StopDeadline() implements LifeFact {}

  /**
   * It is to end.
   *
   * @param leave for the next daemon, instead of removing it
   * @param onlyIfUnused refused while somebody has it open, where the driver can tell
   */
  record StopAsked(boolean leave, boolean onlyIfUnused) implements LifeFact {}
}
