package io.spared.metadata;

import io.spared.ffi.engine.DiskPort;
import io.spared.ffi.engine.IoRequest;
import io.spared.format.LogAppender;
import io.spared.format.LogAppender.Payload;
import io.spared.metadata.MetadataReply.CopyState;
import io.spared.metadata.MetadataReply.State;
import java.nio.ByteBuffer;
import java.time.Duration;

/**
 * Gives each copy the records that it lacks.
 *
 * <p><b>No gaps.</b> A copy takes sequence n+1 only after n is durable on it, by one write at a
 * time. One that failed a write takes none until it was built anew, with everything. A fenced
 * writer gives nothing to any.
 */
final class Appends {
  /** Copies that lag further behind are built anew. */
  private static final int RETAINED_MAX = 1024;

  private final WriterContext context;
  private final Lanes lanes;
  private final Copies copies;
  private final CopyFaults faults;
  private Duration timeout;

  Appends(WriterContext context, Lanes lanes, Copies copies, CopyFaults faults) {
    this.context = context;
    this.lanes = lanes;
    this.copies = copies;
    this.faults = faults;
    this.timeout = context.settings().commitTimeout();
  }

  /** How long a commit, and each of its writes, may take. */
  void setTimeout(Duration newTimeout) {
    timeout = newTimeout;
  }

  long deadlineNanos() {
    return context.nanoTime() + timeout.toNanos();
  }

  void feedAll() {
    for (Copy copy : copies.all()) {
      feed(copy);
    }
  }

  /** Gives a copy the next record it lacks. */
  void feed(Copy copy) {
    LogAppender log = copy.appender;
    DiskPort port = copy.port;
    History history = context.history();
    boolean takes =
        copy.isInStep() || (!context.rules().staleCopyWaits() && copy.state == CopyState.STALE);
    if (!takes
        || context.standing().is(State.FENCED)
        || copy.switching
        || log == null
        || port == null
        || !copy.lane.isFree()
        || log.last().sequence() >= history.lastSequence()) {
      return;
    }
    Payload next = history.retained().get(log.last().sequence() + 1);
    if (next == null) {
      faults.stale(copy, "it fell too far behind");
      return;
    }
    if (!log.hasRoom(next)) {
      return;
    }
    ByteBuffer bytes = copy.lane.buffer();
    if (bytes == null) {
      lanes.whenBufferMayBeFree(() -> feed(copy));
      return;
    }
    long offsetBytes = log.offsetBytes();
    int lengthBytes = log.append(next, bytes, 0);
    copy.writing = next;
    copy.lane.write(
        port,
        offsetBytes,
        lengthBytes,
        deadlineNanos(),
        (outcome, reason) -> appended(copy, next, outcome, reason));
  }

  private void appended(Copy copy, Payload payload, IoRequest.Outcome outcome, String reason) {
    switch (outcome) {
      case DONE -> {
        copy.writing = null;
        if (copy.isInStep() || !context.rules().staleCopyWaits()) {
          copy.durable = payload.position();
        }
      }
      case TIMED_OUT, CANCELLED -> {
        if (copy.lane.isHeld()) {
          faults.held(copy, "a commit got no answer in time and may still be written");
        } else {
          copy.writing = null;
          faults.stale(copy, "a commit got no answer in time");
        }
      }
      case RELEASED -> {
        copy.writing = null;
        if (reason.isEmpty() && copy.state == CopyState.HELD) {
          copy.durable = payload.position();
        } else {
          copy.appender = null;
          copy.reason = "a commit failed: " + reason;
        }
        faults.released(copy);
      }
      case FAILED, IDLE, IN_FLIGHT -> {
        copy.writing = null;
        faults.stale(copy, "a commit failed: " + reason);
      }
    }
    Build building = copy.build;
    if (building != null) {
      building.laneIdle();
    }
  }

  /**
   * Forgets records that nobody needs any more: no image that a checkpoint begins with, no build
   * that is under way, and no copy that goes on or may go on.
   */
  void trim() {
    History history = context.history();
    long keepFrom =
        Math.min(history.image().position().sequence(), history.committed().sequence()) + 1;
    for (Copy copy : copies.all()) {
      boolean mayGoOn = copy.isInStep() || copy.state == CopyState.HELD || copy.wasOnlyAway;
      if (mayGoOn && copy.appender != null) {
        // What is under way may have to be written again when its disk comes back.
        long has = copy.durable.sequence();
        keepFrom = Math.min(keepFrom, Math.max(has, history.lastSequence() - RETAINED_MAX) + 1);
      }
      Build building = copy.build;
      if (building != null) {
        keepFrom = Math.min(keepFrom, building.baseSequence() + 1);
      }
    }
    history.retained().trimBefore(keepFrom);
  }
}
