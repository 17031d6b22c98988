package io.spared.relocation;

import static org.assertj.core.api.Assertions.assertThat;

import io.spared.ffi.Errno;
import io.spared.format.Change;
import io.spared.format.Geometry;
import io.spared.format.LostBits;
import io.spared.queue.WaitingWrite;
import io.spared.relocation.Relocation.State;
import io.spared.relocation.RelocatorCommand.CommitResult;
import io.spared.remap.Lookup;
import io.spared.remap.Place;
import io.spared.remap.RemapTable;
import io.spared.sim.SimRandom;
import java.util.ArrayDeque;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.HashMap;
import java.util.HashSet;
import java.util.List;
import java.util.Map;
import java.util.Set;
import org.jspecify.annotations.Nullable;
import org.junit.jupiter.api.Test;

class RelocationTest {
  private static final Geometry GEOMETRY = new Geometry(4096, 512, 10 * 4096);
  private static final int SECTORS = 8;
  private static final long BLOCK = 4;

  /** How one thing that is asked for ends; chosen by the run. */
  private interface Fate {
    int among(int choices);
  }

  /**
   * All of the world that a relocation sees, with every outcome at every step: disks of sectors
   * that hold one number each, a map, slots, queues that are fenced or not. It checks as it goes.
   */
  private static final class Stage implements RelocationEffects {
    final RemapTable table = new RemapTable(GEOMETRY);
    final Relocation relocation = new Relocation(BLOCK, GEOMETRY, table, policy(), this);
    final Fate fate;
    final ArrayDeque<Runnable> answers = new ArrayDeque<>();
    final Map<Long, int[]> places = new HashMap<>();
    final List<String> log = new ArrayList<>();

    /** Sectors of a place that cannot be read for ever. */
    final Map<Long, LostBits> unreadable = new HashMap<>();

    /** Sectors whose last read failed with an error that may also be the disk's. */
    final Set<Integer> unproved = new HashSet<>();

    final Map<Long, @Nullable Errno> answered = new HashMap<>();
    final List<Long> held = new ArrayList<>();
    final List<Long> retired = new ArrayList<>();

    /** Slots whose write the kernel has yet. */
    final List<Long> stuck = new ArrayList<>();

    boolean fenced;
    boolean refusing;
    boolean ended;
    int fences;
    int failures;
    int slotsLeft = 3;
    long nextSlot = 10;
    @Nullable List<Change> doubtful;
    @Nullable String firstWrong;

    Stage(Fate fate) {
      this.fate = fate;
    }

    private static RelocationPolicy policy() {
      RelocationPolicy d = RelocationPolicy.DEFAULT;
      return new RelocationPolicy(d.deadline(), d.requestDeadline(), 1, 2, 4, 100);
    }

    int[] at(long place) {
      return places.computeIfAbsent(place, p -> new int[SECTORS]);
    }

    void require(boolean right, String what) {
      if (!right && firstWrong == null) {
        firstWrong = what + " " + log;
      }
    }

    void run() {
      relocation.start();
      while (!answers.isEmpty()) {
        answers.remove().run();
      }
    }

    @Override
    public void fence() {
      log.add("fence");
      require(!fenced, "fenced twice");
      fenced = true;
      fences++;
      switch (fate.among(2)) {
        case 0 -> answers.add(relocation::fenceReached);
        default -> answers.add(relocation::overdue);
      }
    }

    @Override
    public void refuse(Errno errno) {
      require(fenced, "refused without a fence");
      refusing = true;
    }

    @Override
    public void lift() {
      log.add("lift");
      require(fenced, "lifted what is not fenced");
      fenced = false;
      refusing = false;
    }

    @Override
    public void takeSlot(long avoidSpares) {
      log.add("takeSlot");
      require(fenced, "a slot without a fence");
      if (slotsLeft == 0 || avoidSpares == 3) {
        answers.add(() -> relocation.noSlot(Errno.ENOSPC));
        return;
      }
      switch (fate.among(3)) {
        case 0 -> {
          slotsLeft--;
          long place = Place.of((avoidSpares & 1) == 0 ? 0 : 1, nextSlot++);
          held.add(place);
          answers.add(() -> relocation.slotTaken(place));
        }
        case 1 -> answers.add(() -> relocation.noSlot(Errno.ENOSPC));
        default -> answers.add(relocation::overdue);
      }
    }

