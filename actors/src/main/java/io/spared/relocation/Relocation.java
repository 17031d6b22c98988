package io.spared.relocation;

import io.spared.disk.ErrorPolicy;
import io.spared.ffi.Errno;
import io.spared.format.Change;
import io.spared.format.Geometry;
import io.spared.format.LostBits;
import io.spared.queue.WaitingWrite;
import io.spared.relocation.RelocationEffects.Owed;
import io.spared.relocation.RelocatorCommand.CommitResult;
import io.spared.remap.Lookup;
import io.spared.remap.Place;
import io.spared.remap.RemapTable;
import java.util.ArrayList;
import java.util.List;
import org.jspecify.annotations.Nullable;

/**
 * All that is being done for one block, as a state machine: effects out, answers in, no thread and
 * no clock of its own.
 *
 * <p>The order, and why: <em>fence</em>, so that no write changes the block while it is put
 * together, and none goes to the old place afterwards; look where the block is <em>now</em>, since
 * whoever asked may have looked long ago; <em>slot</em>; <em>gather</em> the old sectors that
 * nobody writes anew; <em>write</em> the slot durably, so that the map never names a slot without
 * its data; <em>commit</em>, applied and published by the owner; <em>lift</em>; only then
 * <em>answer</em>.
 *
 * <p>Invariants: a write is answered with success only after the commit that its data depends on; a
 * sector is lost in the map unless its bytes in the slot were read from its old place or come from
 * a write; every write that joined is answered exactly once, and every fence lifted once. Data that
 * arrives after the block's image was put together waits for another round under the same fence.
 *
 * <p>Not every write needs a move: one over lost sectors of a block whose slot is good is written
 * in place, durably, and then the lost bits that it covers are cleared by a commit. The other order
 * could leave, after a crash, a sector that is called good and holds nothing.
 *
 * <p>A move fails with nothing changed: the slot goes back, the old place stays, the writes that
 * waited get the error. But for one case: a commit that is indeterminate. The block may be at
 * either place after a crash, so it takes no more writes until that is resolved; reads go to the
 * old place, which holds what was acknowledged.
 */
final class Relocation {
  /** What is awaited. */
  enum State {
    NEW,
    /** The commit of a pending block; there is no fence. */
    MARKING,
    FENCING,
    TAKING_SLOT,
    GATHERING,
    PROVING_OLD,
    WRITING_SLOT,
    PROVING_SLOT,
    COMMITTING,
    WRITING_IN_PLACE,
    PROVING_IN_PLACE,
    COMMITTING_LOST,
    /** A commit is indeterminate: the block refuses writes. */
    INDETERMINATE,
    ENDED
  }

  private final long block;
  private final RemapTable table;
  private final RelocationPolicy policy;
  private final RelocationEffects effects;
  private final int blockBytes;
  private final int sectorBytes;
  private final LostBits allSectors;

  /** Sectors of the device's last block that lie beyond the device: nobody's. */
  private final LostBits beyondDevice;

  private final Lookup lookup = new Lookup();

  private State state = State.NEW;
  private boolean fenced;

  /** Writes of this round, in the order in which they came, and those for the next. */
  private final List<Owed> round = new ArrayList<>();

  private final List<Owed> late = new ArrayList<>();

  /** The place that a reader had trouble with, if it is to be left. */
  private long leavePlace = Place.NONE;

  /** The spare that is being evacuated, or -1. */
  private int leaveSpare = -1;

  /** A person gave the spare up: what cannot be read there now is lost, whatever the reason. */
  private boolean givesUp;

  private LostBits toMark = LostBits.NONE;

  /** Where the block was when the fence was reached, and what was lost there. */
  private long oldPlace = Place.MAIN;

  private LostBits oldLost = LostBits.NONE;
  private boolean oldIsBad;

  private long slot = Place.NONE;
  private long avoidSpares;
  private int slotsFailed;

  /** The block's bytes: gathered, then overlaid with the writes. */
  private byte[] image = {};

  /** Sectors still to be read; those that cannot be; those that the writes bring. */
  private LostBits toRead = LostBits.NONE;

