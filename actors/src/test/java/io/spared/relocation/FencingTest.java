package io.spared.relocation;

import static org.assertj.core.api.Assertions.assertThat;

import io.spared.ffi.disk.Disk;
import io.spared.ffi.disk.DiskAddress;
import io.spared.ffi.disk.DiskException;
import io.spared.ffi.disk.DiskOpener;
import io.spared.ffi.engine.IoBuffer;
import io.spared.format.Change;
import io.spared.format.Extent;
import io.spared.format.ExtentKind;
import io.spared.format.Geometry;
import io.spared.queue.DeviceDoubts;
import io.spared.queue.DeviceQueue;
import io.spared.queue.DeviceRequest;
import io.spared.queue.QueueCommand;
import io.spared.queue.QueueContext;
import io.spared.queue.QueueHost;
import io.spared.queue.QueuePolicy;
import io.spared.queue.QueueReport;
import io.spared.remap.Lookup;
import io.spared.remap.Place;
import io.spared.remap.RemapTable;
import io.spared.remap.Slots;
import io.spared.sim.SimDrive;
import io.spared.sim.SimEngine;
import io.spared.sim.SimOpener;
import io.spared.sim.SimProcess;
import io.spared.sim.SimWorld;
import java.nio.file.Path;
import java.time.Duration;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.Collections;
import java.util.List;
import java.util.Map;
import java.util.Objects;
import java.util.Random;
import org.apache.pekko.actor.typed.ActorRef;
import org.apache.pekko.actor.typed.Behavior;
import org.apache.pekko.actor.typed.javadsl.Behaviors;
import org.jspecify.annotations.Nullable;
import org.junit.jupiter.api.Test;

/**
 * Two queues on rings of their own and the real relocator on a third, every message between them an
 * actor's: the seed decides which is taken next, how long each transfer takes and whether a part of
 * it is moved early.
 */
class FencingTest {
  private static final int SECTOR = 512;
  private static final int BLOCK = 4096;
  private static final int PER_BLOCK = BLOCK / SECTOR;
  private static final long THE_BLOCK = 3;
  private static final Geometry GEOMETRY = new Geometry(BLOCK, SECTOR, 64L * BLOCK);
  private static final byte OLD = 0x11;

  /** A frontend of one queue, for one actor. */
  private static final class Frontend implements QueueHost {
    final SimEngine engine;
    final List<DeviceRequest> completed = new ArrayList<>();
    @Nullable DeviceQueue queue;
    @Nullable ActorRef<Object> actor;

    Frontend(SimEngine engine) {
      this.engine = engine;
    }

    Behavior<Object> behavior(QueueContext context) {
      return Behaviors.setup(actorContext -> {
        ActorRef<Object> self = actorContext.getSelf();
        DeviceQueue made = new DeviceQueue(context, engine, () -> self.tell("completions"), this);
        queue = made;
        return Behaviors.receive(Object.class)
            .onAnyMessage(message -> {
              switch (message) {
                case QueueCommand command -> made.handle(command);
                case Runnable run -> run.run();
                default -> made.completionsReady();
              }
              return Behaviors.same();
            })
            .build();
      });
    }

    void tell(Object message) {
      Objects.requireNonNull(actor).tell(message);
    }

    /** A request for one sector of the block; a read returns what it finds in its buffer. */
    DeviceRequest transfer(int sector, int fill, boolean writes) {
      DeviceRequest request = Objects.requireNonNull(Objects.requireNonNull(queue).newRequest());
      IoBuffer buffer = Objects.requireNonNull(engine.buffers().take(SECTOR));
      for (int i = 0; i < SECTOR; i++) {
        buffer.bytes().put(i, (byte) fill);
      }
      long offset = THE_BLOCK * BLOCK + (long) sector * SECTOR;
      return writes
          ? request.write(offset, SECTOR, buffer, 0, false)
          : request.read(offset, SECTOR, buffer, 0);
    }

    @Override
    public void completed(DeviceRequest request) {
      completed.add(request);
    }

    @Override
    public void closed() {}
  }

  /** The device's part: passes on, gives slots, commits after a while and publishes. */
  private static final class Device {
    final SimWorld world;
    final Random random;
    final SimDrive main;
    final SimDrive spare;
    final RemapTable table = new RemapTable(GEOMETRY);
    final Slots slots = new Slots(table, BLOCK);
    final DeviceDoubts doubts = new DeviceDoubts();
    final List<Frontend> frontends = new ArrayList<>();
    final SimProcess process;
    @Nullable ActorRef<RelocatorCommand> relocator;
    int fencesReachedLate;
    int moves;
    private long fencedNanos = -1;

