package io.spared.format;

import static org.assertj.core.api.Assertions.assertThat;

import io.spared.format.CopyVerdict.Decision;
import java.nio.ByteBuffer;
import java.nio.ByteOrder;
import java.util.ArrayList;
import java.util.List;
import java.util.Optional;
import java.util.Set;
import org.junit.jupiter.api.Test;

class CopyChoiceTest {
  private static final Set<Integer> ALL = Set.of(0, 1, 2, 3, 4);

  private static TestDevice device(int spares) throws Exception {
    TestDevice device = TestDevice.small(spares).writeAll();
    device.commit(ALL, new Change.Remapped(1, 0, 2, LostBits.NONE));
    return device;
  }

  private static CopyVerdict choose(TestDevice device) {
    return CopyChoice.choose(device.readings(), device.circumstances());
  }

  @Test
  void theHighestOfThreeWinsThoughItIsAlone() throws Exception {
    TestDevice device = device(1);
    Position last = device.commit(Set.of(2), new Change.Remapped(9, 0, 9, LostBits.NONE));
    CopyVerdict verdict = choose(device);
    assertThat(verdict.decision()).isEqualTo(Decision.USABLE);
    assertThat(verdict.position()).contains(last);
    assertThat(verdict.winners()).containsExactly(2);
    assertThat(verdict.isHealthy()).isFalse();
    assertThat(verdict.findings().get(0).standing()).isEqualTo(CopyFinding.Standing.STALE);
  }

  @Test
  void aSpareThatMissesMoreThanACrashExplainsIsOlderAndWaitsForAPerson() throws Exception {
    TestDevice device = device(2);
    Set<Integer> onTheOther = Set.of(0, 2, 4);
    device.commit(onTheOther, new Change.Remapped(8, 0, 8, LostBits.NONE));
    assertThat(choose(device).decision()).isEqualTo(Decision.USABLE);
    device.commit(onTheOther, new Change.Remapped(9, 0, 9, LostBits.NONE));
    CopyVerdict verdict = choose(device);
    assertThat(verdict.decision()).isEqualTo(Decision.NEEDS_PERSON);
    assertThat(verdict.reasons()).anyMatch(reason -> reason.contains("is as it was earlier"));
    // What cannot be read says nothing: a newer area may stand behind that seal.
    CopyPlace place = device.place(3);
    device
        .disk(3)
        .makeUnreadable(place.offsetBytes() + device.placement().layout().areaOffsetBytes(1));
    assertThat(choose(device).decision()).isEqualTo(Decision.USABLE);
  }

  @Test
  void aSpareWhoseNewestSealIsDamagedMayBeAsNewAsTheOthers() throws Exception {
    TestDevice device = device(2);
    for (int block = 8; block < 10; block++) {
      device.commit(Set.of(0, 2, 4), new Change.Remapped(block, 0, block, LostBits.NONE));
    }
    checkpoint(device, 3);
    assertThat(choose(device).decision()).isEqualTo(Decision.USABLE);
    device
        .disk(3)
        .flipBit(
            device.place(3).offsetBytes() + device.placement().layout().areaOffsetBytes(1) + 80, 3);
    assertThat(choose(device).decision()).isEqualTo(Decision.USABLE);
  }

  @Test
  void aSpareOfWhichACopyIsDamagedMayBeAsNewAsTheOthers() throws Exception {
    TestDevice device = device(2);
    for (int block = 8; block < 10; block++) {
      device.commit(Set.of(0, 2, 4), new Change.Remapped(block, 0, block, LostBits.NONE));
    }
    assertThat(choose(device).decision()).isEqualTo(Decision.NEEDS_PERSON);
    device.disk(1).wipe(device.place(1).offsetBytes(), 4096);
    assertThat(choose(device).decision()).isEqualTo(Decision.USABLE);
  }

