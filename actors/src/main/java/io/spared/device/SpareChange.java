package io.spared.device;

import io.spared.ffi.disk.DiskAddress;
import io.spared.ffi.engine.DiskPort;
import io.spared.format.Change;
import io.spared.format.DeviceImage;
import io.spared.format.DiskEvidence;
import io.spared.format.Extent;
import io.spared.format.ExtentKind;
import io.spared.format.Placement;
import io.spared.format.SpareMember;
import io.spared.format.SpareNotes;
import io.spared.format.SpareState;
import io.spared.remap.Place;
import io.spared.spare.SpareCommand;
import io.spared.spare.SpareReply;
import java.util.ArrayDeque;
import java.util.ArrayList;
import java.util.HashMap;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import java.util.Set;
import java.util.TreeMap;
import java.util.TreeSet;
import java.util.UUID;
import org.apache.pekko.actor.typed.ActorRef;
import org.jspecify.annotations.Nullable;

/**
 * A change of the spares of a device that serves: one comes, one begins to be left, or both at
 * once. Step by step: a disk that comes becomes a spare; those that stay, and it, lend places for
 * the copies that have to move and room for the blocks; then one commit names the new spare, what
 * was lent, the state of the one that is left, and the new places of the copies.
 *
 * <p>What is lent is durable in a spare's own table before the commit that uses it (invariant 9).
 * The commit counts on a quorum of the new places, one on every spare that stays among them; until
 * then the old copies tell all of the device. Whatever fails before the commit is asked for is
 * undone: the ranges are given back and the disk is closed; so they are when it is refused or
 * cancelled, which the writer answers only before it has written to any of the new places: nothing
 * is in flight there (invariant 11). A crash before it leaves ranges lent that the device does not
 * know; it gives them back when it is assembled. After the commit was asked for nothing is undone,
 * since nobody could say that it is not durable.
 */
final class SpareChange {
  private static final long MEGABYTE = 1L << 20;
  private static final long FIRST_DATA_BYTES_MAX = 1L << 30;

  /** The next number for a spare: a number is never given twice. */
  static final String NEXT_INDEX = "next-spare";

  /** No spare is left. */
  static final int NONE = -1;

  /**
   * What is wanted.
   *
   * @param comes the disk of a further spare
   * @param leaves the number of the spare that is to be left, or {@link #NONE}
   * @param givenUp what the left one does not give is lost
   * @param gone and it is not there, so that it gives nothing
   */
  record Wanted(Optional<DiskAddress> comes, int leaves, boolean givenUp, boolean gone) {}

  private final Run run;
  private final DeviceImage image;
  private final Wanted wanted;

  /** The spares that stay, and may take copies and blocks. */
  private final Map<Integer, SpareReply.Attached> staying;

  private final ActorRef<Answer> asker;
  private final ActorRef<SpareReply> inbox;
  private final List<Extent> lent = new ArrayList<>();
  private final ArrayDeque<Integer> lenders = new ArrayDeque<>();

  /** Spares without room for another copy. */
  private final Set<Integer> full = new TreeSet<>();

  private final long blocks;
  private final long roomBytes;
  private long bytesWanted;
  private @Nullable CopyMoves moves;
  private final ArrayDeque<Integer> placesWanted = new ArrayDeque<>();
  private SpareReply.@Nullable Attached spare;
  private int index = NONE;
  private boolean answered;

  /** What became of a step. */
  enum Step {
    GOES_ON,
    /** Everything is lent: remember the disk that comes, then commit. */
    LENT,
    /** It was refused and undone. */
    REFUSED
  }

  /**
   * @param blocks how many slots of the left spare are taken
   * @param roomBytes what is free on those that stay
   */
  SpareChange(
      Run run,
      DeviceImage image,
      Wanted wanted,
      Map<Integer, SpareReply.Attached> staying,
      long blocks,
      long roomBytes,
      ActorRef<SpareReply> inbox,
      ActorRef<Answer> asker) {
    this.run = run;
    this.image = image;
    this.wanted = wanted;
    this.blocks = blocks;
    this.roomBytes = roomBytes;
    this.bytesWanted = Math.max(0, blocks * image.geometry().blockBytes() - roomBytes);
    // As it is now: the one that comes joins its owner's map before the places are chosen.
    this.staying = new TreeMap<>(staying);
    this.inbox = inbox;
    this.asker = asker;
  }

  Step begin() {
    if (wanted.comes().isPresent()) {
      run.parts
          .spares()
          .tell(
              new SpareCommand.Prepare(
                  wanted.comes().get(),
                  run.settings.name(),
                  image.geometry().sectorBytes(),
                  run.parts.world().newUuid(),
                  inbox));
      return Step.GOES_ON;
    }
    if (staying.isEmpty()) {
      return refuse(
          "spare " + wanted.leaves() + " has no other beside it that could take over; add one");
    }
    return plan(CopyMoves.leaving(image, staying.keySet()));
  }