  private LostBits unreadable = LostBits.NONE;
  private LostBits covered = LostBits.NONE;
  private boolean readsBySector;
  private int triesLeft;
  private boolean unproved;
  private int stepSector;
  private int stepSectors;
  private LostBits newLost = LostBits.NONE;

  /** Why a spare that gave a slot is not asked again. */
  private @Nullable Errno spareTrouble;

  Relocation(
      long block,
      Geometry geometry,
      RemapTable table,
      RelocationPolicy policy,
      RelocationEffects effects) {
    this.block = block;
    this.table = table;
    this.policy = policy;
    this.effects = effects;
    this.blockBytes = geometry.blockBytes();
    this.sectorBytes = geometry.sectorBytes();
    this.allSectors = LostBits.first(geometry.sectorsPerBlock());
    long bytesHere = Math.min(blockBytes, geometry.deviceBytes() - block * blockBytes);
    this.beyondDevice = allSectors.minus(LostBits.first((int) (bytesHere / sectorBytes)));
  }

  long block() {
    return block;
  }

  State state() {
    return state;
  }

  boolean isFenced() {
    return fenced;
  }

  boolean refusesWrites() {
    return state == State.INDETERMINATE;
  }

  /** How many writes wait here. */
  int owed() {
    return round.size() + late.size();
  }

  // What is wanted. Before start, or while it goes on.

  /** A write that needs the block moved or lost bits cleared. */
  void join(Owed owed) {
    switch (state) {
      case INDETERMINATE -> effects.answer(owed, Errno.EIO);
      case ENDED -> throw new IllegalStateException("a write joined block " + block + " too late");
      case NEW, MARKING, FENCING, TAKING_SLOT, GATHERING, PROVING_OLD -> round.add(owed);
      case WRITING_SLOT,
          PROVING_SLOT,
          COMMITTING,
          WRITING_IN_PLACE,
          PROVING_IN_PLACE,
          COMMITTING_LOST ->
          late.add(owed);
    }
  }

  /** The block is to leave this place, where it could hardly be read. Before start. */
  void leave(long place) {
    leavePlace = place;
  }

  /**
   * The block is to leave this spare, if it is there. Before start.
   *
   * @param givenUp nobody waits for the spare: sectors that it does not give now are lost, also
   *     when the disk and not the medium is the reason
   */
  void leaveSpare(int spare, boolean givenUp) {
    leaveSpare = spare;
    givesUp = givenUp;
    avoidSpares |= 1L << spare;
  }

  /** These sectors of a block on main could not be read: it becomes pending. Before start. */
  void mark(LostBits unreadableSectors) {
    toMark = unreadableSectors;
  }

  void start() {
    if (!toMark.isEmpty()) {
      table.find(block, lookup);
      LostBits known = new LostBits(lookup.lostLow, lookup.lostHigh);
      if (lookup.place == Place.MAIN && !toMark.minus(known).isEmpty()) {
        toMark = toMark.plus(known);
        state = State.MARKING;
        effects.commit(List.of(new Change.PendingSet(block, toMark)));
        return;
      }
    }
    startMoving();
  }

  private void startMoving() {
    if (round.isEmpty() && leavePlace == Place.NONE && leaveSpare < 0) {
      end();
      return;
    }
    state = State.FENCING;
    fenced = true;
    effects.fence();
  }

  // Answers.

  void fenceReached() {
    if (state != State.FENCING) {
      return;
    }
    decide();
  }

  /** Where is the block now, and does it have to leave? */
  private void decide() {
    table.find(block, lookup);
    oldPlace = lookup.place;
    oldLost = new LostBits(lookup.lostLow, lookup.lostHigh);
    boolean refused = leavePlace == oldPlace;
    for (Owed owed : round) {
      refused |= owed.write().failedPlace() == oldPlace;
    }
    oldIsBad = refused;
    if (refused || (lookup.pending && !round.isEmpty()) || isOnLeftSpare()) {
      takeSlot();
    } else if (round.isEmpty()) {
      finish(null);
    } else {
      writeInPlace();
    }
  }

  private void takeSlot() {
    state = State.TAKING_SLOT;
    effects.takeSlot(avoidSpares);
  }

