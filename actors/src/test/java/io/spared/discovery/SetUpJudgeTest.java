package io.spared.discovery;

import static org.assertj.core.api.Assertions.assertThat;

import io.spared.discovery.Judgement.Decision;
import io.spared.format.Change;
import io.spared.format.CleanMark;
import io.spared.format.CleanStop;
import io.spared.format.Form;
import io.spared.format.Owner;
import io.spared.format.SpareState;
import java.util.List;
import java.util.Map;
import java.util.Set;
import java.util.UUID;
import org.junit.jupiter.api.Test;

class SetUpJudgeTest {
  private static final Owner OTHER_HOST = new Owner(new UUID(8, 8), "other-host");

  private final Shelf shelf = new Shelf();

  private Shelf.Made adopted() throws Exception {
    shelf.disk("sda", Shelf.MAIN_BYTES, "MAIN-1").disk("sdb", Shelf.SPARE_BYTES, "SPARE-1");
    return shelf.make("tank", Form.ADOPT, "sda", "sdb");
  }

  private Shelf.Made labelled() throws Exception {
    shelf.file("/d/main", Shelf.MAIN_BYTES).file("/d/spare", Shelf.SPARE_BYTES);
    return shelf.make("tank", Form.LABELLED, "/d/main", "/d/spare");
  }

  private static HostKnowledge having(
      Map<UUID, CleanStop> cleanStops, Map<UUID, Remembered> remembered, Set<UUID> active) {
    return new HostKnowledge(Shelf.HOST.hostId(), cleanStops, remembered, active, 90);
  }

  @Test
  void aSetUpWhoseDisksAllProveWhatTheyAreIsActivated() throws Exception {
    adopted();

    Judgement judgement = shelf.judge();

    assertThat(judgement.decision()).as(judgement.line()).isEqualTo(Decision.ACTIVATE);
    assertThat(judgement.score()).isGreaterThanOrEqualTo(90);
    SetUp setUp = judgement.setUp().orElseThrow();
    assertThat(setUp.main()).isEqualTo(Shelf.address("sda"));
    assertThat(setUp.spares()).containsExactly(Shelf.address("sdb"));
    assertThat(judgement.evidence())
        .extracting(Evidence::name)
        .contains("copies", "spares", "serial", "size");
  }

  @Test
  void disksWithoutMetadataAreNoSetUp() {
    shelf.disk("sda", Shelf.MAIN_BYTES, "A").disk("sdb", Shelf.SPARE_BYTES, "B");

    assertThat(SetUpJudge.judge(shelf.survey(), Shelf.knowledge())).isEmpty();
  }

  @Test
  void aSwappedCableChangesNamesAndNothingElse() throws Exception {
    shelf.disk("sda", Shelf.MAIN_BYTES, "MAIN-1").disk("sdb", Shelf.MAIN_BYTES, "OTHER");
    shelf.disk("sdc", Shelf.SPARE_BYTES, "SPARE-1");
    shelf.make("tank", Form.ADOPT, "sda", "sdc");
    shelf.swap("sda", "sdb");

    Judgement judgement = shelf.judge();

    assertThat(judgement.decision()).as(judgement.line()).isEqualTo(Decision.ACTIVATE);
    assertThat(judgement.setUp().orElseThrow().main()).isEqualTo(Shelf.address("sdb"));
  }

  @Test
  void aDiskOfTheRightSizeInTheRightPlaceThatIsAnotherIsNotMain() throws Exception {
    adopted();
    shelf.unplug("sda");
    shelf.disk("sda", Shelf.MAIN_BYTES, "STRANGER");

    Judgement judgement = shelf.judge();

    assertThat(judgement.decision()).isEqualTo(Decision.WAIT);
    assertThat(judgement.setUp()).isEmpty();
    assertThat(judgement.doubts()).anyMatch(doubt -> doubt.contains("STRANGER"));
  }

  @Test
  void aCopyOfTheSpareForbidsWhileBothAreThere() throws Exception {
    adopted();
    shelf.disk("sdc", Shelf.SPARE_BYTES, "SPARE-2");
    shelf.copyBytes("sdb", "sdc");

    Judgement judgement = shelf.judge();

    assertThat(judgement.decision()).isEqualTo(Decision.FORBIDDEN);
    assertThat(judgement.contradictions())
        .anyMatch(sentence -> sentence.contains("sdb") && sentence.contains("sdc"));
  }

