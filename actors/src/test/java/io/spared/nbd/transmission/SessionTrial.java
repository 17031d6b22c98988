package io.spared.nbd.transmission;

import io.spared.ffi.disk.DiskAddress;
import io.spared.ffi.disk.DiskException;
import io.spared.ffi.disk.DiskOpener;
import io.spared.ffi.engine.IoBuffer;
import io.spared.format.Geometry;
import io.spared.nbd.negotiation.Agreement;
import io.spared.nbd.negotiation.ExportDescription;
import io.spared.queue.DeviceDoubts;
import io.spared.queue.DeviceQueue;
import io.spared.queue.QueueCommand;
import io.spared.queue.QueueContext;
import io.spared.queue.QueuePolicy;
import io.spared.queue.QueueReport;
import io.spared.remap.RemapTable;
import io.spared.sim.SimDrive;
import io.spared.sim.SimEngine;
import io.spared.sim.SimOpener;
import io.spared.sim.SimWorld;
import java.nio.file.Path;
import java.util.ArrayDeque;
import java.util.List;
import java.util.Map;
import java.util.Objects;
import org.jspecify.annotations.Nullable;

/**
 * One connection's transmission phase over a simulated disk with unreadable sectors, from one seed:
 * a client that checks every byte, or one that breaks off, sends rubbish, or stops reading. Checked
 * at the end of every run: every request answered or the connection ended, and no buffer kept.
 */
public final class SessionTrial implements SessionOwner {
  private static final long DEVICE_BYTES = 4 << 20;
  private static final int SECTOR = 512;

  /** So many turns without any byte moved mean that everybody waits for everybody. */
  private static final int IDLE_STEPS_MAX = 20_000;

  private enum Ending {
    DISCONNECT,
    CLOSE,
    RUBBISH,
    DEVICE_DRAINS
  }

  private final long seed;
  private final SimWorld world;
  private final SimEngine engine;
  private final SimDrive drive;
  private final ArrayDeque<QueueCommand> answers = new ArrayDeque<>();
  private final TrialTransport transport;
  private final TrialClient client;
  private final DeviceQueue queue;
  private final Session session;
  private final boolean structured;
  private @Nullable String endReason;
  private boolean orderly;
  private boolean gone;
  private int idleSteps;

  private SessionTrial(long seed) throws DiskException {
    this.seed = seed;
    world = new SimWorld(seed);
    engine = new SimEngine(world);
    drive = new SimDrive(world, "main", DEVICE_BYTES, SECTOR);
    drive.faults().clear();
    DiskAddress address = new DiskAddress.OfPath(Path.of("/dev/main"));
    SimOpener opener = new SimOpener().plug(address, drive);
    for (int i = world.random().below(6); i > 0; i--) {
      drive.addDefect(
          world.random().below(DEVICE_BYTES / SECTOR),
          1 + world.random().below(12),
          SimDrive.Defect.UNREADABLE_UNTIL_WRITTEN);
    }
    boolean extended = world.random().chance(0.3);
    structured = extended || world.random().chance(0.6);
    Agreement agreement =
        new Agreement(
            new ExportDescription("disk", "", DEVICE_BYTES, SECTOR, 4096, false, false, true, true),
            structured,
            extended,
            structured && world.random().chance(0.5),
            structured && world.random().chance(0.5));
    Geometry geometry = new Geometry(4096, SECTOR, DEVICE_BYTES);
    RemapTable table = new RemapTable(geometry);
    QueueContext context =
        new QueueContext(
            1,
            geometry,
            table,
            opener.open(address, DiskOpener.Mode.OWN),
            Map.of(),
            QueuePolicy.DEFAULT,
            new DeviceDoubts(),
            this::onReport);
    RingBudget budget = new RingBudget((128 + world.random().below(2000)) << 10);
    RingBudget.Member member = budget.join(1 << 20, () -> {});
    SessionLimits limits =
        new SessionLimits(1 + world.random().below(64), 60 << 10, 60_000_000_000L, 0);
    session =
        new Session(
            agreement,
            context,
            engine,
            member,
            limits,
            this,
            new SessionBuffers(take(), 0, 0, take(), take()));
    transport = new TrialTransport(world.random());
    client =
        new TrialClient(
            agreement,
            world.random(),
            sector -> drive.defects().containsKey(sector),
            () -> drive.defects().keySet());
    queue = new DeviceQueue(context, engine, () -> {}, session);
    session.begin(queue, transport);
  }

