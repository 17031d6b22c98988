package io.spared.nbd;

import io.spared.ffi.file.SmallFile;
import io.spared.nbd.NbdListenerSettings.Endpoint;
import io.spared.nbd.negotiation.TlsMode;
import io.spared.nbd.tls.TlsCredentials;
import io.spared.nbd.transmission.RingBudget;
import io.spared.ring.Rings;
import java.io.IOException;
import java.nio.file.Path;
import java.security.GeneralSecurityException;
import java.time.Duration;
import java.util.ArrayList;
import java.util.HashMap;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import org.apache.pekko.Done;
import org.apache.pekko.actor.typed.ActorRef;
import org.apache.pekko.actor.typed.Behavior;
import org.apache.pekko.actor.typed.SupervisorStrategy;
import org.apache.pekko.actor.typed.Terminated;
import org.apache.pekko.actor.typed.javadsl.ActorContext;
import org.apache.pekko.actor.typed.javadsl.Behaviors;
import org.apache.pekko.actor.typed.javadsl.TimerScheduler;
import org.jspecify.annotations.Nullable;

/**
 * One NBD listener and its connections: spreads them over the rings, bounds their number, and ends
 * them when it is told to stop. What it needs to know of devices it asks its owner ({@link
 * NbdRequest}).
 *
 * <p>The part that accepts is restarted when it fails, and connections go on meanwhile; a
 * connection that fails is gone, and its client may come again.
 */
public final class NbdFrontend {
  /** What it takes. */
  public sealed interface Command {}

  /**
   * Accepts no more, lets connections finish what they have in hand, ends them at the deadline, and
   * answers when the last is gone. Those that the kernel still holds requests of may outlast the
   * deadline; they are not waited for.
   */
  public record Stop(Duration deadline, ActorRef<Done> replyTo) implements Command {}

  private record FromListener(NbdListener.Report report) implements Command {}

  private enum Signal implements Command {
    DEADLINE,
    GIVE_UP
  }

  /** Chains of certificates are a few KiB. */
  private static final int PEM_BYTES_MAX = 1 << 20;

  private final Optional<TlsCredentials> credentials;
  private final ActorContext<Command> context;
  private final TimerScheduler<Command> timers;
  private final NbdListenerSettings settings;
  private final Rings rings;
  private final ActorRef<NbdRequest> owner;
  private final List<RingBudget> budgets = new ArrayList<>();
  private final int[] connectionsOfRing;
  private final Map<ActorRef<NbdConnection.Command>, Integer> connections = new HashMap<>();
  private final ActorRef<NbdListener.Command> listener;
  private long connectionCount;
  private long refusedCount;
  private @Nullable Stop stopping;

  public static Behavior<Command> create(
      NbdListenerSettings settings, Rings rings, ActorRef<NbdRequest> owner) {
    return Behaviors.setup(
        context -> Behaviors.withTimers(timers -> begin(context, timers, settings, rings, owner)));
  }

  private static Behavior<Command> begin(
      ActorContext<Command> context,
      TimerScheduler<Command> timers,
      NbdListenerSettings settings,
      Rings rings,
      ActorRef<NbdRequest> owner) {
    Optional<TlsCredentials> credentials = Optional.empty();
    try {
      if (settings.tls().mode() != TlsMode.OFF) {
        credentials = Optional.of(credentials(settings.tls()));
      }
    } catch (IOException | GeneralSecurityException e) {
      String sentence =
          "NBD listener " + settings.name() + ": TLS cannot be set up: " + e.getMessage();
      context.getLog().error(sentence);
      owner.tell(new NbdRequest.ListenFailed(settings.name(), sentence));
      return Behaviors.stopped();
    }
    return new NbdFrontend(context, timers, settings, rings, owner, credentials).behavior();
  }

  private static TlsCredentials credentials(TlsSettings tls)
      throws IOException, GeneralSecurityException {
    if (tls.certificate().isEmpty() || tls.key().isEmpty()) {
      throw new IOException("a certificate and a key are needed");
    }
    String certificate = SmallFile.read(tls.certificate().get(), PEM_BYTES_MAX);
    String key = SmallFile.read(tls.key().get(), PEM_BYTES_MAX);
    Optional<String> authority = Optional.empty();
    if (tls.clientAuthority().isPresent()) {
      authority = Optional.of(SmallFile.read(tls.clientAuthority().get(), PEM_BYTES_MAX));
    }
    return new TlsCredentials(certificate, key, authority);
  }

