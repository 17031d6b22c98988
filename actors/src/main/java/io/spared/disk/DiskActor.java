package io.spared.disk;

import io.spared.disk.DiskReport.Health;
import io.spared.ffi.Errno;
import io.spared.ffi.disk.Disk;
import io.spared.ffi.disk.DiskException;
import io.spared.ffi.engine.Completions;
import io.spared.ffi.engine.DiskPort;
import io.spared.ffi.engine.Engine;
import io.spared.ffi.engine.IoBuffer;
import io.spared.ffi.engine.IoRequest;
import io.spared.ffi.engine.IoRequest.Outcome;
import java.time.Duration;
import java.util.ArrayList;
import java.util.List;
import java.util.concurrent.CompletableFuture;
import java.util.concurrent.Executor;
import java.util.function.Consumer;
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
 * One disk of one device: tells media faults from a disk in trouble, and says how the disk stands.
 *
 * <p>A proof is two things, both within one deadline and both begun after the proof was asked for:
 * the disk at the address is still the one that was opened, and a sector known to be good can be
 * read through the open disk. Several who ask at once share a proof; who asks while one runs waits
 * for the next, since his error may be newer than what this one reads. What is learned while a
 * proof runs counts: a disk that went away meanwhile, errors in many distant places (the first of
 * them began this proof), or a reading that failed on the way to the disk leave nothing proved,
 * whatever else could be read.
 *
 * <p>Lives on the device's home ring. When it crashes its device fails and is assembled again;
 * nothing durable depends on it.
 */
public final class DiskActor extends AbstractBehavior<DiskCommand> {
  /** Proof reads that the kernel may hold before the disk is disbelieved without asking. */
  private static final int HELD_MAX = 4;

  /**
   * Looks at the identity that may be out at a time: opening a disk that hangs keeps a thread of
   * those that all devices share for what blocks.
   */
  private static final int LOOKS_MAX = 4;

  private static final Duration TICK = Duration.ofSeconds(1);

  /**
   * What the actor of a disk is made of.
   *
   * @param blocking where the identity may be looked at; it may wait there
   */
  public record Setup(
      int number,
      Disk disk,
      Engine engine,
      DiskPolicy policy,
      IdentityProof identity,
      Executor blocking,
      Consumer<DiskReport> owner) {}

  private final TimerScheduler<DiskCommand> timers;
  private final ActorRef<DiskCommand> self;
  private final Setup setup;
  private final DiskPort port;
  private final Completions completions;
  private final DiskHealth health;
  private final int sectorBytes;

  /** Where known-good sectors are looked for: media faults are local, these are far apart. */
  private final long[] candidates;

  private List<DiskCommand.Prove> asking = new ArrayList<>();
  private List<DiskCommand.Prove> later = new ArrayList<>();
  private boolean proving;
  private boolean rechecking;
  private long proofDeadlineNanos;
  private int firstCandidate;
  private int candidatesTried;
  private boolean sectorRead;
  private boolean identityLooked;
  private long looks;
  private int looksOut;
  private long lookOfProof;
  private @Nullable IoRequest reading;
  private int held;
  private long lastRecheckNanos;

  /** The actor's behaviour; spawned on the dispatcher of the setup's engine. */
  public static Behavior<DiskCommand> create(Setup setup) {
    return Behaviors.setup(
        context -> Behaviors.withTimers(timers -> new DiskActor(context, timers, setup)));
  }

  private DiskActor(
      ActorContext<DiskCommand> context, TimerScheduler<DiskCommand> timers, Setup setup) {
    super(context);
    this.timers = timers;
    this.self = context.getSelf();
    this.setup = setup;
    ActorRef<DiskCommand> me = self;
    this.completions = new Completions(() -> me.tell(new DiskCommand.DiskAnswered()));
    this.port = setup.disk().attach(setup.engine());
    long sizeBytes = setup.disk().geometry().sizeBytes();
    this.sectorBytes = setup.disk().geometry().logicalSectorBytes();
    this.health = new DiskHealth(setup.policy(), sizeBytes);
    long sectors = sizeBytes / sectorBytes;
    this.candidates =
        new long[] {
          0,
          sectors / 2 * sectorBytes,
          (sectors - 1) * sectorBytes,
          sectors / 4 * sectorBytes,
          sectors / 4 * 3 * sectorBytes
        };
    timers.startTimerWithFixedDelay(new DiskCommand.Tick(), TICK);
  }

