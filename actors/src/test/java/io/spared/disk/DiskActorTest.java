package io.spared.disk;

import static io.spared.disk.DiskRig.ADDRESS;
import static io.spared.disk.DiskRig.CANDIDATES;
import static io.spared.disk.DiskRig.POLICY;
import static io.spared.disk.DiskRig.SECTOR;
import static io.spared.disk.DiskRig.SIZE_BYTES;
import static org.assertj.core.api.Assertions.assertThat;

import io.spared.disk.DiskReport.Health;
import io.spared.disk.DiskRig.Ask;
import io.spared.ffi.Errno;
import io.spared.ffi.disk.Disk;
import io.spared.ffi.disk.DiskAddress;
import io.spared.ffi.disk.DiskGeometry;
import io.spared.ffi.disk.DiskIdentity;
import io.spared.ffi.engine.DiskPort;
import io.spared.ffi.engine.Engine;
import io.spared.ffi.engine.IoRequest;
import io.spared.sim.SimDrive;
import io.spared.sim.SimDrive.Defect;
import java.time.Duration;
import java.util.ArrayList;
import java.util.List;
import java.util.Random;
import org.junit.jupiter.api.Test;

/** The actor as it runs, on a simulated ring, over a disk in every kind of trouble. */
class DiskActorTest {
  private static final Duration SOON = Duration.ofMillis(100);
  private static final long REGION = 64L << 20;

  private final DiskRig rig = new DiskRig(5);

  private void spoil(SimDrive drive, long offsetBytes) {
    drive.addDefect(offsetBytes / SECTOR, 1, Defect.UNREADABLE);
  }

  @Test
  void aDiskThatIsTheOneItWasAndReadsAKnownGoodSectorProvesItself() {
    for (int seed = 0; seed < 20; seed++) {
      DiskRig another = new DiskRig(seed);
      Ask ask = another.ask();
      another.run(SOON);
      assertThat(ask.answers).containsExactly(true);
      assertThat(ask.transfersAtAnswer).isGreaterThan(ask.transfersBefore);
      assertThat(another.looks).isEqualTo(1);
      assertThat(another.healths()).containsExactly(Health.AGEING);
      assertThat(another.process.buffersTaken()).isZero();
    }
  }

  @Test
  void aGoodSectorProvesNothingWhileTheIdentityIsNotSeen() {
    rig.looksHang = true;
    Ask ask = rig.ask();
    rig.run(SOON);
    assertThat(rig.drive.transfers()).isPositive();
    assertThat(ask.answers).isEmpty();
    rig.looksGoOn();
    rig.run(SOON);
    assertThat(ask.answers).containsExactly(true);
  }

  @Test
  void theIdentityProvesNothingWhileNoSectorIsRead() {
    for (long candidate : CANDIDATES) {
      spoil(rig.drive, candidate);
    }
    Ask ask = rig.ask();
    rig.run(SOON);
    assertThat(rig.looks).isEqualTo(1);
    assertThat(ask.answers).containsExactly(false);
    assertThat(rig.healths()).endsWith(Health.DOUBTFUL);
  }

  @Test
  void oneReadableSectorFarFromTheOthersIsEnough() {
    for (int good = 0; good < CANDIDATES.length; good++) {
      DiskRig another = new DiskRig(good);
      for (int bad = 0; bad < CANDIDATES.length; bad++) {
        if (bad != good) {
          spoil(another.drive, CANDIDATES[bad]);
        }
      }
      Ask ask = another.ask();
      another.run(SOON);
      assertThat(ask.answers).containsExactly(true);
    }
  }

  @Test
  void theSectorThatIsComplainedAboutIsNoProofOfItself() {
    for (int i = 1; i < CANDIDATES.length; i++) {
      spoil(rig.drive, CANDIDATES[i]);
    }
    Ask aboutIt = rig.ask(Errno.EIO, CANDIDATES[0]);
    rig.run(SOON);
    assertThat(aboutIt.answers).containsExactly(false);
    Ask aboutAnother = rig.ask();
    rig.run(SOON);
    assertThat(aboutAnother.answers).containsExactly(true);
  }

  @Test
  void anotherDiskInItsPlaceProvesNothingThoughTheOpenOneStillReads() {
    rig.opener.plug(ADDRESS, new SimDrive(rig.world, "other", SIZE_BYTES, SECTOR));
    Ask ask = rig.ask();
    rig.run(SOON);
    assertThat(ask.answers).containsExactly(false);
    assertThat(rig.healths()).containsExactly(Health.GONE);
    rig.opener.plug(ADDRESS, rig.drive);
    Ask later = rig.ask();
    rig.run(SOON);
    assertThat(later.answers).containsExactly(false);
  }