    @Override
    public void read(long place, int firstSector, int sectors) {
      log.add("read " + firstSector + "+" + sectors);
      require(fenced, "gathered without a fence");
      LostBits bad = unreadable.getOrDefault(place, LostBits.NONE);
      if (!bad.and(LostBits.range(firstSector, sectors)).isEmpty()) {
        answers.add(() -> relocation.readFailed(Errno.ENODATA));
        return;
      }
      switch (fate.among(4)) {
        case 0 -> {
          byte[] bytes = new byte[sectors * 512];
          for (int i = 0; i < sectors; i++) {
            unproved.remove(firstSector + i);
            Arrays.fill(bytes, i * 512, (i + 1) * 512, (byte) at(place)[firstSector + i]);
          }
          answers.add(() -> relocation.readDone(bytes));
        }
        case 1 -> {
          unproved.remove(firstSector);
          answers.add(() -> relocation.readFailed(Errno.ENODATA));
        }
        case 2 -> {
          unproved.add(firstSector);
          answers.add(() -> relocation.readFailed(Errno.EIO));
        }
        default -> answers.add(() -> relocation.readFailed(Errno.ETIMEDOUT));
      }
    }

    @Override
    public void write(long place, int firstSector, byte[] bytes) {
      log.add("write " + Place.toString(place));
      require(fenced, "written without a fence");
      Lookup now = lookup();
      require(held.contains(place) || now.place == place, "written to a place that is not its own");
      int outcome = fate.among(5);
      if (outcome == 0 || fate.among(2) == 0) {
        for (int i = 0; i < bytes.length / 512; i++) {
          at(place)[firstSector + i] = bytes[i * 512];
        }
      }
      switch (outcome) {
        case 0 -> answers.add(relocation::writeDone);
        case 1 -> answers.add(() -> relocation.writeFailed(Errno.ENODATA, false));
        case 2 -> answers.add(() -> relocation.writeFailed(Errno.EIO, false));
        case 3 -> answers.add(() -> relocation.writeFailed(Errno.ENXIO, false));
        default -> {
          stuck.add(place);
          answers.add(() -> relocation.writeFailed(Errno.ETIMEDOUT, true));
        }
      }
    }

    @Override
    public void prove(long place, Errno errno) {
      log.add("prove");
      unproved.clear();
      boolean proved = fate.among(2) == 0;
      answers.add(() -> relocation.proved(proved));
    }

    @Override
    public void commit(List<Change> changes) {
      log.add("commit " + changes);
      switch (fate.among(4)) {
        case 0 ->
            answers.add(() -> {
              apply(changes);
              relocation.commitEnded(CommitResult.COMMITTED);
            });
        case 1 -> answers.add(() -> relocation.commitEnded(CommitResult.NOT_DONE));
        default -> {
          doubtful = changes;
          answers.add(() -> relocation.commitEnded(CommitResult.INDETERMINATE));
          boolean contained = fate.among(2) == 0;
          answers.add(() -> {
            if (contained) {
              apply(changes);
            } else {
              held.removeIf(place -> named(changes, place));
            }
            doubtful = null;
            relocation.doubtResolved();
          });
        }
      }
    }

    private static boolean named(List<Change> changes, long place) {
      return changes.stream()
          .anyMatch(c -> c instanceof Change.Remapped r && Place.of(r.spare(), r.slot()) == place);
    }

    private void apply(List<Change> changes) {
      for (Change change : changes) {
        switch (change) {
          case Change.Remapped c -> {
            long place = Place.of(c.spare(), c.slot());
            require(held.remove(place), "mapped to a slot that is not held");
            require(!stuck.contains(place), "mapped to a slot that is still being written");
            Lookup before = lookup();
            for (int sector : unproved) {
              require(
                  !c.lost().isLost(sector) || before.isLost(sector),
                  "lost on the word of a disk that did not prove itself");
            }
            table.put(BLOCK, c.spare(), c.slot(), c.lost().low(), c.lost().high());
          }
          case Change.LostChanged c -> table.setLost(BLOCK, c.lost().low(), c.lost().high());
          case Change.PendingSet c ->
              table.putPending(BLOCK, c.unreadable().low(), c.unreadable().high());
          case Change.SlotRetired c -> {}
          default -> require(false, "an unexpected change " + change);
        }
      }
      table.publish();
    }

    @Override
    public void giveBackSlot(long place) {
      log.add("giveBack");
      require(held.remove(place), "gave back what is not held");
      require(!stuck.contains(place), "gave back what is still being written");
      require(doubtful == null, "gave back while its commit is in doubt");
      require(lookup().place != place, "gave back what the map names");
    }

    @Override
    public void releaseSlot(long place) {
      require(lookup().place != place, "released what the map names");
      retired.add(place);
    }

    @Override
    public void retireSlot(long place, boolean recorded) {
      require(lookup().place != place, "retired what the map names");
      held.remove(place);
      retired.add(place);
    }

