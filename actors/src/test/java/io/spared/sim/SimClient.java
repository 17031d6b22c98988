package io.spared.sim;

import io.spared.ffi.Errno;
import io.spared.ffi.engine.Engine;
import io.spared.ffi.engine.IoBuffer;
import io.spared.queue.DeviceQueue;
import io.spared.queue.DeviceRequest;
import io.spared.queue.QueueCommand;
import io.spared.queue.QueueContext;
import io.spared.queue.QueueHost;
import java.time.Duration;
import java.util.ArrayDeque;
import java.util.Objects;
import org.apache.pekko.actor.typed.ActorRef;
import org.apache.pekko.actor.typed.Behavior;
import org.apache.pekko.actor.typed.PostStop;
import org.apache.pekko.actor.typed.javadsl.AbstractBehavior;
import org.apache.pekko.actor.typed.javadsl.ActorContext;
import org.apache.pekko.actor.typed.javadsl.Behaviors;
import org.apache.pekko.actor.typed.javadsl.Receive;
import org.apache.pekko.actor.typed.javadsl.TimerScheduler;
import org.jspecify.annotations.Nullable;

/**
 * A frontend that knows the truth: it hosts one of the device's queues on a ring, asks, and checks
 * every answer.
 */
final class SimClient extends AbstractBehavior<SimClient.Command> implements QueueHost {
  /** What the client is told. */
  sealed interface Command {
    /** The device gives a queue. */
    record Opened(QueueContext context) implements Command {}

    /** It gives none, or ended without an answer; means nothing to who does not wait for one. */
    record NotOpened(String reason) implements Command {}

    /** Ask for a queue again. */
    record OpenAgain() implements Command {}

    record FromDevice(QueueCommand command) implements Command {}

    /** From its own completions. */
    record Completions() implements Command {}

    /** Ask for more. */
    record Go() implements Command {}

    /** Write every sector, flush, read every sector; then say so. */
    record WriteAndReadAll(Runnable done) implements Command {}

    /** Read every sector; then say so. */
    record ReadAll(Runnable done) implements Command {}

    /** Ask so often beside what its workload says. */
    record More(long requests) implements Command {}

    /** Ask for nothing more. */
    record Quiet() implements Command {}

    /** Fail as a frontend with a defect does. */
    record Crash() implements Command {}
  }

  /** Makes that which asks the device for a queue, now or again. */
  interface Opening {
    Runnable make(ActorContext<Command> client, ActorRef<QueueCommand> queue);
  }

  /** One request of this client. */
  private static final class Ask {
    Truth.@Nullable Write write;
    @Nullable IoBuffer buffer;
    ClientBook.@Nullable Asked asked;
    long begun;
    boolean afterFlushFailure;
  }

  private static final Command.Go GO = new Command.Go();
  private static final Command.Completions COMPLETIONS = new Command.Completions();
  private static final int SWEEP_SECTORS = 32;
  private static final Duration OPEN_AGAIN = Duration.ofMillis(200);

  private final TimerScheduler<Command> timers;
  private final Engine engine;
  private final ClientBook book;
  private final Truth truth;
  private final Workload workload;
  private final SimRandom random;
  private Runnable open = () -> {};
  private boolean opening;
  private final ArrayDeque<Ask> pool = new ArrayDeque<>();
  private @Nullable DeviceQueue queue;
  private long asked;
  private long further;
  private int inFlight;
  private boolean goAsked;
  private boolean quiet;
  private boolean ending;

  private @Nullable Runnable sweepDone;
  private long sweepAt;
  private int sweepStage;

  private SimClient(
      ActorContext<Command> context,
      TimerScheduler<Command> timers,
      Engine engine,
      ClientBook book,
      Workload workload,
      SimRandom random) {
    super(context);
    this.timers = timers;
    this.engine = engine;
    this.book = book;
    this.truth = book.truth();
    this.workload = workload;
    this.random = random;
  }

