package io.spared.nbd;

import io.spared.ffi.engine.Engine;
import io.spared.ffi.engine.IoBuffer;
import io.spared.ffi.engine.Sockets;
import io.spared.nbd.negotiation.Agreement;
import io.spared.nbd.negotiation.Answer;
import io.spared.nbd.negotiation.NegotiationStep;
import io.spared.nbd.negotiation.Question;
import io.spared.nbd.negotiation.ServerNegotiation;
import io.spared.nbd.tls.TlsCredentials;
import io.spared.nbd.tls.TlsTransport;
import io.spared.nbd.transmission.PlainTransport;
import io.spared.nbd.transmission.RingBudget;
import io.spared.nbd.transmission.Session;
import io.spared.nbd.transmission.SessionBuffers;
import io.spared.nbd.transmission.SessionLimits;
import io.spared.nbd.transmission.SessionOwner;
import io.spared.nbd.transmission.Transport;
import io.spared.queue.DeviceQueue;
import io.spared.queue.QueueCommand;
import io.spared.queue.QueueContext;
import io.spared.ring.Ring;
import java.nio.ByteBuffer;
import java.nio.ByteOrder;
import java.time.Duration;
import java.util.ArrayList;
import java.util.List;
import java.util.Optional;
import java.util.concurrent.Executor;
import org.apache.pekko.actor.typed.ActorRef;
import org.apache.pekko.actor.typed.Behavior;
import org.apache.pekko.actor.typed.DispatcherSelector;
import org.apache.pekko.actor.typed.PostStop;
import org.apache.pekko.actor.typed.javadsl.ActorContext;
import org.apache.pekko.actor.typed.javadsl.Behaviors;
import org.apache.pekko.actor.typed.javadsl.TimerScheduler;
import org.jspecify.annotations.Nullable;
import org.slf4j.Logger;
import org.slf4j.LoggerFactory;

/**
 * One client, from its first byte to its last: hosts the negotiation, then the session with its
 * queue to the device, all on the thread of one ring.
 *
 * <p>It stops by itself when nothing is left of the connection: socket closed, and every request of
 * its queue ended, also those that the kernel holds. When it fails, its queue ends with it and the
 * device is told by the death watch: with writes in flight the device must assemble again.
 */
public final class NbdConnection implements Transport.User, SessionOwner {
  /** What it takes. */
  public sealed interface Command {}

  /** Without data: the same objects for ever, so that the path of an I/O makes none. */
  private enum Signal implements Command {
    /** Nothing is left of it. */
    GONE,
    /** The budget has room again. */
    ROOM,
    /** Time passed. */
    TICK,
    /** A step of the TLS handshake was computed on another thread. */
    TLS_STEP
  }

  private record Answered(Answer answer) implements Command {}

  private record QueueAnswered(NbdRequest.QueueAnswer answer) implements Command {}

  /** What went wrong outside of a message fails the actor within one. */
  private record Failed(Throwable cause) implements Command {}

  private record FromDevice(QueueCommand command) implements Command {}

  /** The listener stops: finish what is in hand and go. */
  public record Leave() implements Command {}

  /** Go now. */
  public record Abort(String reason) implements Command {}

  /** Not the actor's own, which may only be used within a message. */
  private static final Logger LOG = LoggerFactory.getLogger(NbdConnection.class);

  /** Often enough for limits that are given in seconds. */
  private static final Duration TICK_EVERY = Duration.ofSeconds(1);

  /**
   * Short enough to stay in caches. With the room before its data a piece fills a buffer whose size
   * is a power of two, as engines cut their slabs.
   */
  private static final int PIECE_BUFFER_BYTES_MAX = 256 << 10;

  private enum Phase {
    NEGOTIATING,
    /** The last reply of the negotiation is on its way. */
    BEGINNING,
    TRANSMITTING,
    ENDED
  }