  private NbdFrontend(
      ActorContext<Command> context,
      TimerScheduler<Command> timers,
      NbdListenerSettings settings,
      Rings rings,
      ActorRef<NbdRequest> owner,
      Optional<TlsCredentials> credentials) {
    this.credentials = credentials;
    this.context = context;
    this.timers = timers;
    this.settings = settings;
    this.rings = rings;
    this.owner = owner;
    this.connectionsOfRing = new int[rings.count()];
    for (int i = 0; i < rings.count(); i++) {
      budgets.add(new RingBudget(settings.limits().bytesPerRing()));
    }
    ActorRef<NbdListener.Report> reports =
        context.messageAdapter(NbdListener.Report.class, FromListener::new);
    Behavior<NbdListener.Command> restarted =
        Behaviors.supervise(NbdListener.create(settings, rings.ring(0), reports))
            .onFailure(
                SupervisorStrategy.restartWithBackoff(
                    Duration.ofMillis(100), Duration.ofSeconds(10), 0.1));
    this.listener = context.spawn(restarted, "listener", rings.ring(0).dispatcher());
  }

  private Behavior<Command> behavior() {
    return Behaviors.receive(Command.class)
        .onMessage(FromListener.class, from -> onReport(from.report()))
        .onMessage(Stop.class, this::onStop)
        .onMessageEquals(Signal.DEADLINE, this::onDeadline)
        .onMessageEquals(Signal.GIVE_UP, this::allGone)
        .onSignal(Terminated.class, this::onTerminated)
        .build();
  }

  private Behavior<Command> onReport(NbdListener.Report report) {
    switch (report) {
      case NbdListener.Listens listens -> {
        if (settings.endpoint() instanceof Endpoint.Unix unix
            && unix.owner().isPresent()
            && !giveTo(unix.path(), unix.owner().get())) {
          return Behaviors.stopped();
        }
        context.getLog().info("NBD {} listens at {}", settings.name(), listens.address());
        owner.tell(new NbdRequest.Listening(settings.name(), listens.address(), listens.warning()));
      }
      case NbdListener.Cannot cannot -> {
        context.getLog().error(cannot.sentence());
        owner.tell(new NbdRequest.ListenFailed(settings.name(), cannot.sentence()));
      }
      case NbdListener.Came came -> onConnection(came);
    }
    return Behaviors.same();
  }

  private boolean giveTo(Path socket, String user) {
    try {
      SmallFile.giveTo(socket, user);
      return true;
    } catch (IOException e) {
      String sentence =
          "NBD listener "
              + settings.name()
              + ": the socket "
              + socket
              + " cannot be given to "
              + user
              + " ("
              + e
              + "); name a user of this host, and run as one who may";
      context.getLog().error(sentence);
      owner.tell(new NbdRequest.ListenFailed(settings.name(), sentence));
      return false;
    }
  }

  private void onConnection(NbdListener.Came came) {
    if (stopping != null || connections.size() >= settings.limits().connections()) {
      came.accepted().close();
      refusedCount++;
      // One line for each power of two: a flood must not become a flood of lines.
      if (stopping == null && Long.bitCount(refusedCount) == 1) {
        context
            .getLog()
            .warn(
                "NBD {}: {} was turned away: {} connections are open, which is the limit;"
                    + " {} turned away so far",
                settings.name(),
                came.accepted().peer(),
                connections.size(),
                refusedCount);
      }
      return;
    }
    int ring = 0;
    for (int i = 1; i < connectionsOfRing.length; i++) {
      if (connectionsOfRing[i] < connectionsOfRing[ring]) {
        ring = i;
      }
    }
    NbdConnection.Parts parts =
        new NbdConnection.Parts(
            settings, owner, rings.ring(ring), budgets.get(ring), credentials, came.accepted());
    ActorRef<NbdConnection.Command> connection =
        context.spawn(
            NbdConnection.create(parts),
            "connection-" + connectionCount++,
            rings.ring(ring).dispatcher());
    context.watch(connection);
    connections.put(connection, ring);
    connectionsOfRing[ring]++;
  }

  private Behavior<Command> onTerminated(Terminated terminated) {
    Integer ring = connections.remove(terminated.getRef().<NbdConnection.Command>unsafeUpcast());
    if (ring != null) {
      connectionsOfRing[ring]--;
    }
    return stopping != null && connections.isEmpty() ? allGone() : Behaviors.same();
  }

  private Behavior<Command> onStop(Stop stop) {
    stopping = stop;
    context.stop(listener);
    connections.keySet().forEach(ref -> ref.tell(new NbdConnection.Leave()));
    if (connections.isEmpty()) {
      return allGone();
    }
    timers.startSingleTimer(Signal.DEADLINE, stop.deadline().dividedBy(2));
    timers.startSingleTimer(Signal.GIVE_UP, stop.deadline());
    return Behaviors.same();
  }

  private Behavior<Command> onDeadline() {
    connections
        .keySet()
        .forEach(ref -> ref.tell(new NbdConnection.Abort("the daemon is stopping")));
    return Behaviors.same();
  }

  private Behavior<Command> allGone() {
    Stop stop = stopping;
    if (stop != null) {
      stop.replyTo().tell(Done.getInstance());
    }
    return Behaviors.stopped();
  }
}
