package io.spared.queue;

import io.spared.ffi.engine.IoBuffer;
import org.jspecify.annotations.Nullable;

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
   * A write whose data are in the kernel's pages has to go where only memory can go: to the
   * relocator, or to two disks. The host brings all of them into memory, and holds that until the
   * request has ended; null when it cannot. Only hosts that submit buffers without memory are
   * asked.
   */
  default @Nullable IoBuffer bringToMemory(DeviceRequest write) {
    return null;
  }

  /**
   * The queue was drained or abandoned and the kernel holds nothing of it any more: the host may
   * stop. Until then it has to stay, so that abandoned requests have somebody to come back to.
   */
  void closed();
}
