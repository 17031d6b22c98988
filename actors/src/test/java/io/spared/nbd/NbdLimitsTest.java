package io.spared.nbd;

import static org.assertj.core.api.Assertions.assertThat;

import io.spared.ffi.disk.Disk;
import io.spared.ffi.disk.DiskAddress;
import io.spared.ffi.disk.DiskException;
import io.spared.ffi.disk.DiskOpener;
import io.spared.nbd.NbdListenerSettings.Endpoint;
import io.spared.nbd.NbdRig.Export;
import io.spared.nbd.wire.NbdProtocol;
import io.spared.nbd.wire.RequestHeader;
import io.spared.sim.SimDrive;
import io.spared.sim.SimOpener;
import io.spared.sim.SimProcess;
import io.spared.sim.SimRings;
import io.spared.sim.SimSockets.Client;
import io.spared.sim.SimWorld;
import java.net.UnixDomainSocketAddress;
import java.nio.ByteBuffer;
import java.nio.file.Path;
import java.time.Duration;
import java.util.ArrayList;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import org.apache.pekko.actor.typed.ActorRef;
import org.apache.pekko.actor.typed.javadsl.Behaviors;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.Test;

/** What clients may take of a listener: the real actors, in simulated time. */
class NbdLimitsTest {
  private static final long DISK_BYTES = 4 << 20;
  private static final int GREETING_BYTES = 18;

  /** Export, size and flags, without the zeroes that the client does without. */
  private static final int AGREED_BYTES = GREETING_BYTES + 10;

  private static final Duration SOON = Duration.ofSeconds(1);

  /** A read's data in a buffer of its own, and the room for a header before it. */
  private static final int LONG_READ_BYTES = 32 << 10;

  private static final int LONG_READ_BUFFER_BYTES = LONG_READ_BYTES + 4096;

  private final SimWorld world = new SimWorld(11);
  private final SimProcess process = new SimProcess(world, 1);
  private final SimDrive drive = new SimDrive(world, "main", DISK_BYTES, 512);
  private final List<NbdRequest> reports = new ArrayList<>();

  private void serve(NbdLimits limits) throws DiskException {
    drive.faults().clear();
    DiskAddress address = new DiskAddress.OfPath(Path.of("/dev/main"));
    Disk disk = new SimOpener().plug(address, drive).open(address, DiskOpener.Mode.OWN);
    NbdListenerSettings settings =
        new NbdListenerSettings(
            "sim",
            new Endpoint.Unix(Path.of("/run/sim.sock"), 0600, Optional.empty()),
            false,
            TlsSettings.OFF,
            limits,
            Map.of());
    process.start(
        Behaviors.<String>setup(context -> {
          ActorRef<NbdRequest> owner =
              context.spawn(RigOwner.create(List.of(Export.of("disk", disk)), reports::add), "o");
          context.spawn(NbdFrontend.create(settings, new SimRings(process), owner), "frontend");
          return Behaviors.empty();
        }));
    assertThat(world.runUntil(() -> !reports.isEmpty(), SOON)).isTrue();
    assertThat(reports.getFirst())
        .isEqualTo(
            new NbdRequest.Listening(
                "sim", UnixDomainSocketAddress.of("/run/sim.sock"), Optional.empty()));
    reports.clear();
  }

  @AfterEach
  void end() {
    process.kill(List.of(drive));
  }

  private static NbdLimits limits(
      int connections, int requests, long bytes, long bytesPerRing, Duration idle) {
    return new NbdLimits(
        connections,
        requests,
        bytes,
        bytesPerRing,
        Duration.ofSeconds(15),
        Duration.ofSeconds(60),
        idle);
  }

  private static NbdLimits inFlight(int requests, long bytes, long bytesPerRing) {
    return limits(16, requests, bytes, bytesPerRing, Duration.ZERO);
  }

  private Client connect() {
    return process.engine(0).sockets().connect();
  }

  private boolean greeted(Client client) {
    return world.runUntil(() -> client.receivedBytes() == GREETING_BYTES, SOON);
  }

