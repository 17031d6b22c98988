package io.spared.queue;

import static io.spared.queue.QueueRig.BLOCK;
import static io.spared.queue.QueueRig.SECTOR;
import static org.assertj.core.api.Assertions.assertThat;

import io.spared.ffi.Errno;
import io.spared.ffi.disk.Disk;
import io.spared.queue.QueueRig.Client;
import io.spared.sim.SimDrive;
import io.spared.sim.SimDrive.Defect;
import org.jspecify.annotations.Nullable;
import org.junit.jupiter.api.Test;

/** What a queue does with writes while another disk is to take main's place. */
class MirrorTest {
  private static final int PER_BLOCK = BLOCK / SECTOR;

  private final QueueRig rig = new QueueRig(5);
  private final SimDrive next =
      new SimDrive(rig.world, "next", (long) QueueRig.BLOCKS * BLOCK, SECTOR);
  private final Disk nextDisk = QueueRig.open("next", next);
  private final WriteIntents intents = new WriteIntents((long) QueueRig.BLOCKS * BLOCK);
  private final Client client = rig.open();
  private long mirrors;

  @Test
  void aWriteIsCutAtTheCursorAndGoesToBothDisksBelowItAndToMainAboveIt() {
    intents.becameDurable(0, 1);
    mirror(nextDisk, 2, 2, 2);
    client.write(PER_BLOCK, 2 * PER_BLOCK, 7);
    rig.run();
    assertThat(client.completed).hasSize(1);
    assertThat(rig.holds(rig.main, BLOCK, 2 * PER_BLOCK, 7)).isTrue();
    assertThat(rig.holds(next, BLOCK, PER_BLOCK, 7)).isTrue();
    assertThat(rig.holds(next, 2L * BLOCK, PER_BLOCK, 0)).isTrue();
  }

  @Test
  void aWriteInTheWindowWaitsUntilItHasMovedAndThenGoesToBoth() {
    intents.becameDurable(0, 1);
    mirror(nextDisk, 2, 2, 4);
    client.write(2 * PER_BLOCK, PER_BLOCK, 7);
    rig.run();
    assertThat(client.completed).isEmpty();
    assertThat(rig.main.transfers()).isZero();
    mirror(nextDisk, 4, 4, 6);
    rig.run();
    assertThat(client.completed).hasSize(1);
    assertThat(rig.holds(rig.main, 2L * BLOCK, PER_BLOCK, 7)).isTrue();
    assertThat(rig.holds(next, 2L * BLOCK, PER_BLOCK, 7)).isTrue();
  }

  @Test
  void theWindowIsReachedOnlyWhenNoWriteIsInFlightInIt() {
    client.write(2 * PER_BLOCK, PER_BLOCK, 7);
    mirror(nextDisk, 2, 2, 4);
    assertThat(rig.reported(QueueReport.MirrorReached.class)).isEmpty();
    rig.run();
    assertThat(rig.reported(QueueReport.MirrorReached.class)).hasSize(1);
    assertThat(client.completed).hasSize(1);
  }

  @Test
  void theWindowIsNotReachedWhileTheKernelHoldsAnAbandonedWriteInIt() {
    rig.main.hang();
    client.write(2 * PER_BLOCK, PER_BLOCK, 7);
    rig.run(java.time.Duration.ofSeconds(40));
    assertThat(client.completed.getFirst().errno()).isEqualTo(Errno.ETIMEDOUT);
    mirror(nextDisk, 2, 2, 4);
    rig.run();
    assertThat(rig.reported(QueueReport.MirrorReached.class)).isEmpty();
    rig.main.resume();
    rig.run(java.time.Duration.ofSeconds(5));
    assertThat(rig.reported(QueueReport.MirrorReached.class)).hasSize(1);
  }

  @Test
  void aWriteBelowWaitsUntilItsRegionIsRecordedWhetherTheNewDiskIsThereOrNot() {
    for (Disk disk : new @Nullable Disk[] {null, nextDisk}) {
      mirror(disk, 8, 8, 8);
      rig.reports.clear();
      long before = rig.main.transfers();
      client.write(0, PER_BLOCK, 7);
      rig.run();
      assertThat(rig.main.transfers()).isEqualTo(before);
      assertThat(rig.reported(QueueReport.RecordWanted.class))
          .containsExactly(new QueueReport.RecordWanted(0, 0));
      client.queue.handle(new QueueCommand.Recorded(false));
      assertThat(client.completed.getLast().errno()).isEqualTo(Errno.EIO);
    }
    client.write(0, PER_BLOCK, 9);
    intents.becameDurable(0, 1);
    client.queue.handle(new QueueCommand.Recorded(true));
    rig.run();
    assertThat(client.completed.getLast().errno()).isNull();
    assertThat(rig.holds(next, 0, PER_BLOCK, 9)).isTrue();
  }

