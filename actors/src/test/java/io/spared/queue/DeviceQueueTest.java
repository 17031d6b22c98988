package io.spared.queue;

import static io.spared.queue.QueueRig.BLOCK;
import static io.spared.queue.QueueRig.SECTOR;
import static io.spared.queue.QueueRig.isFilled;
import static org.assertj.core.api.Assertions.assertThat;

import io.spared.disk.DiskNumber;
import io.spared.ffi.Errno;
import io.spared.queue.QueueRig.Client;
import io.spared.remap.Place;
import io.spared.sim.SimDrive.Defect;
import java.time.Duration;
import java.util.ArrayList;
import java.util.List;
import java.util.Objects;
import org.junit.jupiter.api.Test;

class DeviceQueueTest {
  private final QueueRig rig = new QueueRig(3);
  private final Client client = rig.open();

  private static final int PER_BLOCK = BLOCK / SECTOR;

  @Test
  void aWriteToACleanRangeIsOneRequestToMainAndIsReadBack() {
    DeviceRequest write = client.write(3, 40, 5);
    rig.run();
    assertThat(client.completed).containsExactly(write);
    assertThat(write.errno()).isNull();
    assertThat(rig.main.transfers()).isEqualTo(1);
    DeviceRequest read = client.read(3, 40);
    rig.run();
    assertThat(isFilled(read, 0, 40, 5)).isTrue();
  }

  @Test
  void aRequestIsCutAtEveryRemapBoundaryAndEachPartGoesToItsOwnPlace() {
    rig.move(1, 0, 100, 0);
    rig.move(2, 1, 7, 0);
    rig.move(4, 0, 3, 0);
    client.write(4, 40, 9);
    rig.run();
    assertThat(rig.holds(rig.main, 4 * SECTOR, 4, 9)).isTrue();
    assertThat(rig.holds(rig.spares.get(0), 100L * BLOCK, 8, 9)).isTrue();
    assertThat(rig.holds(rig.spares.get(1), 7L * BLOCK, 8, 9)).isTrue();
    assertThat(rig.holds(rig.main, 3L * BLOCK, 8, 9)).isTrue();
    assertThat(rig.holds(rig.spares.get(0), 3L * BLOCK, 8, 9)).isTrue();
    assertThat(rig.holds(rig.main, 5L * BLOCK, 4, 9)).isTrue();
    assertThat(rig.holds(rig.main, 1L * BLOCK, 16, 0)).isTrue();
    DeviceRequest read = client.read(4, 40);
    rig.run();
    assertThat(read.errno()).isNull();
    assertThat(isFilled(read, 0, 40, 9)).isTrue();
  }

  @Test
  void lostSectorsReadAsErrorsAtOnceAndTheOthersAreRead() {
    rig.move(1, 0, 5, 0b0000_1100);
    rig.fill(rig.spares.get(0), 5L * BLOCK, 2, 4);
    rig.fill(rig.spares.get(0), 5L * BLOCK + 4 * SECTOR, 4, 6);
    DeviceRequest read = client.read(6, 12);
    rig.run();
    assertThat(read.errno()).isEqualTo(Errno.EIO);
    assertThat(read.badRangeCount()).isEqualTo(1);
    assertThat(read.badOffsetBytes(0)).isEqualTo(10L * SECTOR);
    assertThat(read.badLengthBytes(0)).isEqualTo(2L * SECTOR);
    assertThat(isFilled(read, 2, 2, 4)).isTrue();
    assertThat(isFilled(read, 6, 4, 6)).isTrue();
    DeviceRequest onlyLost = client.read(10, 2);
    assertThat(client.isDone(onlyLost)).isTrue();
  }

