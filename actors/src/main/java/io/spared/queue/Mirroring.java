package io.spared.queue;

import io.spared.disk.DiskNumber;
import io.spared.ffi.Errno;
import io.spared.ffi.engine.DiskPort;
import io.spared.ffi.engine.Engine;
import io.spared.remap.Place;
import io.spared.remap.TableReader;
import org.jspecify.annotations.Nullable;

/**
 * What one queue does while main is being replaced: {@link Mirror} has the argument. Where no
 * replacement is under way it costs a write one comparison.
 */
final class Mirroring {
  /** What becomes of a piece of a write or discard on main. */
  enum Verdict {
    MAIN_ONLY,
    BOTH,
    /** A discard below promises nothing, so it is left out on both disks. */
    NEITHER,
    /** The copier is at it: it waits for the window to move. */
    IN_WINDOW,
    /** Its region is not recorded yet: it waits for that. */
    UNRECORDED
  }

  private final QueueContext context;
  private final Engine engine;
  private final QueueDisks disks;
  private final TableReader reader;
  private final Parts parts;
  private final Submission submission;
  private final KernelPages pages;
  private final Line waitForPart;
  final Line waitForWindow = new Line();
  final Line waitForRecord = new Line();
  final Line waitForOverlap = new Line();

  /** Null nearly always. */
  @Nullable Mirror now;

  private @Nullable DiskPort port;
  private int maxTransferBytes;

  /** The queue has yet to say that nothing is in flight in the window. */
  private boolean unreached;

  Mirroring(
      QueueContext context,
      Engine engine,
      QueueDisks disks,
      TableReader reader,
      Parts parts,
      Submission submission,
      KernelPages pages,
      Line waitForPart) {
    this.context = context;
    this.engine = engine;
    this.disks = disks;
    this.reader = reader;
    this.parts = parts;
    this.submission = submission;
    this.pages = pages;
    this.waitForPart = waitForPart;
  }

  /** The new disk's port; null when there is none, or when it failed here. */
  @Nullable DiskPort port() {
    return port;
  }

  void set(Mirror next) {
    Mirror before = now;
    if (before != null && before.disk() != next.disk()) {
      breakOff(null);
    }
    now = next;
    unreached = true;
    if (before == null || before.disk() != next.disk()) {
      detach();
      if (next.disk() != null) {
        port = next.disk().attach(engine);
        int most = next.disk().geometry().maxTransferBytes();
        maxTransferBytes = most > 0 ? most : Integer.MAX_VALUE;
      }
    }
  }

  void off() {
    breakOff(null);
    now = null;
    unreached = false;
  }

  void detach() {
    DiskPort attached = port;
    if (attached != null) {
      attached.detach();
      port = null;
    }
  }

  /** Judges the first piece of what lies on main from here, and shortens it to one judgement. */
  Verdict judge(Mirror mirror, long fromBytes, Cut cut, boolean discards) {
    if (mirror.hasWindow() && fromBytes < mirror.windowToBytes()) {
      if (fromBytes >= mirror.windowFromBytes()) {
        return Verdict.IN_WINDOW;
      }
      cut.endBytes = Math.min(cut.endBytes, mirror.windowFromBytes());
    }
    if (fromBytes >= mirror.belowBytes()) {
      return Verdict.MAIN_ONLY;
    }
    cut.endBytes = Math.min(cut.endBytes, mirror.belowBytes());
    if (discards) {
      return Verdict.NEITHER;
    }
    WriteIntents intents = mirror.intents();
    cut.endBytes = Math.min(cut.endBytes, intents.endOf(fromBytes));
    if (!intents.isDurable(intents.regionOf(fromBytes))) {
      return Verdict.UNRECORDED;
    }
    return port == null ? Verdict.MAIN_ONLY : Verdict.BOTH;
  }

