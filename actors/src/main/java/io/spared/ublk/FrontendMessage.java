package io.spared.ublk;

/** What reaches the frontend of one ublk device. */
public sealed interface FrontendMessage {

  /** End, and remove the block device. Answered by a {@link UblkReport}. */
  record Stop(boolean onlyIfUnused) implements FrontendMessage {}

  /** End, and leave the block device waiting for the next daemon. */
  record HandOver() implements FrontendMessage {}

  // From its queues.

  /** All tags of the queue were given to the driver. */
  record QueueFetching(int queue) implements FrontendMessage {}

  record QueueFailed(int queue, String sentence) implements FrontendMessage {}

  /** No tag of the queue is with the driver. */
  record QueueEnded(int queue) implements FrontendMessage {}

  // From itself.

  /** Commands to the driver have ended. */
  record CommandsReady() implements FrontendMessage {}

  /**
   * What the kernel held of the block device is written, or could not be.
   *
   * @param failure what went wrong, or nothing
   */
  record WrittenBack(String failure) implements FrontendMessage {}

  record RetryTime() implements FrontendMessage {}

  record StartDeadline() implements FrontendMessage {}

  record StopDeadline() implements FrontendMessage {}
}
