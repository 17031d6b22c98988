package io.spared.metadata;

import static org.assertj.core.api.Assertions.assertThat;

import io.spared.format.Change;
import io.spared.format.DeviceImage;
import io.spared.format.Position;
import io.spared.metadata.MetadataReply.State;
import java.time.Duration;
import java.util.ArrayList;
import java.util.List;
import java.util.Objects;
import org.junit.jupiter.api.Test;

class WriterTest {
  @Test
  void whatWasCommittedIsThereAfterAPowerCut() {
    WriterHarness device = new WriterHarness(1, 2).created();
    for (int block = 0; block < 20; block++) {
      assertThat(device.remap(block)).isInstanceOf(MetadataReply.Committed.class);
    }
    device.restart(true);
    assertThat(device.load()).isInstanceOf(MetadataReply.Loaded.class);
    assertThat(device.entries().remaps()).isEqualTo(device.acknowledged.remaps());
    assertThat(device.begin(2)).isInstanceOf(MetadataReply.Begun.class);
    device.until(device::isWhole);
  }

  @Test
  void commitsAskedForTogetherShareRecords() {
    WriterHarness device = new WriterHarness(2, 1).created();
    long before = device.status().commits();
    List<Long> ids = new ArrayList<>();
    for (int i = 0; i < 100; i++) {
      ids.add(device.commit(new Change.PendingSet(i, new io.spared.format.LostBits(1, 0))));
    }
    device.until(() -> device.replyTo(ids.get(99)).isPresent());
    assertThat(ids).allSatisfy(id -> assertThat(device.answersTo(id)).isEqualTo(1));
    assertThat(device.status().commits() - before).isLessThanOrEqualTo(3);
  }

  @Test
  void logsAreReplacedByCheckpointsWhileCommitsGoOn() {
    WriterHarness device = new WriterHarness(3, 2).created();
    for (int block = 0; block < 200; block++) {
      assertThat(device.remap(block % 50)).isInstanceOf(MetadataReply.Committed.class);
    }
    assertThat(device.status().checkpoints()).isGreaterThan(20);
    device.restart(true);
    assertThat(device.load()).isInstanceOf(MetadataReply.Loaded.class);
    assertThat(device.entries().remaps()).isEqualTo(device.acknowledged.remaps());
  }

  @Test
  void copiesDestroyedAtRestAreRepairedAfterTheStart() {
    WriterHarness device = new WriterHarness(4, 2).created();
    for (int block = 0; block < 10; block++) {
      device.remap(block);
    }
    device.destroy(0);
    device.destroy(3);
    device.restart(false);
    assertThat(device.load()).isInstanceOf(MetadataReply.Loaded.class);
    assertThat(device.begin(2)).isInstanceOf(MetadataReply.Begun.class);
    assertThat(device.status().healthy()).isEqualTo(3);
    device.until(device::isWhole);
    assertThat(device.entries().remaps()).isEqualTo(device.acknowledged.remaps());
  }

  @Test
  void threeCopiesDestroyedAtRestWaitForAPerson() {
    WriterHarness device = new WriterHarness(5, 1).created();
    device.remap(1);
    device.destroy(0);
    device.destroy(1);
    device.destroy(2);
    device.restart(false);
    assertThat(device.load()).isInstanceOf(MetadataReply.NotLoaded.class);
  }

  @Test
  void everyCopyDestroyedWhileRunningIsWrittenAgainFromMemory() {
    WriterHarness device = new WriterHarness(6, 2).created();
    for (int block = 0; block < 10; block++) {
      device.remap(block);
    }
    for (int copy = 0; copy < 5; copy++) {
      device.destroy(copy);
    }
    device.writer.scrub(device::reply);
    device.await(MetadataReply.Scrubbed.class);
    assertThat(device.events(MetadataEvent.QuorumLost.class)).hasSize(1);
    device.until(device::isWhole);
    assertThat(device.events(MetadataEvent.QuorumRestored.class)).isNotEmpty();
    device.remap(11);
    device.restart(true);
    assertThat(device.load()).isInstanceOf(MetadataReply.Loaded.class);
    assertThat(device.entries().remaps()).isEqualTo(device.acknowledged.remaps());
  }

  @Test
  void aHangingSpareMakesCommitsIndeterminateAndTheyHoldOnceItAnswers() {
    WriterHarness device = new WriterHarness(7, 2).created();
    device.remap(1);
    device.drives.get(1).hang();
    MetadataReply reply = device.remap(2);
    assertThat(reply).isInstanceOf(MetadataReply.Indeterminate.class);
    assertThat(device.status().state()).isEqualTo(State.NO_QUORUM);
    assertThat(device.remap(3)).isInstanceOf(MetadataReply.Refused.class);
    device.drives.get(1).resume();
    device.until(() -> device.status().state() == State.READY);
    assertThat(device.events(MetadataEvent.CommitResolved.class)).hasSize(1);
    device.until(device::isWhole);
    assertThat(device.remap(3)).isInstanceOf(MetadataReply.Committed.class);
    device.restart(true);
    device.load();
    assertThat(device.entries().remaps()).isEqualTo(device.acknowledged.remaps());
  }