  Step on(SpareReply reply) {
    return switch (reply) {
      case SpareReply.Attached attached -> attached(attached);
      case SpareReply.NotAttached not -> refuse(not.sentence());
      case SpareReply.Lent ranges -> lent(ranges);
      case SpareReply.NotLent not -> notLent(not);
      case SpareReply.TakenBack taken -> Step.GOES_ON;
      case SpareReply.NotTakenBack not -> Step.GOES_ON;
      case SpareReply.Stopped stopped -> Step.GOES_ON;
    };
  }

  private Step attached(SpareReply.Attached attached) {
    spare = attached;
    run.uses(attached);
    for (SpareMember member : image.spares().values()) {
      if (member.spareId().equals(attached.spareId())) {
        return refuse(
            attached.address() + ": is spare " + member.index() + " of this device already");
      }
    }
    if (attached.busyFor().contains(image.deviceId())) {
      return refuse(
          attached.address()
              + ": requests that this device asked of it before are still with the disk; try again"
              + " when it has ended them");
    }
    index = nextIndex(image);
    if (index > Place.SPARES_MAX - 1) {
      return refuse(
          run.settings.name() + " has had " + Place.SPARES_MAX + " spares, which is the most");
    }
    // It was the device's before, and left while nobody could tell it.
    for (SpareReply.Lending range : attached.lent()) {
      if (range.deviceId().equals(image.deviceId())) {
        takeBack(attached.spareId(), range.offsetBytes(), range.lengthBytes());
      }
    }
    staying.put(index, attached);
    return plan(CopyMoves.spread(image, sizesBytes(), index));
  }

  /** Numbers of spares that have left are not used again: old copies and events name them. */
  static int nextIndex(DeviceImage image) {
    int highest = image.spares().keySet().stream().mapToInt(i -> i + 1).max().orElse(0);
    return Math.max(highest, Math.toIntExact(image.counters().getOrDefault(NEXT_INDEX, 0L)));
  }

  private Map<Integer, Long> sizesBytes() {
    Map<Integer, Long> sizes = new TreeMap<>();
    staying.forEach((number, each) -> sizes.put(number, each.disk().geometry().sizeBytes()));
    return sizes;
  }

  private Step plan(CopyMoves next) {
    moves = next;
    placesWanted.clear();
    placesWanted.addAll(next.counts().keySet());
    lenders.clear();
    if (index != NONE) {
      lenders.add(index);
    }
    staying.keySet().stream().filter(number -> number != index).forEach(lenders::add);
    return next();
  }

  private CopyMoves moves() {
    CopyMoves planned = moves;
    if (planned == null) {
      throw new IllegalStateException("nothing is planned yet");
    }
    return planned;
  }

  /** Asks for what is still to be lent: places first, since they need room in one piece. */
  private Step next() {
    Integer from = placesWanted.peek();
    if (from != null) {
      run.parts
          .spares()
          .tell(
              new SpareCommand.LendPlaces(
                  spareId(from),
                  image.deviceId(),
                  moves().layout().extentBytes(),
                  moves().counts().getOrDefault(from, 0),
                  inbox));
      return Step.GOES_ON;
    }
    boolean first = index != NONE && lent.stream().noneMatch(this::isFirstData);
    if (!first && bytesWanted <= 0) {
      return Step.LENT;
    }
    Integer lender = lenders.peek();
    if (lender == null) {
      return refuse(noRoom());
    }
    long bytes = first ? Math.max(firstBytes(), bytesWanted) : bytesWanted;
    run.parts
        .spares()
        .tell(
            new SpareCommand.Lend(
                spareId(lender), image.deviceId(), bytes, ExtentKind.DATA, inbox));
    return Step.GOES_ON;
  }

  private boolean isFirstData(Extent extent) {
    return extent.spare() == index && extent.kind() == ExtentKind.DATA;
  }

  private long firstBytes() {
    SpareReply.Attached attached = spare;
    long bytes = attached == null ? 0 : attached.disk().geometry().sizeBytes();
    return Math.clamp(bytes / 8 / MEGABYTE * MEGABYTE, MEGABYTE, FIRST_DATA_BYTES_MAX);
  }

  private String noRoom() {
    long blockBytes = image.geometry().blockBytes();
    long lentBytes =
        lent.stream()
            .filter(extent -> extent.kind() == ExtentKind.DATA)
            .mapToLong(Extent::lengthBytes)
            .sum();
    return "spare "
        + wanted.leaves()
        + ": "
        + blocks
        + " blocks are on it, the others have room for "
        + (roomBytes + lentBytes) / blockBytes
        + "; add a spare";
  }