  @Test
  void aNewDiskThatFailsIsToldOfBeforeTheWriteEndsAndTheWriteSucceeds() {
    intents.becameDurable(0, 1);
    next.addDefect(3, 1, Defect.UNWRITABLE);
    mirror(nextDisk, 8, 8, 8);
    DeviceRequest write = client.write(0, PER_BLOCK, 7);
    rig.run();
    assertThat(client.isDone(write)).isTrue();
    assertThat(write.errno()).isNull();
    assertThat(rig.reported(QueueReport.MirrorFailed.class)).hasSize(1);
    long transfers = next.transfers();
    client.write(0, PER_BLOCK, 8);
    client.flush();
    rig.run();
    assertThat(client.completed).hasSize(3);
    assertThat(next.transfers()).isEqualTo(transfers);
  }

  @Test
  void aFlushCoversBothDisks() {
    intents.becameDurable(0, 1);
    mirror(nextDisk, 8, 8, 8);
    client.write(0, PER_BLOCK, 7);
    rig.run();
    client.flush();
    rig.run();
    assertThat(client.completed).hasSize(2);
    assertThat(next.peekDurable(0, 1)).containsExactly(7);
    assertThat(rig.main.peekDurable(0, 1)).containsExactly(7);
  }

  @Test
  void zeroesAreWrittenToBothAndADiscardBelowIsLeftOut() {
    intents.becameDurable(0, 1);
    rig.fill(rig.main, 0, 64 * PER_BLOCK, 5);
    rig.fill(next, 0, 64 * PER_BLOCK, 5);
    mirror(nextDisk, 64, 64, 64);
    DeviceRequest zeroes = client.request().writeZeroes(0, 40L * BLOCK, true);
    client.queue.submit(zeroes);
    rig.run();
    assertThat(zeroes.errno()).isNull();
    assertThat(rig.holds(rig.main, 0, 40 * PER_BLOCK, 0)).isTrue();
    assertThat(rig.holds(next, 0, 40 * PER_BLOCK, 0)).isTrue();
    DeviceRequest discard = client.request().discard(50L * BLOCK, BLOCK);
    client.queue.submit(discard);
    rig.run();
    assertThat(discard.errno()).isNull();
    assertThat(rig.holds(rig.main, 50L * BLOCK, PER_BLOCK, 5)).isTrue();
  }

  @Test
  void aWriteThatFailedOnMainIsNotTriedThereAgainOnceTheWindowHasItsBlock() {
    intents.becameDurable(0, 1);
    rig.main.addDefect(2 * PER_BLOCK, 1, Defect.UNWRITABLE);
    client.write(2 * PER_BLOCK, PER_BLOCK, 7);
    mirror(nextDisk, 2, 2, 4);
    rig.run();
    // The first try ended before the window was reached; the next would be inside it.
    assertThat(rig.main.transfers()).isEqualTo(1);
    assertThat(rig.reported(QueueReport.WriteWaits.class)).hasSize(1);
    assertThat(rig.reported(QueueReport.MirrorReached.class)).hasSize(1);
  }

  @Test
  void aWriteThatOverlapsOneOfAnyQueueWaitsUntilBothDisksHaveEndedThat() {
    intents.becameDurable(0, 1);
    Client other = rig.open();
    mirror(nextDisk, 8, 8, 8);
    mirror(other, nextDisk, 8, 8, 8);
    next.hang();
    client.write(0, PER_BLOCK, 7);
    rig.run();
    long transfers = rig.main.transfers();

    client.write(PER_BLOCK - 1, PER_BLOCK, 8);
    other.write(PER_BLOCK - 1, 1, 9);
    other.write(PER_BLOCK, 1, 6);
    rig.run();
    assertThat(rig.main.transfers()).as("the one beside it").isEqualTo(transfers + 1);
    next.resume();
    rig.run();
    assertThat(client.completed).hasSize(1);
    assertThat(rig.reported(QueueReport.OverlapEnded.class)).isNotEmpty();

    for (int i = 0; i < 2; i++) {
      other.queue.handle(new QueueCommand.OverlapEnded());
      client.queue.handle(new QueueCommand.OverlapEnded());
      rig.run();
    }
    assertThat(client.completed).hasSize(2);
    assertThat(other.completed).hasSize(2);
    assertThat(rig.main.peek(BLOCK - SECTOR, 2 * SECTOR))
        .isEqualTo(next.peek(BLOCK - SECTOR, 2 * SECTOR));
  }

  @Test
  void whenItIsOffAgainWritesGoToMainAlone() {
    intents.becameDurable(0, 1);
    mirror(nextDisk, 8, 4, 8);
    client.write(5 * PER_BLOCK, PER_BLOCK, 7);
    client.queue.handle(new QueueCommand.MirrorOff());
    rig.run();
    assertThat(client.completed).hasSize(1);
    assertThat(rig.holds(rig.main, 5L * BLOCK, PER_BLOCK, 7)).isTrue();
    assertThat(next.transfers()).isZero();
  }

  private void mirror(@Nullable Disk disk, long belowBlock, long fromBlock, long toBlock) {
    mirror(client, disk, belowBlock, fromBlock, toBlock);
  }

  private void mirror(
      Client of, @Nullable Disk disk, long belowBlock, long fromBlock, long toBlock) {
    of.queue.handle(
        new QueueCommand.SetMirror(
            new Mirror(
                ++mirrors, disk, belowBlock * BLOCK, fromBlock * BLOCK, toBlock * BLOCK, intents)));
  }
}