  private final ActorContext<Command> context;
  private final NbdListenerSettings settings;
  private final ActorRef<NbdRequest> owner;
  private final Ring ring;
  private final Engine engine;
  private final RingBudget budget;
  private final Optional<TlsCredentials> credentials;
  private final Sockets.Stream stream;
  private ClientIdentity client;
  private final ServerNegotiation negotiation;
  private final ActorRef<Answer> answers;
  private final ActorRef<NbdRequest.QueueAnswer> queueAnswers;
  private final ActorRef<QueueCommand> commands;
  private final Executor blocking;
  private final long negotiationEndsNanos;

  private Transport transport;
  private Phase phase = Phase.NEGOTIATING;
  private final Runnable turn = this::turned;
  private boolean turnNoted;
  private boolean isStopped;

  private @Nullable IoBuffer input;
  private int inputStart;
  private int inputEnd;
  private @Nullable IoBuffer output;
  private @Nullable IoBuffer otherOutput;
  private byte[] unsent = new byte[0];
  private int unsentStart;
  private @Nullable NegotiationStep stepAfterSending;
  private boolean asking;

  private boolean opening;
  private @Nullable QueueContext queueContext;
  private @Nullable DeviceQueue queue;
  private @Nullable Session session;
  private final List<QueueCommand> early = new ArrayList<>();

  /** Everything a connection is given. */
  record Parts(
      NbdListenerSettings settings,
      ActorRef<NbdRequest> owner,
      Ring ring,
      RingBudget budget,
      Optional<TlsCredentials> credentials,
      Sockets.Accepted accepted) {}

  static Behavior<Command> create(Parts parts) {
    return Behaviors.setup(context ->
        Behaviors.withTimers(timers -> {
          NbdConnection connection = new NbdConnection(context, timers, parts);
          connection.begin();
          return connection.behavior();
        }));
  }

  private NbdConnection(
      ActorContext<Command> context, TimerScheduler<Command> timers, Parts parts) {
    this.context = context;
    this.settings = parts.settings();
    this.owner = parts.owner();
    this.ring = parts.ring();
    this.engine = ring.engine();
    this.budget = parts.budget();
    this.client = new ClientIdentity(parts.accepted().peer(), settings.name(), Optional.empty());
    this.negotiation = new ServerNegotiation(settings.tls().mode());
    this.answers = context.messageAdapter(Answer.class, Answered::new);
    this.queueAnswers = context.messageAdapter(NbdRequest.QueueAnswer.class, QueueAnswered::new);
    this.commands = context.messageAdapter(QueueCommand.class, FromDevice::new);
    this.blocking = context.getSystem().dispatchers().lookup(DispatcherSelector.blocking());
    this.negotiationEndsNanos = engine.nanoTime() + settings.limits().negotiation().toNanos();
    timers.startTimerWithFixedDelay(Signal.TICK, TICK_EVERY);
    this.credentials = parts.credentials();
    this.stream = parts.accepted().attach(engine);
    this.transport = new PlainTransport(stream, this::noteTurn, this);
  }

  private Behavior<Command> behavior() {
    return Behaviors.receive(Command.class)
        .onAnyMessage(this::on)
        .onSignal(PostStop.class, _ -> stopped())
        .build();
  }

  private Behavior<Command> on(Command command) {
    switch (command) {
      case Signal signal -> onSignal(signal);
      case FromDevice fromDevice -> onDevice(fromDevice.command());
      case Answered answered -> onAnswer(answered.answer());
      case QueueAnswered answered -> onQueueAnswer(answered.answer());
      case Leave _ -> leave();
      case Abort abort -> end(false, abort.reason());
      case Failed failed ->
          throw new IllegalStateException("the connection of " + client, failed.cause());
    }
    return phase == Phase.ENDED && isGone() ? Behaviors.stopped() : Behaviors.same();
  }

  private boolean isGone() {
    return session == null && !opening && queue == null;
  }

  private void onSignal(Signal signal) {
    switch (signal) {
      // Looked at after every message.
      case GONE -> {}
      case ROOM -> workOn();
      case TICK -> tick();
      case TLS_STEP -> {
        if (transport instanceof TlsTransport tls) {
          tls.resume();
        }
      }
    }
  }