  @Test
  void aSpareWhoseOnlyCopyInStepIsBeingPlacedElsewhereIsNotOlder() throws Exception {
    TestDevice device = device(2);
    // On the second spare stand copies 1 and 3; only 1 is in step, and it moves to the first.
    for (int block = 8; block < 12; block++) {
      device.commit(Set.of(0, 1, 2, 4), new Change.Remapped(block, 0, block, LostBits.NONE));
    }
    List<CopyReading> former = List.of(device.readings().get(1));
    List<CopyPlace> places = new ArrayList<>(device.placement().places());
    places.set(1, new CopyPlace(1, 0, places.get(0).offsetBytes() + 4 * Extent.UNIT_BYTES));
    Placement anew = new Placement(device.placement().layout(), places);
    Position placing = device.commit(Set.of(0, 2, 4), new Change.CopiesPlaced(anew));
    CopyVerdict verdict = choose(device, former);
    assertThat(verdict.decision()).isEqualTo(Decision.USABLE);
    assertThat(verdict.position()).contains(placing);
    // Commits after it can only be there when the placing was durable on every spare.
    device.commit(Set.of(0, 2, 4), new Change.Remapped(19, 0, 19, LostBits.NONE));
    device.commit(Set.of(0, 2, 4), new Change.Remapped(20, 0, 20, LostBits.NONE));
    assertThat(choose(device, former).decision()).isEqualTo(Decision.NEEDS_PERSON);
  }

  @Test
  void aSpareThatIsBeingLeftAndHoldsNoCopyIsNotOlder() throws Exception {
    TestDevice device = device(2);
    List<CopyReading> former = copiesLeaveSpareOne(device, SpareState.EVACUATING);
    assertThat(choose(device, former).decision()).isEqualTo(Decision.USABLE);
  }

  @Test
  void aSpareThatIsBeingLeftIsOlderWhenItsFormerCopiesEndBeforeTheyWerePlacedElsewhere()
      throws Exception {
    TestDevice device = device(2);
    List<CopyReading> earlier = former(device);
    // That commit is on the right disk; what was put back in its place does not have it.
    device.commit(ALL, new Change.Remapped(30, 1, 30, LostBits.NONE));
    CopyPlace place = device.place(3);
    List<CopyReading> right = copiesLeaveSpareOne(device, SpareState.EVACUATING);
    device.disks.get(1).makeUnreadable(place.offsetBytes());
    CopyReading unreadable = device.reading(place);
    assertThat(choose(device, right).decision()).isEqualTo(Decision.USABLE);
    CopyVerdict verdict = choose(device, earlier);
    assertThat(verdict.decision()).isEqualTo(Decision.NEEDS_PERSON);
    assertThat(verdict.reasons())
        .anyMatch(reason -> reason.contains("spare 1") && reason.contains("is as it was earlier"));
    // Of two former copies one is enough, and one that cannot be read may be the one.
    assertThat(choose(device, List.of(earlier.get(0), right.get(1))).decision())
        .isEqualTo(Decision.USABLE);
    assertThat(choose(device, List.of(earlier.get(0), unreadable)).decision())
        .isEqualTo(Decision.USABLE);
  }

  /** Both copies on it are placed on the other spare, and a few commits follow. */
  private static List<CopyReading> copiesLeaveSpareOne(TestDevice device, SpareState state)
      throws Exception {
    List<CopyReading> former = former(device);
    List<CopyPlace> places = new ArrayList<>(device.placement().places());
    for (int copy : List.of(1, 3)) {
      places.set(
          copy,
          new CopyPlace(copy, 0, places.get(0).offsetBytes() + (20 + copy) * Extent.UNIT_BYTES));
    }
    Placement next = new Placement(device.placement().layout(), places);
    List<Change> changes = new ArrayList<>(SpareNotes.copiesLeft(device.image, next));
    changes.add(new Change.CopiesPlaced(next));
    changes.add(new Change.SpareStateChanged(1, state));
    device.commit(Set.of(0, 2, 4), changes.toArray(new Change[0]));
    for (int copy : List.of(1, 3)) {
      device.writeCopy(copy);
    }
    for (int block = 8; block < 12; block++) {
      device.commit(ALL, new Change.Remapped(block, 0, block, LostBits.NONE));
    }
    return former;
  }

  private static List<CopyReading> former(TestDevice device) {
    return List.of(device.readings().get(1), device.readings().get(3));
  }

  @Test
  void aSpareThatWasGivenUpWhileItWasThereMayNotBeOlderUnlessItIsNotUsedAtAll() throws Exception {
    TestDevice device = device(2);
    List<CopyReading> earlier = former(device);
    device.commit(ALL, new Change.Remapped(30, 1, 30, LostBits.NONE));
    copiesLeaveSpareOne(device, SpareState.LOST);
    assertThat(choose(device, earlier).decision()).isEqualTo(Decision.NEEDS_PERSON);
    device.commit(ALL, SpareNotes.gone(1));
    assertThat(choose(device, earlier).decision()).isEqualTo(Decision.USABLE);
  }