  @Test
  void aCopyOfTheSpareOnAnotherDriveForbidsAlsoWithoutTheOriginal() throws Exception {
    adopted();
    shelf.disk("sdc", Shelf.SPARE_BYTES, "SPARE-2");
    shelf.copyBytes("sdb", "sdc");
    shelf.unplug("sdb");

    Judgement judgement = shelf.judge();

    assertThat(judgement.decision()).isEqualTo(Decision.FORBIDDEN);
    assertThat(judgement.contradictions()).anyMatch(sentence -> sentence.contains("SPARE-2"));
  }

  @Test
  void halfACloneWithOnlyMainCopiedLeavesTheOriginalAndNeverTakesTheCopy() throws Exception {
    adopted();
    shelf.disk("sdc", Shelf.MAIN_BYTES, "MAIN-2");
    shelf.copyBytes("sda", "sdc");

    Judgement both = shelf.judge();
    shelf.unplug("sda");
    Judgement copyAlone = shelf.judge();
    shelf.rename("sdc", "sda");
    Judgement copyInItsPlace = shelf.judge();

    assertThat(both.decision()).as(both.line()).isEqualTo(Decision.ACTIVATE);
    assertThat(both.setUp().orElseThrow().main()).isEqualTo(Shelf.address("sda"));
    assertThat(copyAlone.decision()).as(copyAlone.line()).isNotEqualTo(Decision.ACTIVATE);
    assertThat(copyInItsPlace.decision()).as(copyInItsPlace.line()).isEqualTo(Decision.WAIT);
    assertThat(copyInItsPlace.doubts()).anyMatch(doubt -> doubt.contains("MAIN-2"));
  }

  @Test
  void halfACloneOfFilesWithOnlyMainCopiedIsDecidedByTheirPlace() throws Exception {
    shelf.file("/d/main", Shelf.MAIN_BYTES).file("/d/spare", Shelf.SPARE_BYTES);
    shelf.make("tank", Form.ADOPT, "/d/main", "/d/spare");
    shelf.file("/d/copy", Shelf.MAIN_BYTES);
    shelf.copyBytes("/d/main", "/d/copy");

    Judgement both = shelf.judge();
    shelf.unplug("/d/main");
    Judgement copyAlone = shelf.judge();

    assertThat(both.decision()).as(both.line()).isEqualTo(Decision.ACTIVATE);
    assertThat(both.setUp().orElseThrow().main()).isEqualTo(Shelf.address("/d/main"));
    assertThat(copyAlone.decision()).as(copyAlone.line()).isEqualTo(Decision.WAIT);
    assertThat(copyAlone.setUp()).isEmpty();
  }

  @Test
  void twoDisksWithOneLabelForbid() throws Exception {
    labelled();
    shelf.file("/d/copy", Shelf.MAIN_BYTES);
    shelf.copyBytes("/d/main", "/d/copy");

    Judgement judgement = shelf.judge();

    assertThat(judgement.decision()).isEqualTo(Decision.FORBIDDEN);
    assertThat(judgement.contradictions()).anyMatch(sentence -> sentence.contains("/d/copy"));
  }

  @Test
  void aLabelAloneIsNotEnoughSinceItIsCopiedWithTheDisk() throws Exception {
    labelled();
    shelf.rename("/d/main", "/elsewhere/main");

    Judgement judgement = shelf.judge();

    assertThat(judgement.decision()).isEqualTo(Decision.WAIT);
    assertThat(judgement.score()).isBetween(70, 89);
  }

  @Test
  void aLabelledFileInItsPlaceIsActivated() throws Exception {
    labelled();

    assertThat(shelf.judge().decision()).isEqualTo(Decision.ACTIVATE);
  }

  @Test
  void aCopyOfTheWholeSetUpOnOtherDrivesForbids() throws Exception {
    adopted();
    shelf.disk("sdx", Shelf.MAIN_BYTES, "MAIN-2").disk("sdy", Shelf.SPARE_BYTES, "SPARE-2");
    shelf.copyBytes("sda", "sdx");
    shelf.copyBytes("sdb", "sdy");

    assertThat(shelf.judge().decision()).isEqualTo(Decision.FORBIDDEN);
  }

  @Test
  void aTruncatedMainForbids() throws Exception {
    adopted();
    shelf.truncate("sda", Shelf.MAIN_BYTES - (1 << 20));

    Judgement judgement = shelf.judge();

    assertThat(judgement.decision()).isEqualTo(Decision.FORBIDDEN);
    assertThat(judgement.contradictions()).anyMatch(sentence -> sentence.contains("truncated"));
  }

