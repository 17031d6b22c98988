package io.spared.nbd;

import io.spared.ffi.engine.Completions;
import io.spared.ffi.engine.Engine;
import io.spared.ffi.engine.IoRequest;
import io.spared.ffi.engine.Ledger;
import io.spared.ffi.engine.Sockets;
import io.spared.nbd.NbdListenerSettings.Endpoint;
import io.spared.nbd.negotiation.TlsMode;
import io.spared.ring.Ring;
import java.io.IOException;
import java.net.SocketAddress;
import java.net.UnixDomainSocketAddress;
import java.time.Duration;
import java.util.Optional;
import org.apache.pekko.actor.typed.ActorRef;
import org.apache.pekko.actor.typed.Behavior;
import org.apache.pekko.actor.typed.PostStop;
import org.apache.pekko.actor.typed.PreRestart;
import org.apache.pekko.actor.typed.javadsl.ActorContext;
import org.apache.pekko.actor.typed.javadsl.Behaviors;
import org.apache.pekko.actor.typed.javadsl.TimerScheduler;

/**
 * Accepts connections on one socket and hands them to the frontend. It lives on a ring, since its
 * socket is the engine's. It owns no connection, so that it can fail and be started again while
 * they go on.
 */
final class NbdListener {
  sealed interface Command {}

  private enum Signal implements Command {
    TURNED,
    ACCEPT_AGAIN
  }

  /** What it tells the frontend. */
  sealed interface Report {}

  record Listens(SocketAddress address, Optional<String> warning) implements Report {}

  record Cannot(String sentence) implements Report {}

  record Came(Sockets.Accepted accepted) implements Report {}

  /** When the system refuses to accept (descriptors used up, mostly), not at once again. */
  private static final Duration PAUSE = Duration.ofMillis(200);

  private static final int BACKLOG = 64;

  private final ActorContext<Command> context;
  private final TimerScheduler<Command> timers;
  private final NbdListenerSettings settings;
  private final ActorRef<Report> frontend;
  private final Sockets.Listener listener;
  private final Completions completions;
  private final IoRequest accept;

  static Behavior<Command> create(
      NbdListenerSettings settings, Ring ring, ActorRef<Report> frontend) {
    return Behaviors.setup(context ->
        Behaviors.withTimers(timers -> {
          Sockets.Listener listener;
          try {
            listener = open(settings, ring.engine());
          } catch (IOException e) {
            frontend.tell(
                new Cannot(
                    "NBD listener "
                        + settings.name()
                        + " cannot listen at "
                        + settings.endpoint()
                        + ": "
                        + e.getMessage()));
            return Behaviors.stopped();
          }
          SocketAddress address = listener.address();
          Optional<String> warning = Optional.empty();
          if (NbdListenerSettings.leavesHost(address)
              && settings.tls().mode() != TlsMode.REQUIRED) {
            if (!settings.insecureAllowed()) {
              listener.close();
              frontend.tell(new Cannot(insecure(settings, address)));
              return Behaviors.stopped();
            }
            warning = Optional.of(dangerous(settings, address));
          }
          frontend.tell(new Listens(address, warning));
          NbdListener made = new NbdListener(context, timers, settings, frontend, listener);
          made.accept();
          return made.behavior();
        }));
  }

  private static String dangerous(NbdListenerSettings settings, SocketAddress address) {
    return "NBD "
        + settings.name()
        + ": "
        + address
        + " is reached from other hosts without TLS: anyone there can read and write the exports,"
        + " and so can anyone in between";
  }

  private static String insecure(NbdListenerSettings settings, SocketAddress address) {
    return "NBD listener "
        + settings.name()
        + ": "
        + address
        + " is reached from other hosts, and TLS is not required; require TLS, listen on loopback"
        + " or a Unix socket, or set insecure-allowed = true";
  }

  private static Sockets.Listener open(NbdListenerSettings settings, Engine engine)
      throws IOException {
    Sockets sockets = engine.sockets();
    return switch (settings.endpoint()) {
      case Endpoint.Tcp tcp -> sockets.listen(tcp.address(), BACKLOG, 0);
      case Endpoint.Unix unix ->
          sockets.listen(UnixDomainSocketAddress.of(unix.path()), BACKLOG, unix.mode());
      case Endpoint.Inherited inherited -> sockets.inherited(inherited.position());
    };
  }

  private NbdListener(
      ActorContext<Command> context,
      TimerScheduler<Command> timers,
      NbdListenerSettings settings,
      ActorRef<Report> frontend,
      Sockets.Listener listener) {
    this.context = context;
    this.timers = timers;
    this.settings = settings;
    this.frontend = frontend;
    this.listener = listener;
    this.completions = new Completions(() -> context.getSelf().tell(Signal.TURNED));
    this.accept = new IoRequest(completions);
  }

  private Behavior<Command> behavior() {
    return Behaviors.receive(Command.class)
        .onMessageEquals(Signal.TURNED, this::turned)
        .onMessageEquals(
            Signal.ACCEPT_AGAIN,
            () -> {
              accept();
              return Behaviors.same();
            })
        .onSignal(PostStop.class, _ -> close())
        .onSignal(PreRestart.class, _ -> close())
        .build();
  }

  private Behavior<Command> turned() {
    for (IoRequest ended = completions.next(); ended != null; ended = completions.next()) {
      if (ended.outcome() == IoRequest.Outcome.DONE
          && ended.result() instanceof Sockets.Accepted accepted) {
        frontend.tell(new Came(accepted));
        accept();
      } else {
        context.getLog().warn("NBD {}: accepting failed: {}", settings.name(), ended);
        timers.startSingleTimer(Signal.ACCEPT_AGAIN, PAUSE);
      }
    }
    return Behaviors.same();
  }

  private void accept() {
    listener.accept(accept.plain(IoRequest.Operation.ACCEPT, 0, 0, Ledger.NEVER));
  }

  private Behavior<Command> close() {
    listener.close();
    return Behaviors.same();
  }
}
