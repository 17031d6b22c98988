package io.spared.replacement;

import io.spared.disk.ErrorPolicy;
import io.spared.ffi.Errno;
import io.spared.ffi.disk.Disk;
import io.spared.ffi.engine.Completions;
import io.spared.ffi.engine.DiskPort;
import io.spared.ffi.engine.Engine;
import io.spared.ffi.engine.IoBuffer;
import io.spared.ffi.engine.IoRequest;
import io.spared.format.Geometry;
import io.spared.queue.WriteIntents;
import io.spared.remap.Lookup;
import io.spared.remap.RemapTable;
import io.spared.scrub.ScanPace;
import java.time.Duration;
import java.util.ArrayList;
import java.util.List;
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
 * Copies main to the disk that is to take its place: a flow of windows, one at a time, each at most
 * at the rate that is allowed, and slower when the disks are busy ({@link ScanPace}).
 *
 * <p>A window is read and written only while no write is in flight in it ({@link
 * io.spared.queue.Mirror} has the argument). Blocks that live on spares are left out: nobody reads
 * them on main. A block that cannot be read in full, or is known to be so, is moved to a spare with
 * what can be read of it, and the rest lost: then it is left out as well. Nothing is ever written
 * to the new disk in its stead, and it never counts as copied while it is on main.
 *
 * <p>Every now and then both disks are flushed, and then the cursor is recorded as it was before
 * the flush: so what lies below a recorded cursor is durable on both, the old disk included, since
 * a crash must not take back there what the new one has.
 *
 * <p>Trouble of main, of the map or of the memory lets go of the window, waits and tries again;
 * trouble of the new disk ends the copying.
 */
public final class Copier extends AbstractBehavior<CopierCommand> {
  /** Small enough that a write does not wait long for it, large enough to be cheap. */
  static final int WINDOW_BYTES = 256 << 10;

  private static final Duration AFTER_TROUBLE = Duration.ofSeconds(5);
  private static final Duration SHORTLY = Duration.ofMillis(200);
  private static final Duration TELL_EVERY = Duration.ofMillis(500);

  /** However busy the disks are, it comes to its end. */
  private static final long FLOOR_BYTES_PER_SECOND = 1 << 20;

  /** A block is read so often before it is taken for unreadable; the relocator reads it again. */
  private static final int TRIES = 2;

  /**
   * What a copier is made of.
   *
   * @param intents whose regions are copied again below the cursor
   * @param keepEvery how often the cursor is recorded
   */
  public record Setup(
      Engine engine,
      Geometry geometry,
      RemapTable table,
      Disk from,
      Disk to,
      long cursorBytes,
      WriteIntents intents,
      long bytesPerSecond,
      Duration keepEvery,
      Duration requestDeadline,
      Consumer<CopierRequest> owner) {}

  private final TimerScheduler<CopierCommand> timers;
  private final Setup setup;
  private final Engine engine;
  private final Completions completions;
  private final DiskPort from;
  private final DiskPort to;
  private final int blockBytes;
  private final int transferBytes;
  private final Lookup lookup = new Lookup();
  private ScanPace pace;
  private @Nullable UniqueKillSwitch flow;
  private @Nullable CopyWindow window;
  private @Nullable CompletableFuture<Done> copied;
  private @Nullable IoBuffer buffer;
  private boolean quiet;
  private boolean waits;
  private boolean waited;
  private long block;
  private long runEndBytes;
  private long singlyUntilBlock;
  private int tries;
  private int leaveTries;
  private int flushing;
  private long flushedBytes;
  private long windowBeganNanos;
  private long transferBeganNanos;
  private long lastKeptNanos;
  private long lastToldNanos;
  private long cursorBytes;
  private long againBytes;
  private long movedBlocks;

