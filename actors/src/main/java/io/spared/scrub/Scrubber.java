package io.spared.scrub;

import io.spared.disk.ErrorPolicy;
import io.spared.ffi.Errno;
import io.spared.ffi.disk.Disk;
import io.spared.ffi.engine.Completions;
import io.spared.ffi.engine.DiskPort;
import io.spared.ffi.engine.Engine;
import io.spared.ffi.engine.IoBuffer;
import io.spared.ffi.engine.IoRequest;
import io.spared.ffi.world.World;
import io.spared.format.Geometry;
import io.spared.remap.RemapTable;
import java.time.Duration;
import java.time.Instant;
import java.util.HashMap;
import java.util.Map;
import java.util.Optional;
import java.util.concurrent.CompletableFuture;
import java.util.function.Consumer;
import org.apache.pekko.Done;
import org.apache.pekko.actor.typed.ActorRef;
import org.apache.pekko.actor.typed.Behavior;
import org.apache.pekko.actor.typed.PostStop;
import org.apache.pekko.actor.typed.javadsl.AbstractBehavior;
import org.apache.pekko.actor.typed.javadsl.ActorContext;
import org.apache.pekko.actor.typed.javadsl.Behaviors;
import org.apache.pekko.actor.typed.javadsl.Receive;
import org.apache.pekko.actor.typed.javadsl.TimerScheduler;
import org.apache.pekko.stream.KillSwitches;
import org.apache.pekko.stream.Materializer;
import org.apache.pekko.stream.UniqueKillSwitch;
import org.apache.pekko.stream.javadsl.Keep;
import org.apache.pekko.stream.javadsl.Sink;
import org.apache.pekko.stream.javadsl.Source;
import org.jspecify.annotations.Nullable;

/**
 * Looks for damage before it matters: asks for the metadata to be scrubbed when that is due, and
 * reads the surface of main and of used slots. It changes nothing itself: what it finds it tells
 * the device, whose relocator moves blocks and marks them pending.
 *
 * <p>The scan is a flow of pieces, one in flight, whose reading is this actor's, on the device's
 * ring. It never has more than one request at a disk, steps back when the disk is busy ({@link
 * ScanPace}), and gives a disk up for an hour when a read misses its deadline.
 *
 * <p>A crash of it costs progress since the last cursor that was kept; it is started again.
 */
public final class Scrubber extends AbstractBehavior<ScrubberCommand> {
  private static final Duration KEEP_CURSOR_EVERY = Duration.ofMinutes(1);
  private static final Duration TELL_EVERY = Duration.ofSeconds(1);
  private static final Duration AFTER_TROUBLE = Duration.ofHours(1);
  private static final double JITTER = 0.1;

  /**
   * What a scrubber is made of.
   *
   * @param cursorBytes where the pass goes on that began at {@code passBegan}, in this life of the
   *     daemon or an earlier one
   */
  public record Setup(
      World world,
      Engine engine,
      Geometry geometry,
      RemapTable table,
      Map<Integer, Disk> disks,
      long dataOffsetBytes,
      long cursorBytes,
      Optional<Instant> passBegan,
      ScrubberCommand.ScrubPlan plan,
      Consumer<ScrubberRequest> owner) {
    public Setup {
      disks = Map.copyOf(disks);
    }
  }

  private final TimerScheduler<ScrubberCommand> timers;
  private final Setup setup;
  private final Completions completions;
  private final Map<Integer, DiskPort> ports = new HashMap<>();
  private ScrubberCommand.ScrubPlan plan;
  private ScanPace pace = new ScanPace(1, 1);
  private Optional<Instant> nextScrub = Optional.empty();
  private Optional<Instant> passBegan = Optional.empty();
  private @Nullable UniqueKillSwitch flow;
  private @Nullable PieceReading reading;
  private @Nullable CompletableFuture<Done> readingFor;
  private boolean fullRate;
  private boolean held;
  private boolean overdue;
  private long pieceBeganNanos;
  private long lastKeptNanos;
  private long lastToldNanos;
  private long cursorBytes;
  private long faults;
  private long passes;