  // Socket and queue end things in one turn; both are looked at together, at its end. That happens
  // outside of the mailbox, on the actor's own thread, between its messages: nothing else of the
  // actor can run then, so its state is as safe as in a message, and an I/O allocates nothing. What
  // only an actor may do (fail, stop) is left to a message.

  private void noteTurn() {
    if (!turnNoted) {
      turnNoted = true;
      engine.ledger().afterSignals(turn);
    }
  }

  private void turned() {
    turnNoted = false;
    if (isStopped) {
      return;
    }
    try {
      transport.takeEnded();
      DeviceQueue q = queue;
      if (q != null) {
        q.completionsReady();
      }
      workOn();
    } catch (RuntimeException | Error e) {
      context.getSelf().tell(new Failed(e));
    }
    if (phase == Phase.ENDED && isGone()) {
      context.getSelf().tell(Signal.GONE);
    }
  }

  private void workOn() {
    Session s = session;
    if (s != null && phase != Phase.BEGINNING) {
      s.work();
    }
  }

  private void tick() {
    if (phase == Phase.NEGOTIATING || phase == Phase.BEGINNING) {
      if (engine.nanoTime() - negotiationEndsNanos >= 0) {
        end(false, "the negotiation took longer than " + settings.limits().negotiation());
      }
    } else {
      Session s = session;
      if (s != null) {
        s.tick();
      }
    }
  }

  // Negotiation.

  private void begin() {
    input = engine.buffers().take(Session.outputBytes());
    output = engine.buffers().take(Session.outputBytes());
    otherOutput = engine.buffers().take(Session.outputBytes());
    if (input == null || output == null || otherOutput == null) {
      end(false, "there are no buffers for another connection");
      return;
    }
    LOG.debug("NBD {}: {} connected", settings.name(), client);
    afterSending(new NegotiationStep.MoreBytes());
  }

  /** Sends what the negotiation wrote, then does the step. */
  private void afterSending(NegotiationStep step) {
    stepAfterSending = step;
    unsent = negotiation.takeOutput();
    unsentStart = 0;
    sendMore();
  }

  private void sendMore() {
    IoBuffer buffer = output;
    if (phase == Phase.ENDED || buffer == null) {
      return;
    }
    int lengthBytes = Math.min(unsent.length - unsentStart, buffer.capacityBytes());
    if (lengthBytes > 0) {
      buffer.bytes().put(0, unsent, unsentStart, lengthBytes);
      unsentStart += lengthBytes;
      transport.send(buffer, 0, lengthBytes);
      return;
    }
    NegotiationStep step = stepAfterSending;
    stepAfterSending = null;
    if (step != null) {
      take(step);
    }
  }

  private void take(NegotiationStep step) {
    switch (step) {
      case NegotiationStep.MoreBytes _ -> receiveMore();
      case NegotiationStep.Ask ask -> ask(ask.question());
      case NegotiationStep.StartTls _ -> startTls();
      case NegotiationStep.Transmit _ -> {
        phase = Phase.TRANSMITTING;
        workOn();
      }
      case NegotiationStep.End end -> end(end.orderly(), end.reason());
    }
  }

  /** Bytes that came before the handshake could be anybody's, and must not be heard after it. */
  private void startTls() {
    TlsCredentials own = credentials.orElseThrow();
    IoBuffer in = engine.buffers().take(TlsTransport.bufferBytes());
    IoBuffer out = in == null ? null : engine.buffers().take(TlsTransport.bufferBytes());
    if (inputEnd > inputStart) {
      end(false, "there were bytes in the clear behind the request for TLS");
    } else if (in != null && out != null) {
      inputStart = 0;
      inputEnd = 0;
      transport =
          new TlsTransport(
              own,
              stream,
              new IoBuffer[] {in, out},
              this,
              this::secured,
              blocking,
              () -> context.getSelf().tell(Signal.TLS_STEP),
              this::noteTurn);
      return;
    } else {
      end(false, "there are no buffers for another TLS connection");
    }
    if (in != null) {
      in.release();
    }
    if (out != null) {
      out.release();
    }
  }

