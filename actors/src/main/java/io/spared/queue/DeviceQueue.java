package io.spared.queue;

import io.spared.disk.DiskNumber;
import io.spared.disk.ErrorPolicy;
import io.spared.ffi.Errno;
import io.spared.ffi.engine.Completions;
import io.spared.ffi.engine.DiskPort;
import io.spared.ffi.engine.Engine;
import io.spared.ffi.engine.IoBuffer;
import io.spared.ffi.engine.IoRequest;
import io.spared.ffi.engine.IoRequest.Outcome;
import io.spared.format.LostBits;
import io.spared.remap.Place;
import io.spared.remap.TableReader;
import java.util.ArrayDeque;
import java.util.HashMap;
import java.util.Map;
import org.jspecify.annotations.Nullable;
import org.slf4j.Logger;
import org.slf4j.LoggerFactory;

/**
 * One of a device's parallel paths, hosted by a frontend's actor on a ring's thread. In good times
 * a request is looked up, cut, given to its disks and completed here, on this one thread, with
 * nothing allocated and nothing locked.
 *
 * <p>What it keeps:
 *
 * <ul>
 *   <li><b>Right bytes, split.</b> The lookup and the submission of a part are one step of one
 *       thread; whatever waits in between (for a fence, a part, a proof) is looked up anew. So a
 *       part is on its way only to where the block was when it was submitted.
 *   <li><b>Fences.</b> A fence is reached when no write or discard of this queue on the block is
 *       with a disk, those abandoned to the kernel included; since lookup and submission are one
 *       step, none can follow until the fence is lifted. A failed write that waits is not with a
 *       disk; when it goes on and finds the fence, its data goes to the relocator.
 *   <li><b>Map before acknowledgement.</b> A write that needs a move, or lost bits cleared, counts
 *       as an unfinished part of its request until the relocator answers, which it does after the
 *       commit.
 *   <li><b>Doubt.</b> A write or discard that is abandoned is entered in {@link DeviceDoubts}
 *       before its request ends, and stays there until the kernel lets go.
 *   <li><b>Flush.</b> A flush goes to main and to every spare with blocks on it. The first one that
 *       fails is entered in {@link DeviceDoubts} before its request ends; from then on writes and
 *       flushes of every queue fail.
 *   <li><b>Replacing main.</b> {@link Mirror} has the argument; where none is under way it costs a
 *       write one comparison.
 *   <li><b>No reuse.</b> Every part carries the version of the map it was looked up in until the
 *       kernel's last word; the oldest is published ({@link TableReader}).
 *   <li><b>Its host's end is not its own.</b> A host that ends, crashes included, tells it ({@link
 *       #hostEnded}): it takes no more, gives its ports back, and goes on alone, driven by its
 *       ring, until the kernel has let go of all its parts; only then is its version of the map
 *       given up, are its ranges out of doubt, and is it closed for the device. So a fence, a slot
 *       or a doubt outlives the host of the queue that it waits for, and a disk is not kept open by
 *       a dead one.
 *   <li><b>Bounded.</b> Requests, parts and writes given to the relocator each have a bound; a
 *       request that meets one waits, in order, and its frontend feels it.
 * </ul>
 */
public final class DeviceQueue {
  private static final Logger LOG = LoggerFactory.getLogger(DeviceQueue.class);

  /** Writes that wait for the relocator at a time; each holds a copy of a block. */
  private static final int TICKETS_MAX = 256;

  /** Zeroing and discarding move no data, but one request should not occupy a disk for long. */
  private static final int WRITE_ZEROES_BYTES_MAX = 64 << 20;

  private static final int DISCARD_BYTES_MAX = 1 << 30;

  private static final int ZEROES_BYTES = 64 << 10;

  /** How the queue stands. */
  private enum Phase {
    /** The relocator does not know it yet: it would miss a fence. */
    OPENING,
    SERVING,
    /** No request is taken any more. */
    DRAINING,
    CLOSED
  }

  /** A write that the relocator has. */
  private record Ticket(DeviceRequest request, long offsetBytes, long lengthBytes) {}

  private final QueueContext context;
  private final int queueId;
  private final Engine engine;
  private final QueueHost host;
  private final Completions completions;
  private final QueueDisks disks;
  private final TableReader reader;
  private final DeviceDoubts doubts;
  private final Cut cut;
  private final Parts parts;
  private final Proofs proofs;
  private final Fences fences = new Fences();
  private final QueueStatistics statistics = new QueueStatistics();
  private final Mirroring mirroring;
  private final int blockBytes;
  private final int blockShift;
  private final int sectorBytes;

  private final ArrayDeque<DeviceRequest> pool = new ArrayDeque<>();
  private final ArrayDeque<DeviceRequest> notBegun = new ArrayDeque<>();
  private final ArrayDeque<DeviceRequest> waitForFence = new ArrayDeque<>();
  private final ArrayDeque<DeviceRequest> waitForPart = new ArrayDeque<>();
  private final ArrayDeque<DeviceRequest> waitForTicket = new ArrayDeque<>();
  private final ArrayDeque<Part> isolationsWaitForTicket = new ArrayDeque<>();
  private final Map<Long, Ticket> tickets = new HashMap<>();

  private QueuePolicy policy;
  private long deadlineNanos;

  /** Looked at once in each call from outside, for all that it does. */
  private long nowNanos;

  private Phase phase = Phase.OPENING;
  private @Nullable DeviceRequest newest;
  private int requestsOut;
  private int unfinished;
  private int begun;
  private long nextTicket = 1;
  private boolean frozen;
  private boolean freezeAnswered;
  private long freezeId;
  private boolean drainAnswered;
  private boolean hostGone;
  private @Nullable IoBuffer zeroes;