  @Test
  void copiesPlacedAnewWhileACommitIsInDoubtDoNotMakeASpareOlder() throws Exception {
    TestDevice device = device(2);
    // The second spare does not answer, so this cannot be decided, and a copy is placed elsewhere.
    device.commit(Set.of(0, 2, 4), new Change.Remapped(8, 0, 8, LostBits.NONE));
    List<CopyPlace> places = new ArrayList<>(device.placement().places());
    places.set(4, new CopyPlace(4, 0, places.get(0).offsetBytes() + 4 * Extent.UNIT_BYTES));
    Placement anew = new Placement(device.placement().layout(), places);
    device.commit(Set.of(0, 2), new Change.CopiesPlaced(anew));
    assertThat(choose(device).decision()).isEqualTo(Decision.USABLE);
    device.commit(Set.of(0, 2), new Change.Remapped(9, 0, 9, LostBits.NONE));
    assertThat(choose(device).decision()).isEqualTo(Decision.NEEDS_PERSON);
  }

  @Test
  void twoReadableCopiesNeedAPersonAndHisConsentIsForOneStateOnly() throws Exception {
    TestDevice device = device(1);
    for (int copy = 0; copy < 3; copy++) {
      device.disk(copy).wipe(device.place(copy).offsetBytes(), 4096);
    }
    assertThat(choose(device).decision()).isEqualTo(Decision.NEEDS_PERSON);
    Position found = choose(device).position().orElseThrow();
    CopyChoice.Circumstances plain = device.circumstances();
    CopyVerdict allowed =
        CopyChoice.choose(
            device.readings(),
            new CopyChoice.Circumstances(
                plain.deviceId(),
                plain.presentSpares(),
                Optional.empty(),
                Optional.of(new CopyConsent(found, Set.of()))));
    assertThat(allowed.decision()).isEqualTo(Decision.USABLE);
    CopyVerdict other =
        CopyChoice.choose(
            device.readings(),
            new CopyChoice.Circumstances(
                plain.deviceId(),
                plain.presentSpares(),
                Optional.empty(),
                Optional.of(
                    new CopyConsent(new Position(found.epoch(), found.sequence() - 1), Set.of()))));
    assertThat(other.decision()).isEqualTo(Decision.NEEDS_PERSON);
  }

  @Test
  void copiesThatWerePlacedAnewButNotOnAQuorumAreWhereTheyWereBefore() throws Exception {
    TestDevice device = device(1);
    Position before = choose(device).position().orElseThrow();
    List<CopyReading> former = device.readings().subList(2, 5);
    List<CopyPlace> places = new ArrayList<>(device.placement().places());
    for (int copy = 2; copy < 5; copy++) {
      places.set(copy, new CopyPlace(copy, 0, places.get(copy).offsetBytes() + Extent.UNIT_BYTES));
    }
    Placement anew = new Placement(device.placement().layout(), places);
    device.commit(Set.of(0, 1), new Change.CopiesPlaced(anew));
    CopyVerdict verdict = choose(device, former);
    assertThat(verdict.decision()).isEqualTo(Decision.USABLE);
    assertThat(verdict.position()).contains(before);
    // A commit after it can only be there when it was durable: then two copies are too few.
    device.commit(Set.of(0), new Change.Remapped(9, 0, 9, LostBits.NONE));
    assertThat(choose(device, former).decision()).isEqualTo(Decision.NEEDS_PERSON);
  }

  /** With what still stands where copies were before. */
  private static CopyVerdict choose(TestDevice device, List<CopyReading> former) {
    List<CopyReading> all = new ArrayList<>(device.readings());
    all.addAll(former);
    return CopyChoice.choose(all, device.circumstances());
  }

  @Test
  void aLogWithAGapDoesNotCount() throws Exception {
    TestDevice device = device(1);
    device.commit(ALL, new Change.Remapped(3, 0, 3, LostBits.NONE));
    for (int copy = 0; copy < 3; copy++) {
      AreaReading area = device.readings().get(copy).best().orElseThrow();
      long firstRecord =
          device.place(copy).offsetBytes()
              + device.placement().layout().logOffsetBytes(area.seal().area());
      device.disk(copy).flipBit(firstRecord + 200, 3);
      assertThat(device.readings().get(copy).best().orElseThrow().logEnd())
          .isEqualTo(AreaReading.LogEnd.BROKEN);
    }
    assertThat(choose(device).decision()).isEqualTo(Decision.NEEDS_PERSON);
  }

