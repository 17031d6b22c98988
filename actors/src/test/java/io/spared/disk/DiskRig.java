package io.spared.disk;

import io.spared.ffi.Errno;
import io.spared.ffi.disk.Disk;
import io.spared.ffi.disk.DiskAddress;
import io.spared.ffi.disk.DiskException;
import io.spared.ffi.disk.DiskOpener;
import io.spared.sim.SimDrive;
import io.spared.sim.SimOpener;
import io.spared.sim.SimProcess;
import io.spared.sim.SimWorld;
import java.nio.file.Path;
import java.time.Duration;
import java.util.ArrayList;
import java.util.List;
import java.util.Objects;
import java.util.concurrent.Executor;
import org.apache.pekko.actor.typed.ActorRef;
import org.apache.pekko.actor.typed.DispatcherSelector;
import org.apache.pekko.actor.typed.Terminated;
import org.apache.pekko.actor.typed.javadsl.Behaviors;
import org.jspecify.annotations.Nullable;

/** The actor of a simulated disk on a simulated ring, with its guardian for an owner. */
final class DiskRig {
  static final DiskAddress ADDRESS = new DiskAddress.OfPath(Path.of("/dev/main"));
  static final int SECTOR = 512;
  static final long SIZE_BYTES = 4L << 30;
  static final DiskPolicy POLICY = DiskPolicy.DEFAULT;

  /** Where the actor looks for known-good sectors. */
  static final long[] CANDIDATES = {
    0, SIZE_BYTES / 2, SIZE_BYTES - SECTOR, SIZE_BYTES / 4, SIZE_BYTES / 4 * 3
  };

  /** One question and what was answered, and when. */
  final class Ask {
    final long askedNanos = world.nowNanos();
    final long transfersBefore = drive.transfers();
    final List<Boolean> answers = new ArrayList<>();
    long answeredNanos;
    long transfersAtAnswer;

    private void answered(boolean proved) {
      answers.add(proved);
      answeredNanos = world.nowNanos();
      transfersAtAnswer = drive.transfers();
    }
  }

  final SimWorld world;
  final SimDrive drive;
  final SimOpener opener = new SimOpener();
  final SimProcess process;
  final List<DiskReport> reports = new ArrayList<>();
  final List<Ask> asks = new ArrayList<>();

  /** Looks at the identity that wait in an open that does not return. */
  final List<Runnable> hangingLooks = new ArrayList<>();

  boolean looksHang;
  int looks;
  boolean ended;
  private @Nullable ActorRef<DiskCommand> actor;

  DiskRig(long seed) {
    this(seed, disk -> disk);
  }

  /** With something between the actor and the disk. */
  DiskRig(long seed, java.util.function.UnaryOperator<Disk> wrapped) {
    world = new SimWorld(seed);
    drive = new SimDrive(world, "main", SIZE_BYTES, SECTOR);
    opener.plug(ADDRESS, drive);
    process = new SimProcess(world, 1);
    Disk disk;
    try {
      disk = wrapped.apply(opener.open(ADDRESS, DiskOpener.Mode.OWN));
    } catch (DiskException e) {
      throw new AssertionError(e);
    }
    process.start(
        Behaviors.<Runnable>setup(context -> {
          Executor blocking =
              context
                  .getSystem()
                  .dispatchers()
                  .lookup(DispatcherSelector.fromConfig("spared.blocking"));
          ActorRef<DiskCommand> made =
              context.spawn(
                  DiskActor.create(
                      new DiskActor.Setup(
                          DiskNumber.MAIN,
                          disk,
                          process.engine(0),
                          POLICY,
                          IdentityProof.by(opener, disk),
                          task -> look(task, blocking),
                          reports::add)),
                  "disk",
                  SimProcess.dispatcher(0));
          actor = made;
          context.watch(made);
          stopsIt = () -> context.getSelf().tell(() -> context.stop(made));
          return Behaviors.receive(Runnable.class)
              .onAnyMessage(run -> {
                run.run();
                return Behaviors.same();
              })
              .onSignal(
                  Terminated.class,
                  signal -> {
                    ended = true;
                    return Behaviors.same();
                  })
              .build();
        }));
    world.runFor(Duration.ofMillis(1));
  }

  private Runnable stopsIt = () -> {};

  private void look(Runnable task, Executor blocking) {
    looks++;
    if (looksHang) {
      hangingLooks.add(task);
    } else {
      blocking.execute(task);
    }
  }

  void looksGoOn() {
    looksHang = false;
    hangingLooks.forEach(Runnable::run);
    hangingLooks.clear();
  }

  /** Its owner stops it without a word, as a device that fails does. */
  void stopByOwner() {
    stopsIt.run();
  }

  void tell(DiskCommand command) {
    Objects.requireNonNull(actor).tell(command);
  }

  Ask ask(Errno errno, long offsetBytes) {
    Ask ask = new Ask();
    asks.add(ask);
    tell(new DiskCommand.Prove(errno, offsetBytes, ask::answered));
    return ask;
  }

  /** Asked about a place that is no candidate. */
  Ask ask() {
    return ask(Errno.EIO, 1 << 20);
  }

  void run(Duration duration) {
    world.runFor(duration);
  }

  /** As long as any one proof may take. */
  void runForAProof() {
    run(POLICY.proofDeadline().plusSeconds(2));
  }

  List<DiskReport.Health> healths() {
    return reports.stream()
        .filter(DiskReport.HealthChanged.class::isInstance)
        .map(report -> ((DiskReport.HealthChanged) report).now())
        .toList();
  }

  boolean saidStopped() {
    return reports.contains(new DiskReport.Stopped(DiskNumber.MAIN));
  }
}
