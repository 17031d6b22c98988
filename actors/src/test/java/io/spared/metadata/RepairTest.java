package io.spared.metadata;

import static org.assertj.core.api.Assertions.assertThat;

import io.spared.format.Change;
import io.spared.format.CleanStop;
import io.spared.format.CopyConsent;
import io.spared.format.LostBits;
import io.spared.format.SpareState;
import io.spared.format.TestDevice;
import io.spared.metadata.MetadataReply.CopyState;
import io.spared.metadata.MetadataReply.State;
import io.spared.sim.SimDrive;
import java.time.Duration;
import java.util.List;
import java.util.Optional;
import java.util.Set;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.ValueSource;

/** Damage while the device runs, and what becomes of it. */
class RepairTest {
  private static WriterHarness device(long seed, int spares) {
    WriterHarness device = new WriterHarness(seed, spares).created();
    for (int block = 0; block < 5; block++) {
      device.remap(block);
    }
    return device;
  }

  private static void scrub(WriterHarness device) {
    device.writer.scrub(device::reply);
    device.await(MetadataReply.Scrubbed.class);
  }

  private static void comesBackWhole(WriterHarness device) {
    device.until(device::isWhole);
    device.restart(true);
    assertThat(device.load()).isInstanceOf(MetadataReply.Loaded.class);
    assertThat(device.entries().remaps()).isEqualTo(device.acknowledged.remaps());
    assertThat(device.begin(2)).isInstanceOf(MetadataReply.Begun.class);
    device.until(device::isWhole);
  }

  @ParameterizedTest
  @ValueSource(ints = {1, 2, 3, 4, 5})
  void soManyCopiesDestroyedUnderLoadAreFiveOfFiveAgain(int count) {
    WriterHarness device = device(20 + count, 2);
    for (int copy = 0; copy < count; copy++) {
      device.destroy(copy);
    }
    device.writer.scrub(device::reply);
    for (int block = 100; block < 140; block++) {
      device.remap(block);
    }
    comesBackWhole(device);
  }

  @Test
  void corruptionAgainAndAgainIsRepairedAtTheAttemptsThatAreAllowed() {
    WriterHarness device = device(30, 2);
    long begin = device.world.nowNanos();
    for (int i = 0; i < 3; i++) {
      device.destroy(2);
      scrub(device);
      device.until(device::isWhole);
    }
    long elapsedSeconds = (device.world.nowNanos() - begin) / 1_000_000_000L;
    // After 1 s, 1 min and 10 min.
    assertThat(elapsedSeconds).isBetween(661L, 700L);
    device.destroy(2);
    scrub(device);
    device.runFor(Duration.ofMinutes(50));
    assertThat(device.isWhole()).isFalse();
    comesBackWhole(device);
  }

  @Test
  void aRepairThatFailsIsTriedAgainAndCounted() {
    WriterHarness device = device(31, 2);
    int spare = device.place(1).spare();
    device.destroy(1);
    scrub(device);
    long sector = device.place(1).offsetBytes() / 512;
    long sectors = device.layout.copyBytes() / 512;
    device.drives.get(spare).addDefect(sector, (int) sectors, SimDrive.Defect.DEAD);
    device.until(() -> device.events(MetadataEvent.RepairFailed.class).size() >= 3);
    List<MetadataEvent.RepairFailed> failures = device.events(MetadataEvent.RepairFailed.class);
    assertThat(failures.get(0).attempts()).isEqualTo(1);
    assertThat(failures.get(2).limitReached()).isTrue();
    device.drives.get(spare).clearDefects();
    comesBackWhole(device);
  }

  @Test
  void aRepairThatTheStopCutsShortIsRefusedAndNobodyIsFenced() {
    WriterHarness device = device(36, 2);
    device.destroy(1);
    scrub(device);
    device.drives.get(device.place(1).spare()).hang();
    device.writer.repair(device::reply);
    device.writer.stop(Duration.ofSeconds(1), device::reply);
    MetadataReply reply =
        device.awaitAny(MetadataReply.Repaired.class, MetadataReply.Refused.class);
    assertThat(reply).isInstanceOf(MetadataReply.Refused.class);
    assertThat(((MetadataReply.Refused) reply).reason()).isEqualTo(MetadataReply.Reason.NOT_READY);
  }

