package io.spared.sim;

import io.spared.format.Geometry;
import io.spared.host.HostCommand;
import java.util.ArrayList;
import java.util.List;
import org.apache.pekko.actor.typed.ActorRef;
import org.apache.pekko.actor.typed.javadsl.ActorContext;
import org.jspecify.annotations.Nullable;

/**
 * Another device in the daemon of a run, with clients and a truth of its own: whatever is done to
 * the first one, this one keeps its promises too, on spares of its own or on the same ones.
 */
final class Neighbour {
  private static final String PREFIX = "neighbour-";
  private static final long REQUESTS = 500;

  final CoreSetup setup;
  private final SimRandom random;
  private final List<Workload> workloads = new ArrayList<>();
  private final List<ActorRef<SimClient.Command>> clients = new ArrayList<>();
  private Keeper.View view = new Keeper.View();
  private @Nullable HostedDevice device;

  Neighbour(CoreSetup first, SimRandom random, boolean onSameSpares) {
    this.random = random;
    int sectorBytes = first.geometry.sectorBytes();
    int blockBytes = random.nextBoolean() ? 4096 : 8192;
    Geometry geometry =
        new Geometry(blockBytes, sectorBytes, random.logUniform(4, 48) * blockBytes);
    this.setup =
        onSameSpares
            ? CoreSetup.beside(first, geometry, PREFIX)
            : new CoreSetup(
                first.world,
                geometry,
                1 + random.below(2),
                CoreSetup.EXTENTS,
                PREFIX,
                first.opener);
    first.besides(setup);
    for (int i = 0; i < 2; i++) {
      workloads.add(Workload.random(random, setup.truth.sectors(), REQUESTS / 2));
    }
    first.world.coverage().hit(onSameSpares ? "neighbour.onSameSpares" : "neighbour.byItself");
  }

  /** In every life of the daemon. */
  void begin(
      SimProcess process,
      HostedDevice.Start start,
      ActorContext<Runnable> context,
      ActorRef<HostCommand> host,
      Client client) {
    clients.clear();
    Keeper.View shown = new Keeper.View();
    view = shown;
    HostedDevice made =
        HostedDevice.further(
            setup,
            process,
            shown,
            new HostedDevice.Start(
                start.opener(),
                setup.spareAddresses(),
                false,
                start.cleanStops(),
                start.relocation(),
                start.requestDeadline()),
            context,
            host);
    device = made;
    for (int i = 0; i < workloads.size(); i++) {
      clients.add(
          client.spawn(
              setup.named("client-" + i),
              i,
              setup.book,
              workloads.get(i),
              random.fork(),
              made.opening(i)));
    }
  }

  /** Makes a client on one of the rings. */
  interface Client {
    ActorRef<SimClient.Command> spawn(
        String name,
        int number,
        ClientBook book,
        Workload workload,
        SimRandom random,
        SimClient.Opening opening);
  }

  void quiet() {
    clients.forEach(client -> client.tell(new SimClient.Command.Quiet()));
  }

  ActorRef<SimClient.Command> client() {
    return clients.getFirst();
  }

  boolean serves() {
    return view.serving;
  }

  boolean hasFailed() {
    return view.failure != null;
  }

  int healthyCopies() {
    HostedDevice made = device;
    return made == null ? 0 : made.healthyCopies();
  }

  String describe() {
    HostedDevice made = device;
    return made == null ? "it never was" : made.describe();
  }
}