  private Copier(
      ActorContext<CopierCommand> context, TimerScheduler<CopierCommand> timers, Setup setup) {
    super(context);
    this.timers = timers;
    this.setup = setup;
    this.engine = setup.engine();
    this.blockBytes = setup.geometry().blockBytes();
    this.pace = pace(setup.bytesPerSecond());
    ActorRef<CopierCommand> self = context.getSelf();
    this.completions = new Completions(() -> self.tell(new CopierCommand.DisksAnswered()));
    this.from = setup.from().attach(engine);
    this.to = setup.to().attach(engine);
    this.cursorBytes = setup.cursorBytes();
    this.lastKeptNanos = engine.nanoTime();
    this.transferBytes = transferBytes();
    CopyWindows windows =
        new CopyWindows(
            setup.geometry().deviceBytes(),
            Math.max(WINDOW_BYTES, blockBytes),
            cursorBytes,
            recorded());
    this.againBytes = windows.againBytes();
    this.flow =
        Source.fromIterator(() -> windows)
            .viaMat(KillSwitches.single(), Keep.right())
            .mapAsync(
                1,
                next -> {
                  CompletableFuture<Done> done = new CompletableFuture<>();
                  self.tell(new CopierCommand.Copy(next, done));
                  return done;
                })
            .toMat(
                Sink.onComplete(end ->
                    self.tell(
                        new CopierCommand.FlowEnded(end.isSuccess() ? "" : String.valueOf(end)))),
                Keep.left())
            .run(Materializer.createMaterializer(context));
    tell(true);
  }

  /** To be spawned on the dispatcher of the ring whose engine is given. */
  public static Behavior<CopierCommand> create(Setup setup) {
    return Behaviors.setup(
        context -> Behaviors.withTimers(timers -> new Copier(context, timers, setup)));
  }

  private static ScanPace pace(long bytesPerSecond) {
    return new ScanPace(bytesPerSecond, Math.min(bytesPerSecond, FLOOR_BYTES_PER_SECOND));
  }

  private int transferBytes() {
    int most = Math.max(WINDOW_BYTES, blockBytes);
    for (Disk disk : List.of(setup.from(), setup.to())) {
      int max = disk.geometry().maxTransferBytes();
      if (max > 0) {
        most = Math.min(most, max);
      }
    }
    return Math.max(blockBytes, most / blockBytes * blockBytes);
  }

  /** What a crash may have left on one disk only. */
  private List<CopyWindows.Range> recorded() {
    List<CopyWindows.Range> ranges = new ArrayList<>();
    WriteIntents intents = setup.intents();
    for (int region = 0; region < WriteIntents.REGIONS_MAX; region++) {
      if (intents.isDurable(region)) {
        ranges.add(
            new CopyWindows.Range(
                region * intents.regionBytes(), (region + 1) * intents.regionBytes()));
      }
    }
    return ranges;
  }

  @Override
  public Receive<CopierCommand> createReceive() {
    return newReceiveBuilder()
        .onMessage(CopierCommand.class, this::on)
        .onSignal(
            PostStop.class,
            stopped -> {
              endFlow();
              from.detach();
              to.detach();
              IoBuffer held = buffer;
              if (held != null) {
                held.release();
              }
              return this;
            })
        .build();
  }

  private Behavior<CopierCommand> on(CopierCommand command) {
    switch (command) {
      case CopierCommand.Copy copy -> copyLater(copy);
      case CopierCommand.Due due -> begin();
      case CopierCommand.WindowQuiet now -> {
        if (now.window().equals(window) && !quiet && !waits) {
          timers.cancel(new CopierCommand.Overdue());
          quiet = true;
          goOn();
        }
      }
      case CopierCommand.Overdue late ->
          trouble("a write in flight where it copies does not end", AFTER_TROUBLE);
      case CopierCommand.BlockLeft left -> blockLeft(left);
      case CopierCommand.Again again -> begin();
      case CopierCommand.DisksAnswered answered -> {
        return answered();
      }
      case CopierCommand.SetRate rate -> pace = pace(rate.bytesPerSecond());
      case CopierCommand.FlowEnded ended -> {
        if (flow != null) {
          flow = null;
          if (!ended.failure().isEmpty()) {
            return end(new CopierRequest.NewDiskFailed("the copying failed: " + ended.failure()));
          }
          long all = setup.geometry().deviceBytes();
          ask(new CopierRequest.SetWindow(new CopyWindow(all, all, all)));
          tell(true);
          return end(new CopierRequest.Done());
        }
      }
      case CopierCommand.Stop stop -> {
        return Behaviors.stopped();
      }
    }
    return this;
  }

  private void ask(CopierRequest request) {
    setup.owner().accept(request);
  }

  private Behavior<CopierCommand> end(CopierRequest last) {
    ask(last);
    return Behaviors.stopped();
  }

  private void endFlow() {
    UniqueKillSwitch running = flow;
    flow = null;
    if (running != null) {
      running.shutdown();
    }
    CompletableFuture<Done> asker = copied;
    copied = null;
    if (asker != null) {
      // The flow ends only when nothing of it is still asked for.
      asker.complete(Done.getInstance());
    }
  }

