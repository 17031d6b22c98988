package io.spared.device;

import io.spared.device.LifeCycle.Fact;
import io.spared.ffi.disk.DiskAddress;
import io.spared.ffi.engine.DiskPort;
import io.spared.format.Change;
import io.spared.format.DeviceImage;
import io.spared.format.Extent;
import io.spared.format.ExtentKind;
import io.spared.format.SpareMember;
import io.spared.format.SpareNotes;
import io.spared.format.SpareState;
import io.spared.monitor.Event;
import io.spared.monitor.MonitorCommand;
import io.spared.relocation.RelocatorRequest;
import io.spared.remap.Slots;
import io.spared.spare.SpareReply;
import java.util.ArrayList;
import java.util.HashSet;
import java.util.LinkedHashSet;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import java.util.OptionalInt;
import java.util.Set;
import java.util.TreeMap;
import org.apache.pekko.actor.typed.ActorRef;
import org.jspecify.annotations.Nullable;

/**
 * How spares come to a device that serves, and leave it: one change at a time.
 *
 * <p>Invariants. A spare is named by a commit only when its disk was remembered for every later
 * start, and what it lends is durable in its own table. A range goes back to a spare only when the
 * commit that forgets it is durable and nothing that may still touch it is unfinished: a place of a
 * copy after the writer said so, slots when all readers of the map are past them (invariant 11). A
 * spare leaves in one commit, after the last block left it; its number is never given again. Where
 * a crash cuts this short the state on disk says how to go on: a member that is being left goes on
 * to be left, ranges lent that the image does not know go back.
 */
final class SpareLife {
  /** A spare with so many failed slots is failing as a whole. */
  static final int FAILED_SLOTS_MAX = 32;

  /** Remembers the disks that come for the next assembling. */
  interface Disks {
    void comes(SpareReply.Attached spare);
  }

  private final Run run;
  private final Serving serving;
  private final Disks keeper;
  private final DeviceImage image;
  private final Slots slots;
  private final Commits commits;
  private final ActorRef<SpareReply> changeInbox;
  private final ActorRef<SpareNotice.Remembered> rememberInbox;

  private final ReturnedRanges ranges;
  private final AwaySpares away;
  private final Set<Integer> failed = new LinkedHashSet<>();
  private final Set<Integer> triedToLeave = new HashSet<>();
  private boolean resting;
  private @Nullable SpareChange change;
  private @Nullable DiskPort changePort;
  private Optional<String> notRemembered = Optional.empty();
  private @Nullable Evacuation evacuation;

  SpareLife(Run run, Serving serving, Disks keeper) {
    this.run = run;
    this.serving = serving;
    this.keeper = keeper;
    this.image = serving.image();
    this.slots = serving.slots();
    this.commits = serving.commits();
    this.changeInbox =
        run.inbox(
            SpareReply.class,
            "spares-changing",
            reply -> new DeviceNews.ChangingSpare(run.number, reply));
    this.rememberInbox =
        run.inbox(
            SpareNotice.Remembered.class,
            "host",
            answer -> new DeviceNews.SpareRemembered(run.number, answer.problem()));
    this.ranges = new ReturnedRanges(run, serving, changeInbox);
    this.away = new AwaySpares(run, serving, keeper, this::hasFailed);
  }

  /** After assembling: what was begun goes on, and ranges that nobody knows go back. */
  void resume(List<SpareReply.Attached> strangers) {
    for (SpareReply.Attached stranger : strangers) {
      happened(
          Event.Severity.NOTICE,
          "spare.stranger",
          stranger.address() + " is not a spare of it (any more); it need not be configured");
      ranges.giveBackAll(stranger);
    }
    ranges.resume();
    leaveNext();
    image.spares().keySet().forEach(this::lookWhetherItFails);
  }

  /** Of those that are to be left, one at a time. */
  private void leaveNext() {
    image.spares().values().stream()
        .filter(member -> evacuation == null && member.state() != SpareState.IN_SERVICE)
        .findFirst()
        .ifPresent(this::beginLeaving);
  }

  // Changes.

  /** A further spare, in the stead of another where one is to be left. */
  void add(DiskAddress address, int leaves, ActorRef<Answer> asker) {
    begin(new SpareChange.Wanted(Optional.of(address), leaves, false, false), asker);
  }