  @Test
  void unreadableSectorsOfAPendingBlockAreErrorsWithoutAskingTheDisk() {
    rig.table.putPending(0, 0b1, 0);
    rig.table.publish();
    DeviceRequest read = client.read(0, 1);
    assertThat(client.isDone(read)).isTrue();
    assertThat(read.errno()).isEqualTo(Errno.EIO);
    assertThat(rig.main.transfers()).isZero();
    DeviceRequest rest = client.read(0, 3);
    rig.run();
    assertThat(rest.badRangeCount()).isEqualTo(1);
    assertThat(isFilled(rest, 1, 2, 0)).isTrue();
  }

  @Test
  void aWriteToAPendingBlockWaitsForTheRelocator() {
    rig.table.putPending(2, 0b1, 0);
    rig.table.publish();
    DeviceRequest write = client.write(18, 4, 6);
    rig.run();
    assertThat(client.completed).isEmpty();
    assertThat(rig.main.transfers()).isZero();
    WaitingWrite waits = rig.reported(QueueReport.WriteWaits.class).getFirst().write();
    assertThat(waits.block()).isEqualTo(2);
    assertThat(waits.firstSector()).isEqualTo(2);
    assertThat(waits.bytes()).hasSize(4 * SECTOR).containsOnly(6);
    assertThat(waits.failedPlace()).isEqualTo(Place.NONE);
    client.queue.handle(new QueueCommand.Relocated(waits.ticket(), null));
    assertThat(client.completed).containsExactly(write);
    assertThat(write.errno()).isNull();
  }

  @Test
  void aWriteThatCoversLostSectorsWaitsForTheRelocatorAndOneBesideThemDoesNot() {
    rig.move(0, 0, 5, 0b11);
    client.write(4, 4, 1);
    rig.run();
    assertThat(client.completed).hasSize(1);
    client.write(1, 2, 1);
    rig.run();
    assertThat(client.completed).hasSize(1);
    assertThat(rig.reported(QueueReport.WriteWaits.class)).hasSize(1);
    assertThat(rig.spares.get(0).peek(5L * BLOCK + SECTOR, 1)[0]).isZero();
  }

  @Test
  void aDiscardLeavesMovedAndPendingBlocksAlone() {
    rig.move(1, 0, 5, 0b1);
    rig.fill(rig.spares.get(0), 5L * BLOCK, 8, 4);
    rig.table.putPending(2, 1, 0);
    rig.table.publish();
    for (int block = 0; block < 4; block++) {
      rig.fill(rig.main, (long) block * BLOCK, 8, 8);
    }
    for (int i = 0; i < 20; i++) {
      client.queue.submit(client.request().discard(0, 4L * BLOCK));
    }
    rig.run();
    assertThat(client.completed).hasSize(20).allMatch(request -> request.errno() == null);
    assertThat(rig.holds(rig.spares.get(0), 5L * BLOCK, 8, 4)).isTrue();
    assertThat(rig.holds(rig.main, 2L * BLOCK, 8, 8)).isTrue();
    assertThat(client.read(8, 1).errno()).isEqualTo(Errno.EIO);
    assertThat(rig.table.remapCount()).isEqualTo(1);
  }

  @Test
  void writeZeroesIsAWriteThatMakesZeros() {
    rig.move(1, 0, 5, 0);
    rig.fill(rig.spares.get(0), 5L * BLOCK, 8, 4);
    rig.fill(rig.main, 0, 16, 8);
    client.queue.submit(client.request().writeZeroes(0, 2L * BLOCK, true));
    rig.run();
    assertThat(client.completed.getFirst().errno()).isNull();
    assertThat(rig.holds(rig.main, 0, 8, 0)).isTrue();
    assertThat(rig.holds(rig.spares.get(0), 5L * BLOCK, 8, 0)).isTrue();
  }

