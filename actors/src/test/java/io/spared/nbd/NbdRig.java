package io.spared.nbd;

import com.typesafe.config.ConfigFactory;
import io.spared.ffi.disk.Disk;
import io.spared.format.Geometry;
import io.spared.nbd.NbdListenerSettings.Endpoint;
import io.spared.remap.RemapTable;
import io.spared.ring.Rings;
import io.spared.ring.SystemRings;
import java.net.Inet6Address;
import java.net.InetAddress;
import java.net.InetSocketAddress;
import java.net.SocketAddress;
import java.nio.file.Path;
import java.time.Duration;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import java.util.concurrent.BlockingQueue;
import java.util.concurrent.CompletableFuture;
import java.util.concurrent.ExecutionException;
import java.util.concurrent.LinkedBlockingQueue;
import java.util.concurrent.TimeUnit;
import java.util.concurrent.TimeoutException;
import org.apache.pekko.Done;
import org.apache.pekko.actor.typed.ActorRef;
import org.apache.pekko.actor.typed.ActorSystem;
import org.apache.pekko.actor.typed.javadsl.AskPattern;
import org.apache.pekko.actor.typed.javadsl.Behaviors;

/**
 * The NBD frontend with real rings and queues over given disks, without the rest of the daemon: its
 * owner answers as a device would whose every block is on main, but for those that a test puts into
 * the table.
 */
public final class NbdRig implements AutoCloseable {
  /** An export of the rig. */
  public record Export(String name, Disk disk, RemapTable table, boolean readOnly) {

    public static Export of(String name, Disk disk) {
      return new Export(name, disk, new RemapTable(geometry(disk)), false);
    }

    static Geometry geometry(Disk disk) {
      return new Geometry(4096, disk.geometry().logicalSectorBytes(), disk.geometry().sizeBytes());
    }
  }

  private final ActorSystem<Object> system;
  private final Rings rings;
  private final ActorRef<NbdFrontend.Command> frontend;
  private final BlockingQueue<NbdRequest> reports = new LinkedBlockingQueue<>();
  private final List<Export> exports;
  private final SocketAddress address;
  private final Optional<String> warning;

  public NbdRig(List<Export> exports, NbdListenerSettings settings, String configuration)
      throws Exception {
    this.exports = List.copyOf(exports);
    this.system =
        ActorSystem.create(
            Behaviors.setup(context ->
                Behaviors.receive(Object.class)
                    .onMessage(
                        StartFrontend.class,
                        start -> {
                          ActorRef<NbdRequest> owner =
                              context.spawn(RigOwner.create(this.exports, reports::add), "owner");
                          start
                              .frontend()
                              .complete(
                                  context.spawn(
                                      NbdFrontend.create(start.settings(), start.rings(), owner),
                                      "frontend"));
                          return Behaviors.same();
                        })
                    .build()),
            "nbd-rig",
            ConfigFactory.parseString(configuration).withFallback(ConfigFactory.load()));
    this.rings = SystemRings.start(system);
    StartFrontend start = new StartFrontend(settings, rings, new CompletableFuture<>());
    system.tell(start);
    this.frontend = start.frontend().get(10, TimeUnit.SECONDS);
    NbdRequest first = reports.poll(10, TimeUnit.SECONDS);
    if (!(first instanceof NbdRequest.Listening listening)) {
      system.terminate();
      throw new IllegalStateException("the rig does not listen: " + first);
    }
    this.address = listening.address();
    this.warning = listening.warning();
  }

  private record StartFrontend(
      NbdListenerSettings settings,
      Rings rings,
      CompletableFuture<ActorRef<NbdFrontend.Command>> frontend) {}

  /** One export called "disk", on a Unix socket. */
  public static NbdRig overUnix(Path socket, Export... exports) throws Exception {
    return new NbdRig(
        List.of(exports),
        new NbdListenerSettings(
            "rig",
            new Endpoint.Unix(socket, 0600, Optional.empty()),
            false,
            TlsSettings.OFF,
            NbdLimits.DEFAULTS,
            Map.of()),
        "pekko.loglevel = WARNING");
  }

  /** On a free port of loopback. */
  public static NbdRig overTcp(
      TlsSettings tls, NbdLimits limits, Map<String, List<String>> clients, Export... exports)
      throws Exception {
    return new NbdRig(
        List.of(exports),
        new NbdListenerSettings(
            "rig",
            new Endpoint.Tcp(new InetSocketAddress(InetAddress.getLoopbackAddress(), 0)),
            false,
            tls,
            limits,
            clients),
        "pekko.loglevel = WARNING");
  }

  /** What is dangerous about where it listens. */
  public Optional<String> warning() {
    return warning;
  }

  public SocketAddress address() {
    return address;
  }

  /** How clients name an export. */
  public String uri(String export) {
    return address instanceof InetSocketAddress inet
        ? "nbd://" + host(inet) + ":" + inet.getPort() + "/" + export
        : "nbd+unix:///" + export + "?socket=" + address;
  }

  private static String host(InetSocketAddress address) {
    return address.getAddress() instanceof Inet6Address six && !six.isAnyLocalAddress()
        ? "[::1]"
        : "127.0.0.1";
  }

  /** What the frontend told its owner since the last call. */
  public BlockingQueue<NbdRequest> reports() {
    return reports;
  }

  @Override
  public void close() {
    try {
      AskPattern.<NbdFrontend.Command, Done>ask(
              frontend,
              replyTo -> new NbdFrontend.Stop(Duration.ofSeconds(5), replyTo),
              Duration.ofSeconds(10),
              system.scheduler())
          .toCompletableFuture()
          .get(10, TimeUnit.SECONDS);
      system.terminate();
      system.getWhenTerminated().toCompletableFuture().get(10, TimeUnit.SECONDS);
    } catch (InterruptedException e) {
      Thread.currentThread().interrupt();
    } catch (ExecutionException | TimeoutException e) {
      throw new IllegalStateException("the rig does not stop", e);
    }
  }
}
