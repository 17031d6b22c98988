package io.spared.nbd;

import io.spared.queue.DeviceRequest;
import io.spared.queue.QueueHost;

/** Hosts a queue that was opened for a client who had gone by then, until it is closed. */
record UnusedQueue(Runnable whenClosed) implements QueueHost {
  @Override
  public void completed(DeviceRequest request) {
    throw new IllegalStateException("nothing was submitted");
  }

  @Override
  public void closed() {
    whenClosed.run();
  }
}