  void noSlot(Errno errno) {
    if (state != State.TAKING_SLOT) {
      return;
    }
    Errno trouble = spareTrouble;
    if (trouble == null) {
      fail(errno, "no slot is free; lend more of a spare, or add one");
    } else {
      fail(trouble, "a spare is in trouble, and no other has a free slot");
    }
  }

  void slotTaken(long place) {
    if (state != State.TAKING_SLOT) {
      effects.giveBackSlot(place);
      return;
    }
    slot = place;
    if (image.length == 0) {
      gather();
    } else {
      writeSlot();
    }
  }

  // Gathering.

  private void gather() {
    image = new byte[blockBytes];
    coverFrom(round);
    toRead = allSectors.minus(covered).minus(oldLost).minus(beyondDevice);
    unreadable = LostBits.NONE;
    unproved = false;
    readsBySector = false;
    triesLeft = 1;
    readNext();
  }

  private void coverFrom(List<Owed> writes) {
    covered = LostBits.NONE;
    for (Owed owed : writes) {
      WaitingWrite write = owed.write();
      covered =
          covered.plus(LostBits.range(write.firstSector(), write.bytes().length / sectorBytes));
    }
  }

  private void readNext() {
    state = State.GATHERING;
    if (toRead.isEmpty()) {
      gathered();
      return;
    }
    stepSector = 0;
    while (!toRead.isLost(stepSector)) {
      stepSector++;
    }
    stepSectors = 1;
    while (!readsBySector
        && stepSector + stepSectors < LostBits.SECTORS_MAX
        && toRead.isLost(stepSector + stepSectors)) {
      stepSectors++;
    }
    effects.read(oldPlace, stepSector, stepSectors);
  }

  void readDone(byte[] bytes) {
    if (state != State.GATHERING) {
      return;
    }
    System.arraycopy(bytes, 0, image, stepSector * sectorBytes, bytes.length);
    toRead = toRead.minus(LostBits.range(stepSector, stepSectors));
    triesLeft = readsBySector ? 1 + policy.mediaRetries() : 1;
    readNext();
  }

  void readFailed(Errno errno) {
    if (state != State.GATHERING) {
      return;
    }
    ErrorPolicy.Fault fault = ErrorPolicy.faultOf(errno);
    if (givesUp && isOnLeftSpare()) {
      givenUp(fault);
      return;
    }
    if (fault != ErrorPolicy.Fault.MEDIA && fault != ErrorPolicy.Fault.TO_BE_PROVED) {
      fail(ErrorPolicy.told(errno), "its old sectors could not be read: " + errno.meaning());
      return;
    }
    if (!readsBySector) {
      readsBySector = true;
      triesLeft = 1 + policy.mediaRetries();
      readNext();
      return;
    }
    triesLeft--;
    if (triesLeft > 0) {
      readNext();
      return;
    }
    unreadable = unreadable.plus(LostBits.range(stepSector, 1));
    unproved |= fault == ErrorPolicy.Fault.TO_BE_PROVED;
    toRead = toRead.minus(LostBits.range(stepSector, 1));
    triesLeft = 1 + policy.mediaRetries();
    readNext();
  }

  private boolean isOnLeftSpare() {
    return leaveSpare >= 0 && Place.isSlot(oldPlace) && Place.spare(oldPlace) == leaveSpare;
  }

  /** Media errors are few and local; of a disk that does not answer nothing is tried again. */
  private void givenUp(ErrorPolicy.Fault fault) {
    boolean media = fault == ErrorPolicy.Fault.MEDIA || fault == ErrorPolicy.Fault.TO_BE_PROVED;
    if (media && !readsBySector) {
      readsBySector = true;
      triesLeft = 1 + policy.mediaRetries();
    } else if (media && --triesLeft > 0) {
      // The same sector once more.
    } else {
      LostBits given = media ? LostBits.range(stepSector, 1) : toRead;
      unreadable = unreadable.plus(given);
      toRead = toRead.minus(given);
      triesLeft = 1 + policy.mediaRetries();
    }
    readNext();
  }

  private void gathered() {
    // Who joined meanwhile brings sectors that then need not be lost.
    coverFrom(round);
    if (unproved && !unreadable.minus(covered).isEmpty()) {
      state = State.PROVING_OLD;
      effects.prove(oldPlace, Errno.EIO);
      return;
    }
    writeSlot();
  }