  /**
   * @param opening asks the device for a queue
   */
  static Behavior<Command> create(
      Engine engine, ClientBook book, Workload workload, SimRandom random, Opening opening) {
    return Behaviors.setup(context ->
        Behaviors.withTimers(timers -> {
          SimClient client = new SimClient(context, timers, engine, book, workload, random);
          ActorRef<QueueCommand> adapter =
              context.messageAdapter(QueueCommand.class, Command.FromDevice::new);
          client.open = opening.make(context, adapter);
          client.openQueue();
          return client;
        }));
  }

  @Override
  public Receive<Command> createReceive() {
    return newReceiveBuilder()
        .onMessage(Command.class, this::handle)
        .onSignal(PostStop.class, signal -> stopped())
        .build();
  }

  private Behavior<Command> stopped() {
    DeviceQueue q = queue;
    if (q != null) {
      ending = true;
      try {
        q.abandon();
      } catch (RuntimeException e) {
        truth.violated("a client that ends cannot abandon its queue: " + e);
      }
      q.hostEnded();
    }
    return this;
  }

  private void openQueue() {
    opening = true;
    open.run();
  }

  private Behavior<Command> handle(Command command) {
    switch (command) {
      case Command.Opened opened -> {
        opening = false;
        book.opened(opened.context().doubts());
        queue =
            new DeviceQueue(
                opened.context(), engine, () -> getContext().getSelf().tell(COMPLETIONS), this);
        go();
      }
      case Command.NotOpened refused -> {
        if (opening) {
          opening = false;
          timers.startSingleTimer(new Command.OpenAgain(), OPEN_AGAIN);
        }
      }
      case Command.OpenAgain again -> openQueue();
      case Command.FromDevice from -> {
        if (from.command() instanceof QueueCommand.Drain
            || from.command() instanceof QueueCommand.Abandon) {
          ending = true;
        }
        if (queue != null) {
          queue.handle(from.command());
        }
        go();
      }
      case Command.Completions c -> {
        if (queue != null) {
          queue.completionsReady();
        }
        go();
      }
      case Command.Go g -> {
        goAsked = false;
        go();
      }
      case Command.WriteAndReadAll all -> {
        sweepDone = all.done();
        sweepAt = 0;
        sweepStage = 0;
        go();
      }
      case Command.ReadAll all -> {
        sweepDone = all.done();
        sweepAt = 0;
        sweepStage = 2;
        go();
      }
      case Command.More more -> {
        further += more.requests();
        go();
      }
      case Command.Quiet q -> quiet = true;
      case Command.Crash c -> throw new IllegalStateException("told to crash");
    }
    return this;
  }

  /** The queue is no more: the device stops, or is assembled anew. */
  @Override
  public void closed() {
    queue = null;
    ending = false;
    timers.startSingleTimer(new Command.OpenAgain(), OPEN_AGAIN);
  }

  // Asking.

  private void go() {
    DeviceQueue q = queue;
    if (q == null || ending) {
      return;
    }
    if (sweepDone != null) {
      sweep(q);
      return;
    }
    if (goAsked && workload.thinks()) {
      return;
    }
    while (!quiet && inFlight < workload.depth() && asked < workload.requests() + further) {
      if (!askSomething(q)) {
        return;
      }
    }
  }

  private boolean askSomething(DeviceQueue q) {
    double kind = random.nextDouble();
    int length = 1 + random.below((int) Math.min(workload.lengthMax(), truth.sectors()));
    long within = random.chance(0.9) ? workload.hotSectors() : truth.sectors();
    long from = within == truth.sectors() ? 0 : workload.hotFrom();
    long sector = from + random.below(within);
    sector = Math.min(sector, truth.sectors() - length);
    if (kind < workload.flushes()) {
      return flush(q);
    }
    kind -= workload.flushes();
    if (kind < workload.reads()) {
      return read(q, sector, length);
    }
    boolean fua = random.chance(workload.fua());
    if (random.chance(workload.discards())) {
      return change(q, sector, length, Truth.Kind.DISCARD, false);
    }
    if (random.chance(workload.zeroes())) {
      return change(q, sector, length, Truth.Kind.ZEROES, fua);
    }
    return change(q, sector, length, Truth.Kind.DATA, fua);
  }

