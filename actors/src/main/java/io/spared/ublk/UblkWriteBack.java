package io.spared.ublk;

import io.spared.ffi.ublk.UblkBlockCache;
import org.apache.pekko.actor.typed.ActorRef;
import org.apache.pekko.actor.typed.Behavior;
import org.apache.pekko.actor.typed.javadsl.Behaviors;

/**
 * Has the kernel write back what it holds of a block device, says what went wrong, and ends. It
 * waits for the queues, so it lives on a thread on which nothing is served.
 */
final class UblkWriteBack {
  private UblkWriteBack() {}

  /**
   * It is over.
   *
   * @param failure what went wrong, or nothing
   */
  record Done(String failure) {}

  static Behavior<Object> create(UblkHost host, int number, ActorRef<Done> replyTo) {
    return Behaviors.setup(context -> {
      replyTo.tell(new Done(UblkBlockCache.writeBack(host.kernel().deviceDirectory(), number)));
      return Behaviors.stopped();
    });
  }
}