    Device(long seed) {
      world = new SimWorld(seed);
      random = new Random(seed);
      main = new SimDrive(world, "main", GEOMETRY.deviceBytes(), SECTOR);
      spare = new SimDrive(world, "spare", 2 << 20, SECTOR);
      for (SimDrive drive : List.of(main, spare)) {
        drive.faults().slow = 0.5;
        drive.faults().slowMaxNanos = 12_000_000;
        drive.faults().partEarly = 0.5;
      }
      byte[] old = new byte[BLOCK];
      Arrays.fill(old, OLD);
      main.poke(THE_BLOCK * BLOCK, old);
      slots.lend(new Extent(0, 0, 1 << 20, ExtentKind.DATA));
      process = new SimProcess(world, 3);
      Disk mainDisk = open("main", main);
      Map<Integer, Disk> spares = Map.of(0, open("spare", spare));
      process.start(
          Behaviors.<Runnable>setup(context -> {
            ActorRef<Runnable> self = context.getSelf();
            relocator =
                context.spawn(
                    Relocator.create(
                        new Relocator.Setup(
                            GEOMETRY,
                            table,
                            process.engine(0),
                            mainDisk,
                            spares,
                            doubts,
                            RelocationPolicy.DEFAULT,
                            request -> self.tell(() -> asked(request)))),
                    "relocator",
                    SimProcess.dispatcher(0));
            for (int id = 0; id < 2; id++) {
              Frontend frontend = new Frontend(process.engine(1 + id));
              frontends.add(frontend);
              frontend.actor =
                  context.spawn(
                      frontend.behavior(
                          new QueueContext(
                              id,
                              GEOMETRY,
                              table,
                              mainDisk,
                              spares,
                              QueuePolicy.DEFAULT,
                              doubts,
                              report -> self.tell(() -> reported(report)))),
                      "queue-" + id,
                      SimProcess.dispatcher(1 + id));
            }
            return Behaviors.receive(Runnable.class)
                .onAnyMessage(run -> {
                  run.run();
                  return Behaviors.same();
                })
                .build();
          }));
      world.runFor(Duration.ofMillis(1));
    }

    private static Disk open(String name, SimDrive drive) {
      DiskAddress address = new DiskAddress.OfPath(Path.of("/dev", name));
      try {
        return new SimOpener().plug(address, drive).open(address, DiskOpener.Mode.OWN);
      } catch (DiskException e) {
        throw new AssertionError(e);
      }
    }

    private void reported(QueueReport report) {
      ActorRef<RelocatorCommand> to = Objects.requireNonNull(relocator);
      switch (report) {
        case QueueReport.Opened r ->
            to.tell(
                new RelocatorCommand.QueueOpened(
                    r.queueId(),
                    Objects.requireNonNull(frontends.get(r.queueId()).actor).narrow()));
        case QueueReport.DiskDoubted r ->
            later(
                () -> frontends.get(r.queueId()).tell(new QueueCommand.DiskProof(r.disk(), true)));
        case QueueReport.WriteWaits r -> {
          fencedNanos = world.nowNanos();
          to.tell(new RelocatorCommand.FromQueue(r));
        }
        case QueueReport.FenceReached r -> {
          if (world.nowNanos() - fencedNanos > 300_000) {
            fencesReachedLate++;
          }
          to.tell(new RelocatorCommand.FromQueue(r));
        }
        default -> to.tell(new RelocatorCommand.FromQueue(report));
      }
    }

    private void asked(RelocatorRequest request) {
      ActorRef<RelocatorCommand> to = Objects.requireNonNull(relocator);
      switch (request) {
        case RelocatorRequest.TakeSlot r ->
            to.tell(
                new RelocatorCommand.SlotTaken(
                    r.relocationId(), slots.take(r.avoidSpares(), true)));
        case RelocatorRequest.GiveBackSlot r -> slots.giveBack(r.place());
        case RelocatorRequest.ReleaseSlot r -> slots.release(r.place());
        case RelocatorRequest.RetireSlot r -> slots.retire(r.place());
        case RelocatorRequest.Commit r -> later(() -> commit(r));
        case RelocatorRequest.ProveDisk r ->
            later(() -> to.tell(new RelocatorCommand.DiskProof(r.disk(), true)));
        default -> {}
      }
    }

