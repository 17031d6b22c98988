package io.spared.queue;

import io.spared.disk.DiskNumber;
import io.spared.ffi.Errno;
import io.spared.ffi.engine.Completions;
import io.spared.ffi.engine.Engine;
import io.spared.ffi.engine.IoBuffer;
import io.spared.ffi.engine.IoRequest;
import io.spared.remap.TableReader;
import java.util.ArrayDeque;
import org.jspecify.annotations.Nullable;
import org.slf4j.Logger;
import org.slf4j.LoggerFactory;

/**
 * One of a device's parallel paths, hosted by a frontend's actor on a ring's thread. In good times
 * a request is looked up, cut, given to its disks and completed here, on this one thread, with
 * nothing allocated and nothing locked.
 *
 * <p>This takes what comes from outside, begins and ends the queue, and after each call lets go on
 * what became possible. What a queue keeps, its parts keep: right bytes, split, and flush ({@link
 * RequestFlow}), fences ({@link Fences}), map before acknowledgement ({@link Relocations}), doubt
 * and no reuse ({@link PartEnds}), isolation ({@link Isolations}), the replacement of main ({@link
 * Mirror}).
 *
 * <p>Kept here:
 *
 * <ul>
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

  /** How the queue stands. */
  private enum Phase {
    /** The relocator does not know it yet: it would miss a fence. */
    OPENING,
    SERVING,
    /** No request is taken any more. */
    DRAINING,
    CLOSED
  }

  private final QueueContext context;
  private final int queueId;
  private final QueueHost host;
  private final Completions completions;
  private final Turn turn;
  private final QueueDisks disks;
  private final TableReader reader;
  private final Parts parts;
  private final Requests requests;
  private final Fences fences;
  private final Submission submission;
  private final Mirroring mirroring;
  private final Relocations relocations;
  private final Proofs proofs;
  private final RequestFlow flow;
  private final Isolations isolations;
  private final PartEnds ends;
  private final ArrayDeque<DeviceRequest> notBegun = new ArrayDeque<>();

  private Phase phase = Phase.OPENING;
  private boolean frozen;
  private boolean freezeAnswered;
  private long freezeId;
  private boolean drainAnswered;

  /**
   * @param engine of the thread that this and everything else here is called on
   * @param signal tells the hosting actor to call {@link #completionsReady}; called on the engine's
   *     thread, once per turn in which something ended
   */
  public DeviceQueue(QueueContext context, Engine engine, Runnable signal, QueueHost host) {
    this.context = context;
    this.queueId = context.queueId();
    this.host = host;
    Line waitForPart = new Line();
    KernelPages pages = new KernelPages(host);
    turn = new Turn(engine, context.policy());
    requests = new Requests(context, turn, host);
    Requests known = requests;
    Runnable alone = this::completionsReady;
    completions =
        new Completions(() -> {
          if (known.isHostGone()) {
            engine.ledger().afterSignals(alone);
          } else {
            signal.run();
          }
        });
    disks = new QueueDisks(engine, context.main(), context.spares());
    reader = context.table().newReader();
    parts = new Parts(completions, context.policy().partsMax());
    fences = new Fences(context, parts);
    submission = new Submission(context, engine, disks, reader);
    mirroring =
        new Mirroring(context, engine, disks, reader, parts, submission, pages, waitForPart);
    relocations = new Relocations(context, pages);
    proofs =
        new Proofs((disk, errno, offset) ->
            context.report(new QueueReport.DiskDoubted(context.queueId(), disk, errno, offset)));
    flow =
        new RequestFlow(
            context,
            turn,
            requests,
            reader,
            disks,
            parts,
            fences,
            mirroring,
            submission,
            relocations,
            pages,
            waitForPart);
    isolations =
        new Isolations(
            context,
            turn,
            reader,
            disks,
            fences,
            mirroring,
            submission,
            relocations,
            pages,
            proofs,
            flow);
    ends =
        new PartEnds(
            context, reader, disks, parts, fences, mirroring, submission, proofs, flow, isolations);
    context.report(new QueueReport.Opened(queueId));
  }

  // The host's side.

  /**
   * A request to prepare and submit; null when {@link QueuePolicy#requestsMax} are out: wait until
   * one is completed and recycled. This is the queue's back-pressure.
   */
  public @Nullable DeviceRequest newRequest() {
    return requests.prepare();
  }

  /** Gives a request back that is the host's. */
  public void recycle(DeviceRequest request) {
    requests.recycle(request);
  }

  /**
   * Takes a request. Offset and length are whole sectors within the device, else it ends with
   * EINVAL. It may be completed within this call.
   */
  public void submit(DeviceRequest request) {
    if (request.submitted) {
      throw new IllegalStateException("submitted twice: " + request);
    }
    turn.begin();
    request.submittedNanos = turn.nowNanos();
    if (!requests.isValid(request)) {
      requests.refuse(request, Errno.EINVAL);
      return;
    }
    if (phase == Phase.DRAINING || phase == Phase.CLOSED) {
      requests.refuse(request, Errno.ESHUTDOWN);
      return;
    }
    requests.take(request);
    if (frozen || phase == Phase.OPENING) {
      notBegun.add(request);
      return;
    }
    flow.begin(request);
  }

  /** Whether every disk moves the kernel's pages ({@link IoBuffer#hasMemory}). */
  public boolean disksTakePages() {
    return disks.takePages();
  }

  /** Whether the next request should come with the kernel's pages, if it can. */
  public boolean takesPages() {
    return mirroring.now == null && disks.takePages();
  }

  /** Requests submitted and not completed. */
  public int unfinished() {
    return requests.unfinished();
  }

  /** The frontend is leaving: like {@link QueueCommand.Drain}, by the host itself. */
  public void drain() {
    turn.begin();
    beginDraining();
    settle();
  }

  /** The frontend is leaving and waits no longer: like {@link QueueCommand.Abandon}. */
  public void abandon() {
    turn.begin();
    abandonAll(false);
    settle();
  }

  /**
   * The host ends now, however: nobody answers requests any more, and none is given back to it. To
   * be called last, from its PostStop; a host in its right mind abandons first, so that it gets its
   * requests back. It does not throw, and may be called again.
   */
  public void hostEnded() {
    if (requests.isHostGone() || phase == Phase.CLOSED) {
      return;
    }
    requests.hostIsGone();
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
    turn.begin();
    switch (command) {
      case QueueCommand.Begin c -> {
        c.fences().forEach(fence -> fences.add(fence.fenceId(), fence.block()));
        if (phase == Phase.OPENING) {
          phase = Phase.SERVING;
          beginWhatWaited();
        }
      }
      case QueueCommand.Fence c -> fences.add(c.fenceId(), c.block());
      case QueueCommand.LiftFence c -> {
        fences.lift(c.fenceId());
        flow.goOnAtFences();
      }
      case QueueCommand.RefuseAtFence c -> {
        fences.refuse(c.fenceId(), c.errno());
        flow.goOnAtFences();
      }
      case QueueCommand.Relocated c -> {
        DeviceRequest request = relocations.answered(c.ticket(), c.errno());
        if (request != null) {
          flow.partEnded(request);
        }
      }
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
      case QueueCommand.SpareDetached c -> {
        ends.cancelAllOn(c.spare());
        disks.detach(c.spare());
        proofs.gone(c.spare());
      }
      case QueueCommand.MainReplaced c -> {
        disks.attach(DiskNumber.MAIN, c.disk());
        proofs.gone(DiskNumber.MAIN);
        context.report(new QueueReport.MainTaken(queueId));
      }
      case QueueCommand.SetMirror c -> {
        mirroring.set(c.mirror());
        flow.goOn(mirroring.waitForWindow);
        mirroring.reachIfQuiet();
      }
      case QueueCommand.MirrorOff c -> {
        mirroring.off();
        flow.goOn(mirroring.waitForWindow);
        flow.goOn(mirroring.waitForRecord);
        flow.goOn(mirroring.waitForOverlap);
      }
      case QueueCommand.OverlapEnded c -> flow.goOn(mirroring.waitForOverlap);
      case QueueCommand.Recorded c -> {
        if (c.durable()) {
          flow.goOn(mirroring.waitForRecord);
        } else {
          flow.failRest(mirroring.waitForRecord, Errno.EIO);
        }
      }
      case QueueCommand.PublishVersion c -> {}
      case QueueCommand.Count c -> reportCounts();
      case QueueCommand.SetPolicy c -> {
        turn.setPolicy(c.policy());
        parts.setMax(c.policy().partsMax());
      }
    }
    reader.refresh();
    settle();
  }

  /** Takes what has ended; called when the signal's message arrives. */
  public void completionsReady() {
    turn.begin();
    while (true) {
      IoRequest io = completions.next();
      if (io == null) {
        break;
      }
      if (io.attachment() instanceof Part part) {
        ends.ended(part, completions.lastOutcome());
      }
    }
    settle();
  }

  private void beginWhatWaited() {
    while (!frozen && phase == Phase.SERVING) {
      DeviceRequest request = notBegun.poll();
      if (request == null) {
        return;
      }
      flow.begin(request);
    }
  }

  /** At the end of each call: what became possible, and what became true. */
  private void settle() {
    flow.goOnWithParts();
    isolations.goOnWithTickets();
    flow.goOnWithTickets();
    if (frozen && requests.begun() == 0 && !freezeAnswered) {
      freezeAnswered = true;
      context.report(new QueueReport.Frozen(queueId, freezeId));
    }
    if (phase == Phase.DRAINING && requests.unfinished() == 0) {
      if (!drainAnswered) {
        drainAnswered = true;
        context.report(new QueueReport.Drained(queueId, parts.abandoned()));
      }
      if (parts.areAllFree()) {
        close();
      }
    }
  }

  // The end.

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
      requests.endFailed(request, Errno.ESHUTDOWN);
    }
  }

  private void abandonAll(boolean deviceEnds) {
    beginDraining();
    flow.forgetWaiting();
    isolations.forgetWaiting();
    relocations.forgetAll();
    mirroring.forgetWaiting();
    proofs.forgetAll();
    ends.abandonAll(deviceEnds);
    requests.endAllFailed(Errno.ESHUTDOWN);
  }

  private void close() {
    phase = Phase.CLOSED;
    reader.close();
    disks.detachAll();
    mirroring.detach();
    submission.close();
    reportCounts();
    context.report(new QueueReport.Closed(queueId));
    if (!requests.isHostGone()) {
      host.closed();
    }
  }

  private void reportCounts() {
    context.report(new QueueReport.Counted(queueId, requests.counts()));
  }
}
