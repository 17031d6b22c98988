package io.spared.scrub;

import static org.assertj.core.api.Assertions.assertThat;

import io.spared.disk.DiskNumber;
import io.spared.ffi.disk.Disk;
import io.spared.ffi.disk.DiskAddress;
import io.spared.ffi.disk.DiskException;
import io.spared.ffi.disk.DiskOpener;
import io.spared.format.Geometry;
import io.spared.remap.RemapTable;
import io.spared.scrub.ScrubberCommand.ScrubPlan;
import io.spared.sim.SimDrive;
import io.spared.sim.SimOpener;
import io.spared.sim.SimProcess;
import io.spared.sim.SimWorld;
import java.nio.file.Path;
import java.time.Duration;
import java.time.Instant;
import java.util.ArrayList;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import org.apache.pekko.actor.typed.ActorRef;
import org.apache.pekko.actor.typed.javadsl.Behaviors;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.Test;

/** The scrubber's actor in simulated time, over a simulated drive. */
class ScrubberTest {
  private static final long MIB = 1 << 20;
  private static final long DEVICE_BYTES = 64 * MIB;
  private static final Duration MONTH = Duration.ofDays(30);

  private final SimWorld world = new SimWorld(11);
  private final SimDrive drive = new SimDrive(world, "main", DEVICE_BYTES, 512);
  private final Geometry geometry = new Geometry(4096, 512, DEVICE_BYTES);
  private final List<ScrubberRequest> told = new ArrayList<>();
  private final List<ActorRef<ScrubberCommand>> scrubbers = new ArrayList<>();
  private SimProcess process = new SimProcess(world, 1);

  @AfterEach
  void end() {
    process.kill(List.of(drive));
  }

  private void start(ScrubPlan plan, long cursorBytes, Optional<Instant> began) {
    Scrubber.Setup setup =
        new Scrubber.Setup(
            world.world(),
            process.engine(0),
            geometry,
            new RemapTable(geometry),
            Map.of(DiskNumber.MAIN, open()),
            0,
            cursorBytes,
            began,
            plan,
            told::add);
    process.start(
        Behaviors.<Void>setup(context -> {
          scrubbers.add(
              context.spawn(Scrubber.create(setup), "scrubber", SimProcess.dispatcher(0)));
          return Behaviors.empty();
        }));
  }

  /** The daemon dies and another takes over with what was kept. */
  private void restart(ScrubPlan plan) {
    process.kill(List.of(drive));
    process = new SimProcess(world, 1);
    ScrubberRequest.SurfaceAt kept = last(ScrubberRequest.SurfaceAt.class);
    start(plan, kept.cursorBytes(), Optional.of(kept.began()));
  }

  private Disk open() {
    DiskAddress address = new DiskAddress.OfPath(Path.of("/dev/main"));
    try {
      return new SimOpener().plug(address, drive).open(address, DiskOpener.Mode.OWN);
    } catch (DiskException e) {
      throw new AssertionError(e);
    }
  }

  private static ScrubPlan plan(Duration period, long floor) {
    return new ScrubPlan(Duration.ofHours(1), true, period, floor, Duration.ofSeconds(30));
  }

  private <T extends ScrubberRequest> T last(Class<T> kind) {
    return all(kind).getLast();
  }

  private <T extends ScrubberRequest> List<T> all(Class<T> kind) {
    return told.stream().filter(kind::isInstance).map(kind::cast).toList();
  }

  private long readBytes() {
    return last(ScrubberRequest.Progress.class).progress().readBytes();
  }

  @Test
  void aDiskThatOthersKeepBusyIsStillScannedAtOneMebibyteASecond() {
    drive.faults().latencyMaxNanos = 200_000_000;
    // What the plan asks for is far more, so that it steps back from it.
    start(plan(Duration.ofSeconds(4), MIB), 0, Optional.empty());
    world.runFor(Duration.ofSeconds(10));
    long early = readBytes();
    world.runFor(Duration.ofSeconds(20));
    assertThat(readBytes() - early).isBetween(19 * MIB, 30 * MIB);
  }

  @Test
  void aQuietDiskIsScannedAsPlannedAndNotFaster() {
    start(plan(Duration.ofSeconds(16), MIB), 0, Optional.empty());
    world.runFor(Duration.ofSeconds(8));
    assertThat(readBytes()).isBetween(27 * MIB, 33 * MIB);
    world.runFor(Duration.ofSeconds(9));
    assertThat(all(ScrubberRequest.SurfaceDone.class)).hasSize(1);
  }

  @Test
  void aScanGoesOnWhereItWasWhenTheDaemonDied() {
    ScrubPlan plan = plan(Duration.ofMinutes(8), 1);
    start(plan, 0, Optional.empty());
    world.runFor(Duration.ofMinutes(5));
    ScrubberRequest.SurfaceAt kept = last(ScrubberRequest.SurfaceAt.class);
    assertThat(kept.cursorBytes()).isBetween(30 * MIB, 45 * MIB);
    told.clear();
    told.add(kept);
    long transfers = drive.transfers();
    restart(plan);
    assertThat(
            world.runUntil(
                () -> !all(ScrubberRequest.SurfaceDone.class).isEmpty(), Duration.ofMinutes(5)))
        .isTrue();
    assertThat((drive.transfers() - transfers) * SurfacePieces.PIECE_BYTES)
        .as("bytes read after the restart")
        .isLessThan(DEVICE_BYTES - kept.cursorBytes() + MIB);
  }

  @Test
  void aScanThatTakesTwiceItsTimeAlertsAlsoAcrossRestartsAndIsOverWhenItIsDone() {
    ScrubPlan slow = plan(Duration.ofMinutes(30), 1);
    start(slow, 0, Optional.empty());
    world.runFor(Duration.ofMinutes(10));
    assertThat(all(ScrubberRequest.Overdue.class)).isEmpty();
    ScrubPlan sooner = plan(Duration.ofMinutes(6), 1);
    restart(sooner);
    world.runFor(Duration.ofMinutes(1));
    assertThat(all(ScrubberRequest.Overdue.class)).isEmpty();
    drive.faults().latencyMaxNanos = 6_000_000_000L;
    world.runFor(Duration.ofMinutes(3));
    ScrubberRequest.Overdue late = last(ScrubberRequest.Overdue.class);
    assertThat(late.overdue()).isTrue();
    assertThat(late.sentence()).contains("has read ").contains("raise surface-floor");
    drive.faults().latencyMaxNanos = 200_000;
    world.runFor(Duration.ofMinutes(20));
    assertThat(all(ScrubberRequest.SurfaceDone.class)).isNotEmpty();
    assertThat(all(ScrubberRequest.Overdue.class).stream().anyMatch(o -> !o.overdue())).isTrue();
  }

  @Test
  void aDiskThatDoesNotAnswerAlertsAndIsTriedAgainAfterAnHour() {
    start(plan(MONTH, MIB), 0, Optional.empty());
    world.runFor(Duration.ofSeconds(5));
    drive.hang();
    world.runFor(Duration.ofSeconds(40));
    assertThat(last(ScrubberRequest.Overdue.class).overdue()).isTrue();
    assertThat(last(ScrubberRequest.Overdue.class).sentence()).contains("missed its deadline");
    drive.resume();
    world.runFor(Duration.ofMinutes(70));
    assertThat(last(ScrubberRequest.Overdue.class).overdue()).isFalse();
    assertThat(all(ScrubberRequest.SurfaceDone.class))
        .as(() -> told.subList(Math.max(0, told.size() - 5), told.size()).toString())
        .hasSize(1);
  }
}
