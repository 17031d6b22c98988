package io.spared.queue;

import io.spared.disk.DiskNumber;
import io.spared.ffi.disk.Disk;
import io.spared.ffi.disk.DiskAddress;
import io.spared.ffi.disk.DiskException;
import io.spared.ffi.disk.DiskOpener;
import io.spared.ffi.engine.IoBuffer;
import io.spared.format.Geometry;
import io.spared.remap.RemapTable;
import io.spared.sim.SimDrive;
import io.spared.sim.SimEngine;
import io.spared.sim.SimOpener;
import io.spared.sim.SimWorld;
import java.nio.file.Path;
import java.time.Duration;
import java.util.ArrayList;
import java.util.HashMap;
import java.util.List;
import java.util.Map;
import java.util.Objects;
import org.jspecify.annotations.Nullable;

/**
 * Queues over simulated drives, driven by hand: no actor, no thread, no time but what the test lets
 * pass. What the queues report is kept for the test to look at and to answer.
 */
final class QueueRig {
  static final int SECTOR = 512;
  static final int BLOCK = 4096;
  static final int BLOCKS = 256;

  /** A frontend that keeps what was completed. */
  final class Client implements QueueHost {
    final SimEngine engine = new SimEngine(world);
    final List<DeviceRequest> completed = new ArrayList<>();
    final DeviceQueue queue;
    boolean signalled;
    boolean closed;

    /** The kernel's pages of the last write that came with such, and what became of it. */
    byte[] pages = new byte[0];

    boolean bringsToMemory = true;
    int broughtToMemory;

    Client(QueuePolicy policy) {
      queue =
          new DeviceQueue(
              new QueueContext(
                  clients.size(),
                  geometry,
                  table,
                  mainDisk,
                  Map.copyOf(spareDisks),
                  policy,
                  doubts,
                  reports::add),
              engine,
              () -> signalled = true,
              this);
    }

    @Override
    public void completed(DeviceRequest request) {
      completed.add(request);
    }

    @Override
    public @Nullable IoBuffer bringToMemory(DeviceRequest write) {
      if (!bringsToMemory) {
        return null;
      }
      broughtToMemory++;
      IoBuffer memory = buffer(pages.length, 0);
      memory.bytes().put(0, pages);
      return memory;
    }

    @Override
    public void closed() {
      closed = true;
    }

    DeviceRequest request() {
      return Objects.requireNonNull(queue.newRequest());
    }

    IoBuffer buffer(int bytes, int fill) {
      IoBuffer buffer = Objects.requireNonNull(engine.buffers().take(bytes));
      for (int i = 0; i < bytes; i++) {
        buffer.bytes().put(i, (byte) fill);
      }
      return buffer;
    }

    DeviceRequest write(long sector, int sectors, int fill) {
      return write(sector, sectors, fill, false);
    }

    DeviceRequest write(long sector, int sectors, int fill, boolean fua) {
      IoBuffer buffer = buffer(sectors * SECTOR, fill);
      DeviceRequest request = request().write(sector * SECTOR, sectors * SECTOR, buffer, 0, fua);
      queue.submit(request);
      return request;
    }

    DeviceRequest read(long sector, int sectors) {
      DeviceRequest request =
          request().read(sector * SECTOR, sectors * SECTOR, buffer(sectors * SECTOR, 0x77), 0);
      queue.submit(request);
      return request;
    }

    DeviceRequest flush() {
      DeviceRequest request = request().flush();
      queue.submit(request);
      return request;
    }

    boolean isDone(DeviceRequest request) {
      return completed.contains(request);
    }
  }

  final SimWorld world;
  final Geometry geometry = new Geometry(BLOCK, SECTOR, (long) BLOCKS * BLOCK);
  final SimDrive main;
  final List<SimDrive> spares = new ArrayList<>();
  final Disk mainDisk;
  final Map<Integer, Disk> spareDisks = new HashMap<>();
  final RemapTable table = new RemapTable(geometry);
  final DeviceDoubts doubts = new DeviceDoubts();
  final List<QueueReport> reports = new ArrayList<>();
  final List<Client> clients = new ArrayList<>();

  QueueRig(long seed) {
    world = new SimWorld(seed);
    main = new SimDrive(world, "main", (long) BLOCKS * BLOCK, SECTOR);
    mainDisk = open("main", main);
    for (int spare = 0; spare < 2; spare++) {
      SimDrive drive = new SimDrive(world, "spare-" + spare, 2 << 20, SECTOR);
      spares.add(drive);
      spareDisks.put(spare, open("spare-" + spare, drive));
    }
  }

  static Disk open(String name, SimDrive drive) {
    DiskAddress address = new DiskAddress.OfPath(Path.of("/dev", name));
    try {
      return new SimOpener().plug(address, drive).open(address, DiskOpener.Mode.OWN);
    } catch (DiskException e) {
      throw new AssertionError(e);
    }
  }

  Client open() {
    return open(QueuePolicy.DEFAULT);
  }

  Client open(QueuePolicy policy) {
    Client client = new Client(policy);
    clients.add(client);
    client.queue.handle(new QueueCommand.Begin(List.of()));
    reports.clear();
    return client;
  }

  /** The block moves, and everybody may know. */
  void move(long block, int spare, long slot, int lost) {
    table.put(block, spare, slot, lost, 0);
    table.publish();
  }

  SimDrive drive(int disk) {
    return disk == DiskNumber.MAIN ? main : spares.get(disk);
  }

  /** Lets so much time pass, and hands out what ends meanwhile. */
  void run(Duration duration) {
    long end = world.nowNanos() + duration.toNanos();
    deliver();
    while (world.nextEventNanos() <= end) {
      world.step();
      deliver();
    }
    world.runFor(Duration.ofNanos(end - world.nowNanos()));
  }

  void run() {
    run(Duration.ofMillis(50));
  }

  private void deliver() {
    for (Client client : clients) {
      client.engine.turn(false);
      if (client.signalled) {
        client.signalled = false;
        client.queue.completionsReady();
      }
    }
  }

  <T extends QueueReport> List<T> reported(Class<T> type) {
    return reports.stream().filter(type::isInstance).map(type::cast).toList();
  }

  /** Whether the drive holds this byte all over these sectors of a place on it. */
  boolean holds(SimDrive drive, long offsetBytes, int sectors, int fill) {
    for (byte b : drive.peek(offsetBytes, sectors * SECTOR)) {
      if (b != (byte) fill) {
        return false;
      }
    }
    return true;
  }

  static boolean isFilled(DeviceRequest request, int fromSector, int sectors, int fill) {
    IoBuffer buffer = Objects.requireNonNull(request.buffer());
    for (int i = fromSector * SECTOR; i < (fromSector + sectors) * SECTOR; i++) {
      if (buffer.bytes().get(i) != (byte) fill) {
        return false;
      }
    }
    return true;
  }

  void fill(SimDrive drive, long offsetBytes, int sectors, int fill) {
    byte[] bytes = new byte[sectors * SECTOR];
    java.util.Arrays.fill(bytes, (byte) fill);
    drive.poke(offsetBytes, bytes);
  }
}
