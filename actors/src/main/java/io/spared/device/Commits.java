package io.spared.device;

import io.spared.ffi.engine.DiskPort;
import io.spared.format.Change;
import io.spared.format.Extent;
import io.spared.format.Placement;
import io.spared.metadata.MetadataCommand;
import io.spared.metadata.MetadataReply;
import io.spared.queue.LatencyHistogram;
import java.util.ArrayList;
import java.util.HashMap;
import java.util.List;
import java.util.Map;
import org.apache.pekko.actor.typed.ActorRef;
import org.jspecify.annotations.Nullable;

/**
 * The commits that a device has asked for, and what each is for. An answer takes its commit out; an
 * indeterminate one stays here, with its changes, until the writer says what became of it.
 */
final class Commits {
  /** What is to be done when a commit has ended. */
  sealed interface Purpose {
    /** The relocator asked. */
    record Relocation(long relocatorCommitId) implements Purpose {}

    /** An extent that a spare has lent is recorded before its slots are used. */
    record Lending(Extent extent) implements Purpose {}

    /** Somebody changes a policy. */
    record Policy(String sentence, ActorRef<Answer> replyTo) implements Purpose {}

    /** A spare becomes the device's, or begins to be left, or both. */
    record SpareChange() implements Purpose {}

    /** A spare that is being left is given up, or stays after all. */
    record LeavingChanged(int index, ActorRef<Answer> replyTo) implements Purpose {}

    /** A spare leaves the device; these extents were lent by it. */
    record Removal(int index, List<Extent> extents) implements Purpose {
      public Removal {
        extents = List.copyOf(extents);
      }
    }

    /** A range is not used any more: its spare may have it back once that is durable. */
    record Returning(Extent extent) implements Purpose {}

    /** A step of replacing main. */
    record Replacing(ReplaceCommits.Step step) implements Purpose {}

    /** The set-up takes another form. */
    record Converting() implements Purpose {}

    /** The mark of a clean stop. */
    record CleanMark() implements Purpose {}

    /** Worth keeping, and not worth waiting for. */
    record Note() implements Purpose {}
  }

  /** One commit. */
  record Asked(List<Change> changes, Purpose purpose, long sinceNanos) {
    Asked {
      changes = List.copyOf(changes);
    }
  }

  private final ActorRef<MetadataCommand> writer;
  private final ActorRef<MetadataReply> inbox;
  private final Map<Long, Asked> open = new HashMap<>();
  private final Map<Long, Asked> inDoubt = new HashMap<>();
  private long lastId;
  private long committed;
  private long indeterminate;
  private long refused;
  private long lastNanos;
  private final LatencyHistogram latencies = new LatencyHistogram();

  Commits(ActorRef<MetadataCommand> writer, ActorRef<MetadataReply> inbox) {
    this.writer = writer;
    this.inbox = inbox;
  }

  void ask(List<Change> changes, Purpose purpose, long nowNanos) {
    long id = ++lastId;
    open.put(id, new Asked(changes, purpose, nowNanos));
    writer.tell(new MetadataCommand.Commit(id, changes, inbox));
  }

  /** As {@link #ask}, with the copies placed anew in the same commit. */
  void place(
      Placement placement,
      List<Change> changes,
      Map<Integer, DiskPort> ports,
      Purpose purpose,
      long nowNanos) {
    long id = ++lastId;
    List<Change> all = new ArrayList<>(changes);
    all.add(new Change.CopiesPlaced(placement));
    open.put(id, new Asked(all, purpose, nowNanos));
    writer.tell(new MetadataCommand.Place(id, placement, changes, ports, inbox));
  }

  /** The commit was answered Committed; null when it is not one of these. */
  @Nullable Asked committed(long id, long nowNanos) {
    Asked asked = open.remove(id);
    if (asked != null) {
      committed++;
      lastNanos = nowNanos - asked.sinceNanos();
      latencies.add(lastNanos);
    }
    return asked;
  }

  /** The commit was refused or cancelled: nothing of it was written. */
  @Nullable Asked notDone(long id) {
    Asked asked = open.remove(id);
    if (asked != null) {
      refused++;
    }
    return asked;
  }

  /** Nobody knows. */
  @Nullable Asked doubted(long id) {
    Asked asked = open.remove(id);
    if (asked != null) {
      indeterminate++;
      inDoubt.put(id, asked);
    }
    return asked;
  }

  /** The doubt is over: it is durable after all. */
  @Nullable Asked resolved(long id) {
    Asked asked = inDoubt.remove(id);
    if (asked != null) {
      committed++;
    }
    return asked;
  }

  /** Those that have no answer yet: the device ends, and will not learn what became of them. */
  List<Purpose> unanswered() {
    return open.values().stream().map(Asked::purpose).toList();
  }

  /** Some have no answer yet. */
  boolean isUnderWay() {
    return !open.isEmpty();
  }

  boolean isQuiet() {
    return open.isEmpty() && inDoubt.isEmpty();
  }

  DeviceStatus.Commits status() {
    return new DeviceStatus.Commits(
        committed, indeterminate, refused, lastNanos / 1e6, latencies.now());
  }
}