  @Test
  void aDiskThatDisappearedProvesNothingNotEvenWhenItIsPluggedInAgain() {
    for (int seed = 0; seed < 20; seed++) {
      DiskRig another = new DiskRig(seed);
      another.drive.disappear();
      Ask ask = another.ask();
      another.runForAProof();
      assertThat(ask.answers).as("seed %d", seed).containsExactly(false);
      another.drive.reappear();
      Ask again = another.ask();
      another.runForAProof();
      assertThat(again.answers).as("seed %d", seed).containsExactly(false);
    }
  }

  @Test
  void aDiskThatSomebodySawGoWhileItWasProvingItselfProvesNothing() {
    rig.looksHang = true;
    Ask ask = rig.ask();
    rig.run(SOON);
    rig.tell(new DiskCommand.Failed(IoRequest.Operation.WRITE, Errno.ENODEV, 0));
    rig.run(SOON);
    rig.looksGoOn();
    rig.run(SOON);
    assertThat(ask.answers).containsExactly(false);
    assertThat(rig.healths()).containsExactly(Health.GONE);
  }

  @Test
  void anIdentityThatCannotBeLookedAtProvesNothingAndIsLookedAtAgain() {
    rig.looksHang = true;
    Ask ask = rig.ask();
    rig.run(SOON);
    rig.hangingLooks.clear();
    rig.tell(new DiskCommand.IdentityLooked(1, DiskCommand.Finding.UNKNOWN, "too many open files"));
    rig.run(SOON);
    assertThat(ask.answers).containsExactly(false);
    assertThat(rig.healths()).containsExactly(Health.DOUBTFUL);
    rig.looksHang = false;
    rig.run(POLICY.recheck().multipliedBy(2));
    assertThat(rig.healths()).containsExactly(Health.DOUBTFUL, Health.WELL);
  }

  @Test
  void aReadingThatFailsOnTheWayToTheDiskProvesNothingThoughTheNextWouldSucceed() {
    int wayFailed = 0;
    for (int seed = 0; seed < 40; seed++) {
      DiskRig another = new DiskRig(seed);
      another.looksHang = true;
      another.drive.faults().transport = 1;
      Ask ask = another.ask();
      another.world.runUntil(() -> another.drive.transfers() == 1, SOON);
      another.drive.faults().transport = 0;
      another.run(SOON);
      another.looksGoOn();
      another.run(SOON);
      // A failure that looks like the medium's goes on to the next sector, any other does not.
      boolean wayOnly = another.drive.transfers() == 1;
      assertThat(ask.answers).as("seed %d", seed).containsExactly(!wayOnly);
      wayFailed += wayOnly ? 1 : 0;
    }
    assertThat(wayFailed).isBetween(10, 39);
  }

  @Test
  void aDiskThatHangsIsDisbelievedAtItsDeadlineAndBelievedAgainWhenItAnswers() {
    for (int seed = 0; seed < 20; seed++) {
      DiskRig another = new DiskRig(seed);
      another.drive.hang();
      Ask ask = another.ask();
      another.runForAProof();
      assertThat(ask.answers).containsExactly(false);
      assertThat(ask.answeredNanos - ask.askedNanos)
          .isBetween(
              POLICY.proofDeadline().toNanos(), POLICY.proofDeadline().plusSeconds(1).toNanos());
      assertThat(another.healths()).containsExactly(Health.DOUBTFUL);
      another.drive.resume();
      another.run(POLICY.recheck().multipliedBy(3));
      assertThat(another.healths()).containsExactly(Health.DOUBTFUL, Health.WELL);
      assertThat(another.process.buffersTaken()).isZero();
      assertThat(another.drive.inFlight()).isZero();
    }
  }

  @Test
  void aDiskThatHangsForeverIsAskedOnlySoOften() {
    rig.drive.hang();
    for (int i = 0; i < 100; i++) {
      rig.ask();
      rig.run(POLICY.proofDeadline().plusSeconds(1).multipliedBy(2).plusSeconds(1));
      assertThat(rig.drive.inFlight()).isLessThanOrEqualTo(4);
    }
    assertThat(rig.asks).allSatisfy(ask -> assertThat(ask.answers).containsExactly(false));
    assertThat(rig.process.buffersTaken()).isLessThanOrEqualTo(4);
    Ask last = rig.ask();
    rig.run(SOON);
    assertThat(last.answers).containsExactly(false);
  }