  /** The spare is left; answered when that has begun. */
  void evacuate(int index, boolean givenUp, ActorRef<Answer> asker) {
    Evacuation going = evacuation;
    if (going != null && going.index() == index) {
      if (givenUp && !going.isGivenUp()) {
        commits.ask(
            givenUp(index), new Commits.Purpose.LeavingChanged(index, asker), run.nowNanos());
      } else {
        asker.tell(new Answer.Done("spare " + index + ": " + going.sentence()));
      }
      return;
    }
    boolean gone = givenUp && !serving.spares().containsKey(index);
    begin(new SpareChange.Wanted(Optional.empty(), index, givenUp, gone), asker);
  }

  private List<Change> givenUp(int index) {
    Change lost = new Change.SpareStateChanged(index, SpareState.LOST);
    return serving.spares().containsKey(index)
        ? List.of(lost)
        : List.of(lost, SpareNotes.gone(index));
  }

  private void begin(SpareChange.Wanted wanted, ActorRef<Answer> asker) {
    Optional<String> refusal = refusal(wanted);
    if (refusal.isPresent()) {
      asker.tell(new Answer.Refused(refusal.get()));
      return;
    }
    Map<Integer, SpareReply.Attached> staying = new TreeMap<>(serving.usableSpares());
    staying.remove(wanted.leaves());
    long room = 0;
    for (int index : staying.keySet()) {
      room += slots.freeOfSpare(index) * image.geometry().blockBytes();
    }
    long blocks = wanted.leaves() == SpareChange.NONE ? 0 : slots.takenOfSpare(wanted.leaves());
    SpareChange begun =
        new SpareChange(run, image, wanted, staying, blocks, room, changeInbox, asker);
    change = begun;
    took(begun.begin());
  }

  private Optional<String> refusal(SpareChange.Wanted wanted) {
    if (change != null) {
      return Optional.of(
          "another spare is being added or left; try again when that has begun to work");
    }
    int leaves = wanted.leaves();
    if (leaves != SpareChange.NONE && !image.spares().containsKey(leaves)) {
      return Optional.of(hasNoSpare(leaves));
    }
    Evacuation going = evacuation;
    if (leaves != SpareChange.NONE && going != null) {
      return Optional.of("spare " + going.index() + " is being left already; one at a time");
    }
    return Optional.empty();
  }

  private String hasNoSpare(int index) {
    return run.settings.name() + " has no spare " + index + "; it has " + image.spares().keySet();
  }

  /** What a spare answered to the change that is going on. */
  void onChange(SpareReply reply) {
    SpareChange going = change;
    if (going != null) {
      took(going.on(reply));
    }
  }

  private void took(SpareChange.Step step) {
    SpareChange going = change;
    if (going == null) {
      return;
    }
    switch (step) {
      case GOES_ON -> {}
      case REFUSED -> {
        change = null;
        evacuateFailed();
      }
      case LENT -> {
        Optional<DiskAddress> comes = going.wanted().comes();
        if (comes.isPresent()) {
          run.parts
              .host()
              .tell(new SpareNotice.Comes(run.settings.name(), comes.get(), rememberInbox));
        } else {
          commit(going);
        }
      }
    }
  }

  /** The disk is found at every start from now on; or it has to be configured. */
  void remembered(Optional<String> problem) {
    SpareChange going = change;
    if (going != null && changePort == null) {
      notRemembered = problem;
      commit(going);
    }
  }

  /**
   * Queues and relocator get the disk before the commit is asked for: a slot of it is taken after
   * the commit only, and whoever waits at that block's fence goes on by a message that comes after
   * the one with the disk.
   */
  private void commit(SpareChange going) {
    SpareReply.Attached spare = going.spare();
    if (spare != null) {
      run.writesTo(spare, image.deviceId());
      DiskPort port = run.attachWriter(spare);
      changePort = port;
      keeper.comes(spare);
      serving.attach(going.index(), spare);
    }
    going.commit(commits, changePort);
  }

  /** The change is durable. */
  List<Fact> changed() {
    SpareChange ended = change;
    change = null;
    changePort = null;
    if (ended == null) {
      return List.of();
    }
    for (Extent extent : ended.lent()) {
      if (extent.kind() == ExtentKind.DATA) {
        slots.lend(extent);
      }
    }
    ranges.returnPlaces();
    List<String> sentences = new ArrayList<>();
    SpareReply.Attached spare = ended.spare();
    if (spare != null) {
      sentences.add(
          spare.address()
              + " is spare "
              + ended.index()
              + " of "
              + run.settings.name()
              + notRemembered
                  .map(why ->
                      "; name it in the configuration too: it could not be remembered, " + why)
                  .orElse(""));
      happened(Event.Severity.NOTICE, "spare.added", sentences.get(0));
      // There is more room: what could not be left may be left now.
      triedToLeave.clear();
      serving.scrubbing().restart();
    }
    SpareMember left = image.spares().get(ended.wanted().leaves());
    if (left != null) {
      beginLeaving(left);
      sentences.add(
          slots.usedOfSpare(left.index())
              + " blocks leave spare "
              + left.index()
              + "; its status says how far it is");
      happened(Event.Severity.NOTICE, "spare.leaving", sentences.get(sentences.size() - 1));
    }
    serving.askMetadata();
    ended.answer(new Answer.Done(String.join("; ", sentences)));
    evacuateFailed();
    return serving.moreRoom();
  }

