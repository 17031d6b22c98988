package io.spared.queue;

/**
 * The frontend that hosts a queue. It is called on its own thread, from within the queue's methods;
 * it may submit more from there.
 */
public interface QueueHost {
  /**
   * The request has ended, once: its result is in it, and it is the host's again, to answer and
   * then to give back with {@link DeviceQueue#recycle} or to submit anew.
   */
  void completed(DeviceRequest request);

  /**
   * The queue was drained or abandoned and the kernel holds nothing of it any more: the host may
   * stop. Until then it has to stay, so that abandoned requests have somebody to come back to.
   */
  void closed();
}
