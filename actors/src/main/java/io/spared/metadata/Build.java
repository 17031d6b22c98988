package io.spared.metadata;

import io.spared.ffi.engine.DiskPort;
import io.spared.ffi.engine.IoRequest;
import io.spared.format.AreaBuilder;
import io.spared.format.AreaReading;
import io.spared.format.CopyReader;
import io.spared.format.CopyReading;
import io.spared.format.DeviceImage;
import io.spared.format.Form;
import io.spared.format.FormatException;
import io.spared.format.LogAppender;
import io.spared.format.LogAppender.Payload;
import io.spared.format.Position;
import io.spared.format.Seal;
import io.spared.format.Signature;
import io.spared.format.Superblock;
import io.spared.metadata.MetadataReply.CopyState;
import java.nio.ByteBuffer;
import java.util.Optional;
import org.jspecify.annotations.Nullable;

/**
 * Writes one area of one copy anew: a checkpoint of a copy in step, or the repair of one that is
 * not. In this order, each durable before the next: the area's seal is wiped, the checkpoint is
 * written, the log gets every commit after the checkpoint's base, the seal is written, and the
 * superblock where it was damaged.
 *
 * <p>At every moment the copy's other area is what it was, and that is the newest one that was ever
 * seen sealed there, by the load, by the look before a repair, or written here: what cannot be read
 * just now may be read at the next start. So whatever happens here takes nothing away; and the new
 * area counts from the moment its seal is durable, when it already holds every commit that the
 * writer has given out. While the seal is being written a copy in step gets no commits: its old
 * area would be ahead of the new one, which has the higher generation.
 */
final class Build {
  static final int BUFFER_BYTES = 128 * 1024;

  /** So often a place is looked at whose superblock or seals cannot be read. */
  private static final int LOOKS_MAX = 3;

  /** Hears how it ended, unless it was cancelled. */
  interface Owner {
    void buildDone(Build done, LogAppender log);

    void buildFailed(Build failed, String reason);

    /** Somebody else's stands where the copy was. */
    void fence(Copy copy, String sentence);
  }

  private final WriterContext context;
  private final Lanes lanes;
  private final CopyFaults faults;
  private final Owner owner;
  final Copy copy;
  final boolean repair;
  private final Lane lane;
  private final DiskPort port;
  private int area;
  private int looks;
  private @Nullable AreaBuilder builder;
  private @Nullable LogAppender log;
  private @Nullable Seal seal;
  private @Nullable ReadTask reading;
  private boolean wantsIdle;
  private boolean over;

  Build(
      WriterContext context,
      Lanes lanes,
      CopyFaults faults,
      Owner owner,
      Copy copy,
      DiskPort port,
      boolean repair) {
    this.context = context;
    this.lanes = lanes;
    this.faults = faults;
    this.owner = owner;
    this.copy = copy;
    this.port = port;
    this.repair = repair;
    this.lane = lanes.newLane(BUFFER_BYTES);
  }

  void begin() {
    if (repair) {
      inspect();
    } else {
      wipeAside();
    }
  }

  private void wipeAside() {
    int active = copy.activeArea();
    area = active < 0 ? copy.attempts % 2 : context.rules().buildsAside() ? 1 - active : active;
    wipe();
  }

  /** The commit after which retained commits are needed. */
  long baseSequence() {
    AreaBuilder known = builder;
    return known == null ? Long.MAX_VALUE : known.base().sequence();
  }

  double progress() {
    AreaBuilder known = builder;
    return known == null ? 0 : known.progress();
  }

  /** Ends without a result; what is in flight ends as it ends. */
  void cancel() {
    if (over) {
      return;
    }
    over = true;
    copy.switching = false;
    ReadTask task = reading;
    if (task != null) {
      task.cancel();
    }
    if (lane.isInFlight()) {
      lane.cancel();
    } else {
      lane.close();
    }
  }