  private Step lent(SpareReply.Lent ranges) {
    Integer places = placesWanted.poll();
    Integer lender = places == null ? lenders.poll() : places;
    if (lender == null) {
      return Step.GOES_ON;
    }
    for (SpareReply.Lending range : ranges.ranges()) {
      lent.add(new Extent(lender, range.offsetBytes(), range.lengthBytes(), range.kind()));
      if (range.kind() == ExtentKind.DATA) {
        bytesWanted -= range.lengthBytes();
      }
    }
    return next();
  }

  private Step notLent(SpareReply.NotLent not) {
    Integer from = placesWanted.peek();
    if (from == null) {
      Integer lender = lenders.poll();
      // A spare that comes has to give something; the others may be full.
      return lender != null && lender == index ? refuse(not.sentence()) : next();
    }
    full.add(from);
    Set<Integer> takers = new TreeSet<>(staying.keySet());
    takers.removeAll(full);
    if (from == index || takers.isEmpty()) {
      return refuse(not.sentence());
    }
    // A spare that is full already is why another is added: its copies stay as they are.
    giveBack();
    if (moves().isAllAnew()) {
      full.clear();
      return plan(CopyMoves.spreadAsTheyAre(image, staying.keySet(), index));
    }
    return plan(
        index == NONE
            ? CopyMoves.leavingTo(image, staying.keySet(), takers)
            : CopyMoves.spreadTo(image, staying.keySet(), takers, index));
  }

  private UUID spareId(int of) {
    SpareReply.Attached lender = staying.get(of);
    if (lender == null) {
      throw new IllegalStateException("spare " + of + " is not there");
    }
    return lender.spareId();
  }

  int index() {
    return index;
  }

  Wanted wanted() {
    return wanted;
  }

  /** The disk that comes, once it is open. */
  SpareReply.@Nullable Attached spare() {
    return spare;
  }

  List<Extent> lent() {
    return List.copyOf(lent);
  }

  /**
   * The commit that makes it so.
   *
   * @param port the writer's own to the disk that comes
   */
  void commit(Commits commits, @Nullable DiskPort port) {
    List<Change> changes = new ArrayList<>();
    SpareReply.Attached attached = spare;
    if (attached != null) {
      changes.add(
          new Change.SpareAdded(
              new SpareMember(
                  index,
                  attached.spareId(),
                  new DiskEvidence(
                      attached.disk().identity(),
                      attached.disk().geometry().sizeBytes(),
                      attached.disk().geometry().logicalSectorBytes()),
                  SpareState.IN_SERVICE)));
    }
    lent.forEach(extent -> changes.add(new Change.ExtentLent(extent)));
    if (wanted.leaves() != NONE) {
      changes.add(
          new Change.SpareStateChanged(
              wanted.leaves(), wanted.givenUp() ? SpareState.LOST : SpareState.EVACUATING));
      if (wanted.gone()) {
        changes.add(SpareNotes.gone(wanted.leaves()));
      }
    }
    Commits.Purpose purpose = new Commits.Purpose.SpareChange();
    if (moves().counts().isEmpty()) {
      commits.ask(changes, purpose, run.nowNanos());
      return;
    }
    Map<Integer, DiskPort> ports = new HashMap<>();
    if (port != null) {
      ports.put(index, port);
    }
    Placement next = moves().placement(lent);
    changes.addAll(SpareNotes.copiesLeft(image, next));
    commits.place(next, changes, ports, purpose, run.nowNanos());
  }

  /** Nothing was asked to be committed: the ranges and the disk are given back. */
  Step refuse(String sentence) {
    giveBack();
    SpareReply.Attached attached = spare;
    if (attached != null) {
      run.usesNoMore(attached);
    }
    answer(new Answer.Refused(sentence));
    return Step.REFUSED;
  }

  private void giveBack() {
    for (Extent extent : lent) {
      takeBack(spareId(extent.spare()), extent.offsetBytes(), extent.lengthBytes());
      if (extent.kind() == ExtentKind.DATA) {
        bytesWanted += extent.lengthBytes();
      }
    }
    lent.clear();
  }

  private void takeBack(UUID from, long offsetBytes, long lengthBytes) {
    run.parts
        .spares()
        .tell(new SpareCommand.TakeBack(from, image.deviceId(), offsetBytes, lengthBytes, inbox));
  }

  /** Only the first reaches whoever asked. */
  void answer(Answer answer) {
    if (!answered) {
      answered = true;
      asker.tell(answer);
    }
  }
}