  @Override
  public Receive<DiskCommand> createReceive() {
    return newReceiveBuilder()
        .onMessage(DiskCommand.class, this::receive)
        .onSignal(PostStop.class, signal -> stopped())
        .build();
  }

  private Behavior<DiskCommand> receive(DiskCommand command) {
    Health before = health.health();
    switch (command) {
      case DiskCommand.Prove c -> {
        health.failed(c.errno(), c.offsetBytes(), now());
        if (proving) {
          later.add(c);
        } else {
          asking.add(c);
          beginProof();
        }
      }
      case DiskCommand.Failed c -> health.failed(c.errno(), c.offsetBytes(), now());
      case DiskCommand.DiskAnswered c -> disksAnswered();
      case DiskCommand.IdentityLooked c -> identityLooked(c);
      case DiskCommand.Tick c -> tick();
      case DiskCommand.Stop c -> {
        return stop();
      }
    }
    if (health.health() != before) {
      setup
          .owner()
          .accept(
              new DiskReport.HealthChanged(
                  setup.number(), before, health.health(), health.reason()));
    }
    return this;
  }

  private long now() {
    return setup.engine().nanoTime();
  }

  private void beginProof() {
    proving = true;
    sectorRead = false;
    identityLooked = false;
    candidatesTried = 0;
    proofDeadlineNanos = now() + setup.policy().proofDeadline().toNanos();
    if (health.health() == Health.GONE) {
      endProof(false);
    } else if (held >= HELD_MAX) {
      health.notProved("it has not answered " + held + " earlier proofs");
      endProof(false);
    } else if (looksOut >= LOOKS_MAX) {
      health.notProved("its identity could not be seen in " + looksOut + " earlier proofs");
      endProof(false);
    } else if (health.hasManyDistantErrors(now())) {
      health.notProved("errors in many distant places at once");
      endProof(false);
    } else {
      lookOfProof = ++looks;
      look(lookOfProof);
      readCandidate();
    }
  }

  private void look(long number) {
    looksOut++;
    IdentityProof identity = setup.identity();
    ActorRef<DiskCommand> me = self;
    CompletableFuture<Void> unused =
        CompletableFuture.supplyAsync(() -> found(number, identity), setup.blocking())
            .handle((looked, failure) -> {
              me.tell(failure == null ? looked : notFound(number, failure));
              return null;
            });
    if (unused.isCancelled()) {
      throw new IllegalStateException("a look was cancelled before it began");
    }
  }

  private static DiskCommand.IdentityLooked found(long number, IdentityProof identity) {
    try {
      String why = identity.trouble().orElse("");
      return new DiskCommand.IdentityLooked(
          number, why.isEmpty() ? DiskCommand.Finding.SAME : DiskCommand.Finding.NOT_IT, why);
    } catch (DiskException e) {
      return notFound(number, e);
    }
  }

  private static DiskCommand.IdentityLooked notFound(long number, Throwable failure) {
    return new DiskCommand.IdentityLooked(
        number,
        DiskCommand.Finding.UNKNOWN,
        "its identity could not be looked at: " + failure.getMessage());
  }

  /** The next known-good candidate that is not itself what somebody complains about. */
  private void readCandidate() {
    while (candidatesTried < candidates.length) {
      long offset = candidates[(firstCandidate + candidatesTried) % candidates.length];
      candidatesTried++;
      if (asking.stream().noneMatch(a -> a.offsetBytes() / sectorBytes == offset / sectorBytes)) {
        IoBuffer buffer = setup.engine().buffers().take(sectorBytes);
        if (buffer == null) {
          // No memory says nothing about the disk: ask again at the next tick.
          candidatesTried--;
          return;
        }
        IoRequest read = new IoRequest(completions);
        reading = read;
        read.transfer(IoRequest.Operation.READ, offset, buffer, 0, sectorBytes, proofDeadlineNanos);
        port.submit(read);
        buffer.release();
        return;
      }
    }
    health.notProved("none of its known-good sectors can be read");
    endProof(false);
  }

