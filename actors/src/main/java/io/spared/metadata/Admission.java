package io.spared.metadata;

import io.spared.format.Change;
import io.spared.format.CopyPlace;
import io.spared.format.DeviceImage;
import io.spared.format.LogAppender;
import io.spared.format.Placement;
import io.spared.format.SpareMember;
import io.spared.format.SpareState;
import io.spared.metadata.MetadataReply.Reason;
import java.util.List;
import java.util.Map;
import java.util.Optional;

/** What is refused before it becomes a record, each with a sentence. Nothing is changed here. */
final class Admission {
  /** What a header may take, where a checkpoint's room for entries is reckoned. */
  private static final long HEADER_ROOM_BYTES = 16 * 1024;

  private final WriterContext context;
  private final Copies copies;

  Admission(WriterContext context, Copies copies) {
    this.context = context;
    this.copies = copies;
  }

  Optional<MetadataReply> commit(long id, List<Change> changes, int waiting) {
    switch (context.standing().state()) {
      case READY -> {}
      case NO_QUORUM -> {
        return Optional.of(refused(id, Reason.NO_QUORUM, copies.whyNoQuorum()));
      }
      case FENCED -> {
        return Optional.of(refused(id, Reason.FENCED, "the device belongs to another start"));
      }
      case NEW, LOADING, LOADED, BEGINNING, STOPPING -> {
        return Optional.of(
            refused(
                id,
                Reason.NOT_READY,
                "metadata takes no commits while it is " + context.standing().state()));
      }
    }
    if (waiting >= context.settings().waitingCommitsMax()) {
      return Optional.of(
          refused(id, Reason.TOO_MANY, waiting + " commits wait already; ask again"));
    }
    for (Change change : changes) {
      if (change instanceof Change.EpochRaised || change instanceof Change.CopiesPlaced) {
        return Optional.of(
            refused(id, Reason.INVALID, "epochs and places are not changed by a plain commit"));
      }
    }
    return encoding(id, changes).or(() -> roomForEntries(id, changes));
  }

  private static Optional<MetadataReply> encoding(long id, List<Change> changes) {
    try {
      return new LogAppender.PayloadBuilder().add(changes)
          ? Optional.empty()
          : Optional.of(
              refused(
                  id,
                  Reason.TOO_LARGE,
                  changes.size() + " changes do not fit one commit of 8 KiB; split them"));
    } catch (IllegalArgumentException e) {
      return Optional.of(refused(id, Reason.INVALID, String.valueOf(e.getMessage())));
    }
  }

  private Optional<MetadataReply> roomForEntries(long id, List<Change> changes) {
    boolean adds =
        changes.stream()
            .anyMatch(
                change -> change instanceof Change.Remapped || change instanceof Change.PendingSet);
    DeviceImage image = context.history().image();
    long entries = image.entries().remapCount() + image.entries().pendingCount();
    long room = copies.placement().layout().checkpointBytes() - HEADER_ROOM_BYTES;
    long entryBytes = image.geometry().sectorsPerBlock() <= 16 ? 16 : 32;
    long needed = (entries + changes.size()) * entryBytes;
    return adds && needed + needed / 16 + image.retiredSlotCount() * 8 > room
        ? Optional.of(
            refused(
                id,
                Reason.TOO_MANY,
                entries
                    + " remapped and pending blocks fill the room of each copy; place the copies"
                    + " anew with more"))
        : Optional.empty();
  }

  /** Copies stand on spares in service only, and what says so fits one record. */
  static Optional<MetadataReply> placement(
      long id, Placement next, Map<Integer, SpareMember> members, List<Change> changes) {
    for (CopyPlace at : next.places()) {
      SpareMember spare = members.get(at.spare());
      if (spare == null || spare.state() == SpareState.LOST) {
        return Optional.of(
            refused(
                id,
                Reason.INVALID,
                "copy "
                    + at.copy()
                    + " would stand on spare "
                    + at.spare()
                    + ", which is not in service"));
      }
    }
    return encoding(id, changes);
  }

  static MetadataReply refused(long id, Reason reason, String sentence) {
    return new MetadataReply.Refused(id, reason, sentence);
  }
}
