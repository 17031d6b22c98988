package io.spared.metadata;

import io.spared.format.Change;
import io.spared.format.Position;
import java.util.List;

/** What the metadata writer tells the device unasked. */
public sealed interface MetadataEvent {
  /** A copy does not hold what it should. */
  record CopyDamaged(int copy, int spare, String reason) implements MetadataEvent {}

  record CopyRepaired(int copy, int spare, int attempts) implements MetadataEvent {}

  /**
   * A repair did not succeed.
   *
   * @param limitReached the quick attempts are used up: the device is Degraded until one succeeds
   */
  record RepairFailed(
      int copy, int spare, int attempts, boolean limitReached, String reason, long nextAfterMillis)
      implements MetadataEvent {}

  /** Commits are refused until {@link QuorumRestored}. Reads and unaffected writes may go on. */
  record QuorumLost(List<MetadataReply.CopyReason> reasons) implements MetadataEvent {
    public QuorumLost {
      reasons = List.copyOf(reasons);
    }
  }

  record QuorumRestored() implements MetadataEvent {}

  /**
   * A commit that was answered Indeterminate is durable on a quorum now: apply its changes.
   *
   * @param position as in {@link MetadataReply.Committed}
   */
  record CommitResolved(long id, Position position, List<Change> changes) implements MetadataEvent {
    public CommitResolved {
      changes = List.copyOf(changes);
    }
  }

  /**
   * A copy stood here before the copies were placed anew, which is durable; nothing of it is in
   * flight any more, so the place may be given back.
   */
  record PlaceLeft(int spare, long offsetBytes) implements MetadataEvent {}

  /** All copies hold a new checkpoint. */
  record CheckpointDone(long generation) implements MetadataEvent {}

  /**
   * Changes that the writer wants in the image (its repair counters): commit them when convenient.
   */
  record ChangesWanted(List<Change> changes) implements MetadataEvent {
    public ChangesWanted {
      changes = List.copyOf(changes);
    }
  }

  /**
   * A newer epoch, another device or another's signature stands where a copy was. The writer writes
   * nothing any more; the device must stop serving.
   */
  record Fenced(String sentence) implements MetadataEvent {}
}