  // A window.

  private void copyLater(CopierCommand.Copy copy) {
    window = copy.window();
    copied = copy.copied();
    long now = engine.nanoTime();
    long due =
        windowBeganNanos + pace.intervalNanos(copy.window().toBytes() - copy.window().fromBytes());
    if (windowBeganNanos == 0 || due <= now) {
      begin();
    } else {
      ask(new CopierRequest.SetWindow(copy.window().released()));
      timers.startSingleTimer(new CopierCommand.Due(), Duration.ofNanos(due - now));
    }
  }

  /**
   * Asks for the window, also after trouble, and then from its beginning: what was written there
   * meanwhile went to main alone.
   */
  private void begin() {
    CopyWindow next = window;
    if (next == null) {
      return;
    }
    waits = false;
    block = next.fromBytes() / blockBytes;
    tries = 0;
    singlyUntilBlock = 0;
    windowBeganNanos = engine.nanoTime();
    quiet = false;
    timers.startSingleTimer(new CopierCommand.Overdue(), setup.requestDeadline());
    ask(new CopierRequest.SetWindow(next));
  }

  /** The next run of blocks of the window, or its end. */
  private void goOn() {
    CopyWindow now = window;
    if (now == null || !quiet) {
      return;
    }
    long endBlock = (now.toBytes() + blockBytes - 1) / blockBytes;
    while (block < endBlock) {
      if (!setup.table().find(block, lookup)) {
        read(now, endBlock);
        return;
      }
      if (lookup.pending) {
        leave();
        return;
      }
      block++;
    }
    windowDone(now);
  }

  private void read(CopyWindow now, long endBlock) {
    long last = Math.min(endBlock, block + transferBytes / blockBytes) - 1;
    if (block < singlyUntilBlock) {
      last = block;
    }
    long known = setup.table().findNext(block, last, lookup);
    long end = known < 0 ? last + 1 : known;
    runEndBytes = Math.min(now.toBytes(), end * blockBytes);
    IoBuffer into = buffer;
    if (into == null) {
      into = engine.buffers().take(transferBytes);
      if (into == null) {
        trouble("others need the memory now", SHORTLY);
        return;
      }
      buffer = into;
    }
    transfer(from, IoRequest.Operation.READ, into);
  }

  private void transfer(DiskPort port, IoRequest.Operation operation, IoBuffer bytes) {
    long offset = block * blockBytes;
    transferBeganNanos = engine.nanoTime();
    port.submit(
        new IoRequest(completions)
            .transfer(
                operation,
                offset,
                bytes,
                0,
                Math.toIntExact(runEndBytes - offset),
                transferBeganNanos + setup.requestDeadline().toNanos()));
  }

  private Behavior<CopierCommand> answered() {
    Behavior<CopierCommand> next = this;
    for (IoRequest ended = completions.next(); ended != null; ended = completions.next()) {
      IoRequest.Outcome outcome = completions.lastOutcome();
      if (outcome == IoRequest.Outcome.RELEASED) {
        continue;
      }
      Errno why =
          switch (outcome) {
            case DONE -> null;
            case FAILED -> ended.errno() == null ? Errno.OTHER : ended.errno();
            default -> Errno.ETIMEDOUT;
          };
      if (ended.operation() != IoRequest.Operation.FLUSH) {
        pace.took(engine.nanoTime() - transferBeganNanos);
      }
      if (why != null && ended.held()) {
        // The kernel may still fill it or take from it.
        giveUpBuffer();
      }
      next =
          switch (ended.operation()) {
            case READ -> readEnded(why);
            case WRITE -> writeEnded(why);
            default -> flushEnded(ended, why);
          };
      if (!next.equals(this)) {
        return next;
      }
    }
    return next;
  }

  private void giveUpBuffer() {
    IoBuffer held = buffer;
    buffer = null;
    if (held != null) {
      held.release();
    }
  }

  private Behavior<CopierCommand> readEnded(@Nullable Errno why) {
    IoBuffer bytes = buffer;
    if (why == null && bytes != null) {
      transfer(to, IoRequest.Operation.WRITE, bytes);
      return this;
    }
    ErrorPolicy.Fault fault = ErrorPolicy.faultOf(why == null ? Errno.OTHER : why);
    if (fault != ErrorPolicy.Fault.MEDIA && fault != ErrorPolicy.Fault.TO_BE_PROVED) {
      trouble("main cannot be read: " + (why == null ? "" : why.meaning()), AFTER_TROUBLE);
      return this;
    }
    long runBlocks = (runEndBytes - block * blockBytes + blockBytes - 1) / blockBytes;
    if (runBlocks > 1) {
      singlyUntilBlock = block + runBlocks;
    } else if (++tries >= TRIES) {
      leave();
      return this;
    }
    goOn();
    return this;
  }