  private void secured(Optional<String> clientName) {
    client = new ClientIdentity(client.peer(), client.listener(), clientName);
    negotiation.secured();
    receiveMore();
  }

  private void receiveMore() {
    IoBuffer buffer = input;
    if (buffer == null || phase == Phase.ENDED) {
      return;
    }
    ByteBuffer bytes = buffer.bytes();
    if (inputStart > 0) {
      bytes.put(0, bytes, inputStart, inputEnd - inputStart);
      inputEnd -= inputStart;
      inputStart = 0;
    }
    transport.receive(buffer, inputEnd, buffer.capacityBytes() - inputEnd);
  }

  private void advance() {
    IoBuffer buffer = input;
    if (buffer == null) {
      return;
    }
    ByteBuffer view =
        buffer.bytes().slice(inputStart, inputEnd - inputStart).order(ByteOrder.BIG_ENDIAN);
    NegotiationStep step = negotiation.advance(view);
    inputStart += view.position();
    afterSending(step);
  }

  private void ask(Question question) {
    asking = true;
    switch (question) {
      case Question.Names _ -> owner.tell(new NbdRequest.ListExports(client, answers));
      case Question.Find find ->
          owner.tell(new NbdRequest.FindExport(find.name(), client, answers));
      case Question.Open open -> {
        opening = true;
        owner.tell(
            new NbdRequest.OpenQueue(
                open.export().name(), client, ring.index(), commands, queueAnswers));
      }
    }
  }

  private void onAnswer(Answer answer) {
    if (phase != Phase.NEGOTIATING || !asking) {
      return;
    }
    asking = false;
    NegotiationStep step = negotiation.answer(permitted(answer));
    if (step == null) {
      advance();
    } else if (step instanceof NegotiationStep.Transmit transmit) {
      prepareSession(transmit.agreement());
      afterSending(step);
    } else {
      afterSending(step);
    }
  }

  /** What this client may not use it is not shown either, and refused by whatever name it asks. */
  private Answer permitted(Answer answer) {
    return switch (answer) {
      case Answer.Names names ->
          new Answer.Names(
              names.names().stream().filter(name -> settings.allows(name.name(), client)).toList());
      case Answer.Found found ->
          settings.allows(found.export().name(), client)
              ? found
              : new Answer.Refused(
                  Answer.Refusal.NOT_ALLOWED,
                  "export \"" + found.export().name() + "\" is not for " + client);
      case Answer.Opened _, Answer.Refused _ -> answer;
    };
  }

  private void onQueueAnswer(NbdRequest.QueueAnswer answer) {
    opening = false;
    switch (answer) {
      case NbdRequest.QueueAnswer.Opened opened -> {
        queueContext = opened.context();
        if (phase == Phase.NEGOTIATING) {
          onAnswer(new Answer.Opened());
        } else {
          giveBack(opened.context());
        }
      }
      case NbdRequest.QueueAnswer.Refused refused ->
          onAnswer(new Answer.Refused(refused.refusal(), refused.sentence()));
    }
  }

  /** The client went while its queue was being opened: it is closed in the way of all queues. */
  private void giveBack(QueueContext context) {
    UnusedQueue unused = new UnusedQueue(() -> queue = null);
    DeviceQueue q = new DeviceQueue(context, engine, this::noteTurn, unused);
    queue = q;
    early.forEach(q::handle);
    early.clear();
    q.drain();
  }

  // Transmission.

