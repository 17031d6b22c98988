package io.spared.ublk;

import io.spared.device.DeviceCommand;
import io.spared.queue.QueueCommand;

/** What reaches the actor of one ublk queue. */
sealed interface UblkQueueMessage {
  /** From the device and its relocator, for the queue that is hosted here. */
  record ForQueue(QueueCommand command) implements UblkQueueMessage {}

  /** The device's answer to being asked for a queue. */
  record Opening(DeviceCommand.QueueOpening answer) implements UblkQueueMessage {}

  /** Commands to the driver, or copies of data, have ended. */
  enum DriverReady implements UblkQueueMessage {
    INSTANCE
  }

  /** Requests to disks have ended. */
  enum DisksReady implements UblkQueueMessage {
    INSTANCE
  }

  /** Buffers may have become free. */
  enum BuffersAgain implements UblkQueueMessage {
    INSTANCE
  }

  /** Whatever is in hand is answered with an error now. */
  enum Abandon implements UblkQueueMessage {
    INSTANCE
  }

  /** What is begun is finished, what comes is left to the next server. */
  enum Leave implements UblkQueueMessage {
    INSTANCE
  }

  /** What is begun is left to the next server as well. */
  enum LeaveRequests implements UblkQueueMessage {
    INSTANCE
  }
}