  /** What stands there now: somebody else's is not overwritten. */
  private void inspect() {
    CopyReader reader =
        new CopyReader(
            copy.superblock.deviceId(),
            copy.superblock.spareId(),
            copy.place.offsetBytes(),
            BUFFER_BYTES);
    read(
        new ReadTask(
            reader, port, lanes.newLane(BUFFER_BYTES), lanes, () -> inspected(reader.result())));
  }

  private void read(ReadTask task) {
    reading = task;
    task.begin();
  }

  private void inspected(CopyReading found) {
    reading = null;
    Optional<String> foreign =
        context.rules().foreign(found, copy.superblock.deviceId(), context.history().epoch());
    if (foreign.isPresent()) {
      owner.fence(copy, foreign.get());
      return;
    }
    copy.superblockDamaged =
        !found.superblock().map(copy.superblock::equals).orElse(false)
            || found.kind() != CopyReading.Kind.READ;
    found
        .newestSealed()
        .ifPresent(seen -> {
          copy.sawSealed(seen);
          context.history().sawGeneration(seen.generation());
        });
    if (found.mayHoldMore() && ++looks < LOOKS_MAX) {
      inspect();
      return;
    }
    Optional<AreaReading> best = found.best();
    if (canRejoin(found)) {
      end(Optional.of(LogAppender.after(copy.superblock, best.orElseThrow())));
      return;
    }
    if (found.superblock().isPresent() || image().form() == Form.SELF_SPARE) {
      wipeAside();
      return;
    }
    UnitReading head = new UnitReading(0);
    read(
        new ReadTask(head, port, lanes.newLane(BUFFER_BYTES), lanes, () -> headRead(head.bytes())));
  }

  /** Whether a copy that was only away holds what it held, so that it can simply go on. */
  private boolean canRejoin(CopyReading found) {
    LogAppender held = copy.appender;
    Optional<AreaReading> best = found.best();
    if (held == null || best.isEmpty() || copy.superblockDamaged || !copy.wasOnlyAway) {
      return false;
    }
    Position tail = best.get().tail();
    History history = context.history();
    return best.get().isTailKnown()
        && best.get().seal().buildId() == held.seal().buildId()
        && (tail.equals(copy.durable) || history.retained().knows(tail))
        && tail.sequence() <= history.lastSequence()
        && history.canFollow(tail.sequence());
  }

  private DeviceImage image() {
    return context.history().image();
  }

  private void headRead(Optional<ByteBuffer> bytes) {
    reading = null;
    Optional<String> another =
        bytes.flatMap(unit -> Signature.ofAnother(unit, copy.superblock.spareId()));
    if (another.isPresent()) {
      owner.fence(copy, another.get() + " stands on its spare");
    } else {
      wipeAside();
    }
  }

  private void wipe() {
    ByteBuffer bytes = buffer(this::wipe);
    if (bytes == null) {
      return;
    }
    for (int i = 0; i < Seal.BYTES; i += 8) {
      bytes.putLong(i, 0);
    }
    put(
        copy.place.offsetBytes() + copy.superblock.layout().areaOffsetBytes(area),
        Seal.BYTES,
        this::startCheckpoint);
  }

  private void startCheckpoint() {
    builder =
        new AreaBuilder(
            image(),
            copy.superblock,
            area,
            context.history().nextGeneration(),
            context.world().random().nextLong());
    chunk();
  }

  private void chunk() {
    AreaBuilder filling = builder;
    if (over || filling == null) {
      return;
    }
    ByteBuffer bytes = buffer(this::chunk);
    if (bytes == null) {
      return;
    }
    long offsetBytes = filling.offsetBytes();
    int lengthBytes;
    try {
      lengthBytes = filling.next(bytes.limit(context.settings().chunkBytes()));
    } catch (FormatException e) {
      fail(e.sentence());
      return;
    }
    if (lengthBytes == 0) {
      Seal made = filling.seal();
      seal = made;
      log = LogAppender.empty(copy.superblock, made);
      catchUp();
    } else {
      put(offsetBytes, lengthBytes, () -> lanes.next(this::chunk));
    }
  }