  /** Up to the transmission phase, with simple replies. */
  private Client begin() {
    Client client = connect();
    assertThat(greeted(client)).isTrue();
    ByteBuffer bytes = ByteBuffer.allocate(4 + 16 + 4);
    bytes.putInt(NbdProtocol.FLAG_FIXED_NEWSTYLE | NbdProtocol.FLAG_NO_ZEROES);
    bytes.putLong(NbdProtocol.IHAVEOPT).putInt(NbdProtocol.OPT_EXPORT_NAME).putInt(4);
    bytes.put(new byte[] {'d', 'i', 's', 'k'});
    client.sends(bytes.array());
    assertThat(world.runUntil(() -> client.receivedBytes() == AGREED_BYTES, SOON)).isTrue();
    return client;
  }

  private static byte[] reads(int count, int lengthBytes) {
    ByteBuffer bytes = ByteBuffer.allocate(count * NbdProtocol.REQUEST_BYTES);
    for (int i = 0; i < count; i++) {
      long offset = (long) i * lengthBytes % DISK_BYTES;
      RequestHeader.write(bytes, false, 0, NbdProtocol.CMD_READ, i, offset, lengthBytes);
    }
    return bytes.array();
  }

  private static int answers(Client client, int lengthBytes) {
    return (client.receivedBytes() - AGREED_BYTES) / (NbdProtocol.SIMPLE_REPLY_BYTES + lengthBytes);
  }

  /** Runs until all of these have so many answers; gives how many requests the disk had at most. */
  private int mostInFlight(List<Client> clients, int count, int lengthBytes) {
    int[] most = new int[1];
    boolean all =
        world.runUntil(
            () -> {
              most[0] = Math.max(most[0], drive.inFlight());
              return clients.stream().allMatch(c -> answers(c, lengthBytes) == count);
            },
            Duration.ofSeconds(30));
    assertThat(all).as("all are answered").isTrue();
    return most[0];
  }

  @Test
  void moreConnectionsThanTheLimitAreTurnedAwayUntilOneEnds() throws DiskException {
    serve(limits(3, 8, 1 << 20, 8 << 20, Duration.ZERO));
    List<Client> clients = List.of(connect(), connect(), connect(), connect(), connect());
    world.runFor(SOON);
    assertThat(clients).filteredOn(Client::isClosed).hasSize(2);
    assertThat(clients).filteredOn(c -> c.receivedBytes() == GREETING_BYTES).hasSize(3);
    clients.getFirst().closes();
    assertThat(world.runUntil(clients.getFirst()::isClosed, SOON)).isTrue();
    world.runFor(SOON);
    assertThat(greeted(connect())).isTrue();
  }

  @Test
  void aNegotiationMayTakeSoLongAndNoLongerHoweverBusyTheClientIs() throws DiskException {
    serve(NbdLimits.DEFAULTS);
    Client silent = connect();
    Client slow = connect();
    ByteBuffer option = ByteBuffer.allocate(4 + 16);
    option.putInt(NbdProtocol.FLAG_FIXED_NEWSTYLE);
    option.putLong(NbdProtocol.IHAVEOPT).putInt(NbdProtocol.OPT_LIST).putInt(0);
    for (int i = 0; i < 14; i++) {
      slow.sends(new byte[] {option.get(i)});
      world.runFor(Duration.ofSeconds(1));
    }
    assertThat(silent.isClosed()).isFalse();
    assertThat(slow.isClosed()).isFalse();
    world.runFor(Duration.ofSeconds(3));
    assertThat(silent.isClosed()).isTrue();
    assertThat(slow.isClosed()).isTrue();
  }

  @Test
  void anIdleClientIsDisconnectedWhenThatIsConfiguredAndNotBefore() throws DiskException {
    serve(limits(4, 8, 1 << 20, 8 << 20, Duration.ofMinutes(5)));
    Client idle = begin();
    Client busy = begin();
    for (int minute = 1; minute <= 7; minute++) {
      world.runFor(Duration.ofMinutes(1));
      busy.sends(reads(1, 512));
      assertThat(idle.isClosed()).isEqualTo(minute > 5);
    }
    world.runFor(SOON);
    assertThat(busy.isClosed()).isFalse();
    assertThat(answers(busy, 512)).isEqualTo(7);
    assertThat(reports)
        .anyMatch(r ->
            r instanceof NbdRequest.ClientLeft left
                && left.orderly()
                && left.reason().contains("idle"));
  }

