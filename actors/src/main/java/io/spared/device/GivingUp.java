package io.spared.device;

import io.spared.format.Change;
import io.spared.format.CopyConsent;
import io.spared.format.CopyPlace;
import io.spared.format.CopyVerdict;
import io.spared.format.DeviceImage;
import io.spared.format.Extent;
import io.spared.format.Placement;
import io.spared.format.Position;
import io.spared.format.RemapEntries;
import io.spared.format.SpareMember;
import io.spared.format.SpareNotes;
import io.spared.format.SpareState;
import io.spared.spare.SpareCommand;
import io.spared.spare.SpareReply;
import java.util.ArrayDeque;
import java.util.ArrayList;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import java.util.Set;
import java.util.TreeMap;
import java.util.TreeSet;
import java.util.stream.Collectors;
import org.apache.pekko.actor.typed.ActorRef;
import org.jspecify.annotations.Nullable;

/**
 * A start without spares that do not come back, as a person wants it: they are given up with all
 * that is on them alone.
 *
 * <p>Invariants. Only a spare that is not there is given up, and only when the person has named how
 * many blocks are lost with it, as this state of the metadata has them: consent to one loss is not
 * consent to another. One commit does it, the one that begins the epoch: before it nothing is
 * served and the spare is needed as ever; after it no start needs the spare, and none uses it,
 * though it comes back ({@link SpareNotes#isGone}). The commit counts on a quorum of the copies as
 * they are placed then, on the spares that stay; what these lend for it is durable before
 * (invariant 9), and goes back when it is not asked for.
 *
 * <p>Nothing is guessed. The blocks stay on the spare in the map, where reads fail, until each has
 * moved to another spare with all its sectors lost ({@link Evacuation}).
 */
final class GivingUp {
  /** What comes next. */
  enum Step {
    GOES_ON,
    /** Begin the epoch with {@link #placement} and {@link #changes}. */
    BEGIN,
    /** There is nothing to give up: begin it as ever. */
    AS_EVER,
    /** Nothing was changed, and it waits for the spare. */
    REFUSED
  }

  private final Run run;
  private final DeviceCommand.GiveUp wish;
  private final ActorRef<Answer> asker;
  private final ActorRef<SpareReply> inbox;
  private final List<Extent> lent = new ArrayList<>();
  private final Map<Integer, SpareReply.Attached> staying = new TreeMap<>();
  private final Set<Integer> takers = new TreeSet<>();
  private final ArrayDeque<Integer> lenders = new ArrayDeque<>();
  private @Nullable DeviceImage image;
  private @Nullable CopyMoves moves;
  private String lost = "";
  private String said = "";
  private boolean consented;
  private boolean committing;
  private boolean answered;

  /**
   * @param inbox where spares answer
   */
  GivingUp(Run run, DeviceCommand.GiveUp wish, ActorRef<Answer> asker, ActorRef<SpareReply> inbox) {
    this.run = run;
    this.wish = wish;
    this.asker = asker;
    this.inbox = inbox;
  }

  CopyConsent consentTo(Position position) {
    consented = true;
    return new CopyConsent(position, wish.spares());
  }

  /**
   * Judges the wish by the device that was chosen.
   *
   * @param attached the spares of it that are there
   */
  Step begin(
      DeviceImage chosen,
      CopyVerdict verdict,
      RemapEntries entries,
      Map<Integer, SpareReply.Attached> attached) {
    image = chosen;
    String objection =
        wish.spares().stream()
            .flatMap(spare -> objection(chosen, spare, attached).stream())
            .collect(Collectors.joining("; "));
    if (!objection.isEmpty()) {
      if (consented) {
        said = objection + "; nothing was changed";
        return Step.REFUSED;
      }
      said = objection + "; nothing is given up, and it is started as ever";
      return Step.AS_EVER;
    }
    BlocksLost loss = BlocksLost.with(wish.spares(), chosen.geometry(), entries);
    lost = loss.toString();
    if (wish.blocks().isEmpty() || wish.blocks().getAsLong() != loss.blocks()) {
      said = refusal(chosen, verdict, loss);
      return Step.REFUSED;
    }
    for (Map.Entry<Integer, SpareReply.Attached> each : attached.entrySet()) {
      SpareMember member = chosen.spares().get(each.getKey());
      if (member != null && member.state().isNeeded()) {
        staying.put(each.getKey(), each.getValue());
        if (member.state() == SpareState.IN_SERVICE) {
          takers.add(each.getKey());
        }
      }
    }
    if (takers.isEmpty()) {
      takers.addAll(staying.keySet());
    }
    // An attempt that was cut short has left room lent that nobody knows of.
    staying.forEach((index, each) ->
        LostRanges.of(chosen.deviceId(), each.lent(), chosen.extents(index))
            .forEach(range -> takeBack(each, range)));
    return plan();
  }

  private Optional<String> objection(
      DeviceImage chosen, int spare, Map<Integer, SpareReply.Attached> attached) {
    SpareMember member = chosen.spares().get(spare);
    if (member == null) {
      return Optional.of(
          run.settings.name() + " has no spare " + spare + "; it has " + chosen.spares().keySet());
    }
    if (!member.state().isNeeded()) {
      return Optional.of("spare " + spare + " was given up before");
    }
    SpareReply.Attached there = attached.get(spare);
    return there == null
        ? Optional.empty()
        : Optional.of(
            "spare "
                + spare
                + " is there ("
                + there.address()
                + "); leave it with spared ctl evacuate "
                + run.settings.name()
                + " "
                + spare);
  }

