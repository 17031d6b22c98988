package io.spared.spare;

import io.spared.ffi.disk.DiskAddress;
import io.spared.format.ExtentKind;
import java.util.List;
import java.util.UUID;
import org.apache.pekko.actor.typed.ActorRef;

/**
 * What the owner of the spare disks is asked. Each question is answered once, within a deadline.
 */
public sealed interface SpareCommand permits SpareCommand.Public, SpareNews {

  /** From others. */
  sealed interface Public extends SpareCommand {}

  /**
   * Open the spare, read its table, and let the device use what it was lent. A spare that several
   * devices use is opened once.
   *
   * @param replyTo uses the spare from then on, until it detaches or ends: it should live no longer
   *     than what it asks for
   */
  record Attach(DiskAddress address, String device, ActorRef<SpareReply> replyTo)
      implements Public {}

  /**
   * As {@link Attach}, for a disk that may not be a spare yet: then it becomes one, durably, if it
   * is empty. Refused, with nothing written, when it holds anything.
   *
   * @param sectorBytesMax a disk with larger sectors is refused
   * @param spareId who it will be if it becomes a spare now
   */
  record Prepare(
      DiskAddress address,
      String device,
      int sectorBytesMax,
      UUID spareId,
      ActorRef<SpareReply> replyTo)
      implements Public {}

  /**
   * From now on this user writes there for the device. Told before its first write, so that a later
   * start of the device learns of writes that this one left behind.
   */
  record Uses(UUID spareId, UUID deviceId, ActorRef<SpareReply> user) implements Public {}

  /** This user does not use the spare any more; it is closed when nobody does. */
  record Detach(UUID spareId, ActorRef<SpareReply> user) implements Public {}

  /** Lend so many bytes more to a device, durably, before the answer. */
  record Lend(
      UUID spareId, UUID deviceId, long bytes, ExtentKind kind, ActorRef<SpareReply> replyTo)
      implements Public {}

  /**
   * Lend so many ranges of this length for copies of a device's metadata, spread over the length of
   * the spare; all of them or none.
   */
  record LendPlaces(
      UUID spareId, UUID deviceId, long lengthBytes, int count, ActorRef<SpareReply> replyTo)
      implements Public {}

  /**
   * Take a range back from a device that has forgotten it durably: the reverse order of lending.
   */
  record TakeBack(
      UUID spareId, UUID deviceId, long offsetBytes, long lengthBytes, ActorRef<SpareReply> replyTo)
      implements Public {}

  /**
   * Read the three tables again and write anew what is damaged, from what is known in memory. The
   * spare does so by itself every hour; nobody is answered.
   */
  record Check(UUID spareId) implements Public {}

  /** How full each spare is. */
  record GetUsage(ActorRef<List<SpareUsage>> replyTo) implements Public {}

  /** Close every spare within the deadline and end. */
  record Stop(long drainNanos, ActorRef<SpareReply> replyTo) implements Public {}
}