  /**
   * Does what the verdict says with the piece in the cut, or as much of it as both disks take;
   * false when the request has to wait.
   */
  boolean submit(
      Verdict verdict,
      Mirror mirror,
      DeviceRequest request,
      Cut cut,
      DiskPort mainPort,
      long from,
      long version) {
    switch (verdict) {
      case IN_WINDOW -> {
        reader.end(version);
        waitForWindow.add(request);
        return false;
      }
      case UNRECORDED -> {
        reader.end(version);
        waitForRecord.add(request);
        context.report(
            new QueueReport.RecordWanted(context.queueId(), mirror.intents().regionOf(from)));
        return false;
      }
      case NEITHER -> {
        reader.end(version);
        return true;
      }
      case BOTH, MAIN_ONLY -> {}
    }
    boolean zeroes = request.operation == DeviceRequest.Operation.WRITE_ZEROES;
    if (zeroes && !submission.takeZeroes()) {
      reader.end(version);
      request.fail(Errno.ENOMEM, from, cut.endBytes - from);
      return true;
    }
    if (!pages.bringToMemory(request)) {
      reader.end(version);
      request.fail(Errno.EIO, from, cut.endBytes - from);
      return true;
    }
    DiskPort mirrorPort = port;
    if (mirrorPort == null || parts.lacks(2)) {
      reader.end(version);
      waitForPart.add(request);
      return false;
    }
    int most = Math.min(disks.maxTransferBytes(DiskNumber.MAIN), maxTransferBytes);
    int length = (int) Math.min(cut.endBytes - from, zeroes ? Submission.ZEROES_BYTES : most);
    cut.endBytes = from + length;
    WritesOnBoth.Range range = mirror.intents().onBoth().begin(from, cut.endBytes);
    if (range == null) {
      reader.end(version);
      waitForOverlap.add(request);
      return false;
    }
    request.unfinishedParts += 2;
    for (int i = 0; i < 2; i++) {
      Part part = parts.take();
      if (part == null) {
        throw new IllegalStateException("a part that was counted is not there");
      }
      part.mirrors = i == 1;
      part.onBoth = range;
      part.zeroesByHand = zeroes;
      submission.submit(
          part,
          request,
          Place.MAIN,
          i == 0 ? DiskNumber.MAIN : DiskNumber.REPLACEMENT,
          i == 0 ? mainPort : mirrorPort,
          from,
          length,
          i == 0 ? version : reader.begin());
    }
    return true;
  }

  /** One disk is through with its part of a write to both, or it is given up. */
  void partLeft(Part part) {
    WritesOnBoth.Range range = part.onBoth;
    if (range == null) {
      return;
    }
    part.onBoth = null;
    range.disksLeft--;
    if (range.disksLeft == 0 && range.end()) {
      context.report(new QueueReport.OverlapEnded(context.queueId()));
    }
  }

  /** Says so once nothing is in flight in the window. */
  void reachIfQuiet() {
    Mirror mirror = now;
    if (!unreached
        || mirror == null
        || (mirror.hasWindow()
            && parts.isChanging(mirror.windowFromBytes(), mirror.windowToBytes()))) {
      return;
    }
    unreached = false;
    context.report(new QueueReport.MirrorReached(context.queueId(), mirror.id()));
  }

  /** The new disk is used no more; null when nothing is wrong with it. */
  void breakOff(@Nullable Errno why) {
    DiskPort attached = port;
    if (attached == null) {
      return;
    }
    if (why != null) {
      context.report(new QueueReport.MirrorFailed(context.queueId(), why));
    }
    for (int i = 0; i < parts.size(); i++) {
      Part part = parts.get(i);
      if (part.mirrors && part.state == Part.State.IN_FLIGHT) {
        attached.cancel(part.io);
      }
    }
    detach();
  }

  void forgetWaiting() {
    waitForWindow.clear();
    waitForRecord.clear();
    waitForOverlap.clear();
  }

  /** Whether a write to main there, tried again, would not be a matter of main alone. */
  boolean concerns(long fromBytes, long toBytes) {
    Mirror mirror = now;
    if (mirror == null) {
      return false;
    }
    boolean inWindow = fromBytes < mirror.windowToBytes() && toBytes > mirror.windowFromBytes();
    WriteIntents intents = mirror.intents();
    return inWindow
        || (fromBytes < mirror.belowBytes()
            && (port != null || !intents.isDurable(intents.regionOf(fromBytes))));
  }
}