    @Override
    public void answer(Owed owed, @Nullable Errno errno) {
      log.add("answer " + errno);
      require(!answered.containsKey(owed.write().ticket()), "answered twice");
      answered.put(owed.write().ticket(), errno);
      if (errno == null) {
        // Whoever reads the block now, or after a crash, finds the write.
        WaitingWrite write = owed.write();
        Lookup now = lookup();
        for (int i = 0; i < write.bytes().length / 512; i++) {
          int sector = write.firstSector() + i;
          require(!now.isLost(sector), "acknowledged and lost");
          require(isNewest(sector, write) || at(now.place)[sector] != 0, "acknowledged, not there");
          if (isNewest(sector, write)) {
            require(at(now.place)[sector] == write.bytes()[0], "acknowledged, other bytes there");
          }
        }
      }
    }

    /** Whether no later write covers the sector: then it is this one's bytes that count. */
    boolean isNewest(int sector, WaitingWrite write) {
      return joined.stream()
          .filter(w -> w.ticket() > write.ticket())
          .noneMatch(
              w -> w.firstSector() <= sector && sector < w.firstSector() + w.bytes().length / 512);
    }

    final List<WaitingWrite> joined = new ArrayList<>();

    void join(WaitingWrite write) {
      joined.add(write);
      relocation.join(new Owed(0, write));
    }

    @Override
    public void moved(long fromPlace, long toPlace, LostBits lost, LostBits newlyLost) {
      log.add("moved");
    }

    @Override
    public void pending(LostBits bits) {
      log.add("pending");
    }

    @Override
    public void failed(Errno errno, String reason) {
      log.add("failed " + reason);
      failures++;
    }

    @Override
    public void ended() {
      log.add("ended");
      require(!ended, "ended twice");
      require(!fenced, "ended behind a fence");
      ended = true;
    }

    Lookup lookup() {
      Lookup now = new Lookup();
      table.find(BLOCK, now);
      return now;
    }
  }

  private static WaitingWrite write(long ticket, int first, int sectors, long failedPlace) {
    byte[] bytes = new byte[sectors * 512];
    Arrays.fill(bytes, (byte) (50 + ticket));
    return new WaitingWrite(ticket, BLOCK, first, bytes, failedPlace);
  }

  /** How a block stands before, and what is wanted of it. */
  private enum Scene {
    WRITE_FAILED_ON_MAIN,
    FULL_WRITE_FAILED_ON_MAIN,
    WRITE_TO_PENDING,
    WRITE_FAILED_ON_SLOT,
    WRITE_TO_LOST,
    FULL_WRITE_TO_LOST,
    LATE_WRITE_OF_A_MOVED_BLOCK,
    RECOVERED_READ,
    RECOVERED_READ_OF_SLOT,
    EVACUATION,
    UNREADABLE_SECTORS,
    UNREADABLE_AND_WRITE
  }

  private static final long SLOT = Place.of(0, 3);

  private static void prepare(Stage stage, Scene scene) {
    for (int i = 0; i < SECTORS; i++) {
      stage.at(Place.MAIN)[i] = 10 + i;
      stage.at(SLOT)[i] = 20 + i;
    }
    RemapTable table = stage.table;
    switch (scene) {
      case WRITE_FAILED_ON_MAIN -> {
        stage.unreadable.put(Place.MAIN, new LostBits(0b1000_0000, 0));
        stage.join(write(1, 2, 2, Place.MAIN));
      }
      case FULL_WRITE_FAILED_ON_MAIN -> stage.join(write(1, 0, 8, Place.MAIN));
      case WRITE_TO_PENDING -> {
        table.putPending(BLOCK, 0b0000_0110, 0);
        stage.join(write(1, 2, 1, Place.NONE));
      }
      case WRITE_FAILED_ON_SLOT -> {
        table.put(BLOCK, 0, 3, 0b1, 0);
        stage.join(write(1, 4, 2, SLOT));
      }
      case WRITE_TO_LOST -> {
        table.put(BLOCK, 0, 3, 0b1110, 0);
        stage.join(write(1, 2, 3, Place.NONE));
      }
      case FULL_WRITE_TO_LOST -> {
        table.put(BLOCK, 0, 3, 0b1110, 0);
        stage.join(write(1, 0, 8, Place.NONE));
      }
      case LATE_WRITE_OF_A_MOVED_BLOCK -> {
        table.put(BLOCK, 0, 3, 0, 0);
        stage.join(write(1, 0, 1, Place.MAIN));
      }
      case RECOVERED_READ -> stage.relocation.leave(Place.MAIN);
      case RECOVERED_READ_OF_SLOT -> {
        table.put(BLOCK, 0, 3, 0b10, 0);
        stage.relocation.leave(SLOT);
      }
      case EVACUATION -> {
        table.put(BLOCK, 0, 3, 0b10, 0);
        stage.relocation.leaveSpare(0, false);
      }
      case UNREADABLE_SECTORS -> stage.relocation.mark(new LostBits(0b1010, 0));
      case UNREADABLE_AND_WRITE -> {
        stage.relocation.mark(new LostBits(0b1010, 0));
        stage.join(write(1, 0, 1, Place.NONE));
      }
    }
    table.publish();
  }