  @Test
  void aTruncatedSpareIsNotTakenForTheSpare() throws Exception {
    shelf.disk("sda", Shelf.MAIN_BYTES, "MAIN-1").disk("sdb", Shelf.SPARE_BYTES, "SPARE-1");
    shelf.disk("sdc", Shelf.SPARE_BYTES, "SPARE-2");
    shelf.make("tank", Form.ADOPT, "sda", "sdb", "sdc");
    shelf.truncate("sdb", Shelf.SPARE_BYTES - (8 << 20));

    Judgement judgement = shelf.judge();

    assertThat(judgement.decision()).isEqualTo(Decision.WAIT);
    assertThat(judgement.doubts()).anyMatch(doubt -> doubt.contains("truncated"));
  }

  @Test
  void aMissingSpareWaitsAndIsNamed() throws Exception {
    shelf.disk("sda", Shelf.MAIN_BYTES, "MAIN-1").disk("sdb", Shelf.SPARE_BYTES, "SPARE-1");
    shelf.disk("sdc", Shelf.SPARE_BYTES, "SPARE-2");
    shelf.make("tank", Form.ADOPT, "sda", "sdb", "sdc");
    shelf.unplug("sdc");

    Judgement judgement = shelf.judge();

    assertThat(judgement.decision()).isEqualTo(Decision.WAIT);
    assertThat(judgement.doubts()).anyMatch(doubt -> doubt.contains("sdc"));
  }

  @Test
  void aSpareThatWasGivenUpIsNotWaitedFor() throws Exception {
    shelf.disk("sda", Shelf.MAIN_BYTES, "MAIN-1").disk("sdb", Shelf.SPARE_BYTES, "SPARE-1");
    shelf.disk("sdc", Shelf.SPARE_BYTES, "SPARE-2");
    Shelf.Made made = shelf.make("tank", Form.ADOPT, "sda", "sdb", "sdc");
    shelf.change(made, new Change.SpareStateChanged(1, SpareState.LOST));
    shelf.unplug("sdc");

    Judgement judgement = shelf.judge();

    assertThat(judgement.setUp().orElseThrow().spares()).containsExactly(Shelf.address("sdb"));
    assertThat(judgement.doubts()).noneMatch(doubt -> doubt.contains("sdc"));
  }

  @Test
  void aSpareFromLastMonthIsOlderThanWhatThisHostHasRun() throws Exception {
    Shelf.Made made = adopted();
    shelf.disk("sdc", Shelf.SPARE_BYTES, "SPARE-1");
    shelf.copyBytes("sdb", "sdc");
    shelf.restart(made, Shelf.HOST);
    Remembered now = new Remembered(made.deviceId, made.image.position());
    shelf.unplug("sdb");
    shelf.rename("sdc", "sdb");

    Judgement judgement = shelf.judge(having(Map.of(), Map.of(made.deviceId, now), Set.of()));

    assertThat(judgement.decision()).isEqualTo(Decision.FORBIDDEN);
    assertThat(judgement.contradictions()).anyMatch(sentence -> sentence.contains("left behind"));
  }

  @Test
  void aSpareFromLastMonthBesideTheCurrentOneDoesNotWin() throws Exception {
    shelf.disk("sda", Shelf.MAIN_BYTES, "MAIN-1").disk("sdb", Shelf.SPARE_BYTES, "SPARE-1");
    shelf.disk("sdc", Shelf.SPARE_BYTES, "SPARE-2");
    Shelf.Made made = shelf.make("tank", Form.ADOPT, "sda", "sdb", "sdc");
    shelf.restart(made, Shelf.HOST);
    shelf.disk("sdz", Shelf.SPARE_BYTES, "SPARE-2");
    shelf.copyBytes("sdc", "sdz");
    shelf.change(made, new Change.NameChanged("renamed"));
    shelf.unplug("sdc");
    shelf.rename("sdz", "sdc");

    Judgement judgement = shelf.judge();

    assertThat(judgement.name()).isEqualTo("renamed");
    assertThat(judgement.evidence())
        .filteredOn(one -> one.name().equals("copies"))
        .allMatch(one -> one.points() < one.of());
  }

