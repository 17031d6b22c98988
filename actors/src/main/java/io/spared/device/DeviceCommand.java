package io.spared.device;

import io.spared.ffi.disk.DiskAddress;
import io.spared.ffi.disk.DiskGeometry;
import io.spared.format.Form;
import io.spared.queue.QueueCommand;
import io.spared.queue.QueueContext;
import java.util.List;
import java.util.Optional;
import java.util.OptionalLong;
import java.util.Set;
import java.util.UUID;
import org.apache.pekko.actor.typed.ActorRef;

/**
 * What a device can be asked. Every command is answered in every phase of its life ({@link
 * LifeCycle#answer}); none waits for ever.
 */
public sealed interface DeviceCommand permits DeviceCommand.Public, DeviceNews {

  /** From others. What only the device tells itself is a {@link DeviceNews}. */
  sealed interface Public extends DeviceCommand {}

  /**
   * A frontend wants a queue of its own. While the device is assembled the question is kept, up to
   * a bound. The frontend is watched: if it ends with writes unfinished, the device is assembled
   * again from its disks.
   *
   * @param user who it is for, for people: "nbd client 10.0.0.7:51234"
   */
  record OpenQueue(String user, ActorRef<QueueCommand> frontend, ActorRef<QueueOpening> replyTo)
      implements Public {}

  /** The answer to {@link OpenQueue}. */
  sealed interface QueueOpening {
    /** Build the queue with this, on the frontend's own ring. */
    record Opened(QueueContext context) implements QueueOpening {}

    /** No queue; the sentence says why, and whether it may be asked for again later. */
    record NotOpened(String sentence, boolean later) implements QueueOpening {}
  }

  /** What a frontend tells clients before they open anything; answered at once. */
  record Describe(ActorRef<Description> replyTo) implements Public {}

  /** The same, kept while the device is assembled: for clients that come back after a restart. */
  record DescribeWhenReady(ActorRef<Description> replyTo) implements Public {}

  /**
   * A device as its clients see it.
   *
   * @param deviceId the set-up's, which stays when the device is called otherwise; empty while it
   *     is not known
   * @param sizeBytes 0 while it is not known
   * @param disks what lies below, main first; empty while it is not known
   */
  record Description(
      String name,
      Optional<UUID> deviceId,
      String text,
      Phase phase,
      long sizeBytes,
      int sectorBytes,
      int blockBytes,
      boolean readOnly,
      List<DiskGeometry> disks) {
    public Description {
      disks = List.copyOf(disks);
    }

    public boolean rotational() {
      return !disks.isEmpty() && disks.getFirst().rotational();
    }

    public boolean discard() {
      return !disks.isEmpty() && disks.getFirst().discardGranularityBytes() > 0;
    }
  }

  /**
   * Assemble a stopped or failed device; one that is assembled already begins anew when spares are
   * given up.
   *
   * @param takeOver also when another host owns it and has not stopped it
   * @param giveUp answered once it serves without them, or with what would be lost
   */
  record Start(boolean takeOver, Optional<GiveUp> giveUp, ActorRef<Answer> replyTo)
      implements Public {
    public Start(ActorRef<Answer> replyTo) {
      this(false, Optional.empty(), replyTo);
    }
  }

  /**
   * Spares that do not come back.
   *
   * @param blocks how many blocks a person accepts to lose with them; without it nothing is given
   *     up, and the answer says how many it would be
   */
  record GiveUp(Set<Integer> spares, OptionalLong blocks) {
    public GiveUp {
      spares = Set.copyOf(spares);
    }
  }

  /** End within the deadline. Refused while somebody uses it, unless forced. */
  record Stop(boolean force, long drainNanos, ActorRef<Answer> replyTo) implements Public {}

  /** Nothing in flight, everything flushed; answered when that is so. */
  record Freeze(ActorRef<Answer> replyTo) implements Public {}

  record Thaw(ActorRef<Answer> replyTo) implements Public {}

  /** Look for damage now; answered when it has begun. */
  record Scrub(boolean surface, ActorRef<Answer> replyTo) implements Public {}

  /** Mend the copies now; answered with what came of it. */
  record Repair(ActorRef<Answer> replyTo) implements Public {}

  /**
   * Take a further spare while serving; answered once it is durably the device's, or with why not.
   *
   * @param leaves the number of the spare in whose stead it comes and that is left from then on, in
   *     the same commit; -1 when it comes beside the others
   */
  record AddSpare(DiskAddress address, int leaves, ActorRef<Answer> replyTo) implements Public {}

  /**
   * Move everything off a spare and leave it; answered once that has begun durably. It goes on by
   * itself, also after a restart.
   *
   * @param giveUp what the spare does not give is lost, also when the disk and not its medium is
   *     the reason; a start does not need it any more
   */
  record Evacuate(int spare, boolean giveUp, ActorRef<Answer> replyTo) implements Public {}

  /** Do not leave the spare after all. */
  record CancelEvacuation(int spare, ActorRef<Answer> replyTo) implements Public {}

  /**
   * Another disk is to take main's place while serving; answered once the copying has begun, or
   * with why not.
   *
   * @param bytesPerSecond the most that is copied in a second; 0 for the usual
   */
  record Replace(DiskAddress address, long bytesPerSecond, ActorRef<Answer> replyTo)
      implements Public {}

  /** Main stays as it is after all; answered when that is durable. */
  record CancelReplace(ActorRef<Answer> replyTo) implements Public {}

  /** The set-up takes another form; answered when that is durable, or with why not. */
  record Convert(Form form, ActorRef<Answer> replyTo) implements Public {}

  /** Change a policy durably. Refused for what the configuration fixes. */
  record SetPolicy(String name, String value, ActorRef<Answer> replyTo) implements Public {}

  /** Other settings from a reloaded configuration; answered with what needs a restart. */
  record Reconfigure(DeviceSettings settings, ActorRef<Answer> replyTo) implements Public {}

  /**
   * A fault for a disk that was named with {@code fault:}, in words ({@link
   * io.spared.ffi.disk.FaultRule#parse}), or "clear", "release", "list"; for tests and trials.
   */
  record InjectFault(String disk, String rule, ActorRef<Answer> replyTo) implements Public {}

  record GetStatus(ActorRef<DeviceStatus> replyTo) implements Public {}

  /** Where a sector lives, and what is known of its block. */
  record Explain(long sector, ActorRef<Answer> replyTo) implements Public {}

  /** The spares that its metadata names, for people who look for a missing one. */
  record Members(ActorRef<List<String>> replyTo) implements Public {}
}
