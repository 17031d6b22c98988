package io.spared.queue;

import io.spared.disk.DiskNumber;
import io.spared.ffi.Errno;
import io.spared.ffi.engine.DiskPort;
import io.spared.remap.Place;
import io.spared.remap.TableReader;

/**
 * A request from its first piece to its end: cut, given to its disks, and ended once all of it has.
 *
 * <ul>
 *   <li><b>Right bytes, split.</b> The lookup and the submission of a part are one step of one
 *       thread; whatever waits in between (for a fence, a part, a proof) is looked up anew. So a
 *       part is on its way only to where the block was when it was submitted.
 *   <li><b>Flush.</b> A flush goes to main and to every spare with blocks on it. The first one that
 *       fails is entered in {@link DeviceDoubts} before its request ends; from then on writes and
 *       flushes of every queue fail.
 *   <li><b>In order.</b> A request that finds no part waits, and who comes later waits behind it.
 * </ul>
 */
final class RequestFlow {
  private final QueueContext context;
  private final Turn turn;
  private final Requests requests;
  private final TableReader reader;
  private final QueueDisks disks;
  private final DeviceDoubts doubts;
  private final Parts parts;
  private final Fences fences;
  private final Mirroring mirroring;
  private final Submission submission;
  private final Relocations relocations;
  private final KernelPages pages;
  private final Cut cut;
  private final int blockShift;
  private final Line waitForFence = new Line();
  private final Line waitForPart;
  private final Line waitForTicket = new Line();

  /**
   * @param waitForPart where {@link Mirroring} also lets those wait who need two
   */
  RequestFlow(
      QueueContext context,
      Turn turn,
      Requests requests,
      TableReader reader,
      QueueDisks disks,
      Parts parts,
      Fences fences,
      Mirroring mirroring,
      Submission submission,
      Relocations relocations,
      KernelPages pages,
      Line waitForPart) {
    this.context = context;
    this.turn = turn;
    this.requests = requests;
    this.reader = reader;
    this.disks = disks;
    this.doubts = context.doubts();
    this.parts = parts;
    this.fences = fences;
    this.mirroring = mirroring;
    this.submission = submission;
    this.relocations = relocations;
    this.pages = pages;
    this.waitForPart = waitForPart;
    this.cut = new Cut(context.table(), context.geometry());
    this.blockShift = Integer.numberOfTrailingZeros(context.geometry().blockBytes());
  }

  void begin(DeviceRequest request) {
    requests.begin(request);
    request.unfinishedParts = 0;
    request.cut = false;
    request.flushing = request.operation == DeviceRequest.Operation.FLUSH;
    request.cursorBytes = request.flushing ? DiskNumber.MAIN : request.offsetBytes;
    if (!waitForPart.isEmpty()) {
      waitForPart.add(request);
      return;
    }
    advance(request);
  }

  // What waited.

  void goOnAtFences() {
    goOn(waitForFence);
  }

  void goOnWithParts() {
    while (!waitForPart.isEmpty() && !parts.lacks(mirroring.port() == null ? 1 : 2)) {
      advance(waitForPart.next());
    }
  }

  void goOnWithTickets() {
    while (!relocations.isFull() && !waitForTicket.isEmpty()) {
      advance(waitForTicket.next());
    }
  }

  /** Those who waited here go on; whoever has to wait again comes behind them. */
  void goOn(Line line) {
    for (int i = line.size(); i > 0 && !line.isEmpty(); i--) {
      advance(line.next());
    }
  }

  /** Those who waited here fail with all that is not submitted of them. */
  void failRest(Line line, Errno errno) {
    for (int i = line.size(); i > 0; i--) {
      DeviceRequest request = line.next();
      long end = request.offsetBytes + request.lengthBytes;
      request.fail(errno, request.cursorBytes, end - request.cursorBytes);
      request.cursorBytes = end;
      request.cut = true;
      endIfOver(request);
    }
  }

  void forgetWaiting() {
    waitForFence.clear();
    waitForPart.clear();
    waitForTicket.clear();
  }

  // Cutting.

  /** Cuts and submits as much of the request as can be now. */
  private void advance(DeviceRequest request) {
    request.deadlineNanos = turn.deadlineNanos();
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
        Fences.Entry fence = fences.within(from, cut.endBytes);
        if (fence != null && fence.block > from >>> blockShift) {
          cut.endBytes = fence.block << blockShift;
        } else if (fence != null) {
          reader.end(version);
          Errno refuses = fence.refuses;
          if (refuses == null) {
            waitForFence.add(request);
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
          if (!transfer(request, from, version)) {
            return;
          }
        }
        case ERROR -> {
          reader.end(version);
          request.fail(Errno.EIO, from, cut.endBytes - from);
        }
        case RELOCATE -> {
          reader.end(version);
          if (relocations.isFull()) {
            waitForTicket.add(request);
            return;
          }
          relocations.ask(request, from, cut.endBytes, Place.NONE);
        }
        case NOTHING -> reader.end(version);
      }
      request.cursorBytes = cut.endBytes;
    }
    request.cut = true;
  }

  /** Submits the piece in the cut, or as much of it as a disk takes; false when it has to wait. */
  private boolean transfer(DeviceRequest request, long from, long version) {
    int disk = QueueDisks.diskOf(cut.place);
    DiskPort port = disks.port(disk);
    if (port == null || !pages.suit(request, port)) {
      reader.end(version);
      request.fail(Errno.EIO, from, cut.endBytes - from);
      return true;
    }
    Mirror mirror = mirroring.now;
    if (mirror != null && disk == DiskNumber.MAIN && request.changesBytes()) {
      Mirroring.Verdict verdict =
          mirroring.judge(mirror, from, cut, request.operation == DeviceRequest.Operation.DISCARD);
      if (verdict != Mirroring.Verdict.MAIN_ONLY) {
        return mirroring.submit(verdict, mirror, request, cut, port, from, version);
      }
    }
    Part part = parts.take();
    if (part == null) {
      reader.end(version);
      waitForPart.add(request);
      return false;
    }
    int length = (int) Math.min(cut.endBytes - from, submission.lengthMax(request, disk));
    cut.endBytes = from + length;
    request.unfinishedParts++;
    submission.submit(part, request, cut.place, disk, port, from, length, version);
    return true;
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
            waitForPart.add(request);
            return;
          }
          submission.flush(part, request, disk, port);
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
        waitForPart.add(request);
        return;
      }
      request.cursorBytes = QueueDisks.DISKS_MAX;
      part.mirrors = true;
      submission.flush(part, request, DiskNumber.REPLACEMENT, mirrorPort);
    }
    request.cut = true;
  }

  /** Remembered before anybody is told. */
  void flushFailed(DeviceRequest request, int disk, Errno errno) {
    doubts.flushFailed(errno);
    context.report(new QueueReport.FlushFailed(context.queueId(), disk, errno));
    request.fail(Errno.EIO, request.offsetBytes, request.lengthBytes);
  }

  // Ends.

  void partOver(Part part, DeviceRequest request) {
    parts.free(part);
    partEnded(request);
  }

  void partEnded(DeviceRequest request) {
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
    requests.end(request);
  }
}