  /**
   * @param engine of the thread that this and everything else here is called on
   * @param signal tells the hosting actor to call {@link #completionsReady}; called on the engine's
   *     thread, once per turn in which something ended
   */
  public DeviceQueue(QueueContext context, Engine engine, Runnable signal, QueueHost host) {
    this.context = context;
    this.queueId = context.queueId();
    this.engine = engine;
    this.host = host;
    Runnable alone = this::completionsReady;
    this.completions =
        new Completions(() -> {
          if (hostGone) {
            engine.ledger().afterSignals(alone);
          } else {
            signal.run();
          }
        });
    this.policy = context.policy();
    this.deadlineNanos = policy.requestDeadline().toNanos();
    this.disks = new QueueDisks(engine, context.main(), context.spares());
    this.reader = context.table().newReader();
    this.doubts = context.doubts();
    this.cut = new Cut(context.table(), context.geometry());
    this.parts = new Parts(completions, policy.partsMax());
    this.mirroring = new Mirroring(engine);
    this.blockBytes = context.geometry().blockBytes();
    this.blockShift = Integer.numberOfTrailingZeros(blockBytes);
    this.sectorBytes = context.geometry().sectorBytes();
    this.proofs =
        new Proofs((disk, errno, offset) ->
            report(new QueueReport.DiskDoubted(queueId, disk, errno, offset)));
    report(new QueueReport.Opened(queueId));
  }

  // The host's side.

  /**
   * A request to prepare and submit; null when {@link QueuePolicy#requestsMax} are out: wait until
   * one is completed and recycled. This is the queue's back-pressure.
   */
  public @Nullable DeviceRequest newRequest() {
    DeviceRequest request = pool.pollLast();
    if (request != null) {
      requestsOut++;
      return request;
    }
    if (requestsOut >= policy.requestsMax()) {
      return null;
    }
    requestsOut++;
    return new DeviceRequest();
  }

  /** Gives a request back that is the host's. */
  public void recycle(DeviceRequest request) {
    if (request.submitted) {
      throw new IllegalStateException("given back before it ended: " + request);
    }
    request.buffer = null;
    requestsOut--;
    if (requestsOut + pool.size() < policy.requestsMax()) {
      pool.addLast(request);
    }
  }

  /**
   * Takes a request. Offset and length are whole sectors within the device, else it ends with
   * EINVAL. It may be completed within this call.
   */
  public void submit(DeviceRequest request) {
    if (request.submitted) {
      throw new IllegalStateException("submitted twice: " + request);
    }
    nowNanos = engine.nanoTime();
    request.submittedNanos = nowNanos;
    if (!isValid(request)) {
      request.fail(Errno.EINVAL, request.offsetBytes, request.lengthBytes);
      end(request);
      return;
    }
    if (phase == Phase.DRAINING || phase == Phase.CLOSED) {
      request.fail(Errno.ESHUTDOWN, request.offsetBytes, request.lengthBytes);
      end(request);
      return;
    }
    link(request);
    if (frozen || phase == Phase.OPENING) {
      notBegun.add(request);
      return;
    }
    begin(request);
  }

  private boolean isValid(DeviceRequest request) {
    if (request.operation == DeviceRequest.Operation.FLUSH) {
      return true;
    }
    long deviceBytes = context.geometry().deviceBytes();
    if (request.offsetBytes < 0
        || request.lengthBytes <= 0
        || request.lengthBytes > deviceBytes
        || request.offsetBytes > deviceBytes - request.lengthBytes
        || ((request.offsetBytes | request.lengthBytes) & (sectorBytes - 1)) != 0) {
      return false;
    }
    if (request.operation != DeviceRequest.Operation.READ
        && request.operation != DeviceRequest.Operation.WRITE) {
      return true;
    }
    IoBuffer buffer = request.buffer;
    return buffer != null
        && request.bufferOffsetBytes >= 0
        && request.bufferOffsetBytes + request.lengthBytes <= buffer.capacityBytes();
  }

  /** Requests submitted and not completed. */
  public int unfinished() {
    return unfinished;
  }

  /** The frontend is leaving: like {@link QueueCommand.Drain}, by the host itself. */
  public void drain() {
    nowNanos = engine.nanoTime();
    beginDraining();
    settle();
  }

  /** The frontend is leaving and waits no longer: like {@link QueueCommand.Abandon}. */
  public void abandon() {
    nowNanos = engine.nanoTime();
    abandonAll(false);
    settle();
  }

  /**
   * The host ends now, however: nobody answers requests any more, and none is given back to it. To
   * be called last, from its PostStop; a host in its right mind abandons first, so that it gets its
   * requests back. It does not throw, and may be called again.
   */
  public void hostEnded() {
    if (hostGone || phase == Phase.CLOSED) {
      return;
    }
    hostGone = true;
    disks.detachAll();
    mirroring.detach();
    try {
      abandonAll(false);
      // The host may have been told of ends that it did not live to take.
      completionsReady();
    } catch (RuntimeException broken) {
      // What crashed the host may be in here. The device waits for the end of this queue, and is
      // assembled again when it does not come.
      LOG.error("queue {} cannot end by itself", queueId, broken);
    }
  }

  // The device's side.

  /** Takes what the device or the relocator says. */
  public void handle(QueueCommand command) {
    if (phase == Phase.CLOSED) {
      return;
    }
    nowNanos = engine.nanoTime();
    switch (command) {
      case QueueCommand.Begin c -> {
        c.fences().forEach(this::fence);
        if (phase == Phase.OPENING) {
          phase = Phase.SERVING;
          beginWhatWaited();
        }
      }
      case QueueCommand.Fence c -> fence(c);
      case QueueCommand.LiftFence c -> {
        fences.lift(c.fenceId());
        goOn(waitForFence);
      }
      case QueueCommand.RefuseAtFence c -> {
        fences.refuse(c.fenceId(), c.errno());
        goOn(waitForFence);
      }
      case QueueCommand.Relocated c -> relocated(c.ticket(), c.errno());
      case QueueCommand.DiskProof c -> proofs.answered(c.disk(), c.proved());
      case QueueCommand.Freeze c -> {
        frozen = true;
        freezeId = c.freezeId();
        freezeAnswered = false;
      }
      case QueueCommand.Thaw c -> {
        frozen = false;
        beginWhatWaited();
      }
      case QueueCommand.Drain c -> beginDraining();
      case QueueCommand.Abandon c -> abandonAll(true);
      case QueueCommand.SpareAttached c -> disks.attach(c.spare(), c.disk());
      case QueueCommand.SpareDetached c -> detach(c.spare());
      case QueueCommand.MainReplaced c -> {
        disks.attach(DiskNumber.MAIN, c.disk());
        proofs.gone(DiskNumber.MAIN);
        report(new QueueReport.MainTaken(queueId));
      }
      case QueueCommand.SetMirror c -> setMirror(c.mirror());
      case QueueCommand.MirrorOff c -> mirrorOff();
      case QueueCommand.Recorded c -> recorded(c.durable());
      case QueueCommand.PublishVersion c -> {}
      case QueueCommand.Count c -> report(new QueueReport.Counted(queueId, statistics.now()));
      case QueueCommand.SetPolicy c -> {
        policy = c.policy();
        deadlineNanos = policy.requestDeadline().toNanos();
        parts.setMax(policy.partsMax());
      }
    }
    reader.refresh();
    settle();
  }