  @Test
  void openingADiskThatHangsKeepsOnlySoManyThreadsAndStillAnswersInTime() {
    rig.looksHang = true;
    for (int i = 0; i < 30; i++) {
      Ask ask = rig.ask();
      // A recheck of its own may be running before it.
      rig.run(POLICY.proofDeadline().plusSeconds(1).multipliedBy(2).plusSeconds(1));
      assertThat(ask.answers).containsExactly(false);
      assertThat(rig.hangingLooks).hasSizeLessThanOrEqualTo(4);
    }
    rig.looksGoOn();
    rig.run(POLICY.recheck().multipliedBy(2));
    Ask ask = rig.ask();
    rig.run(SOON);
    assertThat(ask.answers).containsExactly(true);
  }

  @Test
  void whoAsksWhileAProofRunsHasAProofOfHisOwnThatBeginsAfterHisError() {
    rig.looksHang = true;
    Ask first = rig.ask();
    rig.run(SOON);
    Ask second = rig.ask();
    rig.run(SOON);
    long transfers = rig.drive.transfers();
    rig.drive.disappear();
    // The first look was made before the disk went away, and returns only now.
    rig.looksHang = false;
    rig.hangingLooks.clear();
    rig.tell(new DiskCommand.IdentityLooked(1, DiskCommand.Finding.SAME, ""));
    rig.runForAProof();
    assertThat(first.answers).containsExactly(true);
    assertThat(second.answers).containsExactly(false);
    assertThat(rig.drive.transfers()).isGreaterThanOrEqualTo(transfers);
  }

  @Test
  void thoseWhoAskWhileAProofRunsShareTheNextOne() {
    List<Ask> asks = new ArrayList<>();
    for (int i = 0; i < 50; i++) {
      asks.add(rig.ask(Errno.EIO, (1 << 20) + i * (long) SECTOR));
    }
    rig.run(SOON);
    assertThat(asks).allSatisfy(ask -> assertThat(ask.answers).containsExactly(true));
    assertThat(rig.looks).isEqualTo(2);
    assertThat(rig.drive.transfers()).isEqualTo(2);
  }

  @Test
  void errorsInManyDistantPlacesProveNothingThoughTheDiskReads() {
    for (int i = 1; i <= POLICY.distantErrorsMax(); i++) {
      rig.tell(new DiskCommand.Failed(IoRequest.Operation.READ, Errno.EIO, i * REGION));
    }
    Ask ask = rig.ask();
    rig.run(SOON);
    assertThat(ask.answers).containsExactly(false);
    assertThat(rig.drive.transfers()).isZero();
    rig.run(POLICY.errorsWindow().plusSeconds(1));
    Ask later = rig.ask();
    rig.run(SOON);
    assertThat(later.answers).containsExactly(true);
  }

  @Test
  void aBurstOfDistantErrorsDisbelievesAlsoTheProofThatItsFirstErrorBegan() {
    List<Ask> asks = new ArrayList<>();
    rig.looksHang = true;
    for (int i = 1; i <= POLICY.distantErrorsMax(); i++) {
      asks.add(rig.ask(Errno.EIO, i * REGION));
    }
    rig.run(SOON);
    rig.looksGoOn();
    rig.run(SOON);
    assertThat(asks).allSatisfy(ask -> assertThat(ask.answers).containsExactly(false));
  }

  @Test
  void stopEndsAtOnceWithAHangingDiskAndAnswersWhoeverWaits() {
    for (int seed = 0; seed < 20; seed++) {
      DiskRig another = new DiskRig(seed);
      another.drive.hang();
      another.looksHang = seed % 2 == 0;
      Ask running = another.ask();
      another.run(SOON);
      Ask waiting = another.ask();
      another.tell(new DiskCommand.Stop());
      another.run(SOON);
      assertThat(another.ended).isTrue();
      assertThat(another.saidStopped()).isTrue();
      assertThat(running.answers).containsExactly(false);
      assertThat(waiting.answers).containsExactly(false);
      another.drive.resume();
      another.looksGoOn();
      another.runForAProof();
      assertThat(another.process.buffersTaken()).isZero();
      assertThat(another.drive.inFlight()).isZero();
      assertThat(running.answers).hasSize(1);
    }
  }