  private String refusal(DeviceImage chosen, CopyVerdict verdict, BlocksLost loss) {
    List<String> names = new ArrayList<>();
    for (int spare : new TreeSet<>(wish.spares())) {
      SpareMember member = chosen.spares().get(spare);
      names.add(
          spare
              + (member == null
                  ? ""
                  : " ("
                      + member.spareId()
                      + ", last seen as "
                      + member.evidence().identity().kernelName()
                      + ")"));
    }
    String others =
        verdict.reasons().stream()
            .filter(reason -> reason.startsWith(CopyVerdict.ALLOWED))
            .map(reason -> reason.substring(CopyVerdict.ALLOWED.length()))
            .filter(reason ->
                wish.spares().stream().noneMatch(s -> reason.startsWith("spare " + s + " (")))
            .map(reason -> "; besides, " + reason)
            .collect(Collectors.joining());
    String wrong =
        wish.blocks().isPresent()
            ? "you accept to lose " + wish.blocks().getAsLong() + " blocks, but "
            : "";
    return wrong
        + "without spare "
        + String.join(" and ", names)
        + " these are lost for good: "
        + loss
        + (loss.blocks() == 0 ? "" : ", which then read as errors until they are written")
        + others
        + ". Nothing was changed. If the spare never comes back: spared ctl start "
        + run.settings.name()
        + " --without-spare "
        + new TreeSet<>(wish.spares())
            .stream().map(String::valueOf).collect(Collectors.joining(","))
        + " --accept-loss "
        + loss.blocks();
  }

  // The places of the copies.

  private DeviceImage image() {
    DeviceImage known = image;
    if (known == null) {
      throw new IllegalStateException("no device is chosen yet");
    }
    return known;
  }

  private CopyMoves moves() {
    CopyMoves planned = moves;
    if (planned == null) {
      throw new IllegalStateException("nothing is planned yet");
    }
    return planned;
  }

  private Step plan() {
    moves = CopyMoves.leavingTo(image(), staying.keySet(), takers);
    lenders.clear();
    lenders.addAll(moves().counts().keySet());
    return next();
  }

  private Step next() {
    Integer lender = lenders.peek();
    if (lender == null) {
      committing = true;
      return Step.BEGIN;
    }
    run.parts
        .spares()
        .tell(
            new SpareCommand.LendPlaces(
                spare(lender).spareId(),
                image().deviceId(),
                moves().layout().extentBytes(),
                moves().counts().getOrDefault(lender, 0),
                inbox));
    return Step.GOES_ON;
  }

  private SpareReply.Attached spare(int index) {
    SpareReply.Attached there = staying.get(index);
    if (there == null) {
      throw new IllegalStateException("spare " + index + " is not there");
    }
    return there;
  }

  /** A spare has lent places, or has none. */
  Step on(SpareReply reply) {
    Integer lender = committing ? null : lenders.peek();
    if (lender == null) {
      return Step.GOES_ON;
    }
    switch (reply) {
      case SpareReply.Lent ranges -> {
        lenders.remove();
        for (SpareReply.Lending range : ranges.ranges()) {
          lent.add(new Extent(lender, range.offsetBytes(), range.lengthBytes(), range.kind()));
        }
        return next();
      }
      case SpareReply.NotLent not -> {
        giveBack();
        takers.remove(lender);
        if (!takers.isEmpty()) {
          return plan();
        }
        said =
            "the copies of the metadata that were on it have no room on the spares that stay: "
                + not.sentence();
        return Step.REFUSED;
      }
      default -> {
        return Step.GOES_ON;
      }
    }
  }

  private void giveBack() {
    lent.forEach(extent -> takeBack(spare(extent.spare()), extent));
    lent.clear();
  }

  private void takeBack(SpareReply.Attached from, Extent range) {
    run.parts
        .spares()
        .tell(
            new SpareCommand.TakeBack(
                from.spareId(),
                image().deviceId(),
                range.offsetBytes(),
                range.lengthBytes(),
                inbox));
  }

  Placement placement() {
    return moves().placement(lent);
  }

  List<Change> changes() {
    List<Change> changes = new ArrayList<>();
    lent.forEach(extent -> changes.add(new Change.ExtentLent(extent)));
    for (int spare : wish.spares()) {
      changes.add(new Change.SpareStateChanged(spare, SpareState.LOST));
      changes.add(SpareNotes.gone(spare));
    }
    return changes;
  }

  // The answer.

  /** Whether it is known what to answer; before, a disk that is busy may be free in a moment. */
  boolean isJudged() {
    return committing || !said.isEmpty();
  }

  /** It serves; what is said of it where spares were given up. */
  Optional<String> begun() {
    if (!committing) {
      answer(new Answer.Refused(said));
      return Optional.empty();
    }
    long copies =
        image().placement().stream().mapToLong(now -> now.places().size()).findFirst().orElse(0);
    String on =
        image().placement().stream()
            .flatMap(now -> now.places().stream())
            .map(CopyPlace::spare)
            .distinct()
            .sorted()
            .map(String::valueOf)
            .collect(Collectors.joining(", "));
    String sentence =
        "spare "
            + new TreeSet<>(wish.spares())
                .stream().map(String::valueOf).collect(Collectors.joining(", "))
            + " is given up, and lost with it: "
            + lost
            + "; the "
            + copies
            + " copies of the metadata are on spare "
            + on
            + " now";
    answer(new Answer.Done(sentence));
    return Optional.of(sentence);
  }

  /** It does not serve, and why, unless that has been said. */
  void ended(String why) {
    if (committing) {
      answer(
          new Answer.InDoubt(
              "nobody knows yet whether it is given up: "
                  + why
                  + "; that is decided when it starts the next time; see its status"));
    } else {
      answer(new Answer.Refused(said.isEmpty() ? why : said));
    }
  }

  private void answer(Answer answer) {
    if (!answered) {
      answered = true;
      asker.tell(answer);
    }
  }
}