  private Scrubber(
      ActorContext<ScrubberCommand> context, TimerScheduler<ScrubberCommand> timers, Setup setup) {
    super(context);
    this.timers = timers;
    this.setup = setup;
    this.plan = setup.plan();
    this.cursorBytes = setup.cursorBytes();
    this.passBegan = setup.cursorBytes() > 0 ? setup.passBegan() : Optional.empty();
    ActorRef<ScrubberCommand> self = context.getSelf();
    this.completions = new Completions(() -> self.tell(new ScrubberCommand.DisksAnswered()));
    setup.disks().forEach((number, disk) -> ports.put(number, disk.attach(setup.engine())));
    this.lastKeptNanos = setup.engine().nanoTime();
    planScrub();
    beginPass();
  }

  /** To be spawned on the dispatcher of the ring whose engine is given. */
  public static Behavior<ScrubberCommand> create(Setup setup) {
    return Behaviors.setup(
        context -> Behaviors.withTimers(timers -> new Scrubber(context, timers, setup)));
  }

  @Override
  public Receive<ScrubberCommand> createReceive() {
    return newReceiveBuilder()
        .onMessage(ScrubberCommand.class, this::on)
        .onSignal(
            PostStop.class,
            stopped -> {
              endFlow();
              ports.values().forEach(DiskPort::detach);
              return this;
            })
        .build();
  }

  private Behavior<ScrubberCommand> on(ScrubberCommand command) {
    switch (command) {
      case ScrubberCommand.SetPlan set -> {
        boolean sooner = !set.plan().scrubInterval().equals(plan.scrubInterval());
        boolean scan = set.plan().surfaceScan() != plan.surfaceScan();
        plan = set.plan();
        pace = newPace();
        if (sooner) {
          planScrub();
        }
        if (scan) {
          endFlow();
          beginPass();
        }
        tell(true);
      }
      case ScrubberCommand.ScrubDue due -> {
        setup.owner().accept(new ScrubberRequest.ScrubMetadata());
        planScrub();
      }
      case ScrubberCommand.MetadataScrubbed scrubbed -> planScrub();
      case ScrubberCommand.ScanNow now -> {
        fullRate = true;
        cursorBytes = 0;
        passBegan = Optional.empty();
        held = false;
        endFlow();
        beginPass();
      }
      case ScrubberCommand.BeginPass begin -> {
        held = false;
        beginPass();
      }
      case ScrubberCommand.ReadPiece read -> readLater(read);
      case ScrubberCommand.ReadNow now -> readOn();
      case ScrubberCommand.DisksAnswered answered -> answered();
      case ScrubberCommand.PassEnded ended -> passEnded(ended);
      case ScrubberCommand.Stop stop -> {
        keepCursor();
        setup.owner().accept(new ScrubberRequest.Stopped());
        return Behaviors.stopped();
      }
    }
    return this;
  }

  /** The next scrub, an interval from now, give or take a tenth: hosts that start together part. */
  private void planScrub() {
    double part = 1 + (setup.world().random().nextDouble() * 2 - 1) * JITTER;
    Duration wait = Duration.ofNanos(Math.round(plan.scrubInterval().toNanos() * part));
    timers.startSingleTimer(new ScrubberCommand.ScrubDue(), wait);
    nextScrub = Optional.of(setup.world().clock().now().plus(wait));
    tell(true);
  }

  // The surface scan.

  private ScanPace newPace() {
    return fullRate
        ? new ScanPace(Long.MAX_VALUE / 4, plan.surfaceFloorBytesPerSecond())
        : new ScanPace(
            ScanPace.plannedBytesPerSecond(
                setup.geometry().deviceBytes(), plan.surfacePeriod().toSeconds()),
            plan.surfaceFloorBytesPerSecond());
  }