  private void sweep(DeviceQueue q) {
    while (inFlight < 4) {
      if (sweepAt >= truth.sectors()) {
        if (inFlight > 0) {
          return;
        }
        sweepAt = 0;
        sweepStage++;
      }
      int length = (int) Math.min(SWEEP_SECTORS, truth.sectors() - sweepAt);
      boolean went =
          switch (sweepStage) {
            case 0 -> change(q, sweepAt, length, Truth.Kind.DATA, false);
            case 1 -> {
              sweepAt = truth.sectors();
              yield flush(q);
            }
            case 2 -> read(q, sweepAt, length);
            default -> {
              Runnable done = Objects.requireNonNull(sweepDone);
              sweepDone = null;
              quiet = true;
              done.run();
              yield false;
            }
          };
      if (!went) {
        return;
      }
      if (sweepStage != 1) {
        sweepAt += length;
      }
    }
  }

  private Ask prepare() {
    Ask ask = pool.poll();
    return ask == null ? new Ask() : ask;
  }

  private boolean flush(DeviceQueue q) {
    DeviceRequest request = q.newRequest();
    if (request == null) {
      return false;
    }
    Ask ask = prepare();
    ask.begun = truth.begin();
    send(q, request.flush().attach(ask), ask);
    return true;
  }

  private boolean read(DeviceQueue q, long sector, int length) {
    IoBuffer buffer = engine.buffers().take(length * truth.sectorBytes());
    if (buffer == null) {
      return false;
    }
    DeviceRequest request = q.newRequest();
    if (request == null) {
      buffer.release();
      return false;
    }
    Ask ask = prepare();
    ask.buffer = buffer;
    ask.begun = truth.beginRead();
    send(
        q,
        request
            .read(sector * truth.sectorBytes(), length * truth.sectorBytes(), buffer, 0)
            .attach(ask),
        ask);
    return true;
  }

  private boolean change(DeviceQueue q, long sector, int length, Truth.Kind kind, boolean fua) {
    IoBuffer buffer = null;
    if (kind == Truth.Kind.DATA) {
      buffer = engine.buffers().take(length * truth.sectorBytes());
      if (buffer == null) {
        return false;
      }
    }
    DeviceRequest request = q.newRequest();
    if (request == null) {
      if (buffer != null) {
        buffer.release();
      }
      return false;
    }
    Ask ask = prepare();
    ask.buffer = buffer;
    Truth.Write write = truth.beginWrite(sector, length, kind, fua);
    ask.write = write;
    long offset = sector * truth.sectorBytes();
    int bytes = length * truth.sectorBytes();
    DeviceRequest prepared =
        switch (kind) {
          case DATA -> {
            IoBuffer b = Objects.requireNonNull(buffer);
            truth.fill(write, b.bytes(), 0);
            yield request.write(offset, bytes, b, 0, fua);
          }
          case ZEROES -> request.writeZeroes(offset, bytes, fua);
          case DISCARD -> request.discard(offset, bytes);
        };
    send(q, prepared.attach(ask), ask);
    return true;
  }

  private void send(DeviceQueue q, DeviceRequest request, Ask ask) {
    asked++;
    inFlight++;
    ask.afterFlushFailure = book.flushHasFailed();
    Truth.Write write = ask.write;
    ask.asked =
        book.ask(
            request.operation()
                + " "
                + (write == null ? "" : write.id() + " ")
                + request.offsetBytes() / truth.sectorBytes()
                + "+"
                + request.lengthBytes() / truth.sectorBytes()
                + (request.isFua() ? " FUA" : ""));
    if (engineTraceKeepsLines()) {
      trace(" asks " + Objects.requireNonNull(ask.asked).what);
    }
    q.submit(request);
  }

  private boolean engineTraceKeepsLines() {
    return engine instanceof SimEngine sim && sim.world().trace().keepsLines();
  }