    private void commit(RelocatorRequest.Commit commit) {
      for (Change change : commit.changes()) {
        switch (change) {
          case Change.Remapped r -> {
            table.put(r.block(), r.spare(), r.slot(), r.lost().low(), r.lost().high());
            slots.use(Place.of(r.spare(), r.slot()));
            moves++;
          }
          case Change.SlotRetired r -> {}
          default -> throw new AssertionError("not asked for here: " + change);
        }
      }
      table.publish();
      Objects.requireNonNull(relocator)
          .tell(
              new RelocatorCommand.CommitEnded(
                  commit.commitId(), RelocatorCommand.CommitResult.COMMITTED));
    }

    private void later(Runnable action) {
      world.after(Duration.ofNanos(random.nextInt(3_000_000)), action);
    }

    void runUntilCompleted(int count) {
      assertThat(
              world.runUntil(
                  () -> frontends.stream().mapToInt(f -> f.completed.size()).sum() == count,
                  Duration.ofSeconds(60)))
          .as("seed %d: all end", world.seed())
          .isTrue();
    }
  }

  /**
   * One queue's write fails for its medium, so that the block moves, while the other writes other
   * sectors of the block: before the fence, into it, and after. Every write is acknowledged, and
   * every sector holds what was written last, wherever the block is now.
   */
  @Test
  void fencingOverSeveralQueuesNeverLosesOneOfTwoWritesToDifferentSectorsOfOneBlock() {
    int late = 0;
    for (int seed = 0; seed < 400; seed++) {
      Device device = new Device(seed);
      Random random = new Random(~seed);
      List<Integer> sectors = new ArrayList<>();
      for (int i = 0; i < PER_BLOCK; i++) {
        sectors.add(i);
      }
      Collections.shuffle(sectors, random);
      int bad = sectors.getFirst();
      device.main.addDefect(THE_BLOCK * PER_BLOCK + bad, 1, SimDrive.Defect.UNWRITABLE);
      byte[] expected = new byte[PER_BLOCK];
      Arrays.fill(expected, OLD);
      int writes = 2 + random.nextInt(3);
      for (int i = 0; i < writes; i++) {
        int sector = sectors.get(i);
        int fill = 0x40 + i;
        expected[sector] = (byte) fill;
        Frontend frontend = device.frontends.get(i % 2);
        // Up to the time that a move takes here, so that every order happens.
        device.world.after(
            Duration.ofNanos(random.nextInt(25_000_000)),
            () ->
                frontend.tell(
                    (Runnable)
                        () ->
                            Objects.requireNonNull(frontend.queue)
                                .submit(frontend.transfer(sector, fill, true))));
      }
      device.runUntilCompleted(writes);
      for (Frontend frontend : device.frontends) {
        for (DeviceRequest request : frontend.completed) {
          assertThat(request.errno()).as("seed %d: %s", seed, request).isNull();
          Objects.requireNonNull(request.buffer()).release();
        }
        frontend.completed.clear();
      }
      assertThat(device.moves).as("seed %d", seed).isEqualTo(1);
      Lookup now = new Lookup();
      device.table.find(THE_BLOCK, now);
      assertThat(Place.isSlot(now.place)).isTrue();
      assertThat(now.lostLow).as("seed %d: nothing is lost", seed).isZero();
      for (int sector = 0; sector < PER_BLOCK; sector++) {
        assertThat(
                device.spare.peek(Place.slot(now.place) * BLOCK + (long) sector * SECTOR, SECTOR))
            .as("seed %d: sector %d of %d", seed, sector, bad)
            .containsOnly(expected[sector]);
        int at = sector;
        for (Frontend reader : device.frontends) {
          reader.tell(
              (Runnable)
                  () -> Objects.requireNonNull(reader.queue).submit(reader.transfer(at, 0, false)));
        }
      }
      device.runUntilCompleted(2 * PER_BLOCK);
      for (Frontend frontend : device.frontends) {
        for (DeviceRequest read : frontend.completed) {
          int sector = (int) (read.offsetBytes() % BLOCK / SECTOR);
          IoBuffer buffer = Objects.requireNonNull(read.buffer());
          assertThat(read.errno()).as("seed %d: %s", seed, read).isNull();
          assertThat(buffer.bytes().get(0)).isEqualTo(expected[sector]);
          assertThat(buffer.bytes().get(SECTOR - 1)).isEqualTo(expected[sector]);
          buffer.release();
        }
      }
      late += device.fencesReachedLate;
      device.process.kill(List.of(device.main, device.spare));
    }
    assertThat(late).as("fences that had to wait for a write in flight").isGreaterThan(20);
  }
}
