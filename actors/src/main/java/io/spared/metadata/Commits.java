package io.spared.metadata;

import io.spared.format.Change;
import io.spared.format.LogAppender;
import io.spared.format.LogAppender.PayloadBuilder;
import io.spared.format.Position;
import io.spared.metadata.Alarms.Kind;
import io.spared.metadata.MetadataReply.CopyReason;
import io.spared.metadata.MetadataReply.Reason;
import io.spared.metadata.MetadataReply.State;
import java.time.Duration;
import java.util.ArrayDeque;
import java.util.ArrayList;
import java.util.List;
import java.util.Set;
import java.util.function.Consumer;
import java.util.function.Predicate;
import org.jspecify.annotations.Nullable;

/**
 * Commits from the question to the answer: those that wait share the next record, which begins when
 * the one before has its quorum.
 *
 * <ul>
 *   <li><b>Quorum before the answer.</b> Committed is said only when {@link QuorumRule} holds for
 *       the copies on which the record is durable. A record is retained until then, and
 *       indeterminate ones stay in every log and every new copy: they are contained, never voided.
 *   <li><b>A checkpoint says no more than the image holds.</b> See {@link #answer}.
 *   <li><b>Bounded.</b> A commit that waits, or whose record lacks its quorum, past its deadline is
 *       refused or called indeterminate, and the writer then takes no more until a quorum is back.
 * </ul>
 */
final class Commits {
  private static final int DURATIONS_MAX = 4096;

  private final WriterContext context;
  private final Copies copies;
  private final Appends appends;
  private final RepairSchedule schedule;
  private final ArrayDeque<WaitingCommit> waiting = new ArrayDeque<>();
  private final ArrayDeque<Outstanding> outstanding = new ArrayDeque<>();
  private long commits;
  private long commitsIndeterminate;
  private List<Long> durations = new ArrayList<>();

  Commits(WriterContext context, Copies copies, Appends appends, RepairSchedule schedule) {
    this.context = context;
    this.copies = copies;
    this.appends = appends;
    this.schedule = schedule;
  }

  // What is asked.

  int waiting() {
    return waiting.size();
  }

  void add(long id, List<Change> changes, Consumer<MetadataReply> answer) {
    waiting.add(new WaitingCommit(id, changes, appends.deadlineNanos(), answer));
    setAlarm();
  }

  void cancel(long id) {
    for (WaitingCommit commit : List.copyOf(waiting)) {
      if (commit.id() == id) {
        waiting.remove(commit);
        commit.answer().accept(new MetadataReply.Cancelled(id));
      }
    }
  }

  void cancelWaiting() {
    while (!waiting.isEmpty()) {
      WaitingCommit commit = waiting.remove();
      commit.answer().accept(new MetadataReply.Cancelled(commit.id()));
    }
  }

  void refuseWaiting(Reason reason, String sentence) {
    while (!waiting.isEmpty()) {
      refuseOldest(reason, sentence);
    }
  }

  private void refuseOldest(Reason reason, String sentence) {
    WaitingCommit commit = waiting.remove();
    commit.answer().accept(Admission.refused(commit.id(), reason, sentence));
  }

  // Records.

  /** Makes the next record of the commits that wait, when the one before has its quorum. */
  void pump() {
    while (context.standing().is(State.READY) && outstanding.isEmpty() && !waiting.isEmpty()) {
      if (!isRoomForQuorum()) {
        setAlarm();
        return;
      }
      PayloadBuilder builder = new PayloadBuilder();
      List<WaitingCommit> batch = new ArrayList<>();
      while (!waiting.isEmpty() && builder.add(waiting.element().changes())) {
        batch.add(waiting.remove());
      }
      start(Outstanding.Kind.COMMIT, builder, batch, null);
    }
  }

  /** A record of its own, which has as long as it takes. */
  void start(
      Outstanding.Kind kind,
      List<Change> changes,
      Consumer<MetadataReply> answer,
      long id,
      @Nullable Set<Integer> neededSpares) {
    PayloadBuilder builder = new PayloadBuilder();
    if (!builder.add(changes)) {
      throw new IllegalArgumentException("changes that do not fit were let in");
    }
    start(kind, builder, List.of(new WaitingCommit(id, changes, Copy.NEVER, answer)), neededSpares);
  }