  private IoBuffer take() {
    return Objects.requireNonNull(engine.buffers().take(Session.outputBytes()));
  }

  /** Runs one seed; throws with the seed in its message when something was wrong. */
  public static SessionTrial run(long seed) {
    try {
      SessionTrial trial = new SessionTrial(seed);
      trial.run();
      return trial;
    } catch (DiskException | RuntimeException | AssertionError e) {
      throw new AssertionError("NBD session trial, seed " + seed + ": " + e, e);
    }
  }

  /** Requests that were answered and checked. */
  public long answered() {
    return client.answered();
  }

  /** Errors that were told with their place. */
  public long errors() {
    return client.errors();
  }

  /** Zeroes that were told and not sent. */
  public long holes() {
    return client.holes();
  }

  private void onReport(QueueReport report) {
    switch (report) {
      case QueueReport.Opened _ -> answers.add(new QueueCommand.Begin(List.of()));
      case QueueReport.DiskDoubted doubted ->
          answers.add(new QueueCommand.DiskProof(doubted.disk(), true));
      default -> {}
    }
  }

  private void run() {
    int requests = world.random().below(200);
    int depth = 1 + world.random().below(48);
    for (int i = 0; i < requests && endReason == null; i++) {
      transport.clientSends(client.next());
      while (client.underWay() >= depth && endReason == null) {
        step();
      }
    }
    Ending ending = List.of(Ending.values()).get(world.random().below(4));
    switch (ending) {
      case DISCONNECT -> transport.clientSends(client.disconnect());
      case CLOSE -> transport.clientCloses();
      case RUBBISH -> {
        byte[] rubbish = new byte[64];
        world.random().nextBytes(rubbish);
        transport.clientSends(rubbish);
      }
      case DEVICE_DRAINS -> {
        while (client.underWay() > 0 && endReason == null) {
          step();
        }
        answers.add(new QueueCommand.Drain());
      }
    }
    while (!gone) {
      step();
    }
    // Simple replies have no other way to say that a long read failed in its middle.
    boolean brokenRead = String.valueOf(endReason).contains("after its simple reply had begun");
    check(!brokenRead || !structured, "structured replies can tell any error");
    if (!brokenRead && (ending == Ending.DISCONNECT || ending == Ending.DEVICE_DRAINS)) {
      check(orderly, "ended as disorderly: " + endReason);
      check(client.underWay() == 0, client.underWay() + " requests were not answered");
    }
    check(ending != Ending.RUBBISH || !orderly, "rubbish was taken for orderly");
    check(engine.buffersTaken() == 0, engine.buffersTaken() + " buffers are kept");
    check(session.jobs() == 0, session.jobs() + " jobs are left");
  }

  private void step() {
    idleSteps++;
    check(
        idleSteps < IDLE_STEPS_MAX,
        "no end: "
            + session.jobs()
            + " jobs, "
            + transport
            + ", "
            + client.underWay()
            + " requests under way, time "
            + world.nowNanos()
            + ", queue "
            + queue.unfinished()
            + ", engine "
            + engine.inFlight()
            + " and "
            + engine.held()
            + ", "
            + endReason);
    long answeredBefore = client.answered();
    boolean moved = transport.move(session);
    for (QueueCommand answer = answers.poll(); answer != null; answer = answers.poll()) {
      queue.handle(answer);
      moved = true;
    }
    engine.turn(!moved);
    queue.completionsReady();
    session.work();
    client.takes(transport.clientReceives());
    if (client.answered() > answeredBefore || moved) {
      idleSteps = 0;
    }
  }

  @Override
  public void ended(boolean orderly, String reason) {
    check(endReason == null, "ended twice");
    this.orderly = orderly;
    this.endReason = reason;
  }

  @Override
  public void gone() {
    gone = true;
  }

  private void check(boolean held, String what) {
    if (!held) {
      throw new AssertionError(what + " (seed " + seed + ")");
    }
  }
}