  @Test
  void twoHistoriesOfOneEpochForbid() throws Exception {
    shelf.disk("sda", Shelf.MAIN_BYTES, "MAIN-1").disk("sdb", Shelf.SPARE_BYTES, "SPARE-1");
    shelf.disk("sdc", Shelf.SPARE_BYTES, "SPARE-2");
    Shelf.Made made = shelf.make("tank", Form.ADOPT, "sda", "sdb", "sdc");
    shelf.restart(made, Shelf.HOST);
    shelf.destroyCopy(made, 4);
    for (int copy : List.of(1, 3)) {
      var epoch = new io.spared.format.Epoch(made.image.epoch().counter(), 0xDEAD);
      made.image.apply(
          new io.spared.format.Position(epoch, made.image.position().sequence()),
          List.of(new Change.EpochRaised(epoch, OTHER_HOST)));
      shelf.writeCopy(made, shelf.place(made, copy));
    }

    Judgement judgement = shelf.judge();

    assertThat(judgement.decision()).as(judgement.line()).isEqualTo(Decision.FORBIDDEN);
  }

  @Test
  void aDeviceThatAnotherHostHasNotStoppedIsNotTakenOver() throws Exception {
    Shelf.Made made = adopted();
    shelf.restart(made, OTHER_HOST);

    Judgement judgement = shelf.judge();

    assertThat(judgement.decision()).isEqualTo(Decision.FORBIDDEN);
    assertThat(judgement.contradictions()).anyMatch(sentence -> sentence.contains("other-host"));
  }

  @Test
  void aSetUpThatTwoHostsSeeIsStartedByOneOfThemAtATime() throws Exception {
    Shelf.Made made = adopted();
    shelf.restart(made, Shelf.HOST);
    HostKnowledge other = new HostKnowledge(OTHER_HOST.hostId(), Map.of(), Map.of(), Set.of(), 90);

    Judgement there = shelf.judge(other);
    shelf.change(made, new Change.CleanMarked(new CleanMark(Shelf.HOST.hostId(), 0, 5)));
    Judgement thereAfterwards = shelf.judge(other);
    Remembered before = new Remembered(made.deviceId, made.image.position());
    shelf.restart(made, OTHER_HOST);
    Judgement here = shelf.judge(having(Map.of(), Map.of(made.deviceId, before), Set.of()));

    assertThat(there.decision()).as(there.line()).isEqualTo(Decision.FORBIDDEN);
    assertThat(thereAfterwards.decision()).as(thereAfterwards.line()).isEqualTo(Decision.ACTIVATE);
    assertThat(here.decision()).as(here.line()).isEqualTo(Decision.FORBIDDEN);
    assertThat(here.contradictions())
        .anyMatch(sentence -> sentence.contains("other-host") && sentence.contains("epoch 3-"));
  }

  @Test
  void aSetUpThatAnotherHostMadeAndNeverStartedWaitsAndIsSpokenOfAsThat() throws Exception {
    adopted();
    HostKnowledge other = new HostKnowledge(OTHER_HOST.hostId(), Map.of(), Map.of(), Set.of(), 90);

    Judgement judgement = shelf.judge(other);

    assertThat(judgement.decision()).as(judgement.line()).isEqualTo(Decision.WAIT);
    assertThat(judgement.doubts())
        .singleElement()
        .asString()
        .contains("has never been started")
        .doesNotContain("has not stopped it");
  }

  @Test
  void aDeviceThatAnotherHostStoppedCleanlyMayMoveHere() throws Exception {
    Shelf.Made made = adopted();
    shelf.restart(made, OTHER_HOST);
    shelf.change(made, new Change.CleanMarked(new CleanMark(OTHER_HOST.hostId(), 0, 5)));

    assertThat(shelf.judge().decision()).isEqualTo(Decision.ACTIVATE);
  }

  @Test
  void aDeviceThatIsActiveAlreadyIsNotActivatedAgain() throws Exception {
    Shelf.Made made = adopted();

    Judgement judgement = shelf.judge(having(Map.of(), Map.of(), Set.of(made.deviceId)));

    assertThat(judgement.decision()).isEqualTo(Decision.ALREADY_ACTIVE);
  }

  @Test
  void aSetUpThatIsBeingAssembledIsNeitherStartedNorUnknown() throws Exception {
    Shelf.Made made = adopted();
    HostKnowledge assembling =
        new HostKnowledge(
            Shelf.HOST.hostId(),
            Map.of(),
            Map.of(),
            Set.of(),
            90,
            Map.of(Shelf.address("sda"), "tank", Shelf.address("sdb"), "tank"));

    Judgement healthy = shelf.judge(assembling);
    for (int copy = 0; copy < 5; copy++) {
      shelf.destroyCopy(made, copy);
    }
    Judgement halfWritten = shelf.judge(assembling);

    assertThat(healthy.decision()).as(healthy.line()).isEqualTo(Decision.BEING_ASSEMBLED);
    assertThat(halfWritten.decision()).as(halfWritten.line()).isEqualTo(Decision.BEING_ASSEMBLED);
    assertThat(halfWritten.name()).isEqualTo("tank");
    assertThat(shelf.judge().name()).as("nobody is at it").isEqualTo("unknown");
  }