  private Behavior<CopierCommand> writeEnded(@Nullable Errno why) {
    if (why != null) {
      return end(
          new CopierRequest.NewDiskFailed(
              "it could not be written at byte " + block * blockBytes + ": " + why.meaning()));
    }
    block = (runEndBytes + blockBytes - 1) / blockBytes;
    tries = 0;
    leaveTries = 0;
    goOn();
    return this;
  }

  /** The block goes to a spare, with what can be read of it. */
  private void leave() {
    ask(new CopierRequest.LeaveMain(block));
  }

  private void blockLeft(CopierCommand.BlockLeft left) {
    if (!quiet || left.block() != block) {
      return;
    }
    tries = 0;
    if (left.left()) {
      movedBlocks++;
      leaveTries = 0;
      goOn();
      return;
    }
    leaveTries++;
    trouble(
        "block " + block + " cannot be read from main, and could not be moved to a spare",
        leaveTries < 5 ? SHORTLY : AFTER_TROUBLE);
  }

  private void windowDone(CopyWindow done) {
    quiet = false;
    timers.cancel(new CopierCommand.Overdue());
    if (done.belowBytes() > done.fromBytes()) {
      againBytes -= done.toBytes() - done.fromBytes();
    } else {
      cursorBytes = done.toBytes();
    }
    if (waited) {
      waited = false;
      ask(new CopierRequest.Waits(""));
    }
    tell(false);
    // The last window may take the mark on the new disk with it: recorded before and after.
    boolean atEnd = setup.geometry().deviceBytes() - cursorBytes <= WINDOW_BYTES;
    if (atEnd || engine.nanoTime() - lastKeptNanos > setup.keepEvery().toNanos()) {
      // Below it all is on both; nobody waits for a flush.
      long below = Math.max(done.belowBytes(), cursorBytes);
      ask(new CopierRequest.SetWindow(new CopyWindow(below, below, below)));
      flush();
      return;
    }
    next();
  }

  private void next() {
    window = null;
    CompletableFuture<Done> asker = copied;
    copied = null;
    if (asker != null) {
      asker.complete(Done.getInstance());
    }
  }

  /** Nobody waits for what may take long. */
  private void trouble(String sentence, Duration wait) {
    CopyWindow now = window;
    timers.cancel(new CopierCommand.Overdue());
    quiet = false;
    waits = true;
    if (now != null) {
      ask(new CopierRequest.SetWindow(now.released()));
    }
    if (wait.equals(AFTER_TROUBLE)) {
      waited = true;
      ask(new CopierRequest.Waits(sentence));
    }
    timers.startSingleTimer(new CopierCommand.Again(), wait);
  }

  // The cursor.

  private void flush() {
    flushedBytes = cursorBytes;
    flushing = 2;
    for (DiskPort port : List.of(from, to)) {
      port.submit(
          new IoRequest(completions)
              .plain(
                  IoRequest.Operation.FLUSH,
                  0,
                  0,
                  engine.nanoTime() + setup.requestDeadline().toNanos())
              .attach(port));
    }
  }

  private Behavior<CopierCommand> flushEnded(IoRequest ended, @Nullable Errno why) {
    if (why != null) {
      boolean ofMain = from.equals(ended.attachment());
      return end(
          ofMain
              ? new CopierRequest.MainNotFlushed(why)
              : new CopierRequest.NewDiskFailed("it could not be flushed: " + why.meaning()));
    }
    if (--flushing == 0) {
      lastKeptNanos = engine.nanoTime();
      ask(new CopierRequest.KeepCursor(flushedBytes));
      next();
    }
    return this;
  }

  private void tell(boolean always) {
    long now = engine.nanoTime();
    if (always || now - lastToldNanos > TELL_EVERY.toNanos()) {
      lastToldNanos = now;
      ask(
          new CopierRequest.Progress(
              new CopyProgress(
                  cursorBytes,
                  setup.geometry().deviceBytes(),
                  againBytes,
                  movedBlocks,
                  pace.bytesPerSecond())));
    }
  }
}