  /** Nothing of the commit was written: what came leaves again as it came. */
  void notChanged(String sentence) {
    SpareChange ended = change;
    change = null;
    DiskPort port = changePort;
    changePort = null;
    if (ended == null) {
      return;
    }
    SpareReply.Attached spare = ended.spare();
    if (spare != null) {
      serving.detach(ended.index(), "it did not become a spare");
      if (port != null) {
        port.detach();
      }
      run.parts.host().tell(new SpareNotice.Gone(run.settings.name(), spare.address()));
    }
    ended.refuse("it could not be committed: " + sentence);
  }

  /**
   * Whoever waits is told so, and no more: a quorum may be away for days. The change stays, and
   * what follows of it is done if it proves durable.
   */
  void changeInDoubt(Answer answer) {
    SpareChange going = change;
    if (going != null) {
      going.answer(answer);
    }
  }

  // Leaving.

  private void beginLeaving(SpareMember member) {
    slots.close(member.index());
    Evacuation begun =
        new Evacuation(run, serving, member.index(), member.state() == SpareState.LOST);
    evacuation = begun;
    begun.look();
  }

  /** Ends to leave a spare; what has moved stays where it is. */
  void cancel(int index, ActorRef<Answer> asker) {
    Evacuation going = evacuation;
    if (!image.spares().containsKey(index)) {
      asker.tell(new Answer.Refused(hasNoSpare(index)));
    } else if (going == null || going.index() != index) {
      asker.tell(new Answer.Refused("spare " + index + " is not being left"));
    } else if (going.isGivenUp()) {
      asker.tell(new Answer.Refused("spare " + index + " was given up; that is not taken back"));
    } else if (going.isRemoving()) {
      asker.tell(new Answer.Refused("spare " + index + " has been left, all but for a commit"));
    } else {
      commits.ask(
          List.of(new Change.SpareStateChanged(index, SpareState.IN_SERVICE)),
          new Commits.Purpose.LeavingChanged(index, asker),
          run.nowNanos());
    }
  }

  /** A spare that is being left is given up, or stays after all; or it could not be committed. */
  void leavingChanged(Commits.Purpose.LeavingChanged changed, boolean durable, Answer otherwise) {
    Evacuation going = evacuation;
    SpareMember member = image.spares().get(changed.index());
    if (!durable || member == null || going == null || going.index() != changed.index()) {
      changed.replyTo().tell(otherwise);
      return;
    }
    if (member.state() == SpareState.LOST) {
      going.giveUp();
      changed
          .replyTo()
          .tell(
              new Answer.Done(
                  "spare " + changed.index() + " is given up: what it does not give now is lost"));
      return;
    }
    going.stop();
    evacuation = null;
    slots.open(changed.index());
    changed
        .replyTo()
        .tell(
            new Answer.Done(
                "spare "
                    + changed.index()
                    + " stays; what has left it stays where it is, copies of the metadata too"));
  }

  @Nullable Evacuation evacuation() {
    return evacuation;
  }

  boolean isLeaving(int index) {
    Evacuation going = evacuation;
    return going != null && going.index() == index;
  }

  void blockMoved(RelocatorRequest.BlockMoved moved) {
    Evacuation going = evacuation;
    if (going != null) {
      going.blockMoved(moved);
    }
  }

  /** The commit with which the spare has left is durable: its extents go back to it. */
  List<Fact> left(Commits.Purpose.Removal removal) {
    Evacuation ended = evacuation;
    if (ended == null) {
      return List.of();
    }
    ended.stop();
    evacuation = null;
    int index = removal.index();
    for (Extent extent : removal.extents()) {
      slots.takeBack(extent);
    }
    slots.open(index);
    SpareReply.Attached spare = serving.spares().get(index);
    serving.detach(index, "it has left");
    away.left(index);
    String what = spare == null ? "its disk was not there" : spare.address().toString();
    happened(
        Event.Severity.NOTICE,
        "spare.left",
        "spare "
            + index
            + " ("
            + what
            + ") has left "
            + run.settings.name()
            + ended.lostSentence());
    if (spare != null) {
      ranges.giveBackAndClose(spare, removal.extents());
      run.parts.host().tell(new SpareNotice.Gone(run.settings.name(), spare.address()));
    }
    failed.remove(index);
    serving.scrubbing().restart();
    serving.askMetadata();
    leaveNext();
    return inOrder(index);
  }