  @Test
  void aMediaFaultOnAWriteGivesExactlyItsBlockToTheRelocator() {
    rig.main.addDefect(2 * PER_BLOCK + 3, 1, Defect.DEAD);
    DeviceRequest write = client.write(4, 40, 7);
    answerProofs(true);
    assertThat(client.completed).isEmpty();
    List<QueueReport.WriteWaits> waiting = rig.reported(QueueReport.WriteWaits.class);
    assertThat(waiting).hasSize(1);
    WaitingWrite waits = waiting.getFirst().write();
    assertThat(waits.block()).isEqualTo(2);
    assertThat(waits.failedPlace()).isEqualTo(Place.MAIN);
    assertThat(waits.bytes()).hasSize(BLOCK).containsOnly(7);
    assertThat(rig.holds(rig.main, 4 * SECTOR, 12, 7)).isTrue();
    assertThat(rig.holds(rig.main, 3L * BLOCK, 20, 7)).isTrue();
    client.queue.handle(new QueueCommand.Relocated(waits.ticket(), Errno.ENOSPC));
    assertThat(write.errno()).isEqualTo(Errno.ENOSPC);
    assertThat(write.badOffsetBytes(0)).isEqualTo(2L * BLOCK);
    assertThat(write.badLengthBytes(0)).isEqualTo(BLOCK);
  }

  /** Runs, and answers each proof asked for meanwhile. */
  private void answerProofs(boolean proved) {
    for (int i = 0; i < 40; i++) {
      rig.run(Duration.ofMillis(5));
      List<QueueReport.DiskDoubted> doubted = rig.reported(QueueReport.DiskDoubted.class);
      rig.reports.removeIf(report -> report instanceof QueueReport.DiskDoubted);
      for (QueueReport.DiskDoubted doubt : doubted) {
        rig.clients
            .get(doubt.queueId())
            .queue
            .handle(new QueueCommand.DiskProof(doubt.disk(), proved));
      }
    }
  }

  @Test
  void anUnreadableSectorIsAnErrorForItselfAloneAndMakesItsBlockPending() {
    rig.fill(rig.main, 0, 64, 3);
    rig.main.addDefect(21, 2, Defect.UNREADABLE);
    DeviceRequest read = client.read(0, 64);
    answerProofs(true);
    assertThat(read.errno()).isEqualTo(Errno.EIO);
    assertThat(read.badRangeCount()).isEqualTo(1);
    assertThat(read.badOffsetBytes(0)).isEqualTo(21L * SECTOR);
    assertThat(read.badLengthBytes(0)).isEqualTo(2L * SECTOR);
    assertThat(isFilled(read, 0, 21, 3)).isTrue();
    assertThat(isFilled(read, 23, 41, 3)).isTrue();
    List<QueueReport.ReadFault> faults = rig.reported(QueueReport.ReadFault.class);
    assertThat(faults).hasSize(1);
    assertThat(faults.getFirst().block()).isEqualTo(2);
    assertThat(faults.getFirst().place()).isEqualTo(Place.MAIN);
    assertThat(faults.getFirst().unreadable().low()).isEqualTo(0b110_0000);
  }

  @Test
  void anErrorThatIsReportedNeverWaitsForTheRelocator() {
    rig.main.addDefect(3, 1, Defect.UNREADABLE);
    client.read(3, 1);
    answerProofs(true);
    assertThat(client.completed).hasSize(1);
  }

  @Test
  void aReadThatRetriesRecoveredIsReturnedAndItsBlockIsToBeMoved() {
    boolean recovered = false;
    for (int seed = 0; seed < 30 && !recovered; seed++) {
      QueueRig another = new QueueRig(seed);
      Client reader = another.open();
      another.fill(another.main, 0, 8, 3);
      another.main.faults().transientMedia = 0.5;
      DeviceRequest read = reader.read(0, 8);
      for (int i = 0; i < 20; i++) {
        another.run(Duration.ofMillis(5));
        another.main.faults().transientMedia = 0;
        for (QueueReport.DiskDoubted doubt : another.reported(QueueReport.DiskDoubted.class)) {
          reader.queue.handle(new QueueCommand.DiskProof(doubt.disk(), true));
        }
      }
      assertThat(read.errno()).isNull();
      assertThat(isFilled(read, 0, 8, 3)).isTrue();
      for (QueueReport.ReadFault fault : another.reported(QueueReport.ReadFault.class)) {
        assertThat(fault.unreadable().isEmpty()).isTrue();
        recovered = true;
      }
    }
    assertThat(recovered).isTrue();
  }

