package io.spared.ffi.disk;

import io.spared.ffi.Errno;
import io.spared.ffi.disk.FaultRule.Effect;
import io.spared.ffi.engine.Completions;
import io.spared.ffi.engine.DiskPort;
import io.spared.ffi.engine.Engine;
import io.spared.ffi.engine.IoBuffer;
import io.spared.ffi.engine.IoRequest;
import io.spared.ffi.engine.IoRequest.Operation;
import io.spared.ffi.engine.Ledger;
import io.spared.ffi.engine.SoftwarePort;
import java.util.ArrayDeque;
import java.util.ArrayList;
import java.util.List;
import java.util.Map;
import java.util.NavigableMap;
import org.jspecify.annotations.Nullable;

/**
 * A fault disk on one engine. Every request is carried out by a request of its own on the port
 * inside, which has no deadline: what the owner gives up is held until that one ends, as with a
 * kernel. A request that hangs never reaches the port inside until the plan releases it.
 */
final class FaultPort extends SoftwarePort {
  private static final long POLL_NANOS = 1_000_000;

  private final DiskPort inner;
  private final FaultPlan plan;
  private final UnflushedSectors unflushed;
  private final Completions innerEnds = new Completions(this::takeEnds);
  private final ArrayDeque<Way> ways = new ArrayDeque<>();
  private final List<Way> active = new ArrayList<>();
  private final List<IoRequest> hanging = new ArrayList<>();
  private final ArrayDeque<IoRequest> waitingForPower = new ArrayDeque<>();
  private long hangReleases;
  private boolean polling;
  private long powerCuts;
  private @Nullable NavigableMap<Long, byte[]> takingBack;

  /** One request on its way: what carries it out inside, and at which point it is. */
  private static final class Way {
    final IoRequest carrier;
    @Nullable IoRequest request;
    @Nullable IoBuffer before;
    @Nullable Effect tear;
    @Nullable Object flush;
    boolean readingBefore;
    boolean takesBack;
    long powerCuts;

    Way(Completions ends) {
      this.carrier = new IoRequest(ends);
      carrier.attach(this);
    }
  }

  FaultPort(Engine engine, DiskPort inner, FaultPlan plan, int sectorBytes) {
    super(engine);
    this.inner = inner;
    this.plan = plan;
    this.unflushed = plan.unflushed(sectorBytes);
    this.hangReleases = plan.hangReleases();
    this.powerCuts = plan.powerCuts();
    if (plan.keepsUnflushed()) {
      poll();
    }
  }

  @Override
  protected void begin(IoRequest request) {
    switch (plan.power()) {
      case CUT -> {
        noticePower();
        soon(() -> endIfCarried(request, Errno.ENODEV));
        return;
      }
      case RESTORING -> {
        noticePower();
        waitingForPower.add(request);
        poll();
        return;
      }
      case ON -> noticePower();
    }
    Effect effect = plan.strike(request.operation(), request.offsetBytes(), request.lengthBytes());
    switch (effect) {
      case null -> carryOut(request, null);
      case Effect.Fail fail -> soon(() -> endIfCarried(request, fail.errno()));
      case Effect.FailUntilWritten fail -> soon(() -> endIfCarried(request, fail.errno()));
      case Effect.Delay delay ->
          engine()
              .ledger()
              .later(engine().nanoTime() + delay.time().toNanos(), () -> carryOut(request, null));
      case Effect.Hang hang -> {
        hanging.add(request);
        poll();
      }
      case Effect.Tear tear -> carryOut(request, tear);
    }
  }

  private void endIfCarried(IoRequest request, Errno errno) {
    if (request.outcome() == IoRequest.Outcome.IN_FLIGHT || request.held()) {
      end(request, errno);
    }
  }

  @Override
  protected boolean giveUp(IoRequest request) {
    if (waitingForPower.remove(request)) {
      return true;
    }
    for (Way way : List.copyOf(active)) {
      if (way.request == request) {
        inner.cancel(way.carrier);
      }
    }
    return false;
  }