  /** Takes what has ended; called when the signal's message arrives. */
  public void completionsReady() {
    nowNanos = engine.nanoTime();
    while (true) {
      IoRequest io = completions.next();
      if (io == null) {
        break;
      }
      if (io.attachment() instanceof Part part) {
        ended(part, completions.lastOutcome());
      }
    }
    settle();
  }

  /** At the end of each call: what became possible, and what became true. */
  private void settle() {
    while (!waitForPart.isEmpty() && !parts.lacks(mirroring.port() == null ? 1 : 2)) {
      advance(unwait(waitForPart));
    }
    while (tickets.size() < TICKETS_MAX && !isolationsWaitForTicket.isEmpty()) {
      isolate(isolationsWaitForTicket.remove());
    }
    while (tickets.size() < TICKETS_MAX && !waitForTicket.isEmpty()) {
      advance(unwait(waitForTicket));
    }
    if (frozen && begun == 0 && !freezeAnswered) {
      freezeAnswered = true;
      report(new QueueReport.Frozen(queueId, freezeId));
    }
    if (phase == Phase.DRAINING && unfinished == 0) {
      if (!drainAnswered) {
        drainAnswered = true;
        report(new QueueReport.Drained(queueId, parts.abandoned()));
      }
      if (parts.areAllFree()) {
        close();
      }
    }
  }

  private void close() {
    phase = Phase.CLOSED;
    reader.close();
    disks.detachAll();
    mirroring.detach();
    IoBuffer buffer = zeroes;
    if (buffer != null) {
      buffer.release();
      zeroes = null;
    }
    report(new QueueReport.Counted(queueId, statistics.now()));
    report(new QueueReport.Closed(queueId));
    if (!hostGone) {
      host.closed();
    }
  }

  private void report(QueueReport report) {
    context.reports().accept(report);
  }

  // Requests.

  private void link(DeviceRequest request) {
    request.submitted = true;
    request.begun = false;
    request.waiting = false;
    request.previous = newest;
    request.next = null;
    if (newest != null) {
      newest.next = request;
    }
    newest = request;
    unfinished++;
  }

  private void unlink(DeviceRequest request) {
    DeviceRequest previous = request.previous;
    DeviceRequest next = request.next;
    if (previous != null) {
      previous.next = next;
    }
    if (next != null) {
      next.previous = previous;
    } else {
      newest = previous;
    }
    request.previous = null;
    request.next = null;
    request.submitted = false;
    unfinished--;
    if (request.begun) {
      begun--;
    }
  }

  private void beginWhatWaited() {
    while (!frozen && phase == Phase.SERVING) {
      DeviceRequest request = notBegun.poll();
      if (request == null) {
        return;
      }
      begin(request);
    }
  }

  private void begin(DeviceRequest request) {
    request.begun = true;
    begun++;
    request.unfinishedParts = 0;
    request.cut = false;
    request.flushing = request.operation == DeviceRequest.Operation.FLUSH;
    request.cursorBytes = request.flushing ? DiskNumber.MAIN : request.offsetBytes;
    if (!waitForPart.isEmpty()) {
      waitIn(waitForPart, request);
      return;
    }
    advance(request);
  }

  private static void waitIn(ArrayDeque<DeviceRequest> where, DeviceRequest request) {
    request.waiting = true;
    where.add(request);
  }

  private static DeviceRequest unwait(ArrayDeque<DeviceRequest> where) {
    DeviceRequest request = where.remove();
    request.waiting = false;
    return request;
  }

  /** Those who waited here go on; whoever has to wait again comes behind them. */
  private void goOn(ArrayDeque<DeviceRequest> where) {
    for (int i = where.size(); i > 0 && !where.isEmpty(); i--) {
      advance(unwait(where));
    }
  }

  /** Cuts and submits as much of the request as can be now. */
  private void advance(DeviceRequest request) {
    request.deadlineNanos = nowNanos + deadlineNanos;
    if (request.flushing) {
      advanceFlush(request);
    } else {
      advanceRange(request);
    }
    endIfOver(request);
  }