  /** Into the other area of a copy. */
  private static void checkpoint(TestDevice device, int copy) throws Exception {
    AreaBuilder builder =
        new AreaBuilder(
            device.image, OfflineDevice.superblock(device.image, device.place(copy)), 1, 1000, 7);
    ByteBuffer chunk = ByteBuffer.allocate(Checkpoints.CHUNK_BYTES_MAX);
    for (long at = builder.offsetBytes();
        builder.next(chunk.clear()) > 0;
        at = builder.offsetBytes()) {
      device.disk(copy).write(at, chunk);
    }
    device.disk(copy).write(builder.seal().offsetBytes(), builder.seal().write());
  }

  /** An older area beside a sealed one whose header is damaged does not say how the copy ended. */
  @Test
  void aCopyWhoseNewestAreaHasLostItsHeaderDoesNotCount() throws Exception {
    TestDevice device = device(1);
    device.commit(Set.of(), new Change.Remapped(3, 0, 3, LostBits.NONE));
    for (int copy = 0; copy < 3; copy++) {
      checkpoint(device, copy);
    }
    assertThat(choose(device).winners()).containsExactly(0, 1, 2);
    for (int copy = 0; copy < 3; copy++) {
      long checkpoint =
          device.place(copy).offsetBytes() + device.placement().layout().checkpointOffsetBytes(1);
      device.disk(copy).flipBit(checkpoint + 200, 3);
    }
    assertThat(choose(device).decision()).isEqualTo(Decision.NEEDS_PERSON);
  }

  @Test
  void aWinnerWhoseTableIsDamagedIsReplacedByAnotherAtTheSameState() throws Exception {
    TestDevice device = device(1);
    AreaReading area = device.readings().get(0).best().orElseThrow();
    long checkpoint =
        device.place(0).offsetBytes()
            + device.placement().layout().checkpointOffsetBytes(area.seal().area());
    device.commit(ALL, new Change.Remapped(4, 0, 4, LostBits.NONE));
    device.writeAll();
    area = device.readings().get(0).best().orElseThrow();
    // The last part of the checkpoint, behind the header that every reader looks at.
    device.disk(0).flipBit(checkpoint + area.seal().checkpointBytes() - 4096 + 100, 1);
    OfflineDevice.Loaded loaded = device.load();
    assertThat(loaded.image()).isPresent();
    assertThat(loaded.verdict().findings().get(0).standing())
        .isEqualTo(CopyFinding.Standing.DAMAGED);
  }

  @Test
  void aCommitOnTwoCopiesOfWhichBothTablesAreDamagedWasNeverDurable() throws Exception {
    TestDevice device = device(1);
    Position before = choose(device).position().orElseThrow();
    device.commit(Set.of(0, 1), new Change.Remapped(9, 0, 9, LostBits.NONE));
    CopyVerdict verdict = chooseWithTablesDamaged(device, 0, 1);
    assertThat(verdict.decision()).isEqualTo(Decision.USABLE);
    assertThat(verdict.position()).contains(before);
    assertThat(verdict.winners()).containsExactly(2, 3, 4);
  }

  @Test
  void aCommitOnAMajorityWhoseTablesAreAllDamagedNeedsAPerson() throws Exception {
    TestDevice device = device(1);
    device.commit(Set.of(0, 1, 2), new Change.Remapped(9, 0, 9, LostBits.NONE));
    assertThat(chooseWithTablesDamaged(device, 0, 1, 2).decision())
        .isEqualTo(Decision.NEEDS_PERSON);
  }

  @Test
  void aCommitThatCannotBeLoadedAndThatAnUnreadableCopyMayHoldNeedsAPerson() throws Exception {
    TestDevice device = device(1);
    device.commit(Set.of(0, 1), new Change.Remapped(9, 0, 9, LostBits.NONE));
    device.disk(2).makeUnreadable(device.place(2).offsetBytes());
    assertThat(chooseWithTablesDamaged(device, 0, 1).decision()).isEqualTo(Decision.NEEDS_PERSON);
  }