  /** What cannot be read now may be read at the next start, and may be all that its spare holds. */
  @Test
  void aRepairLeavesTheNewestAreaAloneThoughItsHeaderCannotBeRead() {
    WriterHarness device = device(35, 2);
    device.writer.checkpoint();
    device.until(() -> device.status().checkpoints() >= 5);
    SimDrive drive = device.drives.get(device.place(1).spare());
    long place = device.place(1).offsetBytes();
    long older = place + device.layout.checkpointOffsetBytes(0);
    long newest = place + device.layout.checkpointOffsetBytes(1);
    drive.addDefect(older / 512, 8, SimDrive.Defect.UNWRITABLE);
    drive.addDefect(newest / 512, 8, SimDrive.Defect.DEAD);
    scrub(device);
    device.until(() -> device.events(MetadataEvent.RepairFailed.class).size() >= 2);
    drive.clearDefects();
    device.restart(true);
    assertThat(device.load()).isInstanceOf(MetadataReply.Loaded.class);
    assertThat(device.status().copies().get(1).state()).isEqualTo(CopyState.IN_STEP);
  }

  @Test
  void nothingIsRepairedByItselfWhileThatIsSwitchedOff() {
    WriterHarness device = device(32, 2);
    device.writer.autoRepair(false);
    device.destroy(4);
    scrub(device);
    device.runFor(Duration.ofHours(2));
    assertThat(device.status().copies().get(4).state()).isEqualTo(CopyState.STALE);
    device.writer.repair(device::reply);
    assertThat(device.await(MetadataReply.Repaired.class))
        .isEqualTo(new MetadataReply.Repaired(5, 5, List.of()));
    device.destroy(4);
    scrub(device);
    device.writer.autoRepair(true);
    comesBackWhole(device);
  }

  @Test
  void aSpareLostDuringTheRepairOnItComesBackAndIsRepaired() {
    WriterHarness device = device(33, 2);
    device.destroy(1);
    scrub(device);
    device.until(() -> device.status().repairing());
    device.drives.get(1).disappear();
    device.writer.spareGone(1, "unplugged");
    device.runFor(Duration.ofSeconds(10));
    assertThat(device.status().state()).isEqualTo(State.NO_QUORUM);
    device.drives.get(1).reappear();
    device.writer.spareBack(1, device.port(1));
    comesBackWhole(device);
  }

  @Test
  void aSpareThatWasAwayForAMomentGoesOnWithoutBeingRewritten() {
    WriterHarness device = device(34, 2);
    device.drives.get(1).disappear();
    device.writer.spareGone(1, "unplugged");
    device.runFor(Duration.ofSeconds(1));
    List<Long> before =
        device.status().copies().stream().map(MetadataReply.CopyStatus::generation).toList();
    device.drives.get(1).reappear();
    device.writer.spareBack(1, device.port(1));
    device.until(device::isWhole);
    assertThat(device.status().copies().stream().map(MetadataReply.CopyStatus::generation).toList())
        .isEqualTo(before);
    comesBackWhole(device);
  }

  @Test
  void stoppingDuringARepairEndsAtOnceAndLosesNothing() {
    WriterHarness device = device(35, 2);
    device.destroy(1);
    scrub(device);
    device.until(() -> device.status().repairing());
    device.writer.stop(Duration.ofSeconds(2), device::reply);
    device.await(MetadataReply.Stopped.class);
    device.runFor(Duration.ofMinutes(1));
    assertThat(device.engine.buffersTaken()).isZero();
    device.restart(false);
    assertThat(device.load()).isInstanceOf(MetadataReply.Loaded.class);
    assertThat(device.begin(2)).isInstanceOf(MetadataReply.Begun.class);
    comesBackWholeAgain(device);
  }

  private static void comesBackWholeAgain(WriterHarness device) {
    device.until(device::isWhole);
    assertThat(device.entries().remaps()).isEqualTo(device.acknowledged.remaps());
  }

