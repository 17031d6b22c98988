package io.spared.spare;

import io.spared.ffi.disk.Disk;
import io.spared.ffi.disk.DiskAddress;
import io.spared.format.ExtentKind;
import java.util.List;
import java.util.Set;
import java.util.UUID;
import org.apache.pekko.actor.typed.ActorRef;

/** What the owner of the spare disks answers. */
public sealed interface SpareReply {

  /**
   * The spare is open and its table is read.
   *
   * @param disk as this user has it; not to be closed
   * @param busyFor devices for which others write there, or did and left requests behind that have
   *     not come back: whoever is one of these devices may not write there, nor believe what it
   *     reads, until it is asked for again and the device is not among them
   * @param lent everything that is lent, to whomever: a device finds its own by its identifier
   * @param user who asked for it, and so uses it
   * @param keeper does not end while the spare is attached, but by a crash, and closes the disk
   */
  record Attached(
      DiskAddress address,
      UUID spareId,
      Disk disk,
      Set<UUID> busyFor,
      List<Lending> lent,
      ActorRef<SpareReply> user,
      ActorRef<?> keeper)
      implements SpareReply {
    public Attached {
      busyFor = Set.copyOf(busyFor);
      lent = List.copyOf(lent);
    }
  }

  /** A range of the spare that belongs to a device. */
  record Lending(UUID deviceId, long offsetBytes, long lengthBytes, ExtentKind kind) {}

  /**
   * The spare cannot be used now.
   *
   * @param later whether it may succeed by itself later (the disk is missing or busy)
   */
  record NotAttached(DiskAddress address, String sentence, boolean later) implements SpareReply {}

  /** Durable in the spare's table. */
  record Lent(UUID spareId, List<Lending> ranges) implements SpareReply {
    public Lent {
      ranges = List.copyOf(ranges);
    }
  }

  record NotLent(UUID spareId, String sentence) implements SpareReply {}

  record TakenBack(UUID spareId) implements SpareReply {}

  /** Nothing changed; the range stays lent. */
  record NotTakenBack(UUID spareId, String sentence) implements SpareReply {}

  /** All spares are closed, but for those whose disks do not let go. */
  record Stopped(List<String> leftBehind) implements SpareReply {
    public Stopped {
      leftBehind = List.copyOf(leftBehind);
    }
  }
}
