package io.spared.metadata;

import io.spared.metadata.MetadataReply.CopyReason;
import io.spared.metadata.MetadataReply.CopyState;
import io.spared.metadata.MetadataReply.Reason;
import io.spared.metadata.MetadataReply.State;
import java.util.ArrayList;
import java.util.HashSet;
import java.util.List;
import java.util.Optional;
import java.util.Set;
import java.util.function.Consumer;
import org.jspecify.annotations.Nullable;

/**
 * A round through the copies that somebody waits for: a creation, a repair that was asked for, a
 * begin or a placing without its quorum. Each copy in need is tried once, without waiting for its
 * turn; then those who wait are told how it ended. So a round ends whatever the disks do.
 */
final class Round {
  private final WriterContext context;
  private final Copies copies;
  private final Commits commits;
  private final Set<Copy> tried = new HashSet<>();
  private final List<Consumer<MetadataReply>> repairAnswers = new ArrayList<>();
  private @Nullable Consumer<MetadataReply> createAnswer;

  Round(WriterContext context, Copies copies, Commits commits) {
    this.context = context;
    this.copies = copies;
    this.commits = commits;
  }

  void beginAnew() {
    tried.clear();
  }

  void forCreation(Consumer<MetadataReply> answer) {
    createAnswer = answer;
    beginAnew();
  }

  void forRepair(Consumer<MetadataReply> answer) {
    repairAnswers.add(answer);
    beginAnew();
  }

  boolean isForCreation() {
    return createAnswer != null;
  }

  boolean isForRepair() {
    return !repairAnswers.isEmpty();
  }

  void trying(Copy copy) {
    tried.add(copy);
  }

  /** A copy without which nothing goes on. */
  Optional<Copy> next() {
    boolean isWaitedFor = isForCreation() || isForRepair() || !commits.areAllPlain();
    boolean hasBegun = context.standing().is(State.BEGINNING) && commits.isQuorumPossible();
    if (!isWaitedFor || hasBegun) {
      return Optional.empty();
    }
    return copies.all().stream()
        .filter(copy -> copy.state == CopyState.STALE && !tried.contains(copy))
        .findFirst();
  }

  /** Everything that could be built was tried; returns whether nothing else is to begin now. */
  boolean end() {
    Consumer<MetadataReply> creating = createAnswer;
    if (creating != null) {
      createAnswer = null;
      creating.accept(created());
      return true;
    }
    List<CopyReason> damaged = copies.outOfStep();
    int all = copies.all().size();
    answerRepairs(new MetadataReply.Repaired(all - damaged.size(), all, damaged));
    commits.roundEnded();
    return false;
  }

  private MetadataReply created() {
    List<CopyReason> missing = copies.outOfStep();
    if (missing.isEmpty()) {
      context.standing().become(State.LOADED);
      return new MetadataReply.Created(context.history().committed());
    }
    context.standing().become(State.NEW);
    context.history().forget();
    return Admission.refused(
        0, Reason.NO_QUORUM, "not all copies could be written: " + CopyReason.listed(missing, ""));
  }

  /**
   * No copy is written any more.
   *
   * @param reason why nothing is written any more; to be stopped is not to be fenced
   */
  void refuseRepairs(Reason reason) {
    answerRepairs(Admission.refused(0, reason, "the writer stopped writing"));
  }

  void refuseCreation(String sentence) {
    Consumer<MetadataReply> creating = createAnswer;
    if (creating != null) {
      createAnswer = null;
      creating.accept(Admission.refused(0, Reason.FENCED, sentence));
    }
  }

  private void answerRepairs(MetadataReply reply) {
    List<Consumer<MetadataReply>> asked = List.copyOf(repairAnswers);
    repairAnswers.clear();
    asked.forEach(answer -> answer.accept(reply));
  }
}