  private void disksAnswered() {
    while (true) {
      IoRequest io = completions.next();
      if (io == null) {
        return;
      }
      answered(io, completions.lastOutcome());
    }
  }

  private void answered(IoRequest io, Outcome outcome) {
    if (outcome == Outcome.RELEASED) {
      held--;
      return;
    }
    if ((outcome == Outcome.TIMED_OUT || outcome == Outcome.CANCELLED)
        && (io.held() || io.outcome() == Outcome.RELEASED)) {
      held++;
    }
    if (io != reading) {
      return;
    }
    reading = null;
    switch (outcome) {
      case DONE -> {
        sectorRead = true;
        firstCandidate = (firstCandidate + candidatesTried - 1) % candidates.length;
        proveIfBoth();
      }
      case FAILED -> {
        Errno errno = io.errno();
        Errno said = errno == null ? Errno.OTHER : errno;
        health.failed(said, io.offsetBytes(), now());
        switch (ErrorPolicy.faultOf(said)) {
          case MEDIA, TO_BE_PROVED -> readCandidate();
          case TRANSPORT, TIMEOUT, NO_SPACE, PROTECTION, UNSUPPORTED -> {
            health.notProved("a proof could not be read: " + said.meaning());
            endProof(false);
          }
        }
      }
      default -> {
        health.notProved("it did not answer within " + setup.policy().proofDeadline());
        endProof(false);
      }
    }
  }

  private void identityLooked(DiskCommand.IdentityLooked look) {
    looksOut--;
    if (!proving || look.look() != lookOfProof) {
      return;
    }
    switch (look.finding()) {
      case SAME -> {
        identityLooked = true;
        proveIfBoth();
      }
      case NOT_IT -> {
        health.isAnother(look.reason());
        endProof(false);
      }
      case UNKNOWN -> {
        health.notProved(look.reason());
        endProof(false);
      }
    }
  }

  private void proveIfBoth() {
    if (!proving || !sectorRead || !identityLooked) {
      return;
    }
    if (health.hasManyDistantErrors(now())) {
      health.notProved("errors in many distant places at once");
      endProof(false);
    } else {
      endProof(health.health() != Health.GONE);
    }
  }

  private void endProof(boolean proved) {
    if (!proving) {
      return;
    }
    proving = false;
    reading = null;
    lookOfProof = 0;
    List<DiskCommand.Prove> answered = asking;
    asking = later;
    later = new ArrayList<>();
    if (proved) {
      health.proved(
          !answered.isEmpty(), answered.isEmpty() ? 0 : answered.getFirst().offsetBytes());
    }
    rechecking = false;
    answered.forEach(ask -> ask.answer().accept(proved));
    if (!asking.isEmpty()) {
      beginProof();
    }
  }

  private void tick() {
    long now = now();
    if (proving) {
      if (now - proofDeadlineNanos > 0) {
        health.notProved("it did not prove itself within " + setup.policy().proofDeadline());
        endProof(false);
      } else if (reading == null && !sectorRead) {
        readCandidate();
      }
      return;
    }
    if (health.health() == Health.DOUBTFUL
        && !rechecking
        && now - lastRecheckNanos > setup.policy().recheck().toNanos()) {
      lastRecheckNanos = now;
      rechecking = true;
      beginProof();
    }
  }

  private Behavior<DiskCommand> stop() {
    IoRequest read = reading;
    if (read != null) {
      port.cancel(read);
    }
    endProofsAtStop();
    setup.owner().accept(new DiskReport.Stopped(setup.number()));
    return Behaviors.stopped();
  }

  /** However it ends, the port goes back; what the kernel holds ends as it ends. */
  private Behavior<DiskCommand> stopped() {
    port.detach();
    return this;
  }

  private void endProofsAtStop() {
    asking.forEach(ask -> ask.answer().accept(false));
    later.forEach(ask -> ask.answer().accept(false));
    asking.clear();
    later.clear();
    timers.cancelAll();
  }
}