  @Test
  void aCommitThatCannotBeLoadedAndThatAnAreaBehindAnUnreadableSealMayHoldNeedsAPerson()
      throws Exception {
    TestDevice device = device(1);
    device.commit(Set.of(0, 1), new Change.Remapped(9, 0, 9, LostBits.NONE));
    long seal = device.place(2).offsetBytes() + device.placement().layout().areaOffsetBytes(1);
    device.disk(2).makeUnreadable(seal);
    assertThat(chooseWithTablesDamaged(device, 0, 1).decision()).isEqualTo(Decision.NEEDS_PERSON);
  }

  @Test
  void aCommitThatCannotBeLoadedAndThatAnAreaBehindADamagedSealMayHoldNeedsAPerson()
      throws Exception {
    TestDevice device = device(1);
    device.commit(Set.of(0, 1), new Change.Remapped(9, 0, 9, LostBits.NONE));
    checkpoint(device, 2);
    assertThat(chooseWithTablesDamaged(device, 0, 1).decision()).isEqualTo(Decision.USABLE);
    long seal = device.place(2).offsetBytes() + device.placement().layout().areaOffsetBytes(1);
    device.disk(2).flipBit(seal + 80, 3);
    assertThat(chooseWithTablesDamaged(device, 0, 1).decision()).isEqualTo(Decision.NEEDS_PERSON);
  }

  /** Its rest on a copy would look like another host's start, and end this one. */
  @Test
  void theNextEpochIsAboveThatOfAStartThatWasNeverDurable() throws Exception {
    TestDevice device = device(1);
    Position before = choose(device).position().orElseThrow();
    Epoch voided = new Epoch(before.epoch().counter() + 1, 0xBAD);
    for (int copy : List.of(0, 1)) {
      device.append(
          copy,
          TestDevice.payload(
              new Position(voided, before.sequence() + 1),
              new Change.EpochRaised(voided, TestDevice.OWNER)));
    }
    CopyVerdict verdict = chooseWithTablesDamaged(device, 0, 1);
    assertThat(verdict.decision()).isEqualTo(Decision.USABLE);
    assertThat(verdict.position()).contains(before);
    assertThat(verdict.nextEpoch(7)).isEqualTo(new Epoch(voided.counter() + 1, 7));
  }

  private static CopyVerdict chooseWithTablesDamaged(TestDevice device, int... copies)
      throws Exception {
    List<CopyReading> readings = new ArrayList<>(device.readings());
    for (int copy : copies) {
      CopyReading whole = readings.get(copy);
      readings.set(copy, whole.damaged(whole.best().orElseThrow().seal().area(), "of a test"));
    }
    return CopyChoice.choose(readings, device.circumstances());
  }

  @Test
  void aSpareInServiceThatIsMissingNeedsAPerson() throws Exception {
    TestDevice device = device(2);
    CopyVerdict verdict =
        CopyChoice.choose(
            device.readings().stream()
                .filter(reading -> reading.spareId().equals(TestDevice.spareId(0)))
                .toList(),
            new CopyChoice.Circumstances(
                TestDevice.DEVICE,
                Set.of(TestDevice.spareId(0)),
                Optional.empty(),
                Optional.empty()));
    assertThat(verdict.decision()).isEqualTo(Decision.NEEDS_PERSON);
    assertThat(verdict.reasons().get(0)).contains("spare 1").contains("in service and not there");
  }

  @Test
  void anOlderStateThanTheCleanStopOfThisHostNeedsAPerson() throws Exception {
    TestDevice device = device(1);
    Position later = new Position(device.image.epoch(), device.image.position().sequence() + 5);
    CopyVerdict verdict =
        CopyChoice.choose(
            device.readings(),
            new CopyChoice.Circumstances(
                TestDevice.DEVICE,
                Set.of(TestDevice.spareId(0)),
                Optional.of(new CleanStop(TestDevice.DEVICE, later)),
                Optional.empty()));
    assertThat(verdict.decision()).isEqualTo(Decision.NEEDS_PERSON);
  }

