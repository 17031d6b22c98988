package io.spared.ublk;

import io.spared.ffi.disk.DiskUse;
import java.util.Optional;
import org.apache.pekko.actor.typed.ActorRef;
import org.apache.pekko.actor.typed.Behavior;
import org.apache.pekko.actor.typed.javadsl.Behaviors;

/** Looks who uses a block device, tells, and ends. It opens the device, so it may wait for it. */
final class UblkUsers {
  private UblkUsers() {}

  /** What was seen: nothing does not mean that nobody uses it. */
  record Seen(Optional<DiskUse> use) {}

  static Behavior<Object> create(UblkHost host, int number, ActorRef<Seen> replyTo) {
    return Behaviors.setup(context -> {
      replyTo.tell(new Seen(DiskUse.of(host.kernel().deviceDirectory().resolve("ublkb" + number))));
      return Behaviors.stopped();
    });
  }
}