  @Test
  void anErrorOfADiskThatDoesNotProveItselfNeverMovesOrMarksAnything() {
    rig.main.faults().transport = 1;
    for (int round = 0; round < 20; round++) {
      DeviceRequest read = client.read(0, 8);
      DeviceRequest write = client.write(0, 8, 1);
      answerProofs(false);
      assertThat(client.completed).contains(read, write);
      assertThat(read.errno()).isNotNull();
      assertThat(write.errno()).isNotNull();
      client.completed.clear();
    }
    assertThat(rig.reported(QueueReport.ReadFault.class)).isEmpty();
    assertThat(rig.reported(QueueReport.WriteWaits.class)).isEmpty();
  }

  @Test
  void aFenceIsReachedOnceNoWriteOfTheQueueIsInFlightOnTheBlock() {
    rig.main.stall(Duration.ofSeconds(1).toNanos());
    client.write(9, 2, 1);
    client.write(40, 2, 1);
    client.queue.handle(new QueueCommand.Fence(1, 1));
    client.queue.handle(new QueueCommand.Fence(2, 2));
    assertThat(rig.reported(QueueReport.FenceReached.class))
        .containsExactly(new QueueReport.FenceReached(0, 2));
    rig.run(Duration.ofSeconds(2));
    assertThat(rig.reported(QueueReport.FenceReached.class)).hasSize(2);
  }

  @Test
  void atAFenceWritesAndDiscardsWaitReadsDoNotAndThenTheyGoToTheNewPlace() {
    client.queue.handle(new QueueCommand.Fence(1, 1));
    DeviceRequest write = client.write(4, 16, 9);
    DeviceRequest discard = client.request().discard(BLOCK, BLOCK);
    client.queue.submit(discard);
    DeviceRequest elsewhere = client.write(40, 1, 9);
    DeviceRequest read = client.read(8, 8);
    rig.run();
    assertThat(client.completed).containsExactlyInAnyOrder(elsewhere, read);
    rig.move(1, 0, 12, 0);
    client.queue.handle(new QueueCommand.LiftFence(1, 1));
    rig.run();
    assertThat(client.completed).contains(write, discard);
    assertThat(rig.holds(rig.spares.get(0), 12L * BLOCK, 8, 9)).isTrue();
    assertThat(rig.holds(rig.main, 1L * BLOCK, 8, 0)).isTrue();
    assertThat(rig.holds(rig.main, 2L * BLOCK, 4, 9)).isTrue();
  }

  @Test
  void aFailedWriteThatWaitsDoesNotHoldAFenceAndItsDataGoesToTheRelocator() {
    rig.main.addDefect(8, 1, Defect.UNWRITABLE);
    rig.main.addDefect(17, 1, Defect.UNWRITABLE);
    DeviceRequest write = client.write(8, 2, 5);
    DeviceRequest other = client.write(16, 2, 5);
    rig.run();
    client.queue.handle(new QueueCommand.Fence(1, 1));
    client.queue.handle(new QueueCommand.Fence(2, 2));
    assertThat(rig.reported(QueueReport.FenceReached.class)).hasSize(2);
    answerProofs(true);
    assertThat(rig.reported(QueueReport.WriteWaits.class))
        .extracting(waits -> waits.write().block())
        .containsExactlyInAnyOrder(1L, 2L);
    assertThat(client.completed).doesNotContain(write, other);
  }