  @Test
  void twoStartsThatDidNotKnowOfEachOtherContradict() throws Exception {
    TestDevice device = device(1);
    Position base = device.image.position();
    long sequence = base.sequence() + 1;
    for (int copy = 0; copy < 4; copy++) {
      Epoch epoch = new Epoch(2, copy < 2 ? 0xA : 0xB);
      device.append(
          copy,
          TestDevice.payload(
              new Position(epoch, sequence), new Change.EpochRaised(epoch, TestDevice.OWNER)));
    }
    assertThat(choose(device).decision()).isEqualTo(Decision.CONTRADICTION);
    Epoch epoch = new Epoch(2, 0xB);
    device.append(
        4,
        TestDevice.payload(
            new Position(epoch, sequence), new Change.EpochRaised(epoch, TestDevice.OWNER)));
    // Now one of them had a majority, so the other never acknowledged anything.
    assertThat(choose(device).decision()).isEqualTo(Decision.USABLE);
    assertThat(choose(device).position()).contains(new Position(epoch, sequence));
  }

  @Test
  void aNewerFormatOnOneCopyStopsEverything() throws Exception {
    TestDevice device = device(1);
    ByteBuffer superblock = OfflineDevice.superblock(device.image, device.place(3)).write();
    superblock.order(ByteOrder.LITTLE_ENDIAN).putShort(16, (short) 2);
    FormatFuzzer.reseal(superblock);
    device.disk(3).write(device.place(3).offsetBytes(), superblock);
    assertThat(choose(device).decision()).isEqualTo(Decision.NEWER_FORMAT);
    assertThat(choose(device).reasons().get(0)).contains("version 2");
  }

  @Test
  void aMisdirectedCopyIsRecognised() throws Exception {
    TestDevice device = device(1);
    ByteBuffer other = device.disk(0).read(device.place(0).offsetBytes(), 4096);
    device.disk(1).write(device.place(1).offsetBytes(), other);
    CopyVerdict verdict = choose(device);
    assertThat(verdict.decision()).isEqualTo(Decision.USABLE);
    assertThat(verdict.findings().get(1).standing()).isEqualTo(CopyFinding.Standing.FOREIGN);
  }

  @Test
  void nothingReadableIsNeverAFreshStart() throws Exception {
    TestDevice device = device(1);
    for (int copy = 0; copy < 5; copy++) {
      device.disk(copy).makeUnreadable(device.place(copy).offsetBytes());
    }
    OfflineDevice.Loaded loaded = device.load();
    assertThat(loaded.verdict().decision()).isEqualTo(Decision.NOTHING);
    assertThat(loaded.image()).isEmpty();
  }

  @Test
  void placesAreSpreadAndNeverNextToEachOther() {
    CopyLayout layout = new CopyLayout(64 * 1024, 64 * 1024);
    Placement placement =
        CopyPlacer.place(
                layout,
                5,
                List.of(
                    new CopyPlacer.Room(0, 1 << 30, SpareTable.lendable(0, 1 << 30)),
                    new CopyPlacer.Room(1, 1 << 30, SpareTable.lendable(1, 1 << 30))))
            .orElseThrow();
    assertThat(placement.places().stream().map(CopyPlace::spare)).containsExactly(0, 1, 0, 1, 0);
    List<Long> onFirst =
        placement.places().stream()
            .filter(place -> place.spare() == 0)
            .map(CopyPlace::offsetBytes)
            .toList();
    assertThat(onFirst.get(0)).isLessThan(300L << 20);
    assertThat(onFirst.get(2)).isGreaterThan(700L << 20);
  }

  @Test
  void theNewestOfThreeSpareTablesHoldsAndAForeignOneForbids() throws Exception {
    TestDisk disk = new TestDisk(64 << 20);
    SpareTable old = new SpareTable(TestDevice.spareId(0), 1, 64 << 20, List.of());
    SpareTable next =
        new SpareTable(
            TestDevice.spareId(0),
            2,
            64 << 20,
            List.of(new SpareTable.Lent(TestDevice.DEVICE, 1 << 20, 1 << 20, ExtentKind.DATA)));
    OfflineDevice.writeSpareTable(disk, old);
    disk.write(0, next.write(0));
    SpareTable.Choice choice = OfflineDevice.readSpareTable(disk);
    assertThat(choice.table()).contains(next);
    assertThat(choice.stale()).containsExactly(1, 2);
    SpareTable foreign = new SpareTable(TestDevice.spareId(1), 9, 64 << 20, List.of());
    disk.write(SpareTable.offsetBytes(2, 64 << 20), foreign.write(2));
    assertThat(OfflineDevice.readSpareTable(disk).table()).isEmpty();
  }
}