  private void trace(String text) {
    if (engine instanceof SimEngine sim) {
      sim.world()
          .trace()
          .line(() -> sim.world().nowNanos() + " " + getContext().getSelf().path().name() + text);
    }
  }

  // Being answered.

  @Override
  public void completed(DeviceRequest request) {
    Ask ask = (Ask) Objects.requireNonNull(request.attachment());
    inFlight--;
    Errno errno = request.errno();
    ClientBook.Asked asking = Objects.requireNonNull(ask.asked);
    if (engineTraceKeepsLines()) {
      trace(
          " is told "
              + asking.what
              + ": "
              + (errno == null ? "done" : errno + ", bad ranges " + request.badRangeCount()));
    }
    if (errno == null && request.badRangeCount() > 0) {
      truth.violated("bad ranges without an error: " + asking.what);
    }
    switch (request.operation()) {
      case FLUSH -> book.flushEnded(asking, ask.begun, ask.afterFlushFailure, errno);
      case READ -> {
        book.answerRead(asking, errno);
        check(request, ask);
        truth.readEnded(ask.begun);
      }
      case WRITE, WRITE_ZEROES, DISCARD -> {
        book.answer(asking, errno);
        Truth.Write write = Objects.requireNonNull(ask.write);
        if (errno != null) {
          markFailed(request, write);
        } else if (ask.afterFlushFailure
            && request.operation() != DeviceRequest.Operation.DISCARD) {
          truth.violated(asking.what + " succeeded after a flush had failed");
        }
        truth.writeEnded(write);
      }
    }
    IoBuffer buffer = ask.buffer;
    if (buffer != null) {
      buffer.release();
    }
    ask.buffer = null;
    ask.write = null;
    ask.asked = null;
    pool.push(ask);
    request.attach(null);
    Objects.requireNonNull(queue).recycle(request);
    if (!goAsked && !ending) {
      goAsked = true;
      if (workload.thinkMaxNanos() > 0 && sweepDone == null) {
        timers.startSingleTimer(GO, Duration.ofNanos(1 + random.below(workload.thinkMaxNanos())));
      } else {
        getContext().getSelf().tell(GO);
      }
    }
  }

  private void markFailed(DeviceRequest request, Truth.Write write) {
    long firstSector = request.offsetBytes() / truth.sectorBytes();
    long sectors = request.lengthBytes() / truth.sectorBytes();
    if (request.badRangeCount() == 0) {
      for (long s = 0; s < sectors; s++) {
        truth.writeFailedAt(write, firstSector + s);
      }
    }
    for (int i = 0; i < request.badRangeCount(); i++) {
      long from = request.badOffsetBytes(i) / truth.sectorBytes();
      long count = request.badLengthBytes(i) / truth.sectorBytes();
      for (long s = from; s < from + count; s++) {
        truth.writeFailedAt(write, s);
      }
    }
  }

  private void check(DeviceRequest request, Ask ask) {
    IoBuffer buffer = Objects.requireNonNull(ask.buffer);
    int sectorBytes = truth.sectorBytes();
    long first = request.offsetBytes() / sectorBytes;
    int count = (int) (request.lengthBytes() / sectorBytes);
    for (int i = 0; i < count; i++) {
      long sector = first + i;
      if (isBad(request, sector * sectorBytes)) {
        truth.sectorUnreadable(sector);
      } else {
        truth.sectorRead(sector, ask.begun, buffer.bytes(), i * sectorBytes);
      }
    }
  }

  private static boolean isBad(DeviceRequest request, long offsetBytes) {
    if (request.errno() == null) {
      return false;
    }
    if (request.badRangeCount() == 0) {
      return true;
    }
    for (int i = 0; i < request.badRangeCount(); i++) {
      if (offsetBytes >= request.badOffsetBytes(i)
          && offsetBytes < request.badOffsetBytes(i) + request.badLengthBytes(i)) {
        return true;
      }
    }
    return false;
  }
}
