package io.spared.app.scenario;

import io.spared.ffi.disk.Disk;
import io.spared.ffi.disk.DiskAddress;
import io.spared.ffi.disk.DiskException;
import io.spared.ffi.disk.DiskOpener;
import io.spared.ffi.engine.Completions;
import io.spared.ffi.engine.DiskPort;
import io.spared.ffi.engine.Engine;
import io.spared.ffi.engine.EngineSettings;
import io.spared.ffi.engine.Engines;
import io.spared.ffi.engine.IoBuffer;
import io.spared.ffi.engine.IoRequest;
import io.spared.ffi.world.World;
import io.spared.nbd.client.NbdDiskOpener;
import java.io.IOException;
import java.nio.file.Path;
import java.util.ArrayDeque;
import java.util.ArrayList;
import java.util.List;
import java.util.Objects;
import java.util.concurrent.TimeUnit;
import java.util.random.RandomGenerator;
import org.jspecify.annotations.Nullable;

/**
 * A client of one export that writes, flushes and reads without pause over two connections, several
 * requests at a time, and tells the truth what it asked and was answered. It is spared's own NBD
 * client (the disk type {@code nbd:}), so it comes back by itself when the server does.
 */
final class VerifiedLoad implements AutoCloseable {
  private static final int CONNECTIONS = 2;
  private static final int DEPTH = 24;
  private static final int SECTORS_MAX = 512;
  private static final long PATIENCE_NANOS = TimeUnit.SECONDS.toNanos(60);

  private static final class Slot {
    final IoRequest request;
    final IoBuffer buffer;
    final DiskPort port;
    int first;
    int count;
    int number;
    boolean fua;
    boolean reads;
    int @Nullable [] flushes;

    Slot(IoRequest request, IoBuffer buffer, DiskPort port) {
      this.request = request;
      this.buffer = buffer;
      this.port = port;
    }
  }

  private final SectorTruth truth;
  private final RandomGenerator random;
  private final Engine engine;
  private final Disk disk;
  private final List<DiskPort> ports = new ArrayList<>();
  private final Completions completions = new Completions(() -> {});
  private final ArrayDeque<Slot> idle = new ArrayDeque<>();

  /** What became of a write in doubt holds its slot; these are always there. */
  private final ArrayDeque<Slot> forReading = new ArrayDeque<>();

  /** Ranges that are still to be read and checked: first sector and count. */
  private final ArrayDeque<int[]> toRead = new ArrayDeque<>();

  private int underWay;
  private long acknowledged;
  private long flushes;
  private long unanswered;
  private long checked;
  private long unreadable;
  private boolean checking;
  private boolean powerWasLost;

  VerifiedLoad(Path socket, String export, SectorTruth truth, RandomGenerator random)
      throws IOException, DiskException {
    this.truth = truth;
    this.random = random;
    World world = World.real();
    this.engine =
        Engines.open(
            Engines.Choice.AUTOMATIC,
            world.clock(),
            EngineSettings.DEFAULT.withSlab(1 << 20, 24L << 20));
    DiskOpener others =
        (address, mode) -> {
          throw new IllegalStateException("only exports: " + address);
        };
    this.disk =
        new NbdDiskOpener(others, world.clock())
            .open(new DiskAddress.OfNbd("unix:" + socket + ":" + export), DiskOpener.Mode.OWN);
    for (int i = 0; i < CONNECTIONS; i++) {
      ports.add(disk.attach(engine));
    }
    for (int i = 0; i < DEPTH + 2 * CONNECTIONS; i++) {
      (i < DEPTH ? idle : forReading)
          .add(
              new Slot(
                  new IoRequest(completions),
                  Objects.requireNonNull(
                      engine.buffers().take(SECTORS_MAX * SectorTruth.SECTOR_BYTES)),
                  ports.get(i % CONNECTIONS)));
    }
  }

  long acknowledged() {
    return acknowledged;
  }

  long flushes() {
    return flushes;
  }

  /** Writes that were under way when the server died. */
  long unanswered() {
    return unanswered;
  }

  /** Reads under load that were checked. */
  long checked() {
    return checked;
  }

  /** Sectors that could not be read after restarts, each made unreadable below before. */
  long unreadable() {
    return unreadable;
  }

  /** Goes on until so many writes more were acknowledged, of which some hold at that moment. */
  void writeMore(long writes) {
    long until = acknowledged + writes;
    long end = engine.nanoTime() + PATIENCE_NANOS;
    while (acknowledged < until) {
      for (Slot slot = idle.poll(); slot != null; slot = idle.poll()) {
        begin(slot);
      }
      turn(end, "writing");
    }
  }