  private void start(
      Outstanding.Kind kind,
      PayloadBuilder changes,
      List<WaitingCommit> asked,
      @Nullable Set<Integer> neededSpares) {
    outstanding.add(
        new Outstanding(
            kind,
            context.history().record(changes),
            asked,
            context.nanoTime(),
            kind == Outstanding.Kind.COMMIT ? appends.deadlineNanos() : Copy.NEVER,
            neededSpares));
    setAlarm();
    appends.feedAll();
  }

  boolean isDecided() {
    return outstanding.isEmpty();
  }

  boolean isAny(Outstanding.Kind kind) {
    return outstanding.stream().anyMatch(record -> record.kind == kind);
  }

  /** Whether only plain commits are on their way: the copies stand where they stay. */
  boolean areAllPlain() {
    return outstanding.stream().allMatch(record -> record.kind == Outstanding.Kind.COMMIT);
  }

  // The quorum.

  private boolean isQuorum(Predicate<Copy> counts) {
    Set<Integer> needed = null;
    for (Outstanding record : outstanding) {
      if (record.neededSpares != null) {
        needed = record.neededSpares;
      }
    }
    return copies.areQuorum(needed != null ? needed : copies.sparesInService(), counts);
  }

  boolean isQuorumPossible() {
    return isQuorum(Copy::isInStep);
  }

  private boolean isHeldByQuorum(Outstanding record) {
    long sequence = record.payload.position().sequence();
    return isQuorum(copy -> copy.holds(sequence));
  }

  private boolean isRoomForQuorum() {
    return isQuorum(copy -> {
      LogAppender log = copy.appender;
      return copy.isInStep() && log != null && log.freeBytes() >= Copy.MAX_RECORD_BYTES;
    });
  }

  /** Answers what has its quorum, oldest first. */
  void settle() {
    while (!outstanding.isEmpty()
        && !context.standing().is(State.FENCED)
        && isHeldByQuorum(outstanding.element())) {
      Outstanding done = outstanding.remove();
      Position before = context.history().committed();
      context.history().commit(done.payload.position());
      commits++;
      if (durations.size() < DURATIONS_MAX) {
        durations.add(context.nanoTime() - done.startedNanos);
      }
      if (done.kind == Outstanding.Kind.BEGIN) {
        begun(done);
      } else {
        answer(done, before);
      }
    }
    checkQuorum();
  }

  private void begun(Outstanding done) {
    boolean refusedBefore = done.told;
    context.history().image().apply(done.payload.position(), done.payload.changes());
    context.standing().become(State.READY);
    copies.excuseNoSpare();
    for (Copy copy : copies.all()) {
      if (copy.state == MetadataReply.CopyState.STALE) {
        schedule.schedule(copy);
      }
    }
    if (refusedBefore) {
      context.tell(new MetadataEvent.QuorumRestored());
      return;
    }
    for (WaitingCommit asked : done.asked) {
      asked.answer().accept(new MetadataReply.Begun(done.payload.position()));
    }
  }

  /**
   * One record may hold several commits, and each asker applies its own part to the image when its
   * answer reaches it. Between two of these answers a checkpoint may begin. So only the last answer
   * carries the record's position: until its asker has applied it the image stands at the record
   * before, a checkpoint made meanwhile is based there, and its log says all of this record again.
   */
  private void answer(Outstanding done, Position before) {
    int left = done.asked.size();
    for (WaitingCommit asked : done.asked) {
      Position position = --left == 0 ? done.payload.position() : before;
      if (done.told) {
        context.tell(new MetadataEvent.CommitResolved(asked.id(), position, asked.changes()));
      } else {
        asked.answer().accept(new MetadataReply.Committed(asked.id(), position));
      }
    }
  }