  @Test
  void aBlockThatRefusesWritesFailsThemAndIsStillRead() {
    client.queue.handle(new QueueCommand.Fence(1, 1));
    DeviceRequest waited = client.write(8, 1, 5);
    client.queue.handle(new QueueCommand.RefuseAtFence(1, 1, Errno.EIO));
    assertThat(waited.errno()).isEqualTo(Errno.EIO);
    DeviceRequest across = client.write(4, 16, 6);
    DeviceRequest read = client.read(8, 8);
    rig.run();
    assertThat(across.errno()).isEqualTo(Errno.EIO);
    assertThat(across.badOffsetBytes(0)).isEqualTo(BLOCK);
    assertThat(across.badLengthBytes(0)).isEqualTo(BLOCK);
    assertThat(read.errno()).isNull();
    client.queue.handle(new QueueCommand.LiftFence(1, 1));
    DeviceRequest after = client.write(8, 1, 5);
    rig.run();
    assertThat(after.errno()).isNull();
  }

  @Test
  void aWriteThatIsNotAnsweredInTimeFailsAndNobodyWritesThereUntilTheKernelLetsGo() {
    int inDoubt = 0;
    for (int seed = 0; seed < 12; seed++) {
      QueueRig another = new QueueRig(seed);
      Client writer = another.open();
      Client other = another.open();
      another.main.hang();
      DeviceRequest write = writer.write(8, 4, 5);
      another.run(Duration.ofSeconds(31));
      assertThat(write.errno()).isEqualTo(Errno.ETIMEDOUT);
      if (another.reported(QueueReport.InDoubt.class).isEmpty()) {
        // Here the kernel took it back before the disk had it.
        continue;
      }
      inDoubt++;
      writer.queue.handle(new QueueCommand.Fence(1, 1));
      assertThat(another.reported(QueueReport.FenceReached.class)).isEmpty();
      assertThat(other.write(10, 4, 6).errno()).isEqualTo(Errno.ETIMEDOUT);
      another.main.resume();
      DeviceRequest beside = other.write(12, 4, 6);
      another.run(Duration.ofSeconds(1));
      assertThat(beside.errno()).isNull();
      assertThat(another.reported(QueueReport.DoubtEnded.class)).hasSize(1);
      assertThat(another.reported(QueueReport.FenceReached.class)).hasSize(1);
      DeviceRequest again = other.write(10, 4, 6);
      another.run();
      assertThat(again.errno()).isNull();
      assertThat(another.holds(another.main, 10L * SECTOR, 4, 6)).isTrue();
    }
    assertThat(inDoubt).isPositive();
  }

  @Test
  void aFlushMakesDurableWhatWasWrittenToEveryDiskOfTheDevice() {
    for (int seed = 0; seed < 30; seed++) {
      QueueRig another = new QueueRig(seed);
      Client writer = another.open();
      Client flusher = another.open();
      another.move(1, 0, 5, 0);
      another.move(2, 1, 6, 0);
      writer.write(0, 24, 7);
      another.run();
      DeviceRequest flush = flusher.flush();
      another.run();
      assertThat(flush.errno()).isNull();
      assertThat(flusher.completed).containsExactly(flush);
      another.main.powerCut();
      another.spares.forEach(spare -> spare.powerCut());
      assertThat(another.holds(another.main, 0, 8, 7)).isTrue();
      assertThat(another.holds(another.spares.get(0), 5L * BLOCK, 8, 7)).isTrue();
      assertThat(another.holds(another.spares.get(1), 6L * BLOCK, 8, 7)).isTrue();
    }
  }

  @Test
  void aFuaWriteIsDurableEverywhereItWentWithoutAFlush() {
    for (int seed = 0; seed < 30; seed++) {
      QueueRig another = new QueueRig(seed);
      Client writer = another.open();
      another.move(1, 0, 5, 0);
      writer.write(0, 16, 7, true);
      another.run();
      another.main.powerCut();
      another.spares.get(0).powerCut();
      assertThat(another.holds(another.main, 0, 8, 7)).isTrue();
      assertThat(another.holds(another.spares.get(0), 5L * BLOCK, 8, 7)).isTrue();
    }
  }

