package io.spared.queue;

import io.spared.ffi.engine.Engine;
import org.jspecify.annotations.Nullable;

/** One of a device's parallel paths. */
public final class DeviceQueue {
  private final QueueContext context;
  private final QueueHost host;

  /**
   * @param engine of the thread that this and everything else here is called on
   * @param signal tells the hosting actor to call {@link #completionsReady}; called on the engine's
   *     thread, once per turn in which something ended
   */
  public DeviceQueue(QueueContext context, Engine engine, Runnable signal, QueueHost host) {
    this.context = context;
    this.host = host;
  }

  /**
   * A request to prepare and submit; null when {@link QueuePolicy#requestsMax} are out: wait until
   * one is completed and recycled. This is the queue's back-pressure.
   */
  public @Nullable DeviceRequest newRequest() {
    return null;
  }

  /** Gives a request back that is the host's. */
  public void recycle(DeviceRequest request) {}

  /**
   * Takes a request. The offset and length are whole sectors within the device, else it ends with
   * EINVAL. It may be completed within this call.
   */
  public void submit(DeviceRequest request) {
    host.completed(request);
  }

  public void handle(QueueCommand command) {}

  /** Takes what has ended; called when the signal's message arrives. */
  public void completionsReady() {}

  /** The frontend is leaving: like {@link QueueCommand.Drain}, by the host itself. */
  public void drain() {
    context.reports().accept(new QueueReport.Drained(context.queueId(), 0));
  }

  /** Requests submitted and not completed. */
  public int unfinished() {
    return 0;
  }
}