  @Test
  void itsPortGoesBackOnceHoweverItEnds() {
    for (boolean asked : new boolean[] {true, false}) {
      CountingDisk[] counting = new CountingDisk[1];
      DiskRig another = new DiskRig(1, disk -> counting[0] = new CountingDisk(disk));
      assertThat(counting[0].attached).isEqualTo(1);
      if (asked) {
        another.tell(new DiskCommand.Stop());
      } else {
        another.stopByOwner();
      }
      another.run(SOON);
      assertThat(another.ended).isTrue();
      assertThat(counting[0].detached).isEqualTo(1);
    }
  }

  @Test
  void whateverHappensEveryAskIsAnsweredOnceInTimeAndNeverWithYesByADiskThatWasNotThere() {
    int proved = 0;
    int notProved = 0;
    for (int seed = 0; seed < 80; seed++) {
      DiskRig another = new DiskRig(seed);
      Random random = new Random(seed);
      long silentSinceNanos = Long.MAX_VALUE;
      List<Ask> mustFail = new ArrayList<>();
      for (int step = 0; step < 40; step++) {
        switch (random.nextInt(12)) {
          case 0 -> another.drive.hang();
          case 1 -> another.drive.resume();
          case 2 -> another.drive.stall(Duration.ofSeconds(random.nextInt(20)).toNanos());
          case 3 -> spoil(another.drive, CANDIDATES[random.nextInt(CANDIDATES.length)]);
          case 4 -> another.looksHang = true;
          case 5 -> another.looksGoOn();
          case 6 -> another.drive.faults().transport = random.nextInt(3) == 0 ? 0.3 : 0;
          case 7 ->
              another.tell(
                  new DiskCommand.Failed(
                      IoRequest.Operation.READ, Errno.EIO, random.nextInt(64) * REGION));
          case 8 -> {
            if (step > 25 && random.nextInt(3) == 0) {
              another.drive.disappear();
              silentSinceNanos = Math.min(silentSinceNanos, another.world.nowNanos());
            }
          }
          default -> {
            Ask ask = another.ask(Errno.EIO, random.nextInt(64) * REGION + SECTOR);
            if (silentSinceNanos != Long.MAX_VALUE) {
              mustFail.add(ask);
            }
          }
        }
        another.run(Duration.ofMillis(random.nextInt(random.nextBoolean() ? 10 : 4000)));
      }
      boolean stops = random.nextBoolean();
      long stoppedNanos = another.world.nowNanos();
      if (stops) {
        another.tell(new DiskCommand.Stop());
      }
      another.run(Duration.ofSeconds(40));
      long latest = POLICY.proofDeadline().plusSeconds(1).multipliedBy(2).toNanos() + 10_000_000;
      for (Ask ask : another.asks) {
        assertThat(ask.answers).as("seed %d", seed).hasSize(1);
        assertThat(ask.answeredNanos - ask.askedNanos).as("seed %d", seed).isLessThan(latest);
        if (ask.answers.getFirst()) {
          proved++;
          assertThat(ask.transfersAtAnswer)
              .as("seed %d: a sector was read after the error", seed)
              .isGreaterThan(ask.transfersBefore);
        } else {
          notProved++;
        }
      }
      assertThat(mustFail)
          .as("seed %d: a disk that is away", seed)
          .allSatisfy(ask -> assertThat(ask.answers).containsExactly(false));
      if (stops) {
        assertThat(another.ended).isTrue();
        assertThat(another.asks)
            .as("seed %d", seed)
            .allSatisfy(ask ->
                assertThat(ask.answeredNanos)
                    .isLessThan(stoppedNanos + Duration.ofSeconds(1).toNanos()));
      }
      another.process.kill(List.of(another.drive));
    }
    assertThat(proved).isGreaterThan(100);
    assertThat(notProved).isGreaterThan(100);
  }

  /** Counts its ports. */
  private static final class CountingDisk implements Disk {
    private final Disk disk;
    int attached;
    int detached;

    CountingDisk(Disk disk) {
      this.disk = disk;
    }

    @Override
    public DiskAddress address() {
      return disk.address();
    }

    @Override
    public DiskGeometry geometry() {
      return disk.geometry();
    }

    @Override
    public DiskIdentity identity() {
      return disk.identity();
    }

    @Override
    public DiskPort attach(Engine engine) {
      attached++;
      DiskPort port = disk.attach(engine);
      return new DiskPort() {
        @Override
        public void submit(IoRequest request) {
          port.submit(request);
        }

        @Override
        public void cancel(IoRequest request) {
          port.cancel(request);
        }

        @Override
        public void detach() {
          detached++;
          port.detach();
        }

        @Override
        public void whenLeft(Runnable task) {
          port.whenLeft(task);
        }
      };
    }

    @Override
    public void close() {
      disk.close();
    }
  }
}