  @Test
  void afterAFailedFlushWritesAndFlushesOfEveryQueueFailAndReadsGoOn() {
    Client other = rig.open();
    rig.main.faults().flushFails = 1;
    DeviceRequest flush = client.flush();
    rig.run();
    assertThat(flush.errno()).isEqualTo(Errno.EIO);
    assertThat(rig.reported(QueueReport.FlushFailed.class)).hasSize(1);
    rig.main.faults().flushFails = 0;
    DeviceRequest again = other.flush();
    DeviceRequest write = other.write(0, 1, 1);
    DeviceRequest read = other.read(0, 1);
    rig.run();
    assertThat(again.errno()).isEqualTo(Errno.EIO);
    assertThat(write.errno()).isEqualTo(Errno.EIO);
    assertThat(read.errno()).isNull();
    assertThat(rig.holds(rig.main, 0, 1, 0)).isTrue();
  }

  @Test
  void aSpareThatWentAwayUnflushedFailsTheNextFlushAndOneThatWasFlushedDoesNot() {
    rig.move(1, 0, 5, 0);
    rig.move(2, 1, 5, 0);
    client.write(8, 16, 1);
    rig.run();
    client.flush();
    rig.run();
    client.queue.handle(new QueueCommand.SpareDetached(0));
    DeviceRequest well = client.flush();
    rig.run();
    assertThat(well.errno()).isNull();
    assertThat(client.read(8, 1).errno()).isEqualTo(Errno.EIO);
    client.write(16, 1, 1);
    rig.run();
    client.queue.handle(new QueueCommand.SpareDetached(1));
    DeviceRequest lost = client.flush();
    rig.run();
    assertThat(lost.errno()).isEqualTo(Errno.EIO);
  }

  @Test
  void mainThatWentAwayUnflushedHasFailedTheNextFlushAndOneThatWasFlushedHasNot() {
    client.write(8, 16, 1);
    rig.run();
    client.flush();
    rig.run();
    rig.main.disappear();
    DeviceRequest gone = client.read(8, 1);
    rig.run();
    assertThat(gone.errno()).isEqualTo(Errno.EIO);
    assertThat(rig.doubts.failedFlush()).isNull();
    rig.main.reappear();
    client.queue.handle(new QueueCommand.MainReplaced(QueueRig.open("main", rig.main)));
    client.write(8, 1, 2);
    rig.run();
    rig.main.disappear();
    gone = client.read(8, 1);
    rig.run();
    assertThat(gone.errno()).isEqualTo(Errno.EIO);
    assertThat(rig.doubts.failedFlush()).isEqualTo(Errno.ENODEV);
    rig.main.reappear();
    client.queue.handle(new QueueCommand.MainReplaced(QueueRig.open("main", rig.main)));
    DeviceRequest lost = client.flush();
    rig.run();
    assertThat(lost.errno()).isEqualTo(Errno.EIO);
  }

  @Test
  void aFrozenQueueFinishesWhatItBeganAndHoldsTheRest() {
    DeviceRequest begun = client.write(0, 1, 1);
    client.queue.handle(new QueueCommand.Freeze(9));
    DeviceRequest held = client.write(1, 1, 2);
    assertThat(rig.reported(QueueReport.Frozen.class)).isEmpty();
    rig.run();
    assertThat(client.completed).containsExactly(begun);
    assertThat(rig.reported(QueueReport.Frozen.class))
        .containsExactly(new QueueReport.Frozen(0, 9));
    client.queue.handle(new QueueCommand.Thaw());
    rig.run();
    assertThat(client.completed).containsExactly(begun, held);
  }

  @Test
  void requestsFromBeforeTheRelocatorKnowsTheQueueWait() {
    Client early = rig.new Client(QueuePolicy.DEFAULT);
    rig.clients.add(early);
    early.write(0, 1, 1);
    rig.run();
    assertThat(early.completed).isEmpty();
    early.queue.handle(new QueueCommand.Begin(List.of(new QueueCommand.Fence(4, 0))));
    early.write(100, 1, 1);
    rig.run();
    assertThat(early.completed).hasSize(1);
    assertThat(rig.reported(QueueReport.FenceReached.class)).hasSize(1);
    early.queue.handle(new QueueCommand.LiftFence(4, 0));
    rig.run();
    assertThat(early.completed).hasSize(2);
  }