  private void catchUp() {
    LogAppender filling = log;
    if (over || filling == null) {
      return;
    }
    ByteBuffer bytes = buffer(this::catchUp);
    if (bytes == null) {
      return;
    }
    long offsetBytes = filling.offsetBytes();
    int used = 0;
    while (true) {
      Payload next = context.history().retained().get(filling.last().sequence() + 1);
      if (next == null || used + next.recordBytes() > bytes.limit()) {
        break;
      }
      if (!filling.hasRoom(next)) {
        fail("more commits came during its checkpoint than its log holds");
        return;
      }
      used += filling.append(next, bytes, used);
    }
    if (used > 0) {
      put(offsetBytes, used, this::catchUp);
    } else if (filling.last().sequence() < context.history().lastSequence()) {
      fail("commits that its log needs are no longer kept");
    } else if (copy.state == CopyState.IN_STEP && !copy.switching) {
      copy.switching = true;
      idle();
    } else if (copy.switching && !copy.lane.isFree()) {
      idle();
    } else {
      writeSeal();
    }
  }

  /** Goes on once the copy's own lane is idle. */
  private void idle() {
    wantsIdle = !copy.lane.isFree();
    if (!wantsIdle) {
      catchUp();
    }
  }

  /** The copy's lane has become idle, or its commit was abandoned, which ends this. */
  void laneIdle() {
    if (wantsIdle && !copy.lane.isHeld()) {
      wantsIdle = false;
      catchUp();
    }
  }

  private void writeSeal() {
    Seal made = seal;
    ByteBuffer bytes = buffer(this::writeSeal);
    if (over || made == null || bytes == null) {
      return;
    }
    bytes.put(0, made.write(), 0, Seal.BYTES);
    put(made.offsetBytes(), Seal.BYTES, this::sealed);
  }

  private void sealed() {
    Seal made = seal;
    if (made != null) {
      copy.sawSealed(new CopyReading.Sealed(area, made.generation()));
    }
    writeSuperblock();
  }

  private void writeSuperblock() {
    if (!copy.superblockDamaged) {
      end(Optional.ofNullable(log));
      return;
    }
    ByteBuffer bytes = buffer(this::writeSuperblock);
    if (bytes == null) {
      return;
    }
    bytes.put(0, copy.superblock.write(), 0, Superblock.BYTES);
    put(
        copy.place.offsetBytes(),
        Superblock.BYTES,
        () -> {
          copy.superblockDamaged = false;
          end(Optional.ofNullable(log));
        });
  }

  private @Nullable ByteBuffer buffer(Runnable again) {
    ByteBuffer bytes = over ? null : lane.buffer();
    if (bytes == null && !over) {
      lanes.whenBufferMayBeFree(() -> {
        if (!over) {
          again.run();
        }
      });
    }
    return bytes;
  }

  private void put(long offsetBytes, int lengthBytes, Runnable next) {
    copy.buildWrites++;
    lane.write(
        port,
        offsetBytes,
        lengthBytes,
        lanes.readDeadlineNanos(),
        (outcome, reason) -> written(outcome, reason, next));
  }

  private void written(IoRequest.Outcome outcome, String reason, Runnable next) {
    if (lane.isHeld()) {
      faults.held(copy, "a write of its checkpoint got no answer and may still be carried out");
      if (over) {
        lane.close();
      }
      return;
    }
    copy.buildWrites--;
    if (over) {
      lane.close();
      faults.released(copy);
    } else if (outcome == IoRequest.Outcome.DONE) {
      next.run();
    } else {
      fail("a write failed: " + reason);
    }
  }

  /** Ends without success and says so. */
  void fail(String reason) {
    if (over) {
      return;
    }
    over = true;
    copy.switching = false;
    if (lane.isInFlight()) {
      lane.cancel();
    } else {
      lane.close();
    }
    owner.buildFailed(this, reason);
  }

  private void end(Optional<LogAppender> newLog) {
    if (over) {
      return;
    }
    over = true;
    copy.switching = false;
    lane.close();
    owner.buildDone(this, newLog.orElseThrow());
  }
}