  private void advanceRange(DeviceRequest request) {
    long toBytes = request.offsetBytes + request.lengthBytes;
    boolean changes = request.changesBytes();
    if (request.isWrite() && doubts.failedFlush() != null) {
      request.fail(Errno.EIO, request.cursorBytes, toBytes - request.cursorBytes);
      request.cursorBytes = toBytes;
    }
    while (request.cursorBytes < toBytes) {
      long from = request.cursorBytes;
      long version = reader.begin();
      cut.next(request.operation, from, toBytes);
      if (changes) {
        Fences.Entry fence = fenceWithin(from, cut.endBytes);
        if (fence != null && fence.block > from >>> blockShift) {
          cut.endBytes = fence.block << blockShift;
        } else if (fence != null) {
          reader.end(version);
          Errno refuses = fence.refuses;
          if (refuses == null) {
            waitIn(waitForFence, request);
            return;
          }
          long end = Math.min(cut.endBytes, (fence.block + 1) << blockShift);
          request.fail(refuses, from, end - from);
          request.cursorBytes = end;
          continue;
        }
        if (doubts.isInDoubt(from, cut.endBytes - from)) {
          reader.end(version);
          request.fail(Errno.ETIMEDOUT, from, cut.endBytes - from);
          request.cursorBytes = cut.endBytes;
          continue;
        }
      }
      switch (cut.treatment) {
        case TRANSFER -> {
          int disk = QueueDisks.diskOf(cut.place);
          DiskPort port = disks.port(disk);
          if (port == null) {
            reader.end(version);
            request.fail(Errno.EIO, from, cut.endBytes - from);
            break;
          }
          Mirror mirror = mirroring.now;
          if (mirror != null && changes && disk == DiskNumber.MAIN) {
            Mirroring.Verdict verdict =
                mirroring.judge(
                    mirror, from, cut, request.operation == DeviceRequest.Operation.DISCARD);
            if (verdict != Mirroring.Verdict.MAIN_ONLY) {
              if (submitMirrored(verdict, mirror, request, port, from, version)) {
                break;
              }
              return;
            }
          }
          Part part = parts.take();
          if (part == null) {
            reader.end(version);
            waitIn(waitForPart, request);
            return;
          }
          int length = (int) Math.min(cut.endBytes - from, lengthMax(request, disk));
          cut.endBytes = from + length;
          request.unfinishedParts++;
          submit(part, request, cut.place, disk, port, from, length, version);
        }
        case ERROR -> {
          reader.end(version);
          request.fail(Errno.EIO, from, cut.endBytes - from);
        }
        case RELOCATE -> {
          reader.end(version);
          if (tickets.size() >= TICKETS_MAX) {
            waitIn(waitForTicket, request);
            return;
          }
          relocate(request, from, cut.endBytes, Place.NONE);
        }
        case NOTHING -> reader.end(version);
      }
      request.cursorBytes = cut.endBytes;
    }
    request.cut = true;
  }

  // While main is being replaced: {@link Mirror} has the argument.

  /** Does what the verdict says with the piece in the cut; false when the request has to wait. */
  private boolean submitMirrored(
      Mirroring.Verdict verdict,
      Mirror mirror,
      DeviceRequest request,
      DiskPort port,
      long from,
      long version) {
    switch (verdict) {
      case IN_WINDOW -> {
        reader.end(version);
        waitIn(mirroring.waitForWindow, request);
        return false;
      }
      case UNRECORDED -> {
        reader.end(version);
        waitIn(mirroring.waitForRecord, request);
        report(new QueueReport.RecordWanted(queueId, mirror.intents().regionOf(from)));
        return false;
      }
      case NEITHER -> {
        reader.end(version);
        return true;
      }
      case BOTH, MAIN_ONLY -> {}
    }
    boolean zeroes = request.operation == DeviceRequest.Operation.WRITE_ZEROES;
    if (zeroes && !takeZeroes()) {
      reader.end(version);
      request.fail(Errno.ENOMEM, from, cut.endBytes - from);
      return true;
    }
    DiskPort mirrorPort = mirroring.port();
    if (mirrorPort == null || parts.lacks(2)) {
      reader.end(version);
      waitIn(waitForPart, request);
      return false;
    }
    int most = Math.min(disks.maxTransferBytes(DiskNumber.MAIN), mirroring.maxTransferBytes());
    int length = (int) Math.min(cut.endBytes - from, zeroes ? ZEROES_BYTES : most);
    cut.endBytes = from + length;
    request.unfinishedParts += 2;
    for (int i = 0; i < 2; i++) {
      Part part = parts.take();
      if (part == null) {
        throw new IllegalStateException("a part that was counted is not there");
      }
      part.mirrors = i == 1;
      part.zeroesByHand = zeroes;
      submit(
          part,
          request,
          Place.MAIN,
          i == 0 ? DiskNumber.MAIN : DiskNumber.REPLACEMENT,
          i == 0 ? port : mirrorPort,
          from,
          length,
          i == 0 ? version : reader.begin());
    }
    return true;
  }

  private void setMirror(Mirror mirror) {
    Mirror before = mirroring.now;
    if (before != null && before.disk() != mirror.disk()) {
      breakMirror(null);
    }
    mirroring.set(mirror);
    goOn(mirroring.waitForWindow);
    reachMirrorIfQuiet();
  }

  private void mirrorOff() {
    breakMirror(null);
    mirroring.off();
    goOn(mirroring.waitForWindow);
    goOn(mirroring.waitForRecord);
  }

  private void recorded(boolean durable) {
    if (durable) {
      goOn(mirroring.waitForRecord);
      return;
    }
    for (int i = mirroring.waitForRecord.size(); i > 0; i--) {
      DeviceRequest request = unwait(mirroring.waitForRecord);
      long end = request.offsetBytes + request.lengthBytes;
      request.fail(Errno.EIO, request.cursorBytes, end - request.cursorBytes);
      request.cursorBytes = end;
      request.cut = true;
      endIfOver(request);
    }
  }

  private void reachMirrorIfQuiet() {
    Mirror mirror = mirroring.now;
    if (mirror == null
        || (mirror.hasWindow()
            && parts.isChanging(mirror.windowFromBytes(), mirror.windowToBytes()))) {
      return;
    }
    mirroring.unreached = false;
    report(new QueueReport.MirrorReached(queueId, mirror.id()));
  }

  /** The new disk is used no more; null when nothing is wrong with it. */
  private void breakMirror(@Nullable Errno why) {
    DiskPort port = mirroring.port();
    if (port == null) {
      return;
    }
    if (why != null) {
      report(new QueueReport.MirrorFailed(queueId, why));
    }
    for (int i = 0; i < parts.size(); i++) {
      Part part = parts.get(i);
      if (part.mirrors && part.state == Part.State.IN_FLIGHT) {
        port.cancel(part.io);
      }
    }
    mirroring.detach();
  }