  @Test
  void aDrainedQueueFinishesWhatItHasTakesNoMoreAndCloses() {
    DeviceRequest last = client.write(0, 1, 1);
    client.queue.handle(new QueueCommand.Drain());
    DeviceRequest late = client.write(1, 1, 1);
    assertThat(late.errno()).isEqualTo(Errno.ESHUTDOWN);
    rig.run();
    assertThat(last.errno()).isNull();
    assertThat(rig.reported(QueueReport.Drained.class)).hasSize(1);
    assertThat(client.closed).isTrue();
    assertThat(rig.table.oldestInUse()).isEqualTo(rig.table.version());
  }

  @Test
  void anAbandonedQueueEndsEveryRequestAtOnceAndClosesWhenTheKernelLetsGo() {
    rig.table.putPending(5, 1, 0);
    rig.table.publish();
    rig.main.hang();
    client.write(0, 4, 1);
    client.read(8, 4);
    client.write(40, 1, 1);
    client.queue.handle(new QueueCommand.Fence(1, 2));
    client.write(16, 1, 1);
    rig.run();
    client.queue.handle(new QueueCommand.Drain());
    rig.run();
    assertThat(client.completed).isEmpty();
    client.queue.handle(new QueueCommand.Abandon());
    assertThat(client.completed).hasSize(4).allMatch(request -> request.errno() == Errno.ESHUTDOWN);
    assertThat(rig.reported(QueueReport.Drained.class)).hasSize(1);
    assertThat(rig.doubts.isInDoubt(0, SECTOR)).isTrue();
    rig.main.resume();
    rig.run(Duration.ofSeconds(1));
    assertThat(client.closed).isTrue();
    assertThat(rig.doubts.inDoubtCount()).isZero();
    client.completed.forEach(request -> Objects.requireNonNull(request.buffer()).release());
    assertThat(client.engine.buffersTaken()).isZero();
  }

  @Test
  void requestsAndPartsAreBoundedAndNobodyIsForgotten() {
    QueuePolicy small = new QueuePolicy(Duration.ofSeconds(30), 2, 5, 2);
    Client bounded = rig.open(small);
    for (int block = 0; block < 20; block += 2) {
      rig.move(block, 0, 50 - block, 0);
    }
    List<DeviceRequest> taken = new ArrayList<>();
    for (int i = 0; i < 5; i++) {
      taken.add(bounded.write(0, 160, i));
    }
    assertThat(bounded.queue.newRequest()).isNull();
    assertThat(rig.main.inFlight() + rig.spares.get(0).inFlight()).isEqualTo(2);
    rig.run(Duration.ofSeconds(1));
    assertThat(bounded.completed).containsExactlyInAnyOrderElementsOf(taken);
    taken.forEach(bounded.queue::recycle);
    assertThat(bounded.queue.newRequest()).isNotNull();
  }

  @Test
  void theOldestVersionOfTheMapStaysInUseWhileAReadOfTheOldPlaceIsInFlight() {
    rig.move(1, 0, 5, 0);
    client.queue.handle(new QueueCommand.PublishVersion());
    long before = rig.table.version();
    rig.spares.get(0).stall(Duration.ofSeconds(1).toNanos());
    client.read(8, 1);
    rig.move(1, 1, 9, 0);
    client.queue.handle(new QueueCommand.PublishVersion());
    assertThat(rig.table.oldestInUse()).isEqualTo(before);
    rig.run(Duration.ofSeconds(2));
    client.queue.handle(new QueueCommand.PublishVersion());
    assertThat(rig.table.oldestInUse()).isEqualTo(rig.table.version());
  }