  private void beginPass() {
    if (flow != null || (!plan.surfaceScan() && !fullRate)) {
      return;
    }
    pace = newPace();
    if (passBegan.isEmpty()) {
      passBegan = Optional.of(setup.world().clock().now());
    }
    long pass = passes + 1;
    ActorRef<ScrubberCommand> self = getContext().getSelf();
    SurfacePieces pieces =
        new SurfacePieces(setup.geometry(), setup.table(), setup.dataOffsetBytes(), cursorBytes);
    flow =
        Source.fromIterator(() -> pieces)
            .viaMat(KillSwitches.single(), Keep.right())
            .mapAsync(
                1,
                piece -> {
                  CompletableFuture<Done> read = new CompletableFuture<>();
                  self.tell(new ScrubberCommand.ReadPiece(piece, read));
                  return read;
                })
            .toMat(
                Sink.onComplete(end ->
                    self.tell(
                        new ScrubberCommand.PassEnded(
                            pass, end.isSuccess() ? "" : String.valueOf(end)))),
                Keep.left())
            .run(Materializer.createMaterializer(getContext()));
  }

  private void endFlow() {
    UniqueKillSwitch running = flow;
    if (running != null) {
      running.shutdown();
    }
    flow = null;
    reading = null;
    CompletableFuture<Done> asker = readingFor;
    readingFor = null;
    if (asker != null) {
      // The flow ends only when nothing of it is still asked for.
      asker.complete(Done.getInstance());
    }
    timers.cancel(new ScrubberCommand.ReadNow());
  }

  /** The piece is read when its time has come. */
  private void readLater(ScrubberCommand.ReadPiece read) {
    if (flow == null) {
      read.read().complete(Done.getInstance());
      return;
    }
    long now = setup.engine().nanoTime();
    long due = pieceBeganNanos + pace.intervalNanos(read.piece().lengthBytes());
    reading = new PieceReading(read.piece(), setup.geometry());
    readingFor = read.read();
    if (pieceBeganNanos == 0 || due <= now) {
      readOn();
    } else {
      timers.startSingleTimer(new ScrubberCommand.ReadNow(), Duration.ofNanos(due - now));
    }
  }

  private void readOn() {
    PieceReading now = reading;
    if (now == null || held) {
      return;
    }
    judgePlan();
    PieceReading.Read next = now.next();
    if (next == null) {
      pieceDone(now);
      return;
    }
    pieceBeganNanos = setup.engine().nanoTime();
    DiskPort port = ports.get(now.piece().disk());
    IoBuffer buffer = port == null ? null : setup.engine().buffers().take(next.lengthBytes());
    if (port == null) {
      pieceDone(now);
      return;
    }
    if (buffer == null) {
      // Others need the memory now; the scan can wait.
      timers.startSingleTimer(new ScrubberCommand.ReadNow(), Duration.ofMillis(200));
      return;
    }
    port.submit(
        new IoRequest(completions)
            .transfer(
                IoRequest.Operation.READ,
                next.offsetBytes(),
                buffer,
                0,
                next.lengthBytes(),
                pieceBeganNanos + plan.requestDeadline().toNanos())
            .attach(now));
    buffer.release();
  }

  /** Takes all that has ended, to the last: else the next end would not be signalled. */
  private void answered() {
    for (IoRequest ended = completions.next(); ended != null; ended = completions.next()) {
      PieceReading now = reading;
      switch (completions.lastOutcome()) {
        case RELEASED -> held = false;
        case DONE, FAILED -> {
          if (now != null && now.equals(ended.attachment())) {
            pace.took(setup.engine().nanoTime() - pieceBeganNanos);
            Errno errno = ended.errno();
            if (errno != null && !mayBeTheMedium(errno)) {
              trouble("a read ended with " + errno.meaning());
            } else {
              now.ended(errno);
              readOn();
            }
          }
        }
        case TIMED_OUT, CANCELLED -> {
          held = ended.held();
          if (now != null && now.equals(ended.attachment())) {
            trouble("a read missed its deadline");
          }
        }
        case IDLE, IN_FLIGHT -> {}
      }
    }
  }

  /** Whether it was is proved by the disk's actor before anything follows from it. */
  private static boolean mayBeTheMedium(Errno errno) {
    return switch (ErrorPolicy.faultOf(errno)) {
      case MEDIA, TO_BE_PROVED -> true;
      case TRANSPORT, TIMEOUT, NO_SPACE, PROTECTION, UNSUPPORTED -> false;
    };
  }