  // The slot.

  private void writeSlot() {
    coverFrom(round);
    overlay(round, image);
    newLost = oldLost.plus(unreadable).minus(covered).minus(beyondDevice);
    state = State.WRITING_SLOT;
    effects.write(slot, 0, image);
  }

  private void overlay(List<Owed> writes, byte[] onto) {
    for (Owed owed : writes) {
      WaitingWrite write = owed.write();
      System.arraycopy(
          write.bytes(), 0, onto, write.firstSector() * sectorBytes, write.bytes().length);
    }
  }

  void writeDone() {
    if (state == State.WRITING_SLOT) {
      state = State.COMMITTING;
      List<Change> changes = new ArrayList<>();
      changes.add(new Change.Remapped(block, Place.spare(slot), Place.slot(slot), newLost));
      if (Place.isSlot(oldPlace) && oldIsBad) {
        changes.add(new Change.SlotRetired(Place.spare(oldPlace), Place.slot(oldPlace)));
      }
      effects.commit(changes);
    } else if (state == State.WRITING_IN_PLACE) {
      toRead = toRead.minus(LostBits.range(stepSector, stepSectors));
      writeNextInPlace();
    }
  }

  /**
   * @param held the kernel may still carry it out: the slot is not given back now
   */
  void writeFailed(Errno errno, boolean held) {
    ErrorPolicy.Fault fault = ErrorPolicy.faultOf(errno);
    if (state == State.WRITING_SLOT) {
      switch (fault) {
        case MEDIA -> slotIsBad();
        case TO_BE_PROVED -> {
          state = State.PROVING_SLOT;
          effects.prove(slot, errno);
        }
        default -> leaveSlotAlone(ErrorPolicy.told(errno), held);
      }
    } else if (state == State.WRITING_IN_PLACE) {
      switch (fault) {
        case MEDIA -> placeIsBad();
        case TO_BE_PROVED -> {
          state = State.PROVING_IN_PLACE;
          effects.prove(oldPlace, errno);
        }
        default ->
            fail(ErrorPolicy.told(errno), "it could not be written in place: " + errno.meaning());
      }
    }
  }

  private void slotIsBad() {
    effects.retireSlot(slot, false);
    slot = Place.NONE;
    slotsFailed++;
    if (slotsFailed >= policy.slotAttemptsMax()) {
      fail(Errno.EIO, slotsFailed + " slots in a row failed");
    } else {
      takeSlot();
    }
  }

  /** The spare is in trouble, not the slot: another spare is asked. */
  private void leaveSlotAlone(Errno why, boolean held) {
    spareTrouble = why;
    avoidSpares |= 1L << Place.spare(slot);
    if (!held) {
      effects.giveBackSlot(slot);
    }
    slot = Place.NONE;
    takeSlot();
  }

  void proved(boolean proved) {
    switch (state) {
      case PROVING_OLD -> {
        if (proved) {
          writeSlot();
        } else {
          fail(Errno.EIO, "its old place's disk no longer proves itself");
        }
      }
      case PROVING_SLOT -> {
        if (proved) {
          slotIsBad();
        } else {
          leaveSlotAlone(Errno.EIO, false);
        }
      }
      case PROVING_IN_PLACE -> {
        if (proved) {
          placeIsBad();
        } else {
          fail(Errno.EIO, "its disk no longer proves itself");
        }
      }
      default -> {}
    }
  }

  // In place.

  private void writeInPlace() {
    state = State.WRITING_IN_PLACE;
    coverFrom(round);
    image = new byte[blockBytes];
    overlay(round, image);
    newLost = oldLost.minus(covered);
    toRead = covered;
    writeNextInPlace();
  }