  @Test
  void whatIsNotWholeSectorsOfTheDeviceIsRefused() {
    DeviceRequest odd = client.request().discard(1, SECTOR);
    client.queue.submit(odd);
    assertThat(odd.errno()).isEqualTo(Errno.EINVAL);
    DeviceRequest beyond =
        client.request().writeZeroes(0, rig.geometry.deviceBytes() + SECTOR, false);
    client.queue.submit(beyond);
    assertThat(beyond.errno()).isEqualTo(Errno.EINVAL);
    DeviceRequest huge = client.request().discard(SECTOR, Long.MAX_VALUE & ~511L);
    client.queue.submit(huge);
    assertThat(huge.errno()).isEqualTo(Errno.EINVAL);
  }

  @Test
  void whatTheDriveCannotZeroByItselfIsZeroedByWriting() {
    QueueRig another = new QueueRig(4);
    another.spareDisks.put(0, new NoZeroesDisk(another.spareDisks.get(0)));
    Client writer = another.open();
    for (long block = 10; block < 40; block++) {
      another.move(block, 0, block, 0);
    }
    another.fill(another.spares.get(0), 10L * BLOCK, 240, 9);
    for (int round = 0; round < 2; round++) {
      another.fill(another.spares.get(0), 10L * BLOCK, 240, 9);
      DeviceRequest zero = writer.request().writeZeroes(10L * BLOCK + SECTOR, 29L * BLOCK, true);
      writer.queue.submit(zero);
      another.run(Duration.ofMillis(300));
      assertThat(writer.isDone(zero)).isTrue();
      assertThat(zero.errno()).isNull();
      another.spares.get(0).powerCut();
      assertThat(another.holds(another.spares.get(0), 10L * BLOCK + SECTOR, 29 * 8, 0)).isTrue();
      assertThat(another.holds(another.spares.get(0), 10L * BLOCK, 1, 9)).isTrue();
      another.spareDisks.put(0, another.spareDisks.get(0));
      break;
    }
    assertThat(another.reported(QueueReport.WriteWaits.class)).isEmpty();
    assertThat(DiskNumber.toString(DiskNumber.MAIN)).isEqualTo("main");
  }

  @Test
  void whatEndedIsCountedByOperationWithItsTimeAndItsErrors() {
    rig.move(1, 0, 5, 0b1);
    client.write(20, 4, 5);
    rig.run();
    client.read(20, 4);
    rig.run();
    client.read(8, 1);
    client.queue.submit(client.request().flush());
    rig.run();
    client.queue.handle(new QueueCommand.Count());
    QueueCounts counts = rig.reported(QueueReport.Counted.class).getLast().counts();
    assertThat(counts.operations().keySet())
        .containsExactlyInAnyOrder(
            DeviceRequest.Operation.READ,
            DeviceRequest.Operation.WRITE,
            DeviceRequest.Operation.FLUSH);
    QueueCounts.OperationCount reads =
        Objects.requireNonNull(counts.operations().get(DeviceRequest.Operation.READ));
    assertThat(reads.requests()).isEqualTo(2);
    assertThat(reads.bytes()).isEqualTo(5L * SECTOR);
    assertThat(reads.errors()).as("the lost sector").isEqualTo(1);
    assertThat(reads.latencies().total()).isEqualTo(2);
    assertThat(reads.latencies().sumNanos()).as("one was with a disk").isPositive();
    assertThat(counts.requests()).isEqualTo(4);
    assertThat(counts.errors()).isEqualTo(1);
    assertThat(counts.plus(counts).requests()).isEqualTo(8);
  }

  @Test
  void aQueueTellsOnceMoreWhatItDidBeforeItCloses() {
    client.write(0, 4, 5);
    rig.run();
    client.queue.handle(new QueueCommand.Drain());
    rig.run();
    assertThat(rig.reported(QueueReport.Counted.class)).hasSize(1);
    assertThat(rig.reported(QueueReport.Counted.class).getFirst().counts().requests()).isEqualTo(1);
    assertThat(rig.reported(QueueReport.Closed.class)).hasSize(1);
  }
}
