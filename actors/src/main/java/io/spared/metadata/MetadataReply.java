package io.spared.metadata;

import io.spared.format.CopyVerdict;
import io.spared.format.DeviceImage;
import io.spared.format.Position;
import java.util.List;
import java.util.stream.Collectors;

/** What the metadata writer answers. Reasons are sentences for people. */
public sealed interface MetadataReply {
  /** The device as it stands on disk. The image is the asker's from now on. */
  record Loaded(CopyVerdict verdict, DeviceImage image) implements MetadataReply {}

  /** No image: a person is needed, or nothing can be read. Nothing was written. */
  record NotLoaded(CopyVerdict verdict) implements MetadataReply {}

  record Created(Position position) implements MetadataReply {}

  record Begun(Position position) implements MetadataReply {}

  /**
   * Durable on a quorum. The asker applies its changes to the image at this position at once, in
   * the order of the answers.
   *
   * @param position where the image stands with these changes: that of their record once all of the
   *     record is applied, and that of the record before for all but the last of it
   */
  record Committed(long id, Position position) implements MetadataReply {}

  /**
   * Written to some copies and not to a quorum: it may be found after a restart or not. It is never
   * undone; {@link MetadataEvent.CommitResolved} tells when the quorum holds it after all.
   */
  record Indeterminate(long id, Position position, List<CopyReason> reasons)
      implements MetadataReply {
    public Indeterminate {
      reasons = List.copyOf(reasons);
    }
  }

  /** Nothing was written. */
  record Refused(long id, Reason reason, String sentence) implements MetadataReply {}

  /** Taken back, or the writer stops; nothing was written. */
  record Cancelled(long id) implements MetadataReply {}

  /** The end of a repair that was asked for. */
  record Repaired(int healthy, int copies, List<CopyReason> stillDamaged) implements MetadataReply {
    public Repaired {
      stillDamaged = List.copyOf(stillDamaged);
    }
  }

  /** The end of a scrub. */
  record Scrubbed(boolean whole, int verified, List<CopyReason> damaged) implements MetadataReply {
    public Scrubbed {
      damaged = List.copyOf(damaged);
    }
  }

  /**
   * How the writer and every copy stand.
   *
   * @param durations of commits, in nanoseconds, since the last Status, for histograms
   */
  record Status(
      State state,
      Position position,
      List<CopyStatus> copies,
      boolean autoRepair,
      boolean repairing,
      boolean scrubbing,
      double progress,
      long commits,
      long commitsIndeterminate,
      long checkpoints,
      long repairsDone,
      long repairsFailed,
      long scrubsDone,
      long lastRepairMillis,
      long lastScrubMillis,
      int heldWrites,
      List<Long> durations)
      implements MetadataReply {
    public Status {
      copies = List.copyOf(copies);
      durations = List.copyOf(durations);
    }

    /** Copies that hold everything that was committed. */
    public int healthy() {
      return (int) copies.stream().filter(copy -> copy.state() == CopyState.IN_STEP).count();
    }
  }

  /**
   * The writer has ended.
   *
   * @param heldWrites requests that the kernel still holds on copies' places
   */
  record Stopped(int heldWrites) implements MetadataReply {}

  /** Why something is refused, for decisions. */
  enum Reason {
    /** Not loaded and begun yet, or stopping. */
    NOT_READY,
    /** An indeterminate commit stands and copies are missing: wait for QuorumRestored. */
    NO_QUORUM,
    TOO_LARGE,
    TOO_MANY,
    /** Another owner, a newer epoch or another's signature was met: the device must stop. */
    FENCED,
    INVALID
  }

  /** How the writer stands. */
  enum State {
    NEW,
    LOADING,
    LOADED,
    BEGINNING,
    READY,
    NO_QUORUM,
    FENCED,
    STOPPING
  }

  /** How a copy stands. */
  enum CopyState {
    /** Holds every commit, or is being given the last ones. */
    IN_STEP,
    /** Missed commits, or is damaged; the sentence says how. */
    STALE,
    /** Being rewritten. */
    REPAIRING,
    /** A write that was abandoned may still be carried out; it takes nothing until that ends. */
    HELD,
    /** Its disk is not there. */
    GONE
  }

  record CopyReason(int copy, int spare, String reason) {
    /** One after the other in a sentence. */
    static String listed(List<CopyReason> reasons, String whereNone) {
      return reasons.isEmpty()
          ? whereNone
          : reasons.stream()
              .map(reason -> "copy " + reason.copy() + ": " + reason.reason())
              .collect(Collectors.joining("; "));
    }
  }

  record CopyStatus(
      int copy,
      int spare,
      long offsetBytes,
      CopyState state,
      Position position,
      long generation,
      double logFill,
      int repairAttempts,
      String reason) {}
}