  private void prepareSession(Agreement agreement) {
    QueueContext opened = queueContext;
    IoBuffer in = input;
    IoBuffer out = output;
    IoBuffer other = otherOutput;
    if (opened == null || in == null || out == null || other == null) {
      throw new IllegalStateException("an agreement without a queue");
    }
    NbdLimits limits = settings.limits();
    int buffer = Math.min(PIECE_BUFFER_BYTES_MAX, engine.buffers().largestBytes());
    SessionLimits sessionLimits =
        new SessionLimits(
            limits.requestsPerConnection(),
            buffer - Session.headroomBytes(),
            limits.stall().toNanos(),
            limits.idle().toNanos());
    RingBudget.Member member =
        budget.join(limits.bytesPerConnection(), () -> context.getSelf().tell(Signal.ROOM));
    phase = Phase.BEGINNING;
    Session made =
        new Session(
            agreement,
            opened,
            engine,
            member,
            sessionLimits,
            this,
            new SessionBuffers(in, inputStart, inputEnd, out, other));
    input = null;
    otherOutput = null;
    DeviceQueue q = new DeviceQueue(opened, engine, this::noteTurn, made);
    made.begin(q, transport);
    session = made;
    queue = q;
    early.forEach(q::handle);
    early.clear();
    owner.tell(new NbdRequest.ClientArrived(agreement.export().name(), client));
  }

  private void onDevice(QueueCommand command) {
    DeviceQueue q = queue;
    if (q == null) {
      early.add(command);
      return;
    }
    q.handle(command);
    workOn();
  }

  // The socket.

  @Override
  public void received(int bytes) {
    if (phase == Phase.NEGOTIATING) {
      inputEnd += bytes;
      advance();
    } else {
      Session s = session;
      if (s != null) {
        s.received(bytes);
      }
    }
  }

  @Override
  public void sent() {
    if (phase == Phase.NEGOTIATING || phase == Phase.BEGINNING) {
      sendMore();
    } else {
      Session s = session;
      if (s != null) {
        s.sent();
      }
    }
  }

  @Override
  public void broken(boolean byPeer, String reason) {
    Session s = session;
    if (s != null) {
      s.broken(byPeer, reason);
    } else {
      end(false, reason + ", during the negotiation");
    }
  }

  // The end.

  private void leave() {
    Session s = session;
    if (s == null) {
      end(true, "the listener stops");
    } else {
      s.leave();
    }
  }

  private void end(boolean orderly, String reason) {
    Session s = session;
    if (s != null) {
      s.end(orderly, reason);
    } else if (phase != Phase.ENDED) {
      phase = Phase.ENDED;
      log(orderly, reason);
      transport.close();
      releaseBuffers();
    }
  }

  private void log(boolean orderly, String reason) {
    if (orderly) {
      LOG.debug("NBD {}: {}: {}", settings.name(), client, reason);
    } else {
      LOG.warn("NBD {}: {} disconnected: {}", settings.name(), client, reason);
    }
  }

  @Override
  public void ended(boolean orderly, String reason) {
    phase = Phase.ENDED;
    Session s = session;
    QueueContext opened = queueContext;
    if (s != null && opened != null) {
      log(orderly, reason + "; " + s.counters());
      owner.tell(new NbdRequest.ClientLeft(s.exportName(), client, orderly, reason));
    }
  }

  @Override
  public void gone() {
    session = null;
    queue = null;
    output = null;
  }

  private void releaseBuffers() {
    for (IoBuffer buffer : new IoBuffer[] {input, output, otherOutput}) {
      if (buffer != null) {
        buffer.release();
      }
    }
    input = null;
    output = null;
    otherOutput = null;
  }

  /**
   * However it ends: the client is gone, buffers go back, and the queue ends by itself once the
   * kernel has let go of its requests.
   */
  private Behavior<Command> stopped() {
    isStopped = true;
    Session s = session;
    DeviceQueue q = queue;
    try {
      if (s != null) {
        s.end(false, "its actor ended");
      }
      if (q != null) {
        q.abandon();
      }
      if (s != null) {
        s.work();
      }
    } catch (RuntimeException broken) {
      LOG.error("NBD {}: {}: the connection cannot be ended", settings.name(), client, broken);
    } finally {
      transport.close();
      if (q != null) {
        q.hostEnded();
      }
      if (s == null) {
        releaseBuffers();
      } else {
        s.hostEnded();
      }
    }
    return Behaviors.same();
  }
}