  private void carryOut(IoRequest request, @Nullable Effect tear) {
    Way way = ways.poll();
    if (way == null) {
      way = new Way(innerEnds);
    }
    way.request = request;
    way.tear = tear;
    way.powerCuts = powerCuts;
    unflushed.goes();
    active.add(way);
    boolean changes =
        request.operation() == Operation.WRITE
            || request.operation() == Operation.WRITE_ZEROES
            || request.operation() == Operation.DISCARD;
    if (changes && plan.keepsUnflushed()) {
      readBefore(way, request);
    } else {
      submit(way, request);
    }
  }

  /** Learns what a write will replace. Needs a buffer, which may have to be waited for. */
  private void readBefore(Way way, IoRequest request) {
    int length = Math.min(request.lengthBytes(), engine().buffers().largestBytes());
    IoBuffer before = length == request.lengthBytes() ? engine().buffers().take(length) : null;
    if (before == null) {
      if (length == request.lengthBytes()) {
        engine().ledger().later(engine().nanoTime() + POLL_NANOS, () -> readBefore(way, request));
      } else {
        // Larger than any buffer: such a request is not taken back.
        submit(way, request);
      }
      return;
    }
    way.before = before;
    way.readingBefore = true;
    way.carrier.transfer(Operation.READ, request.offsetBytes(), before, 0, length, Ledger.NEVER);
    inner.submit(way.carrier);
  }

  private void submit(Way way, IoRequest request) {
    IoRequest carrier = way.carrier;
    IoBuffer buffer = request.buffer();
    if (buffer != null) {
      int length = request.lengthBytes();
      if (way.tear instanceof Effect.Tear tear) {
        int sector = unflushed.sectorBytes();
        length = Math.min(length, tear.bytes() / sector * sector);
      }
      carrier.transfer(
          request.operation(),
          request.offsetBytes(),
          buffer,
          request.bufferOffsetBytes(),
          length,
          Ledger.NEVER);
    } else {
      carrier.plain(
          request.operation(), request.offsetBytes(), request.lengthBytes(), Ledger.NEVER);
    }
    if (request.isDurable()) {
      carrier.durable();
    }
    if (request.isWithoutHoles()) {
      carrier.withoutHoles();
    }
    if (request.operation() == Operation.FLUSH && plan.keepsUnflushed()) {
      way.flush = unflushed.flushBegins();
    }
    inner.submit(carrier);
  }

  private void takeEnds() {
    IoRequest carrier = innerEnds.next();
    while (carrier != null) {
      if (carrier.attachment() instanceof Way way && !carrier.held()) {
        ended(way, carrier);
      }
      carrier = innerEnds.next();
    }
  }

  private void ended(Way way, IoRequest carrier) {
    boolean done = innerEnds.lastOutcome() == IoRequest.Outcome.DONE;
    if (way.takesBack) {
      free(way);
      takeBackNext();
      return;
    }
    IoRequest request = way.request;
    if (request == null) {
      return;
    }
    if (way.readingBefore) {
      way.readingBefore = false;
      IoBuffer before = way.before;
      if (done && before != null && plan.power() == FaultPlan.Power.ON) {
        unflushed.keep(request.offsetBytes(), before.bytes(), 0, request.lengthBytes());
      }
      if (plan.power() == FaultPlan.Power.ON && way.powerCuts == powerCuts) {
        submit(way, request);
        return;
      }
    } else {
      settle(way, request, done);
    }
    Errno errno = carrier.errno();
    if (!done && errno == null) {
      errno = Errno.ECANCELED;
    }
    if (way.tear instanceof Effect.Tear tear) {
      errno = tear.errno();
    }
    if (plan.power() != FaultPlan.Power.ON || way.powerCuts != powerCuts) {
      errno = Errno.ENODEV;
    }
    free(way);
    end(request, errno);
  }