  @Test
  void aSilentClientStaysForDaysWhenNoIdleTimeIsConfigured() throws DiskException {
    serve(NbdLimits.DEFAULTS);
    Client mounted = begin();
    world.runFor(Duration.ofHours(3));
    mounted.sends(reads(1, 512));
    assertThat(mostInFlight(List.of(mounted), 1, 512)).isEqualTo(1);
  }

  @Test
  void aConnectionHasNoMoreRequestsInFlightThanItsLimit() throws DiskException {
    serve(inFlight(5, 8 << 20, 8 << 20));
    Client client = begin();
    client.sends(reads(300, 512));
    assertThat(mostInFlight(List.of(client), 300, 512)).isEqualTo(5);
  }

  @Test
  void aConnectionHoldsNoMoreBuffersThanItsLimit() throws DiskException {
    serve(inFlight(100, 7L * LONG_READ_BUFFER_BYTES, 8 << 20));
    Client client = begin();
    client.sends(reads(300, LONG_READ_BYTES));
    assertThat(mostInFlight(List.of(client), 300, LONG_READ_BYTES)).isEqualTo(7);
  }

  @Test
  void allConnectionsTogetherHoldNoMoreBuffersThanTheirRingMay() throws DiskException {
    serve(inFlight(100, 8 << 20, 12L * LONG_READ_BUFFER_BYTES));
    List<Client> clients = List.of(begin(), begin(), begin(), begin());
    clients.forEach(client -> client.sends(reads(200, LONG_READ_BYTES)));
    assertThat(mostInFlight(clients, 200, LONG_READ_BYTES)).isEqualTo(12);
  }

  @Test
  void aClientThatTakesNoRepliesHoldsItsOwnShareOnlyAndIsDisconnected() throws DiskException {
    serve(inFlight(100, 8 << 20, 12L * LONG_READ_BUFFER_BYTES));
    Client stalled = begin();
    Client served = begin();
    stalled.stopsReading();
    stalled.sends(reads(200, LONG_READ_BYTES));
    world.runFor(Duration.ofSeconds(10));
    served.sends(reads(200, LONG_READ_BYTES));
    assertThat(mostInFlight(List.of(served), 200, LONG_READ_BYTES))
        .as("half of the ring's buffers are the other one's, whatever the first holds")
        .isEqualTo(6);
    assertThat(stalled.isClosed()).isFalse();
    assertThat(process.buffersTaken()).isGreaterThan(6);
    world.runFor(Duration.ofSeconds(60));
    assertThat(stalled.isClosed()).isTrue();
    assertThat(reports)
        .anyMatch(r ->
            r instanceof NbdRequest.ClientLeft left
                && !left.orderly()
                && left.reason().contains("takes no replies"));
    // Only the three of the connection that goes on are out.
    assertThat(process.buffersTaken()).isEqualTo(3);
    served.sends(reads(200, LONG_READ_BYTES));
    assertThat(mostInFlight(List.of(served), 400, LONG_READ_BYTES))
        .as("all of it, now that it is alone")
        .isEqualTo(12);
  }

  @Test
  void aClientThatBreaksOffWithinARequestIsDisconnected() throws DiskException {
    serve(NbdLimits.DEFAULTS);
    Client client = begin();
    ByteBuffer write = ByteBuffer.allocate(NbdProtocol.REQUEST_BYTES + 100);
    RequestHeader.write(write, false, 0, NbdProtocol.CMD_WRITE, 1, 0, 4096);
    client.sends(write.array());
    world.runFor(Duration.ofSeconds(59));
    assertThat(client.isClosed()).isFalse();
    world.runFor(Duration.ofSeconds(3));
    assertThat(client.isClosed()).isTrue();
    assertThat(process.buffersTaken()).isZero();
  }
}