  @Test
  void aCopyWithAnAbandonedWriteTakesNothingUntilThatEnds() {
    WriterHarness device = device(36, 1);
    device.drives.get(0).hang();
    long id = device.commit(new Change.PendingSet(9, new LostBits(1, 0)));
    device.until(() -> device.replyTo(id).isPresent());
    assertThat(device.replyTo(id).orElseThrow()).isInstanceOf(MetadataReply.Indeterminate.class);
    long held = device.status().copies().stream().filter(c -> c.state() == CopyState.HELD).count();
    assertThat(held).isPositive();
    long submitted = device.engine.submitted();
    device.runFor(Duration.ofSeconds(20));
    assertThat(device.status().copies().stream().filter(c -> c.state() == CopyState.HELD).count())
        .isEqualTo(held);
    assertThat(device.engine.submitted() - submitted).isLessThanOrEqualTo(3 * (5 - held));
    device.drives.get(0).resume();
    comesBackWhole(device);
    assertThat(device.events(MetadataEvent.CommitResolved.class)).hasSize(1);
  }

  @Test
  void anotherSpareTableOnTheDiskStopsTheWriterInsteadOfARepair() {
    WriterHarness device = device(37, 1);
    byte[] foreign = new byte[4096];
    new io.spared.format.SpareTable(
            new java.util.UUID(9, 9), 1, WriterHarness.DISK_BYTES, List.of())
        .write(0)
        .get(0, foreign);
    device.drives.get(0).poke(0, foreign);
    for (int copy = 0; copy < 5; copy++) {
      device.destroy(copy);
    }
    scrub(device);
    device.until(() -> device.status().state() == State.FENCED);
    assertThat(device.events(MetadataEvent.Fenced.class).get(0).sentence())
        .contains("the table of spare");
  }

  @Test
  void aCommitThatWaitsCanBeTakenBack() {
    WriterHarness device = device(38, 1);
    long first = device.commit(new Change.PendingSet(50, new LostBits(1, 0)));
    long second = device.commit(new Change.PendingSet(51, new LostBits(1, 0)));
    device.writer.cancelCommit(second);
    device.until(() -> device.replyTo(first).isPresent());
    assertThat(device.replyTo(first).orElseThrow()).isInstanceOf(MetadataReply.Committed.class);
    assertThat(device.replyTo(second).orElseThrow()).isEqualTo(new MetadataReply.Cancelled(second));
    assertThat(device.entries().pending()).containsKey(50L).doesNotContainKey(51L);
  }

  @Test
  void oneSurvivorIsEnoughOnlyIfItEqualsTheCleanStopOfThisHost() {
    WriterHarness device = device(39, 1);
    device.runFor(Duration.ofSeconds(1));
    CleanStop stop = new CleanStop(TestDevice.DEVICE, device.status().position());
    for (int copy = 1; copy < 5; copy++) {
      device.destroy(copy);
    }
    device.restart(false);
    assertThat(device.load()).isInstanceOf(MetadataReply.NotLoaded.class);
    assertThat(device.load(Optional.of(stop), Optional.empty()))
        .isInstanceOf(MetadataReply.Loaded.class);
    assertThat(device.begin(2)).isInstanceOf(MetadataReply.Begun.class);
    comesBackWholeAgain(device);
  }

  @Test
  void aPersonMayStartWithoutALostSpareInNewPlaces() {
    WriterHarness device = device(40, 2);
    device.drives.get(0).disappear();
    device.restart(false);
    assertThat(device.load()).isInstanceOf(MetadataReply.NotLoaded.class);
    MetadataReply.NotLoaded refused = (MetadataReply.NotLoaded) device.load();
    CopyConsent consent = new CopyConsent(refused.verdict().position().orElseThrow(), Set.of(0));
    assertThat(device.load(Optional.empty(), Optional.of(consent)))
        .isInstanceOf(MetadataReply.Loaded.class);
    assertThat(
            device.beginPlaced(
                2, List.of(1), List.of(new Change.SpareStateChanged(0, SpareState.LOST))))
        .isInstanceOf(MetadataReply.Begun.class);
    comesBackWholeAgain(device);
    device.remap(77);
    device.restart(true);
    assertThat(device.load()).isInstanceOf(MetadataReply.Loaded.class);
    assertThat(device.entries().remaps()).isEqualTo(device.acknowledged.remaps());
  }
}
