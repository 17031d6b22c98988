package io.spared.metadata;

import io.spared.ffi.engine.DiskPort;
import io.spared.format.Change;
import io.spared.format.CleanStop;
import io.spared.format.CopyConsent;
import io.spared.format.DeviceImage;
import io.spared.format.Epoch;
import io.spared.format.Geometry;
import io.spared.format.Owner;
import io.spared.format.Placement;
import io.spared.format.RemapEntries;
import java.time.Duration;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import java.util.UUID;
import java.util.function.Function;
import org.apache.pekko.actor.typed.ActorRef;

/**
 * What the metadata writer of a device can be asked. Everything but {@link Stop} is answered in
 * every state; what does not fit the state is refused with a reason.
 */
public sealed interface MetadataCommand {
  /**
   * Reads all copies and chooses among them; answered by {@link MetadataReply.Loaded} or {@link
   * MetadataReply.NotLoaded}. Writes nothing.
   *
   * @param sources every disk that may hold copies of the device, with the offsets where its table
   *     says so
   * @param entries makes what remapped and pending blocks are loaded into, once the geometry is
   *     known
   * @param cleanStop this host's own record of the device's last clean stop
   * @param consent what a person allowed for this one start
   */
  record Load(
      UUID deviceId,
      List<CopySource> sources,
      Function<Geometry, RemapEntries> entries,
      Optional<CleanStop> cleanStop,
      Optional<CopyConsent> consent,
      ActorRef<MetadataReply> replyTo)
      implements MetadataCommand {
    public Load {
      sources = List.copyOf(sources);
    }
  }

  /** A disk on which to look for copies. */
  record CopySource(UUID spareId, DiskPort port, long sizeBytes, List<Long> offsetsBytes) {
    public CopySource {
      offsetsBytes = List.copyOf(offsetsBytes);
    }
  }

  /**
   * Makes the metadata of a new device: all copies of the image's placement, which must stand in
   * extents lent to it. Answered by {@link MetadataReply.Created} or {@link MetadataReply.Refused}.
   * The only command that writes where no copy of this device was.
   */
  record Create(DeviceImage image, Map<Integer, DiskPort> ports, ActorRef<MetadataReply> replyTo)
      implements MetadataCommand {
    public Create {
      ports = Map.copyOf(ports);
    }
  }

  /**
   * After Loaded: commits the history again under a new epoch, to a quorum; answered by {@link
   * MetadataReply.Begun} or {@link MetadataReply.Refused}. Stale copies are repaired first where
   * the quorum needs them, so it may take long; {@link Stop} ends it. Nothing may be served before.
   */
  record Begin(Epoch epoch, Owner owner, ActorRef<MetadataReply> replyTo)
      implements MetadataCommand {}

  /**
   * As {@link Begin}, with the copies placed anew in the same commit: for a start that a person
   * allowed without a spare, which the changes give up (LOST). A quorum of the new places counts.
   *
   * @param ports of the spares on which copies will stand, by index
   */
  record BeginPlaced(
      Epoch epoch,
      Owner owner,
      Placement placement,
      List<Change> changes,
      Map<Integer, DiskPort> ports,
      ActorRef<MetadataReply> replyTo)
      implements MetadataCommand {
    public BeginPlaced {
      changes = List.copyOf(changes);
      ports = Map.copyOf(ports);
    }
  }

  /**
   * Makes the changes durable on a quorum: they are one, all or nothing. Answered exactly once by
   * {@link MetadataReply.Committed}, {@link MetadataReply.Indeterminate}, {@link
   * MetadataReply.Refused} or {@link MetadataReply.Cancelled}. Commits are done in the order they
   * were asked for; those asked for together share a record.
   *
   * @param id the asker's own number, given back
   */
  record Commit(long id, List<Change> changes, ActorRef<MetadataReply> replyTo)
      implements MetadataCommand {
    public Commit {
      changes = List.copyOf(changes);
    }
  }

  /** Takes back a commit of which nothing was written yet; otherwise it goes on. No answer. */
  record CancelCommit(long id) implements MetadataCommand {}

  /**
   * Places the copies anew, with the changes that go with it (a spare lost, added or left): the new
   * copies are written whole, and the changes commit on a quorum of the new places. Answered like a
   * Commit. An old place may be given back after {@link MetadataEvent.PlaceLeft}.
   *
   * @param ports of the spares that were not known before, by index
   */
  record Place(
      long id,
      Placement placement,
      List<Change> changes,
      Map<Integer, DiskPort> ports,
      ActorRef<MetadataReply> replyTo)
      implements MetadataCommand {
    public Place {
      changes = List.copyOf(changes);
      ports = Map.copyOf(ports);
    }
  }

  /** The spare's disk is gone: its copies take nothing. */
  record SpareGone(int spare, String reason) implements MetadataCommand {}

  /** The spare's disk is there (again): its copies are read and repaired at once. */
  record SpareBack(int spare, DiskPort port) implements MetadataCommand {}

  /** Repairs every copy that needs it now; answered by {@link MetadataReply.Repaired}. */
  record Repair(ActorRef<MetadataReply> replyTo) implements MetadataCommand {}

  /** Ends a repair or checkpoint that runs; its copy stays as it was. No answer. */
  record CancelRepair() implements MetadataCommand {}

  /** Reads and verifies all copies; answered by {@link MetadataReply.Scrubbed}. */
  record Scrub(ActorRef<MetadataReply> replyTo) implements MetadataCommand {}

  record CancelScrub() implements MetadataCommand {}

  /** Switches repairs that start by themselves on or off. */
  record SetAutoRepair(boolean on) implements MetadataCommand {}

  record SetCommitTimeout(Duration timeout) implements MetadataCommand {}

  /** Answered by {@link MetadataReply.Status}. */
  record GetStatus(ActorRef<MetadataReply> replyTo) implements MetadataCommand {}

  /**
   * Commits that wait are cancelled, what was written is finished or abandoned within the deadline,
   * and the actor stops; answered by {@link MetadataReply.Stopped} in any state.
   */
  record Stop(Duration deadline, ActorRef<MetadataReply> replyTo) implements MetadataCommand {}

  /** What the writer tells itself; nobody else sends these. */
  sealed interface Internal extends MetadataCommand {}

  /** Requests have ended. */
  enum IoEnded implements Internal {
    SIGNAL
  }

  /** A timer of its own has fired. */
  record AlarmFired(Alarms.Kind kind) implements Internal {}
}