  /** Books what a request that ended did to the disk. */
  private void settle(Way way, IoRequest request, boolean done) {
    if (way.flush != null) {
      unflushed.flushEnded(way.flush, done && way.powerCuts == powerCuts);
    }
    boolean writes =
        request.operation() == Operation.WRITE || request.operation() == Operation.WRITE_ZEROES;
    if (writes && done) {
      plan.written(request.offsetBytes(), way.carrier.lengthBytes());
      if (request.isDurable()) {
        unflushed.forget(request.offsetBytes(), way.carrier.lengthBytes());
      }
    }
  }

  private void free(Way way) {
    if (!way.takesBack) {
      unflushed.cameBack();
    }
    active.remove(way);
    IoBuffer before = way.before;
    if (before != null) {
      before.release();
    }
    way.request = null;
    way.before = null;
    way.tear = null;
    way.flush = null;
    way.takesBack = false;
    ways.add(way);
  }

  // Hanging requests and power: looked at from time to time, since the plan changes on any thread.

  private void poll() {
    if (!polling) {
      polling = true;
      engine().ledger().later(engine().nanoTime() + POLL_NANOS, this::polled);
    }
  }

  private void polled() {
    polling = false;
    noticePower();
    if (hangReleases != plan.hangReleases()) {
      hangReleases = plan.hangReleases();
      List<IoRequest> released = List.copyOf(hanging);
      hanging.clear();
      for (IoRequest request : released) {
        carryOut(request, null);
      }
    }
    if (plan.power() == FaultPlan.Power.ON) {
      IoRequest waiting = waitingForPower.poll();
      while (waiting != null) {
        begin(waiting);
        waiting = waitingForPower.poll();
      }
    }
    boolean powerMatters = plan.keepsUnflushed() && !isDetached();
    if (powerMatters || !hanging.isEmpty() || !waitingForPower.isEmpty()) {
      poll();
    }
  }

  /**
   * Follows a power cut: what hangs fails, and what was unflushed is taken back before it is on.
   */
  private void noticePower() {
    if (powerCuts != plan.powerCuts()) {
      powerCuts = plan.powerCuts();
      List<IoRequest> lost = List.copyOf(hanging);
      hanging.clear();
      for (IoRequest request : lost) {
        soon(() -> endIfCarried(request, Errno.ENODEV));
      }
    }
    if (plan.power() == FaultPlan.Power.RESTORING && takingBack == null) {
      takingBack = unflushed.beginTakingBack(plan::chooseSurvivor);
      takeBackNext();
    }
  }

  private void takeBackNext() {
    NavigableMap<Long, byte[]> left = takingBack;
    if (left == null) {
      return;
    }
    Map.Entry<Long, byte[]> sector = left.pollFirstEntry();
    if (sector == null) {
      takingBack = null;
      unflushed.tookBack();
      plan.restored();
      return;
    }
    IoBuffer buffer = engine().buffers().take(sector.getValue().length);
    if (buffer == null) {
      left.put(sector.getKey(), sector.getValue());
      engine().ledger().later(engine().nanoTime() + POLL_NANOS, this::takeBackNext);
      return;
    }
    buffer.bytes().put(0, sector.getValue());
    Way way = ways.poll();
    if (way == null) {
      way = new Way(innerEnds);
    }
    way.takesBack = true;
    way.before = buffer;
    active.add(way);
    way.carrier.transfer(
        Operation.WRITE,
        sector.getKey() * unflushed.sectorBytes(),
        buffer,
        0,
        sector.getValue().length,
        Ledger.NEVER);
    inner.submit(way.carrier);
  }

  @Override
  protected void idle() {
    inner.detach();
  }

  /** The port inside leaves last: it may still take back what was unflushed. */
  @Override
  public void whenLeft(Runnable task) {
    inner.whenLeft(task);
  }
}