  /** Here {@link #toRead} holds the sectors still to be written. */
  private void writeNextInPlace() {
    if (!toRead.isEmpty()) {
      stepSector = 0;
      while (!toRead.isLost(stepSector)) {
        stepSector++;
      }
      stepSectors = 1;
      while (stepSector + stepSectors < LostBits.SECTORS_MAX
          && toRead.isLost(stepSector + stepSectors)) {
        stepSectors++;
      }
      byte[] bytes = new byte[stepSectors * sectorBytes];
      System.arraycopy(image, stepSector * sectorBytes, bytes, 0, bytes.length);
      effects.write(oldPlace, stepSector, bytes);
      return;
    }
    if (newLost.equals(oldLost)) {
      finish(null);
      return;
    }
    state = State.COMMITTING_LOST;
    effects.commit(List.of(new Change.LostChanged(block, newLost)));
  }

  /** What should have been written in place moves instead. */
  private void placeIsBad() {
    oldIsBad = true;
    image = new byte[0];
    takeLate();
    takeSlot();
  }

  private void takeLate() {
    round.addAll(late);
    late.clear();
  }

  // The commit and the end.

  void commitEnded(CommitResult result) {
    switch (state) {
      case MARKING -> {
        if (result == CommitResult.COMMITTED) {
          effects.pending(toMark);
        }
        startMoving();
      }
      case COMMITTING -> {
        switch (result) {
          case COMMITTED -> {
            leaveOldPlace();
            effects.moved(oldPlace, slot, newLost, newLost.minus(oldLost));
            slot = Place.NONE;
            finish(null);
          }
          case NOT_DONE -> fail(Errno.EIO, "the change of the map could not be committed");
          case INDETERMINATE -> doubt();
        }
      }
      case COMMITTING_LOST -> {
        switch (result) {
          case COMMITTED -> finish(null);
          case NOT_DONE -> fail(Errno.EIO, "the cleared lost bits could not be committed");
          case INDETERMINATE -> doubt();
        }
      }
      default -> {}
    }
  }

  private void leaveOldPlace() {
    if (Place.isSlot(oldPlace)) {
      if (oldIsBad) {
        effects.retireSlot(oldPlace, true);
      } else {
        effects.releaseSlot(oldPlace);
      }
    }
  }

  private void doubt() {
    state = State.INDETERMINATE;
    effects.refuse(Errno.EIO);
    answerAll(Errno.EIO);
    effects.failed(Errno.EIO, "its commit is indeterminate; it takes no writes until resolved");
  }

  /** The map says now which of the two it was. */
  void doubtResolved() {
    if (state != State.INDETERMINATE) {
      return;
    }
    table.find(block, lookup);
    if (slot != Place.NONE && lookup.place == slot) {
      leaveOldPlace();
      effects.moved(oldPlace, slot, newLost, newLost.minus(oldLost));
    }
    slot = Place.NONE;
    lift();
    end();
  }

  /** The relocation's time is over. A commit has a time of its own. */
  void overdue() {
    switch (state) {
      case FENCING -> fail(Errno.ETIMEDOUT, "a write in flight on it does not end");
      case TAKING_SLOT -> fail(Errno.ETIMEDOUT, "no slot was given in time");
      default -> {}
    }
  }

  /** All ends now, whatever is under way. */
  void abandon() {
    answerAll(Errno.ESHUTDOWN);
    state = State.ENDED;
  }

  private void fail(Errno errno, String reason) {
    if (slot != Place.NONE) {
      effects.giveBackSlot(slot);
      slot = Place.NONE;
    }
    takeLate();
    effects.failed(errno, reason);
    finish(errno);
  }

  /** This round is over. */
  private void finish(@Nullable Errno errno) {
    leavePlace = Place.NONE;
    leaveSpare = -1;
    image = new byte[0];
    if (errno == null && !late.isEmpty()) {
      // The fence stays; what this round wrote is told first, so that nobody waits for others.
      List<Owed> done = List.copyOf(round);
      round.clear();
      takeLate();
      done.forEach(owed -> effects.answer(owed, null));
      decide();
      return;
    }
    lift();
    answerAll(errno);
    end();
  }

  private void answerAll(@Nullable Errno errno) {
    takeLate();
    List<Owed> all = List.copyOf(round);
    round.clear();
    all.forEach(owed -> effects.answer(owed, errno));
  }

  private void lift() {
    if (fenced) {
      fenced = false;
      effects.lift();
    }
  }

  private void end() {
    state = State.ENDED;
    effects.ended();
  }
}