  /**
   * A part for the new disk has ended. Its failure is not the request's, which main answers for:
   * the region is recorded, and the device learns of it before the client can.
   */
  private void mirrorEnded(Part part, Outcome outcome) {
    if (part.state == Part.State.ABANDONED) {
      if (outcome == Outcome.RELEASED || !comesBack(part, outcome)) {
        letGo(part);
      }
      return;
    }
    DeviceRequest request = part.request;
    if (request == null) {
      throw new IllegalStateException("an end of nobody's part: " + part.io);
    }
    boolean isCurrent = part.port == mirroring.port();
    Errno errno = part.io.errno();
    if (outcome != Outcome.DONE && isCurrent) {
      breakMirror(outcome == Outcome.FAILED && errno != null ? errno : Errno.ETIMEDOUT);
    }
    if (comesBack(part, outcome)) {
      leaveMirrorPart(part);
    } else {
      offDisk(part);
      parts.free(part);
    }
    partEnded(request);
  }

  /** The kernel has it yet, on a disk that nobody reads: no fence waits for that. */
  private void leaveMirrorPart(Part part) {
    boolean changed = part.changesBytes;
    part.changesBytes = false;
    parts.abandon(part);
    if (changed) {
      reachFences();
    }
  }

  private Fences.@Nullable Entry fenceWithin(long fromBytes, long toBytes) {
    return fences.isEmpty()
        ? null
        : fences.first(fromBytes >>> blockShift, (toBytes - 1) >>> blockShift);
  }

  private int lengthMax(DeviceRequest request, int disk) {
    return switch (request.operation) {
      case READ, WRITE, FLUSH -> disks.maxTransferBytes(disk);
      case DISCARD -> DISCARD_BYTES_MAX;
      case WRITE_ZEROES -> disks.writesZeroesByHand(disk) ? ZEROES_BYTES : WRITE_ZEROES_BYTES_MAX;
    };
  }

  private void submit(
      Part part,
      DeviceRequest request,
      long place,
      int disk,
      DiskPort port,
      long offsetBytes,
      int lengthBytes,
      long version) {
    part.request = request;
    part.place = place;
    part.disk = disk;
    part.port = port;
    part.offsetBytes = offsetBytes;
    part.lengthBytes = lengthBytes;
    part.version = version;
    part.changesBytes = request.changesBytes();
    part.state = Part.State.IN_FLIGHT;
    long diskOffset =
        place == Place.MAIN
            ? offsetBytes
            : (Place.slot(place) << blockShift) + (offsetBytes & (blockBytes - 1));
    IoRequest io = part.io;
    switch (request.operation) {
      case READ, WRITE -> {
        IoBuffer buffer = request.buffer;
        if (buffer == null) {
          throw new IllegalStateException("a transfer without a buffer: " + request);
        }
        io.transfer(
            request.operation == DeviceRequest.Operation.READ
                ? IoRequest.Operation.READ
                : IoRequest.Operation.WRITE,
            diskOffset,
            buffer,
            request.bufferOffsetBytes + (int) (offsetBytes - request.offsetBytes),
            lengthBytes,
            request.deadlineNanos);
      }
      case WRITE_ZEROES -> {
        IoBuffer buffer = zeroes;
        if (buffer != null && (part.zeroesByHand || disks.writesZeroesByHand(disk))) {
          io.transfer(
              IoRequest.Operation.WRITE, diskOffset, buffer, 0, lengthBytes, request.deadlineNanos);
        } else {
          io.plain(
              IoRequest.Operation.WRITE_ZEROES, diskOffset, lengthBytes, request.deadlineNanos);
          if (request.withoutHoles) {
            io.withoutHoles();
          }
        }
      }
      case DISCARD ->
          io.plain(IoRequest.Operation.DISCARD, diskOffset, lengthBytes, request.deadlineNanos);
      case FLUSH -> throw new IllegalStateException("a flush has no range");
    }
    if (request.fua && io.operation() == IoRequest.Operation.WRITE) {
      io.durable();
    }
    port.submit(io);
  }

  private void advanceFlush(DeviceRequest request) {
    if (doubts.failedFlush() != null) {
      request.fail(Errno.EIO, request.offsetBytes, request.lengthBytes);
      request.cut = true;
      return;
    }
    while (request.cursorBytes < QueueDisks.DISKS_MAX - 1) {
      int disk = (int) request.cursorBytes;
      if (disk == DiskNumber.MAIN || context.table().isSpareInUse(disk)) {
        DiskPort port = disks.port(disk);
        if (port != null) {
          Part part = parts.take();
          if (part == null) {
            waitIn(waitForPart, request);
            return;
          }
          flush(part, request, disk, port);
        } else if (disk == DiskNumber.MAIN || doubts.isUnflushed(disk)) {
          flushFailed(request, disk, Errno.EIO);
        }
      }
      request.cursorBytes++;
    }
    DiskPort mirrorPort = mirroring.port();
    if (mirrorPort != null && request.cursorBytes < QueueDisks.DISKS_MAX) {
      Part part = parts.take();
      if (part == null) {
        waitIn(waitForPart, request);
        return;
      }
      request.cursorBytes = QueueDisks.DISKS_MAX;
      part.mirrors = true;
      flush(part, request, DiskNumber.REPLACEMENT, mirrorPort);
    }
    request.cut = true;
  }

  private void flush(Part part, DeviceRequest request, int disk, DiskPort port) {
    request.unfinishedParts++;
    part.request = request;
    part.place = Place.NONE;
    part.disk = disk;
    part.port = port;
    part.offsetBytes = 0;
    part.lengthBytes = 0;
    part.version = reader.begin();
    part.changesBytes = false;
    part.writtenBefore = disk == DiskNumber.MAIN || part.mirrors ? 0 : doubts.writtenTo(disk);
    part.state = Part.State.IN_FLIGHT;
    part.io.plain(IoRequest.Operation.FLUSH, 0, 0, request.deadlineNanos);
    port.submit(part.io);
  }

