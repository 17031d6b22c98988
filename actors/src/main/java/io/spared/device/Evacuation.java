package io.spared.device;

import io.spared.evacuation.EvacuatorCommand;
import io.spared.evacuation.EvacuatorRequest;
import io.spared.format.Change;
import io.spared.format.Extent;
import io.spared.format.ExtentKind;
import io.spared.format.LostBits;
import io.spared.format.SpareNotes;
import io.spared.monitor.Event;
import io.spared.queue.QueueCommand;
import io.spared.relocation.RelocatorCommand;
import io.spared.relocation.RelocatorRequest;
import io.spared.remap.Place;
import java.util.ArrayList;
import java.util.List;
import org.apache.pekko.actor.typed.ActorRef;
import org.jspecify.annotations.Nullable;

/**
 * One spare on its way out. Blocks move pass by pass, until none is left; then, once no reader of
 * the map can still touch a slot of it and no place of a copy is left on it, one commit takes it
 * out. What cannot be moved now is tried again, less and less often: it is lost only when its
 * medium says so, or when a person gave the spare up.
 */
final class Evacuation {
  /** After a pass in which blocks failed: 1 s, 5 s, 30 s, then every minute. */
  private static final long[] RETRY_SECONDS = {1, 5, 30, 60};

  private static final long LOOK_NANOS = 100_000_000L;
  private static final int SECTORS_TOLD = 16;

  private final Run run;
  private final Serving serving;
  private final int index;
  private final long blocksAtBegin;
  private boolean givenUp;
  private @Nullable ActorRef<EvacuatorCommand> evacuator;
  private boolean passing;
  private boolean removing;
  private boolean stopped;
  private int retries;
  private long failing;
  private long lostSectors;

  Evacuation(Run run, Serving serving, int index, boolean givenUp) {
    this.run = run;
    this.serving = serving;
    this.index = index;
    this.givenUp = givenUp;
    this.blocksAtBegin = serving.slots().usedOfSpare(index);
  }

  int index() {
    return index;
  }

  boolean isGivenUp() {
    return givenUp;
  }

  boolean isRemoving() {
    return removing;
  }

  /** Does what can be done now. */
  void look() {
    if (passing || removing || stopped) {
      return;
    }
    if (serving.slots().usedOfSpare(index) > 0) {
      beginPass();
      return;
    }
    List<Extent> extents = List.copyOf(serving.image().extents(index));
    boolean copiesLeft = extents.stream().noneMatch(extent -> extent.kind() == ExtentKind.METADATA);
    if (copiesLeft && serving.slots().isQuiet(index)) {
      removing = true;
      List<Change> changes = new ArrayList<>();
      changes.add(new Change.SpareRemoved(index));
      changes.add(
          new Change.CounterSet(SpareChange.NEXT_INDEX, SpareChange.nextIndex(serving.image())));
      changes.addAll(SpareNotes.forgotten(serving.image(), index));
      serving.commits().ask(changes, new Commits.Purpose.Removal(index, extents), run.nowNanos());
      return;
    }
    serving.queues().tellAll(new QueueCommand.PublishVersion());
    lookLater(LOOK_NANOS);
  }

  private void lookLater(long nanos) {
    run.later("evacuation", nanos, new DeviceNews.LookAtEvacuation(run.number));
  }

  private void beginPass() {
    passing = true;
    ActorRef<EvacuatorCommand> mover = evacuator;
    if (mover == null) {
      mover = DeviceChildren.evacuator(run, serving, index, givenUp);
      evacuator = mover;
    }
    mover.tell(new EvacuatorCommand.BeginPass());
  }

  void on(EvacuatorRequest request) {
    if (stopped) {
      return;
    }
    switch (request) {
      case EvacuatorRequest.MoveBlock move ->
          serving
              .relocator()
              .tell(new RelocatorCommand.MoveBlock(move.block(), move.offSpare(), move.givenUp()));
      case EvacuatorRequest.PassEnded ended -> {
        passing = false;
        failing = ended.failed();
        if (ended.failed() == 0) {
          retries = 0;
          look();
        } else {
          retries = ended.moved() > 0 ? 0 : Math.min(retries + 1, RETRY_SECONDS.length - 1);
          lookLater(RETRY_SECONDS[retries] * 1_000_000_000L);
        }
      }
    }
  }

  void moveEnded(RelocatorRequest.MoveEnded ended) {
    ActorRef<EvacuatorCommand> mover = evacuator;
    if (mover != null) {
      mover.tell(new EvacuatorCommand.MoveEnded(ended.block(), ended.moved()));
    }
  }

  /** Sectors that were lost on the way are told by their numbers. */
  void blockMoved(RelocatorRequest.BlockMoved moved) {
    LostBits lost = moved.newlyLost();
    if (lost.isEmpty()
        || !Place.isSlot(moved.fromPlace())
        || Place.spare(moved.fromPlace()) != index) {
      return;
    }
    lostSectors += lost.count();
    StringBuilder sectors = new StringBuilder();
    long first = moved.block() * serving.image().geometry().sectorsPerBlock();
    int told = 0;
    for (int i = 0; i < LostBits.SECTORS_MAX && told < SECTORS_TOLD; i++) {
      if (lost.isLost(i)) {
        sectors.append(told++ == 0 ? "" : ", ").append(first + i);
      }
    }
    serving.happened(
        Event.Severity.ERROR,
        "spare.sectors-lost",
        "spare "
            + index
            + " did not give sectors "
            + sectors
            + (lost.count() > told ? " and " + (lost.count() - told) + " more" : "")
            + " of block "
            + moved.block()
            + "; they read as errors until they are written");
  }

  /** Nobody waits for the spare any more. */
  void giveUp() {
    givenUp = true;
    ActorRef<EvacuatorCommand> mover = evacuator;
    if (mover != null) {
      mover.tell(new EvacuatorCommand.GiveUp());
    }
    look();
  }

  void rate(long bytesPerSecond) {
    ActorRef<EvacuatorCommand> mover = evacuator;
    if (mover != null) {
      mover.tell(new EvacuatorCommand.SetRate(bytesPerSecond));
    }
  }

  /** The commit that was to take it out is not done: once more. */
  void notRemoved() {
    removing = false;
    lookLater(RETRY_SECONDS[0] * 1_000_000_000L);
  }

  /** Its evacuator crashed: what is left to do is in the map. */
  void crashed() {
    evacuator = null;
    passing = false;
    lookLater(RETRY_SECONDS[0] * 1_000_000_000L);
  }

  void stop() {
    stopped = true;
    run.notLater("evacuation");
    ActorRef<EvacuatorCommand> mover = evacuator;
    evacuator = null;
    if (mover != null) {
      mover.tell(new EvacuatorCommand.Stop());
      run.leave(mover);
    }
  }

  String lostSentence() {
    return lostSectors == 0 ? "" : "; " + lostSectors + " sectors of it are lost";
  }

  /** For people. */
  String sentence() {
    long left = serving.slots().usedOfSpare(index);
    String done = Math.max(0, blocksAtBegin - left) + " of " + blocksAtBegin + " blocks moved";
    if (left == 0) {
      return done + ", what was lent goes back once nothing touches it";
    }
    return done
        + (failing > 0 && !passing ? ", the others cannot be moved now and are tried again" : "")
        + lostSentence();
  }

  DeviceStatus.Job status() {
    long left = serving.slots().usedOfSpare(index);
    return new DeviceStatus.Job(
        "evacuate spare " + index,
        Math.max(0, blocksAtBegin - left),
        Math.max(blocksAtBegin, left),
        failing,
        lostSectors,
        sentence());
  }
}