  /** It has not failed, or is not there any more. */
  private List<Fact> inOrder(int index) {
    run.parts.monitor().tell(new MonitorCommand.Clear(run.settings.name(), alert(index)));
    return serving.disks().isAnySpareInTrouble()
        ? List.of()
        : List.of(new Fact.Better(Trouble.SPARE));
  }

  static String alert(int index) {
    return "spare.failed:" + index;
  }

  /** A spare that has left has a range back, or could not be told. */
  void onLeaving(SpareReply reply) {
    ranges.onLeaving(reply);
  }

  /** The writer touches this place of a copy no more. */
  void placeLeft(int spare, long offsetBytes) {
    ranges.placeLeft(spare, offsetBytes);
  }

  /** The image has forgotten the range, durably. */
  void returned(Extent range) {
    ranges.returned(range);
    lookAtEvacuation();
  }

  private void lookAtEvacuation() {
    Evacuation going = evacuation;
    if (going != null) {
      going.look();
    }
  }

  // Spares that fail.

  /** Slot after slot of it fails: it is left while it can be read. */
  void lookWhetherItFails(int index) {
    if (image.retiredSlots(index).size() >= FAILED_SLOTS_MAX) {
      hasFailed(index, image.retiredSlots(index).size() + " of its slots have failed");
    }
  }

  /** Its disk is not there. */
  void goneAway(int index, String why) {
    away.goneAway(index, why);
  }

  /** Whether what was acknowledged may be lost with a spare that is away. */
  boolean isAnyAwayUnflushed() {
    return away.isAnyUnflushed();
  }

  void lookForAway() {
    away.look();
  }

  /** A disk is there again where a spare went away. */
  List<Fact> onAway(SpareReply reply) {
    return back(away.on(reply));
  }

  List<Fact> awaySpareAnswered() {
    return back(away.answered());
  }

  private List<Fact> back(OptionalInt back) {
    if (back.isEmpty()) {
      return List.of();
    }
    failed.remove(back.getAsInt());
    triedToLeave.remove(back.getAsInt());
    lookAtEvacuation();
    return inOrder(back.getAsInt());
  }

  /** What can be read of it moves to the others, or to a hot spare. */
  void hasFailed(int index, String why) {
    if (!image.spares().containsKey(index) || isLeaving(index) || !failed.add(index)) {
      return;
    }
    run.parts
        .monitor()
        .tell(
            new MonitorCommand.Raise(
                Event.Severity.CRITICAL,
                run.settings.name(),
                alert(index),
                "spare "
                    + index
                    + " has failed: "
                    + why
                    + "; "
                    + slots.usedOfSpare(index)
                    + " blocks are on it, what can be read of them is moved"));
    evacuateFailed();
  }

  private void evacuateFailed() {
    if (resting
        || change != null
        || evacuation != null
        || !serving.settings().upkeep().autoEvacuate()) {
      return;
    }
    for (int index : failed) {
      if (image.spares().containsKey(index) && triedToLeave.add(index)) {
        begin(
            new SpareChange.Wanted(Optional.empty(), index, false, false),
            run.inbox(
                Answer.class,
                run.unique("leaving"),
                answer -> new DeviceNews.FailedSpareLeaves(run.number, index, answer)));
        return;
      }
    }
  }

  /** Whether a failed spare could be left for the others; otherwise a hot spare is wanted. */
  void failedSpareLeaves(int index, Answer answer) {
    if (answer instanceof Answer.Refused refused) {
      happened(Event.Severity.WARNING, "spare.cannot-leave", refused.sentence());
      run.parts.host().tell(new SpareNotice.Wanted(run.settings.name(), index, refused.sentence()));
    }
  }

  /** The device is being stopped: nothing more is begun, so that its last commit is the mark. */
  void rest() {
    resting = true;
    away.rest();
    Evacuation going = evacuation;
    if (going != null) {
      going.stop();
    }
  }

  /** The device ends: whoever waits is told. */
  void giveUp() {
    SpareChange ended = change;
    change = null;
    if (ended != null) {
      ended.answer(Serving.ENDED);
    }
    Evacuation going = evacuation;
    evacuation = null;
    if (going != null) {
      going.stop();
    }
    ranges.giveUp();
  }

  private void happened(Event.Severity severity, String kind, String sentence) {
    serving.happened(severity, kind, sentence);
  }
}
