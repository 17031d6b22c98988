package io.spared.queue;

import io.spared.disk.DiskNumber;
import io.spared.disk.ErrorPolicy;
import io.spared.ffi.Errno;
import io.spared.ffi.engine.DiskPort;
import io.spared.ffi.engine.IoRequest;
import io.spared.ffi.engine.IoRequest.Outcome;
import io.spared.remap.TableReader;

/**
 * What the end of a part means.
 *
 * <ul>
 *   <li><b>Doubt.</b> A write or discard that is abandoned is entered in {@link DeviceDoubts}
 *       before its request ends, and stays there until the kernel lets go.
 *   <li><b>No reuse.</b> Every part carries the version of the map it was looked up in until the
 *       kernel's last word; the oldest is published ({@link TableReader}).
 *   <li><b>Once.</b> A part that was abandoned answers nobody any more, whatever it comes back
 *       with; but a flush that fails is everybody's, whoever asked for it.
 * </ul>
 */
final class PartEnds {
  private final QueueContext context;
  private final TableReader reader;
  private final QueueDisks disks;
  private final DeviceDoubts doubts;
  private final Parts parts;
  private final Fences fences;
  private final Mirroring mirroring;
  private final Submission submission;
  private final Proofs proofs;
  private final RequestFlow flow;
  private final Isolations isolations;

  PartEnds(
      QueueContext context,
      TableReader reader,
      QueueDisks disks,
      Parts parts,
      Fences fences,
      Mirroring mirroring,
      Submission submission,
      Proofs proofs,
      RequestFlow flow,
      Isolations isolations) {
    this.context = context;
    this.reader = reader;
    this.disks = disks;
    this.doubts = context.doubts();
    this.parts = parts;
    this.fences = fences;
    this.mirroring = mirroring;
    this.submission = submission;
    this.proofs = proofs;
    this.flow = flow;
    this.isolations = isolations;
  }

  void ended(Part part, Outcome outcome) {
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
      context.report(new QueueReport.FlushFailed(context.queueId(), part.disk, errno));
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
    mirroring.partLeft(part);
    if (part.changesBytes) {
      reachFences();
    }
  }

  private void reachFences() {
    mirroring.reachIfQuiet();
    fences.reachAllQuiet();
  }

  private void done(Part part, DeviceRequest request) {
    IoRequest io = part.io;
    if (io.operation() == IoRequest.Operation.FLUSH) {
      doubts.flushed(part.disk, part.flushRound);
    } else if (part.changesBytes && !io.isDurable()) {
      doubts.wrote(part.disk);
    }
    offDisk(part);
    Isolation isolation = part.isolation;
    if (isolation != null) {
      isolation.succeeded();
      isolations.goOn(part);
      return;
    }
    flow.partOver(part, request);
  }

  /**
   * Its cache is lost, and a flush of the disk that returns would succeed all the same: so the next
   * flush has failed already, if there was anything that it should have made durable.
   */
  private void mainWentAway(Errno errno) {
    if (doubts.failedFlush() == null && doubts.isUnflushed(DiskNumber.MAIN)) {
      doubts.flushFailed(errno);
      context.report(new QueueReport.FlushFailed(context.queueId(), DiskNumber.MAIN, errno));
    }
  }

  private void failed(Part part, DeviceRequest request, Errno errno) {
    IoRequest.Operation operation = part.io.operation();
    if (operation == IoRequest.Operation.FLUSH) {
      flow.flushFailed(request, part.disk, errno);
      flow.partOver(part, request);
      return;
    }
    if (part.disk == DiskNumber.MAIN && ErrorPolicy.isGone(errno)) {
      mainWentAway(errno);
    }
    ErrorPolicy.Fault fault = ErrorPolicy.faultOf(errno);
    if (operation == IoRequest.Operation.DISCARD) {
      if (fault != ErrorPolicy.Fault.UNSUPPORTED) {
        isolations.reportFailure(part, errno);
        request.fail(ErrorPolicy.told(errno), part.offsetBytes, part.lengthBytes);
      }
      flow.partOver(part, request);
      return;
    }
    switch (fault) {
      case MEDIA -> {
        isolations.reportFailure(part, errno);
        isolations.failedForMedium(part, false);
      }
      case TO_BE_PROVED -> {
        if (part.isolation != null) {
          isolations.failedForMedium(part, true);
        } else {
          proofs.ask(
              part.disk, errno, part.io.offsetBytes(), proved -> proved(part, errno, proved));
        }
      }
      case UNSUPPORTED -> {
        if (operation == IoRequest.Operation.WRITE_ZEROES && submission.takeZeroes()) {
          disks.writeZeroesByHand(part.disk);
          isolations.begin(part, false);
        } else {
          isolations.failRest(part, request, errno);
        }
      }
      case TRANSPORT, TIMEOUT, NO_SPACE, PROTECTION -> isolations.failRest(part, request, errno);
    }
  }

  private void proved(Part part, Errno errno, boolean proved) {
    DeviceRequest request = part.request;
    if (request == null) {
      return;
    }
    if (proved) {
      isolations.failedForMedium(part, true);
    } else {
      isolations.failRest(part, request, errno);
    }
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
      isolations.reportFailure(part, Errno.ETIMEDOUT);
    }
    if (isFlush) {
      flow.flushFailed(request, part.disk, Errno.ETIMEDOUT);
    } else if (isolation == null) {
      request.fail(told, part.offsetBytes, part.lengthBytes);
    } else {
      request.fail(told, isolation.cursorBytes(), isolation.endBytes - isolation.cursorBytes());
    }
    if (part.state != Part.State.ABANDONED) {
      parts.free(part);
    }
    flow.partEnded(request);
  }

  private void abandon(Part part) {
    if (part.changesBytes) {
      part.doubt = doubts.add(part.offsetBytes, part.lengthBytes);
      context.report(
          new QueueReport.InDoubt(
              context.queueId(), part.disk, part.offsetBytes, part.lengthBytes));
    }
    parts.abandon(part);
    mirroring.partLeft(part);
  }

  private void letGo(Part part) {
    reader.end(part.version);
    DeviceDoubts.Range doubt = part.doubt;
    if (doubt != null) {
      doubts.remove(doubt);
      context.report(
          new QueueReport.DoubtEnded(
              context.queueId(), part.disk, part.offsetBytes, part.lengthBytes));
    }
    boolean changed = part.changesBytes;
    parts.free(part);
    if (changed) {
      reachFences();
    }
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
      mirroring.breakOff(outcome == Outcome.FAILED && errno != null ? errno : Errno.ETIMEDOUT);
    }
    if (comesBack(part, outcome)) {
      leaveMirrorPart(part);
    } else {
      offDisk(part);
      parts.free(part);
    }
    flow.partEnded(request);
  }

  /** The kernel has it yet, on a disk that nobody reads: no fence waits for that. */
  private void leaveMirrorPart(Part part) {
    boolean changed = part.changesBytes;
    part.changesBytes = false;
    parts.abandon(part);
    mirroring.partLeft(part);
    if (changed) {
      reachFences();
    }
  }

  /** A spare leaves: what is with it is given up. */
  void cancelAllOn(int spare) {
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
  }

  /**
   * @param deviceEnds else a flush that is left to end tells whether it failed: the device's other
   *     queues go on
   */
  void abandonAll(boolean deviceEnds) {
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
      }
    }
  }
}