  /** The disk itself is in trouble: others judge that; the scan goes on later. */
  private void trouble(String what) {
    endFlow();
    keepCursor();
    timers.startSingleTimer(new ScrubberCommand.BeginPass(), AFTER_TROUBLE);
    setup
        .owner()
        .accept(
            new ScrubberRequest.Overdue(true, "the surface scan waits for an hour, since " + what));
    overdue = true;
  }

  private void pieceDone(PieceReading done) {
    for (PieceReading.Fault fault : done.faults()) {
      faults++;
      setup
          .owner()
          .accept(
              new ScrubberRequest.FoundFault(
                  fault.block(), done.piece().place(), fault.unreadable()));
    }
    cursorBytes = done.piece().deviceBytes();
    if (setup.engine().nanoTime() - lastKeptNanos > KEEP_CURSOR_EVERY.toNanos()) {
      keepCursor();
    }
    CompletableFuture<Done> asker = readingFor;
    reading = null;
    readingFor = null;
    if (asker != null) {
      asker.complete(Done.getInstance());
    }
    tell(false);
  }

  private void keepCursor() {
    lastKeptNanos = setup.engine().nanoTime();
    Instant began = passBegan.orElseGet(() -> setup.world().clock().now());
    setup.owner().accept(new ScrubberRequest.SurfaceAt(cursorBytes, began));
  }

  /** Overdue: a pass has taken twice the period, however often the daemon was started meanwhile. */
  private void judgePlan() {
    Instant began = passBegan.orElseGet(() -> setup.world().clock().now());
    Duration since = Duration.between(began, setup.world().clock().now());
    boolean late = since.compareTo(plan.surfacePeriod().multipliedBy(2)) > 0;
    if (late != overdue) {
      overdue = late;
      setup
          .owner()
          .accept(
              new ScrubberRequest.Overdue(
                  late,
                  late
                      ? "the surface scan that began at "
                          + began
                          + " has read "
                          + 100 * cursorBytes / setup.geometry().deviceBytes()
                          + "% and should have been done within "
                          + plan.surfacePeriod().toHours()
                          + " hours; raise surface-floor, or see what keeps the disk from answering"
                      : "it is on time again"));
    }
  }

  private void passEnded(ScrubberCommand.PassEnded ended) {
    if (flow == null || ended.pass() != passes + 1) {
      return;
    }
    flow = null;
    if (!ended.failure().isEmpty()) {
      trouble(ended.failure());
      return;
    }
    passes++;
    fullRate = false;
    cursorBytes = 0;
    keepCursor();
    setup.owner().accept(new ScrubberRequest.SurfaceDone(passes, faults));
    if (overdue) {
      overdue = false;
      setup.owner().accept(new ScrubberRequest.Overdue(false, "the surface scan is done"));
    }
    // A disk that is read faster than its period waits for the rest of it.
    Duration took =
        passBegan
            .map(began -> Duration.between(began, setup.world().clock().now()))
            .orElse(Duration.ZERO);
    passBegan = Optional.empty();
    Duration rest = plan.surfacePeriod().minus(took);
    timers.startSingleTimer(
        new ScrubberCommand.BeginPass(), rest.isNegative() ? Duration.ofSeconds(1) : rest);
    tell(true);
  }

  private void tell(boolean always) {
    long now = setup.engine().nanoTime();
    if (!always && now - lastToldNanos < TELL_EVERY.toNanos()) {
      return;
    }
    lastToldNanos = now;
    long total = setup.geometry().deviceBytes();
    boolean scanning = flow != null;
    setup
        .owner()
        .accept(
            new ScrubberRequest.Progress(
                new ScrubProgress(
                    nextScrub,
                    scanning,
                    cursorBytes,
                    total,
                    scanning
                        ? Optional.of(
                            setup
                                .world()
                                .clock()
                                .now()
                                .plusSeconds((total - cursorBytes) / pace.bytesPerSecond()))
                        : Optional.empty(),
                    faults,
                    passes)));
  }
}