  private static void check(Stage stage, Scene scene, int[] oldMain, int[] oldSlot, Lookup before) {
    String what = scene + " " + stage.log;
    assertThat(stage.firstWrong).as(what).isNull();
    assertThat(stage.ended).as(what).isTrue();
    assertThat(stage.relocation.state()).as(what).isEqualTo(State.ENDED);
    assertThat(stage.fenced).as(what).isFalse();
    assertThat(stage.answered).as(what).hasSize(stage.joined.size());
    assertThat(stage.fences).as(what).isLessThanOrEqualTo(1);
    if (stage.answered.values().stream().anyMatch(errno -> errno != null)) {
      // Whoever gets an error, somebody was told why.
      assertThat(stage.failures).as(what).isPositive();
    }
    Lookup now = stage.lookup();
    // No slot is forgotten: what is still held is being written by the kernel, or the map's own.
    assertThat(stage.held).as(what).allMatch(stage.stuck::contains);
    // No sector became anything that was neither there before nor written.
    int[] old = before.place == Place.MAIN ? oldMain : oldSlot;
    for (int i = 0; i < SECTORS; i++) {
      int sector = i;
      if (now.isLost(i)) {
        boolean wasLost = before.isLost(i);
        boolean couldNotBeRead =
            stage.log.stream().anyMatch(l -> l.startsWith("read " + sector + "+1"))
                || scene.name().startsWith("UNREADABLE");
        assertThat(wasLost || couldNotBeRead).as(what).isTrue();
        continue;
      }
      int value = stage.at(now.place)[i];
      boolean written =
          stage.joined.stream()
              .anyMatch(w ->
                  w.firstSector() <= sector
                      && sector < w.firstSector() + w.bytes().length / 512
                      && w.bytes()[0] == value);
      boolean oldAndReadable = value == old[i] && !(before.isLost(i) && !before.pending);
      assertThat(written || oldAndReadable)
          .as("sector %s holds %s, lost before %s: %s", i, value, before.isLost(i), what)
          .isTrue();
    }
  }

  /** Plays one scene with these fates, and tells how many choices there were at each step. */
  private static List<Integer> play(Scene scene, List<Integer> fates) {
    List<Integer> widths = new ArrayList<>();
    Stage stage =
        new Stage(choices -> {
          int step = widths.size();
          widths.add(choices);
          return step < fates.size() ? fates.get(step) : 0;
        });
    prepare(stage, scene);
    Lookup before = stage.lookup();
    int[] oldMain = stage.at(Place.MAIN).clone();
    int[] oldSlot = stage.at(SLOT).clone();
    stage.run();
    check(stage, scene, oldMain, oldSlot, before);
    return widths;
  }

  @Test
  void everyFailureAtEveryStepEndsDefinedWithNothingAcknowledgedWrongly() {
    int played = 0;
    for (Scene scene : Scene.values()) {
      // All single failures, all pairs, and all triples of the first steps.
      ArrayDeque<List<Integer>> open = new ArrayDeque<>();
      open.add(List.of());
      while (!open.isEmpty()) {
        List<Integer> fates = open.remove();
        List<Integer> widths = play(scene, fates);
        played++;
        long troubles = fates.stream().filter(f -> f != 0).count();
        if (troubles == 3) {
          continue;
        }
        for (int step = fates.size(); step < widths.size(); step++) {
          for (int choice = 1; choice < widths.get(step); choice++) {
            List<Integer> more = new ArrayList<>(fates);
            while (more.size() < step) {
              more.add(0);
            }
            more.add(choice);
            open.add(more);
          }
        }
      }
    }
    assertThat(played).isGreaterThan(5_000);
  }