  /** Notices that the quorum is lost or back. */
  void checkQuorum() {
    Standing standing = context.standing();
    boolean placing =
        outstanding.stream().anyMatch(r -> r.kind == Outstanding.Kind.PLACE && !r.told);
    if (standing.is(State.READY) && !placing && !isQuorumPossible()) {
      standing.become(State.NO_QUORUM);
      for (Outstanding record : List.copyOf(outstanding)) {
        if (record.kind == Outstanding.Kind.COMMIT) {
          indeterminate(record);
        }
      }
      quorumLost();
    } else if (standing.is(State.NO_QUORUM) && outstanding.isEmpty() && isQuorumPossible()) {
      standing.become(State.READY);
      context.tell(new MetadataEvent.QuorumRestored());
    }
  }

  private void quorumLost() {
    refuseWaiting(Reason.NO_QUORUM, copies.whyNoQuorum());
    context.tell(new MetadataEvent.QuorumLost(copies.outOfStep()));
  }

  /** Every copy that could be built was tried: what has no quorum now will not get one soon. */
  void roundEnded() {
    if (isQuorumPossible()) {
      return;
    }
    if (context.standing().is(State.BEGINNING) && !outstanding.isEmpty()) {
      context.standing().become(State.NO_QUORUM);
      allIndeterminate();
    }
    for (Outstanding record : List.copyOf(outstanding)) {
      if (record.kind == Outstanding.Kind.PLACE && !record.told) {
        indeterminate(record);
        context.standing().become(State.NO_QUORUM);
        quorumLost();
      }
    }
  }

  // Without a quorum.

  void allIndeterminate() {
    outstanding.forEach(this::indeterminate);
  }

  private void indeterminate(Outstanding record) {
    if (record.told) {
      return;
    }
    record.told = true;
    if (record.kind == Outstanding.Kind.BEGIN) {
      Reason reason = context.standing().is(State.FENCED) ? Reason.FENCED : Reason.NO_QUORUM;
      MetadataReply reply = Admission.refused(0, reason, copies.whyNoQuorum());
      record.asked.forEach(asked -> asked.answer().accept(reply));
      return;
    }
    commitsIndeterminate++;
    List<CopyReason> missing =
        copies.all().stream()
            .filter(copy -> !copy.holds(record.payload.position().sequence()))
            .map(copy ->
                copy.reason.isEmpty()
                    ? new CopyReason(copy.place.copy(), copy.place.spare(), "not written yet")
                    : copy.asReason())
            .toList();
    for (WaitingCommit asked : record.asked) {
      asked
          .answer()
          .accept(new MetadataReply.Indeterminate(asked.id(), record.payload.position(), missing));
    }
  }

  /** Looks for what is late. */
  void late() {
    long now = context.nanoTime();
    boolean lost = false;
    for (Outstanding record : List.copyOf(outstanding)) {
      if (!record.told && record.deadlineNanos <= now && !isHeldByQuorum(record)) {
        indeterminate(record);
        lost = true;
      }
    }
    if (lost && context.standing().is(State.READY)) {
      context.standing().become(State.NO_QUORUM);
      quorumLost();
    }
    while (!waiting.isEmpty() && waiting.element().deadlineNanos() <= now) {
      refuseOldest(
          Reason.NO_QUORUM,
          outstanding.isEmpty()
              ? "the logs of the copies are full and their checkpoints not done in time"
              : "the copies are being placed anew");
    }
    setAlarm();
  }

  private void setAlarm() {
    long due = Copy.NEVER;
    for (Outstanding record : outstanding) {
      if (!record.told) {
        due = Math.min(due, record.deadlineNanos);
      }
    }
    if (!waiting.isEmpty()) {
      due = Math.min(due, waiting.element().deadlineNanos());
    }
    if (due == Copy.NEVER) {
      context.alarms().cancel(Kind.COMMIT);
    } else {
      context.alarms().set(Kind.COMMIT, Duration.ofNanos(Math.max(due - context.nanoTime(), 0)));
    }
  }

  // Counters.

  long commits() {
    return commits;
  }

  long commitsIndeterminate() {
    return commitsIndeterminate;
  }

  /** How long commits took, in nanoseconds, since this was asked for last. */
  List<Long> takeDurations() {
    List<Long> taken = durations;
    durations = new ArrayList<>();
    return taken;
  }
}