  /** Remembered before anybody is told. */
  private void flushFailed(DeviceRequest request, int disk, Errno errno) {
    doubts.flushFailed(errno);
    report(new QueueReport.FlushFailed(queueId, disk, errno));
    request.fail(Errno.EIO, request.offsetBytes, request.lengthBytes);
  }

  private void partEnded(DeviceRequest request) {
    request.unfinishedParts--;
    endIfOver(request);
  }

  private void endIfOver(DeviceRequest request) {
    if (!request.cut || request.unfinishedParts > 0 || !request.submitted) {
      return;
    }
    if (request.operation == DeviceRequest.Operation.WRITE_ZEROES
        && request.fua
        && !request.flushing
        && request.errno() == null) {
      // Zeroing has no durable form of its own.
      request.flushing = true;
      request.cut = false;
      request.cursorBytes = DiskNumber.MAIN;
      advance(request);
      return;
    }
    if (request.flushing && request.errno() == null && doubts.failedFlush() != null) {
      request.fail(Errno.EIO, request.offsetBytes, request.lengthBytes);
    }
    unlink(request);
    end(request);
  }

  private void end(DeviceRequest request) {
    statistics.ended(request, nowNanos);
    if (!hostGone) {
      host.completed(request);
    }
  }

  // Parts that ended.

  private void ended(Part part, Outcome outcome) {
    if (part.mirrors) {
      mirrorEnded(part, outcome);
      return;
    }
    if (part.state == Part.State.ABANDONED) {
      if (part.io.operation() == IoRequest.Operation.FLUSH) {
        abandonedFlush(part, outcome);
      }
      if (outcome == Outcome.RELEASED || !comesBack(part, outcome)) {
        letGo(part);
      }
      return;
    }
    DeviceRequest request = part.request;
    if (request == null) {
      throw new IllegalStateException("an end of nobody's part: " + part.io);
    }
    switch (outcome) {
      case DONE -> done(part, request);
      case FAILED -> {
        Errno errno = part.io.errno();
        offDisk(part);
        failed(part, request, errno == null ? Errno.OTHER : errno);
      }
      case TIMED_OUT, CANCELLED -> unanswered(part, request, outcome);
      case RELEASED, IDLE, IN_FLIGHT ->
          throw new IllegalStateException("an end without a reason: " + part.io);
    }
  }

  /** Nobody is answered any more, but a flush that fails is everybody's, whoever asked for it. */
  private void abandonedFlush(Part part, Outcome outcome) {
    Errno errno = outcome == Outcome.TIMED_OUT ? Errno.ETIMEDOUT : part.io.errno();
    if (outcome != Outcome.DONE && errno != null) {
      doubts.flushFailed(errno);
      report(new QueueReport.FlushFailed(queueId, part.disk, errno));
    }
  }

  /** Whether the kernel has yet to let go, or has done so and that end is still to be taken. */
  private static boolean comesBack(Part part, Outcome outcome) {
    return (outcome == Outcome.TIMED_OUT || outcome == Outcome.CANCELLED)
        && (part.io.held() || part.io.outcome() == Outcome.RELEASED);
  }

  /** The kernel is through with it: nothing of it can touch a disk any more. */
  private void offDisk(Part part) {
    part.state = Part.State.WAITING;
    reader.end(part.version);
    if (part.changesBytes) {
      reachFences();
    }
  }

  private void done(Part part, DeviceRequest request) {
    IoRequest io = part.io;
    if (part.disk != DiskNumber.MAIN) {
      if (io.operation() == IoRequest.Operation.FLUSH) {
        doubts.flushed(part.disk, part.writtenBefore);
      } else if (part.changesBytes && !io.isDurable()) {
        doubts.wrote(part.disk);
      }
    }
    offDisk(part);
    Isolation isolation = part.isolation;
    if (isolation != null) {
      isolation.succeeded();
      isolate(part);
      return;
    }
    parts.free(part);
    partEnded(request);
  }

  private void failed(Part part, DeviceRequest request, Errno errno) {
    IoRequest.Operation operation = part.io.operation();
    if (operation == IoRequest.Operation.FLUSH) {
      flushFailed(request, part.disk, errno);
      over(part, request);
      return;
    }
    ErrorPolicy.Fault fault = ErrorPolicy.faultOf(errno);
    if (operation == IoRequest.Operation.DISCARD) {
      if (fault != ErrorPolicy.Fault.UNSUPPORTED) {
        reportFailure(part, errno);
        request.fail(ErrorPolicy.told(errno), part.offsetBytes, part.lengthBytes);
      }
      over(part, request);
      return;
    }
    switch (fault) {
      case MEDIA -> failedForMedium(part, false);
      case TO_BE_PROVED -> {
        if (part.isolation != null) {
          failedForMedium(part, true);
        } else {
          proofs.ask(
              part.disk, errno, part.io.offsetBytes(), proved -> proved(part, errno, proved));
        }
      }
      case UNSUPPORTED -> {
        if (operation == IoRequest.Operation.WRITE_ZEROES && takeZeroes()) {
          disks.writeZeroesByHand(part.disk);
          beginIsolation(part, false);
        } else {
          failRest(part, request, errno);
        }
      }
      case TRANSPORT, TIMEOUT, NO_SPACE, PROTECTION -> failRest(part, request, errno);
    }
  }

  private boolean takeZeroes() {
    if (zeroes == null) {
      IoBuffer buffer = engine.buffers().take(ZEROES_BYTES);
      if (buffer == null) {
        return false;
      }
      for (int at = 0; at < ZEROES_BYTES; at += 8) {
        buffer.bytes().putLong(at, 0);
      }
      zeroes = buffer;
    }
    return true;
  }

  private void reportFailure(Part part, Errno errno) {
    report(
        new QueueReport.DiskFailed(
            queueId, part.disk, part.io.operation(), errno, part.io.offsetBytes()));
  }

  /** Nothing is known of the medium: what is left of the part fails. */
  private void failRest(Part part, DeviceRequest request, Errno errno) {
    reportFailure(part, errno);
    failRestWith(part, request, ErrorPolicy.told(errno));
    over(part, request);
  }

