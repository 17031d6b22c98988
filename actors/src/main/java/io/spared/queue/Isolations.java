package io.spared.queue;

import io.spared.disk.ErrorPolicy;
import io.spared.ffi.Errno;
import io.spared.ffi.engine.DiskPort;
import io.spared.format.LostBits;
import io.spared.remap.Place;
import io.spared.remap.TableReader;
import java.util.ArrayDeque;

/**
 * Carries out {@link Isolation}s: parts that failed for their medium are tried again in small
 * steps, each of them looked up anew, each obeying fences and doubts as a first try does. A block
 * that cannot be written where it is goes to the relocator; what cannot be read is reported.
 */
final class Isolations {
  private final QueueContext context;
  private final Turn turn;
  private final TableReader reader;
  private final QueueDisks disks;
  private final DeviceDoubts doubts;
  private final Fences fences;
  private final Mirroring mirroring;
  private final Submission submission;
  private final Relocations relocations;
  private final KernelPages pages;
  private final Proofs proofs;
  private final RequestFlow flow;
  private final Cut cut;
  private final int blockBytes;
  private final int blockShift;
  private final int sectorBytes;
  private final ArrayDeque<Part> waitForTicket = new ArrayDeque<>();

  Isolations(
      QueueContext context,
      Turn turn,
      TableReader reader,
      QueueDisks disks,
      Fences fences,
      Mirroring mirroring,
      Submission submission,
      Relocations relocations,
      KernelPages pages,
      Proofs proofs,
      RequestFlow flow) {
    this.context = context;
    this.turn = turn;
    this.reader = reader;
    this.disks = disks;
    this.doubts = context.doubts();
    this.fences = fences;
    this.mirroring = mirroring;
    this.submission = submission;
    this.relocations = relocations;
    this.pages = pages;
    this.proofs = proofs;
    this.flow = flow;
    this.cut = new Cut(context.table(), context.geometry());
    this.blockBytes = context.geometry().blockBytes();
    this.blockShift = Integer.numberOfTrailingZeros(blockBytes);
    this.sectorBytes = context.geometry().sectorBytes();
  }

  void goOnWithTickets() {
    while (!relocations.isFull() && !waitForTicket.isEmpty()) {
      goOn(waitForTicket.remove());
    }
  }

  void forgetWaiting() {
    waitForTicket.clear();
  }

  /** Nothing is known of the medium: what is left of the part fails. */
  void failRest(Part part, DeviceRequest request, Errno errno) {
    reportFailure(part, errno);
    failRestWith(part, request, ErrorPolicy.told(errno));
    flow.partOver(part, request);
  }

  static void failRestWith(Part part, DeviceRequest request, Errno told) {
    Isolation isolation = part.isolation;
    if (isolation == null) {
      request.fail(told, part.offsetBytes, part.lengthBytes);
    } else {
      long from = isolation.cursorBytes();
      request.fail(told, from, isolation.endBytes - from);
    }
  }

  void reportFailure(Part part, Errno errno) {
    context.report(
        new QueueReport.DiskFailed(
            context.queueId(), part.disk, part.io.operation(), errno, part.io.offsetBytes()));
  }

  /** The medium is at fault, or another step of the isolation has to say so. */
  void failedForMedium(Part part, boolean toBeProved) {
    DeviceRequest request = part.request;
    Isolation isolation = part.isolation;
    if (request == null) {
      return;
    }
    if (isolation == null) {
      begin(part, true);
      return;
    }
    long from = isolation.cursorBytes();
    if (isolation.failed(toBeProved)) {
      request.fail(Errno.EIO, from, isolation.cursorBytes() - from);
    }
    goOn(part);
  }

  /**
   * @param countsAsTry see {@link Isolation}
   */
  void begin(Part part, boolean countsAsTry) {
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
            turn.policy().mediaRetries(),
            turn.deadlineFromNowNanos());
    isolation.place = part.place;
    part.isolation = isolation;
    goOn(part);
  }

  /** Goes on with the part's isolation until a step is with a disk, or all is known. */
  void goOn(Part part) {
    DeviceRequest request = part.request;
    Isolation isolation = part.isolation;
    if (request == null || isolation == null) {
      return;
    }
    while (true) {
      switch (isolation.next()) {
        case FINISHED -> {
          flow.partOver(part, request);
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
          if (turn.isOver(isolation.deadlineNanos)) {
            failRestWith(part, request, Errno.ETIMEDOUT);
            flow.partOver(part, request);
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
    if (relocations.isFull()) {
      waitForTicket.add(part);
      return false;
    }
    relocations.ask(request, isolation.cursorBytes(), isolation.blockEndBytes(), failedPlace);
    isolation.skipTo(isolation.blockEndBytes());
    return true;
  }

  /** Returns whether the part now waits, for a disk or for room. */
  private boolean tryStep(Part part, DeviceRequest request, Isolation isolation) {
    long from = isolation.cursorBytes();
    long to = isolation.stepEndBytes();
    if (!isolation.reads) {
      Fences.Entry fence = fences.within(from, to);
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
        if (port == null || !pages.suit(request, port)) {
          reader.end(version);
          request.fail(Errno.EIO, from, to - from);
          isolation.skipTo(to);
          return false;
        }
        isolation.place = cut.place;
        submission.submit(part, request, cut.place, disk, port, from, (int) (to - from), version);
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
    QueueReport fault =
        new QueueReport.ReadFault(context.queueId(), block, isolation.place, unreadable);
    if (isolation.isUnproved()) {
      proofs.ask(
          disk,
          Errno.EIO,
          block << blockShift,
          proved -> {
            if (proved) {
              context.report(fault);
            }
          });
    } else {
      context.report(fault);
    }
  }
}