  @Test
  void anotherSetUpOnTheSpareOfOneThatIsBeingAssembledIsJudgedForItself() throws Exception {
    adopted();
    shelf.disk("sdc", Shelf.MAIN_BYTES, "MAIN-2");
    shelf.make("other", Form.ADOPT, "sdc", "sdb");
    HostKnowledge assembling =
        new HostKnowledge(
            Shelf.HOST.hostId(),
            Map.of(),
            Map.of(),
            Set.of(),
            90,
            Map.of(Shelf.address("sda"), "tank", Shelf.address("sdb"), "tank"));

    List<Judgement> judgements = SetUpJudge.judge(shelf.survey(), assembling);

    assertThat(judgements)
        .extracting(Judgement::name, Judgement::decision)
        .containsExactly(
            org.assertj.core.groups.Tuple.tuple("other", Decision.ACTIVATE),
            org.assertj.core.groups.Tuple.tuple("tank", Decision.BEING_ASSEMBLED));
  }

  @Test
  void twoDestroyedCopiesLowerTheConfidenceAndOtherEvidenceMakesUpForIt() throws Exception {
    shelf.diskWithWwn("sda", Shelf.MAIN_BYTES, "MAIN-1").disk("sdb", Shelf.SPARE_BYTES, "S");
    Shelf.Made made = shelf.make("tank", Form.ADOPT, "sda", "sdb");
    int before = shelf.judge().score();
    shelf.destroyCopy(made, 0);
    shelf.destroyCopy(made, 3);

    Judgement judgement = shelf.judge();

    assertThat(judgement.score()).isEqualTo(before - 10);
    assertThat(judgement.decision()).as(judgement.line()).isEqualTo(Decision.ACTIVATE);
  }

  @Test
  void aDamagedCopyAndASerialNumberAloneWaitUnlessThisHostStoppedItThere() throws Exception {
    Shelf.Made made = adopted();
    shelf.destroyCopy(made, 2);
    Judgement alone = shelf.judge();
    assertThat(alone.decision()).as(alone.line()).isEqualTo(Decision.WAIT);
    CleanStop stop = new CleanStop(made.deviceId, made.image.position());

    Judgement judgement = shelf.judge(having(Map.of(made.deviceId, stop), Map.of(), Set.of()));

    assertThat(judgement.decision()).as(judgement.line()).isEqualTo(Decision.ACTIVATE);
  }

  @Test
  void threeDestroyedCopiesWaitForAPerson() throws Exception {
    Shelf.Made made = adopted();
    for (int copy : List.of(0, 1, 2)) {
      shelf.destroyCopy(made, copy);
    }

    Judgement judgement = shelf.judge();

    assertThat(judgement.decision()).isEqualTo(Decision.WAIT);
    assertThat(judgement.doubts()).isNotEmpty();
  }

  @Test
  void oneDiskCannotBeMainOfTwoDevices() throws Exception {
    shelf.disk("sda", Shelf.MAIN_BYTES, "MAIN-1").disk("sdb", Shelf.SPARE_BYTES, "SPARE-1");
    shelf.make("one", Form.ADOPT, "sda", "sdb");
    shelf.make("two", Form.ADOPT, "sda", "sdb");

    assertThat(SetUpJudge.judge(shelf.survey(), Shelf.knowledge()))
        .hasSize(2)
        .allMatch(judgement -> judgement.decision() == Decision.FORBIDDEN);
  }

  @Test
  void devicesThatShareASpareAreJudgedEachForItself() throws Exception {
    shelf.disk("sda", Shelf.MAIN_BYTES, "MAIN-1").disk("sdb", Shelf.MAIN_BYTES, "MAIN-2");
    shelf.disk("sdc", Shelf.SPARE_BYTES, "SPARE");
    shelf.make("one", Form.ADOPT, "sda", "sdc");
    shelf.make("two", Form.ADOPT, "sdb", "sdc");
    shelf.unplug("sdb");

    List<Judgement> judgements = SetUpJudge.judge(shelf.survey(), Shelf.knowledge());

    assertThat(judgements)
        .extracting(Judgement::decision)
        .containsExactly(Decision.ACTIVATE, Decision.WAIT);
  }
}