  private void failRestWith(Part part, DeviceRequest request, Errno told) {
    Isolation isolation = part.isolation;
    if (isolation == null) {
      request.fail(told, part.offsetBytes, part.lengthBytes);
    } else {
      long from = isolation.cursorBytes();
      request.fail(told, from, isolation.endBytes - from);
    }
  }

  private void over(Part part, DeviceRequest request) {
    parts.free(part);
    partEnded(request);
  }

  /** It missed its deadline or was cancelled. */
  private void unanswered(Part part, DeviceRequest request, Outcome outcome) {
    Errno told = outcome == Outcome.TIMED_OUT ? Errno.ETIMEDOUT : Errno.EIO;
    boolean isFlush = part.io.operation() == IoRequest.Operation.FLUSH;
    Isolation isolation = part.isolation;
    if (comesBack(part, outcome)) {
      // Entered as in doubt before its request can end.
      abandon(part);
    } else {
      offDisk(part);
    }
    if (outcome == Outcome.TIMED_OUT) {
      reportFailure(part, Errno.ETIMEDOUT);
    }
    if (isFlush) {
      flushFailed(request, part.disk, Errno.ETIMEDOUT);
    } else if (isolation == null) {
      request.fail(told, part.offsetBytes, part.lengthBytes);
    } else {
      request.fail(told, isolation.cursorBytes(), isolation.endBytes - isolation.cursorBytes());
    }
    if (part.state != Part.State.ABANDONED) {
      parts.free(part);
    }
    partEnded(request);
  }

  private void abandon(Part part) {
    if (part.changesBytes) {
      part.doubt = doubts.add(part.offsetBytes, part.lengthBytes);
      report(new QueueReport.InDoubt(queueId, part.disk, part.offsetBytes, part.lengthBytes));
    }
    parts.abandon(part);
  }

  private void letGo(Part part) {
    reader.end(part.version);
    DeviceDoubts.Range doubt = part.doubt;
    if (doubt != null) {
      doubts.remove(doubt);
      report(new QueueReport.DoubtEnded(queueId, part.disk, part.offsetBytes, part.lengthBytes));
    }
    boolean changed = part.changesBytes;
    parts.free(part);
    if (changed) {
      reachFences();
    }
  }

  // Faults of the medium.

  private void proved(Part part, Errno errno, boolean proved) {
    DeviceRequest request = part.request;
    if (request == null) {
      return;
    }
    if (proved) {
      failedForMedium(part, true);
    } else {
      failRest(part, request, errno);
    }
  }

  private void failedForMedium(Part part, boolean toBeProved) {
    DeviceRequest request = part.request;
    Isolation isolation = part.isolation;
    if (request == null) {
      return;
    }
    if (isolation == null) {
      beginIsolation(part, true);
      return;
    }
    long from = isolation.cursorBytes();
    if (isolation.failed(toBeProved)) {
      request.fail(Errno.EIO, from, isolation.cursorBytes() - from);
    }
    isolate(part);
  }

  private void beginIsolation(Part part, boolean countsAsTry) {
    DeviceRequest request = part.request;
    if (request == null) {
      return;
    }
    Isolation isolation =
        new Isolation(
            request.operation == DeviceRequest.Operation.READ,
            countsAsTry,
            part.offsetBytes,
            part.offsetBytes + part.lengthBytes,
            blockBytes,
            sectorBytes,
            policy.mediaRetries(),
            engine.nanoTime() + deadlineNanos);
    isolation.place = part.place;
    part.isolation = isolation;
    isolate(part);
  }

  /** Goes on with the part's isolation until a step is with a disk, or all is known. */
  private void isolate(Part part) {
    DeviceRequest request = part.request;
    Isolation isolation = part.isolation;
    if (request == null || isolation == null) {
      return;
    }
    while (true) {
      switch (isolation.next()) {
        case FINISHED -> {
          over(part, request);
          return;
        }
        case BLOCK_DONE -> {
          if (isolation.reads && isolation.hasFailed()) {
            reportReadFault(isolation, part.disk);
          }
          isolation.closeBlock();
        }
        case GIVE_UP -> {
          if (!giveToRelocator(part, request, isolation, isolation.place)) {
            return;
          }
        }
        case TRY_BLOCK, TRY_SECTOR -> {
          if (engine.nanoTime() - isolation.deadlineNanos > 0) {
            failRestWith(part, request, Errno.ETIMEDOUT);
            over(part, request);
            return;
          }
          if (tryStep(part, request, isolation)) {
            return;
          }
        }
      }
    }
  }

  /** Returns false when there is no room for it: the part waits. */
  private boolean giveToRelocator(
      Part part, DeviceRequest request, Isolation isolation, long failedPlace) {
    if (tickets.size() >= TICKETS_MAX) {
      isolationsWaitForTicket.add(part);
      return false;
    }
    relocate(request, isolation.cursorBytes(), isolation.blockEndBytes(), failedPlace);
    isolation.skipTo(isolation.blockEndBytes());
    return true;
  }