  @Test
  void writesThatComeAtAnyMomentAreEachAnsweredOnceAndRightly() {
    for (int seed = 0; seed < 6_000; seed++) {
      SimRandom random = new SimRandom(seed);
      boolean calm = random.nextBoolean();
      Stage stage =
          new Stage(choices -> random.chance(calm ? 0.05 : 0.3) ? random.below(choices) : 0);
      Scene scene = Scene.values()[random.below(Scene.values().length)];
      prepare(stage, scene);
      Lookup before = stage.lookup();
      int[] oldMain = stage.at(Place.MAIN).clone();
      int[] oldSlot = stage.at(SLOT).clone();
      stage.relocation.start();
      long ticket = 2;
      while (!stage.answers.isEmpty()) {
        if (ticket < 8 && random.chance(0.2) && stage.relocation.state() != State.ENDED) {
          int first = random.below(SECTORS);
          long failed = random.nextBoolean() ? Place.NONE : stage.lookup().place;
          stage.join(write(ticket++, first, 1 + random.below(SECTORS - first), failed));
        }
        stage.answers.remove().run();
      }
      check(stage, scene, oldMain, oldSlot, before);
    }
  }

  @Test
  void aMoveKeepsReadableSectorsAndMarksTheOthersLost() {
    Stage stage = new Stage(choices -> 0);
    prepare(stage, Scene.WRITE_FAILED_ON_MAIN);
    stage.run();
    Lookup now = stage.lookup();
    assertThat(Place.isSlot(now.place)).isTrue();
    assertThat(now.lostLow).isEqualTo(0b1000_0000);
    assertThat(Arrays.copyOf(stage.at(now.place), 7)).containsExactly(10, 11, 51, 51, 14, 15, 16);
    assertThat(stage.answered).containsEntry(1L, null);
  }

  @Test
  void aWriteOverLostSectorsIsMadeInPlaceAndOnlyThenClearsTheirBits() {
    Stage stage = new Stage(choices -> 0);
    prepare(stage, Scene.WRITE_TO_LOST);
    stage.run();
    assertThat(stage.lookup().place).isEqualTo(SLOT);
    assertThat(stage.lookup().lostLow).isEqualTo(0b0010);
    assertThat(Arrays.copyOf(stage.at(SLOT), 5)).containsExactly(20, 21, 51, 51, 51);
    int write = indexOf(stage.log, "write");
    assertThat(write).isLessThan(indexOf(stage.log, "commit"));
  }

  private static int indexOf(List<String> log, String begin) {
    for (int i = 0; i < log.size(); i++) {
      if (log.get(i).startsWith(begin)) {
        return i;
      }
    }
    throw new AssertionError("no " + begin + " in " + log);
  }

  @Test
  void theOrderIsFenceSlotGatherWriteCommitLiftAnswer() {
    Stage stage = new Stage(choices -> 0);
    prepare(stage, Scene.WRITE_TO_PENDING);
    stage.run();
    List<String> order =
        List.of("fence", "takeSlot", "read", "write", "commit", "moved", "lift", "answer", "ended");
    int last = -1;
    for (String step : order) {
      int at = indexOf(stage.log, step);
      assertThat(at).isGreaterThan(last);
      last = at;
    }
  }

  @Test
  void outOfSlotsTheWriteFailsWithNoSpaceAndNothingElseChanges() {
    Stage stage = new Stage(choices -> 0);
    prepare(stage, Scene.FULL_WRITE_FAILED_ON_MAIN);
    stage.slotsLeft = 0;
    stage.run();
    assertThat(stage.answered).containsEntry(1L, Errno.ENOSPC);
    assertThat(stage.lookup().place).isEqualTo(Place.MAIN);
    assertThat(stage.table.remapCount()).isZero();
  }

  @Test
  void afterAnIndeterminateCommitTheBlockRefusesWritesUntilItIsResolved() {
    Stage[] stage = new Stage[1];
    stage[0] =
        new Stage(choices -> choices == 4 && stage[0].log.getLast().startsWith("commit") ? 2 : 0);
    prepare(stage[0], Scene.FULL_WRITE_FAILED_ON_MAIN);
    stage[0].relocation.start();
    while (stage[0].relocation.state() != State.INDETERMINATE) {
      stage[0].answers.remove().run();
    }
    assertThat(stage[0].refusing).isTrue();
    assertThat(stage[0].answered).containsEntry(1L, Errno.EIO);
    assertThat(stage[0].lookup().place).isEqualTo(Place.MAIN);
    stage[0].join(write(2, 0, 1, Place.NONE));
    assertThat(stage[0].answered).containsEntry(2L, Errno.EIO);
    while (!stage[0].answers.isEmpty()) {
      stage[0].answers.remove().run();
    }
    assertThat(stage[0].fenced).isFalse();
    assertThat(Place.isSlot(stage[0].lookup().place)).isTrue();
    assertThat(stage[0].firstWrong).isNull();
  }
}