  @Test
  void ofSeveralCommitsInOneRecordOnlyTheLastMovesTheImageToIt() {
    WriterHarness device = new WriterHarness(12, 2).created();
    long alone = device.commit(new Change.PendingCleared(1));
    long first = device.commit(new Change.PendingCleared(2));
    long last = device.commit(new Change.PendingCleared(3));
    device.until(() -> device.replyTo(last).isPresent());
    Position before = committedAt(device, alone);
    assertThat(committedAt(device, first)).isEqualTo(before);
    assertThat(committedAt(device, last).sequence()).isEqualTo(before.sequence() + 1);
  }

  private static Position committedAt(WriterHarness device, long id) {
    return ((MetadataReply.Committed) device.replyTo(id).orElseThrow()).position();
  }

  @Test
  void stoppingEndsWithinItsDeadlineWhateverDisksDo() {
    WriterHarness device = new WriterHarness(8, 2).created();
    device.drives.get(0).hang();
    device.drives.get(1).hang();
    long id = device.commit(new Change.PendingCleared(1));
    device.runFor(Duration.ofMillis(10));
    long before = device.world.nowNanos();
    device.writer.stop(Duration.ofSeconds(2), device::reply);
    device.await(MetadataReply.Stopped.class);
    assertThat(device.world.nowNanos() - before).isLessThanOrEqualTo(2_100_000_000L);
    assertThat(device.answersTo(id)).isEqualTo(1);
    assertThat(device.replyTo(id).orElseThrow()).isInstanceOf(MetadataReply.Indeterminate.class);
    device.drives.forEach(io.spared.sim.SimDrive::resume);
    device.runUntil(() -> false, Duration.ofMinutes(1));
    assertThat(device.engine.buffersTaken()).isZero();
  }

  @Test
  void aSpareThatIsLostIsReplacedByPlacesOnTheOthers() {
    WriterHarness device = new WriterHarness(9, 2).created();
    device.remap(1);
    device.drives.get(1).disappear();
    device.writer.spareGone(1, "unplugged");
    assertThat(device.remap(2)).isInstanceOf(MetadataReply.Refused.class);
    List<Change> changes =
        List.of(new Change.SpareStateChanged(1, io.spared.format.SpareState.LOST));
    MetadataReply reply = device.placed(List.of(0), changes);
    assertThat(reply).isInstanceOf(MetadataReply.Committed.class);
    assertThat(device.remap(2)).isInstanceOf(MetadataReply.Committed.class);
    device.until(device::isWhole);
    device.restart(true);
    assertThat(device.load()).isInstanceOf(MetadataReply.Loaded.class);
    assertThat(device.entries().remaps()).isEqualTo(device.acknowledged.remaps());
    assertThat(device.begin(2)).isInstanceOf(MetadataReply.Begun.class);
  }

  @Test
  void aCommitThatWaitsForCopiesThatCannotBePlacedIsRefused() {
    WriterHarness device = new WriterHarness(11, 2).created();
    long placing = device.place(List.of(1, 0), List.of());
    device.drives.get(1).disappear();
    long waits = device.commit(new Change.PendingCleared(1));
    assertThat(device.replyTo(waits)).isEmpty();
    device.runFor(Duration.ofSeconds(6));
    assertThat(device.replyTo(placing)).get().isInstanceOf(MetadataReply.Indeterminate.class);
    assertThat(device.replyTo(waits)).get().isInstanceOf(MetadataReply.Refused.class);
    assertThat(device.events(MetadataEvent.QuorumLost.class)).hasSize(1);
  }

  @Test
  void aCommitDoesNotWaitForCopiesThatArePlacedForEver() {
    WriterHarness device = new WriterHarness(12, 2).created();
    device.drives.get(1).hang();
    device.place(List.of(1, 0), List.of());
    device.runFor(Duration.ofMillis(10));
    long waits = device.commit(new Change.PendingCleared(1));
    device.runFor(Duration.ofSeconds(6));
    assertThat(device.replyTo(waits)).get().isInstanceOf(MetadataReply.Refused.class);
  }

  @Test
  void aNewerEpochOnACopyStopsTheWriter() {
    assertThat(isFencedByANewerEpoch(new WriterRules())).isTrue();
  }

  /** A start elsewhere takes the device over while this writer is paused; then it goes on. */
  static boolean isFencedByANewerEpoch(WriterRules rules) {
    WriterHarness device = new WriterHarness(10, 1, WriterHarness.LAYOUT, rules).created();
    device.remap(1);
    Writer paused = device.writer;
    DeviceImage imageOfPaused = Objects.requireNonNull(device.image);
    device.restartWithoutClosing();
    device.load();
    device.begin(2);
    device.remap(2);
    device.image = imageOfPaused;
    paused.scrub(device::reply);
    device.resume(paused);
    device.runFor(Duration.ofMinutes(1));
    return paused.state() == State.FENCED
        && !device.events(MetadataEvent.Fenced.class).isEmpty()
        && device.refusedBy(paused).isPresent();
  }
}