  /** Returns whether the part now waits, for a disk or for room. */
  private boolean tryStep(Part part, DeviceRequest request, Isolation isolation) {
    long from = isolation.cursorBytes();
    long to = isolation.stepEndBytes();
    if (!isolation.reads) {
      Fences.Entry fence = fenceWithin(from, to);
      if (fence != null) {
        Errno refuses = fence.refuses;
        if (refuses == null) {
          return !giveToRelocator(part, request, isolation, isolation.place);
        }
        request.fail(refuses, from, to - from);
        isolation.skipTo(to);
        return false;
      }
      if (doubts.isInDoubt(from, to - from)) {
        request.fail(Errno.ETIMEDOUT, from, to - from);
        isolation.skipTo(to);
        return false;
      }
      if (isolation.place == Place.MAIN && mirroring.concerns(from, to)) {
        // Tried again it would have to go to both disks: the block leaves main instead.
        return !giveToRelocator(part, request, isolation, isolation.place);
      }
    }
    long version = reader.begin();
    cut.next(request.operation, from, to);
    switch (cut.treatment) {
      case TRANSFER -> {
        if (cut.endBytes < to) {
          reader.end(version);
          isolation.goBySector();
          return false;
        }
        int disk = QueueDisks.diskOf(cut.place);
        DiskPort port = disks.port(disk);
        if (port == null) {
          reader.end(version);
          request.fail(Errno.EIO, from, to - from);
          isolation.skipTo(to);
          return false;
        }
        isolation.place = cut.place;
        submit(part, request, cut.place, disk, port, from, (int) (to - from), version);
        return true;
      }
      case ERROR -> {
        reader.end(version);
        request.fail(Errno.EIO, from, cut.endBytes - from);
        isolation.goBySector();
        isolation.skipTo(cut.endBytes);
        return false;
      }
      case RELOCATE -> {
        reader.end(version);
        return !giveToRelocator(part, request, isolation, Place.NONE);
      }
      case NOTHING -> throw new IllegalStateException("a discard is not isolated");
    }
    throw new IllegalStateException("a step of no kind");
  }

  /**
   * Unreadable sectors are believed at once when the kernel called them a fault of the medium, and
   * otherwise once the disk has proved itself after the last of them.
   */
  private void reportReadFault(Isolation isolation, int disk) {
    long block = (isolation.blockEndBytes() - 1) >>> blockShift;
    LostBits unreadable = isolation.unreadable();
    QueueReport fault = new QueueReport.ReadFault(queueId, block, isolation.place, unreadable);
    if (isolation.isUnproved()) {
      proofs.ask(
          disk,
          Errno.EIO,
          block << blockShift,
          proved -> {
            if (proved) {
              report(fault);
            }
          });
    } else {
      report(fault);
    }
  }

  // Relocations and fences.

  private void relocate(DeviceRequest request, long fromBytes, long toBytes, long failedPlace) {
    byte[] bytes = new byte[(int) (toBytes - fromBytes)];
    IoBuffer buffer = request.buffer;
    if (buffer != null && request.operation == DeviceRequest.Operation.WRITE) {
      buffer
          .bytes()
          .get(request.bufferOffsetBytes + (int) (fromBytes - request.offsetBytes), bytes);
    }
    long ticket = nextTicket++;
    tickets.put(ticket, new Ticket(request, fromBytes, bytes.length));
    request.unfinishedParts++;
    int firstSector = (int) (fromBytes & (blockBytes - 1)) / sectorBytes;
    report(
        new QueueReport.WriteWaits(
            queueId,
            new WaitingWrite(ticket, fromBytes >>> blockShift, firstSector, bytes, failedPlace)));
  }

  private void relocated(long number, @Nullable Errno errno) {
    Ticket ticket = tickets.remove(number);
    if (ticket == null) {
      return;
    }
    if (errno != null) {
      ticket.request().fail(errno, ticket.offsetBytes(), ticket.lengthBytes());
    }
    partEnded(ticket.request());
  }

  private void fence(QueueCommand.Fence command) {
    Fences.Entry entry = fences.add(command.fenceId(), command.block());
    reachIfQuiet(entry);
  }

  private void reachFences() {
    if (mirroring.unreached) {
      reachMirrorIfQuiet();
    }
    if (!fences.hasUnreached()) {
      return;
    }
    for (int i = 0; i < fences.size(); i++) {
      Fences.Entry entry = fences.get(i);
      if (!entry.reached) {
        reachIfQuiet(entry);
      }
    }
  }

  private void reachIfQuiet(Fences.Entry entry) {
    long from = entry.block << blockShift;
    if (!parts.isChanging(from, from + blockBytes)) {
      fences.reached(entry);
      report(new QueueReport.FenceReached(queueId, entry.fenceId));
    }
  }

  // Ends.

  private void detach(int spare) {
    for (int i = 0; i < parts.size(); i++) {
      Part part = parts.get(i);
      DiskPort port = part.port;
      // A flush is left to end: given up, it would count as one that failed.
      if (part.state == Part.State.IN_FLIGHT
          && part.disk == spare
          && port != null
          && part.io.operation() != IoRequest.Operation.FLUSH) {
        port.cancel(part.io);
      }
    }
    disks.detach(spare);
    proofs.gone(spare);
  }

  private void beginDraining() {
    if (phase == Phase.DRAINING || phase == Phase.CLOSED) {
      return;
    }
    phase = Phase.DRAINING;
    while (true) {
      DeviceRequest request = notBegun.poll();
      if (request == null) {
        return;
      }
      request.fail(Errno.ESHUTDOWN, request.offsetBytes, request.lengthBytes);
      unlink(request);
      end(request);
    }
  }

  private void abandonAll(boolean deviceEnds) {
    beginDraining();
    waitForFence.clear();
    waitForPart.clear();
    waitForTicket.clear();
    isolationsWaitForTicket.clear();
    tickets.clear();
    mirroring.waitForWindow.clear();
    mirroring.waitForRecord.clear();
    proofs.forgetAll();
    for (int i = 0; i < parts.size(); i++) {
      Part part = parts.get(i);
      DiskPort port = part.port;
      if (part.state == Part.State.WAITING) {
        parts.free(part);
      } else if (part.state == Part.State.IN_FLIGHT && part.mirrors && port != null) {
        leaveMirrorPart(part);
        port.cancel(part.io);
      } else if (part.state == Part.State.IN_FLIGHT && port != null) {
        abandon(part);
        if (part.io.operation() != IoRequest.Operation.FLUSH) {
          port.cancel(part.io);
        } else if (deviceEnds) {
          doubts.flushFailed(Errno.ESHUTDOWN);
          port.cancel(part.io);
        }
        // A flush that is left to end tells whether it failed: the device's other queues go on.
      }
    }
    DeviceRequest request = newest;
    while (request != null) {
      request.fail(Errno.ESHUTDOWN, request.offsetBytes, request.lengthBytes);
      unlink(request);
      end(request);
      request = newest;
    }
  }
}