  /**
   * The server died and came back. Takes the answers that it gave before and those to what was not
   * sent until now, then reads everything, on the connections that were broken, and has the truth
   * check it.
   */
  void goOnAndCheckAll(boolean afterLossOfPower) {
    long end = engine.nanoTime() + PATIENCE_NANOS;
    powerWasLost = afterLossOfPower;
    while (underWay > 0) {
      turn(end, "going on after the restart");
    }
    checking = true;
    for (int first = 0; first < truth.sectors(); first += SECTORS_MAX) {
      toRead.add(new int[] {first, Math.min(SECTORS_MAX, truth.sectors() - first)});
    }
    while (!toRead.isEmpty() || underWay > 0) {
      while (!toRead.isEmpty() && !forReading.isEmpty()) {
        Slot slot = forReading.remove();
        int[] range = toRead.remove();
        slot.first = range[0];
        slot.count = range[1];
        submit(slot, IoRequest.Operation.READ);
      }
      turn(end, "reading all of it");
    }
    checking = false;
    powerWasLost = false;
  }

  private void begin(Slot slot) {
    slot.flushes = null;
    slot.reads = false;
    if (random.nextInt(40) == 0) {
      slot.flushes = truth.flushBegins();
      underWay++;
      slot.port.submit(
          slot.request
              .attach(slot)
              .plain(IoRequest.Operation.FLUSH, 0, 0, engine.nanoTime() + PATIENCE_NANOS));
      return;
    }
    do {
      int longest = random.nextInt(20) == 0 ? SECTORS_MAX : random.nextInt(3) == 0 ? 64 : 8;
      slot.count = 1 + random.nextInt(longest);
      slot.first = random.nextInt(truth.sectors() - slot.count + 1);
    } while (truth.isBusy(slot.first, slot.count));
    slot.reads = random.nextInt(6) == 0;
    if (slot.reads) {
      truth.reads(slot.first, slot.count);
      submit(slot, IoRequest.Operation.READ);
      return;
    }
    slot.fua = random.nextInt(8) == 0;
    slot.number = truth.writes(slot.first, slot.count, slot.buffer.bytes(), 0);
    submit(slot, IoRequest.Operation.WRITE);
  }

  private void submit(Slot slot, IoRequest.Operation operation) {
    underWay++;
    slot.request
        .attach(slot)
        .transfer(
            operation,
            (long) slot.first * SectorTruth.SECTOR_BYTES,
            slot.buffer,
            0,
            slot.count * SectorTruth.SECTOR_BYTES,
            engine.nanoTime() + PATIENCE_NANOS);
    if (operation == IoRequest.Operation.WRITE && slot.fua) {
      slot.request.durable();
    }
    slot.port.submit(slot.request);
  }

  private void turn(long endNanos, String during) {
    engine.turn(true);
    for (IoRequest ended = completions.next(); ended != null; ended = completions.next()) {
      if (completions.lastOutcome() != IoRequest.Outcome.RELEASED) {
        ended((Slot) Objects.requireNonNull(ended.attachment()), ended, completions.lastOutcome());
      }
    }
    if (engine.nanoTime() > endNanos) {
      throw new AssertionError(during + " does not end: " + underWay + " requests under way");
    }
  }

  private void ended(Slot slot, IoRequest request, IoRequest.Outcome outcome) {
    underWay--;
    boolean done = outcome == IoRequest.Outcome.DONE;
    int[] covered = slot.flushes;
    if (checking) {
      if (done) {
        truth.found(slot.first, slot.buffer.bytes(), slot.count, powerWasLost);
      } else if (slot.count > 1) {
        int half = slot.count / 2;
        toRead.add(new int[] {slot.first, half});
        toRead.add(new int[] {slot.first + half, slot.count - half});
      } else {
        truth.notRead(slot.first, 1);
        unreadable++;
      }
      forReading.add(slot);
      return;
    } else if (slot.reads) {
      truth.readEnds(slot.first, slot.count);
      if (done) {
        if (powerWasLost) {
          // Answered before or after: it says nothing of what there is now.
          truth.foundAround(slot.first, slot.buffer.bytes(), slot.count);
        } else {
          truth.found(slot.first, slot.buffer.bytes(), slot.count, false);
        }
        checked++;
      }
    } else if (covered != null) {
      if (done) {
        truth.flushed(covered);
        flushes++;
      }
    } else if (done) {
      truth.acknowledged(slot.first, slot.count, slot.number, slot.fua);
      acknowledged++;
    } else {
      truth.unanswered(slot.first, slot.count);
      unanswered++;
    }
    if (!request.held()) {
      idle.add(slot);
    }
  }

  @Override
  public void close() {
    ports.forEach(DiskPort::detach);
    disk.close();
    engine.close();
  }
}
