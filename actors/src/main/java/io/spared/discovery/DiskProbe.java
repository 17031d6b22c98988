package io.spared.discovery;

import io.spared.device.DiskClaim;
import io.spared.ffi.Errno;
import io.spared.ffi.disk.Disk;
import io.spared.ffi.engine.Completions;
import io.spared.ffi.engine.DiskPort;
import io.spared.ffi.engine.Engine;
import io.spared.ffi.engine.IoBuffer;
import io.spared.ffi.engine.IoRequest;
import io.spared.format.Reading;
import java.nio.ByteBuffer;
import java.util.Optional;
import org.jspecify.annotations.Nullable;

/**
 * One disk while it is read: opened where blocking is allowed, then read through the ring, request
 * by request, as its {@link DiskSurvey} asks. It ends once, with what was found or why nothing was,
 * at its deadline at the latest; what the kernel still holds then keeps its buffer, not the probe.
 */
final class DiskProbe {
  /** What became of it. */
  sealed interface End {
    /** The disk was read, whole or until it stopped answering. */
    record Found(DiskFinding finding) implements End {}

    /** Nothing was read; the sentence says why. */
    record Nothing(String sentence) implements End {}
  }

  private final long number;
  private final BlockDevice device;
  private final DiskClaim claim;
  private final Engine engine;
  private final IoRequest request;
  private final long deadlineNanos;
  private @Nullable DiskPort port;
  private @Nullable IoBuffer buffer;
  private @Nullable DiskSurvey survey;
  private Reading.@Nullable Step step;
  private ByteBuffer bytes = ByteBuffer.allocate(0);
  private boolean opening = true;
  private boolean inFlight;
  private @Nullable End end;

  DiskProbe(
      long number,
      BlockDevice device,
      DiskClaim claim,
      Engine engine,
      Completions completions,
      long deadlineNanos) {
    this.number = number;
    this.device = device;
    this.claim = claim;
    this.engine = engine;
    this.request = new IoRequest(completions).attach(this);
    this.deadlineNanos = deadlineNanos;
  }

  long number() {
    return number;
  }

  BlockDevice device() {
    return device;
  }

  /** How it ended, or empty while it goes on. */
  Optional<End> end() {
    return Optional.ofNullable(end);
  }

  /** Whether it has its disk and waits for a buffer. */
  boolean waitsForBuffer() {
    return end == null && port != null && buffer == null;
  }

  /** Whether the system has not answered yet, whoever still waits for it. */
  boolean isOpening() {
    return opening;
  }

  /** The disk is open. */
  void opened() {
    opening = false;
    Disk disk = claim.disk();
    if (end != null || disk == null) {
      return;
    }
    port = disk.attach(engine);
    survey = new DiskSurvey(disk.address(), disk.geometry(), disk.identity());
    tryBuffer();
  }

  void notOpened(String sentence) {
    opening = false;
    finish(new End.Nothing(sentence));
  }

  /** Takes a buffer if there is one, and begins. */
  void tryBuffer() {
    if (!waitsForBuffer()) {
      return;
    }
    buffer = engine.buffers().take(DiskSurvey.WINDOW_BYTES);
    if (buffer != null) {
      advance();
    }
  }

  /** The deadline has passed. */
  void overdue(String sentence) {
    if (end != null) {
      return;
    }
    DiskSurvey begun = survey;
    finish(begun == null ? new End.Nothing(sentence) : new End.Found(begun.brokenOff(sentence)));
  }

  /** Its request has ended in this way. */
  void ended(IoRequest.Outcome outcome) {
    if (end != null) {
      return;
    }
    inFlight = false;
    switch (outcome) {
      case DONE -> {
        transferred();
        advance();
      }
      case FAILED -> {
        Errno errno = request.errno();
        failed(errno == null ? "input/output error" : errno.meaning());
      }
      case TIMED_OUT, CANCELLED -> overdue(device.address() + " did not answer in time");
      case IDLE, IN_FLIGHT, RELEASED -> {}
    }
  }

  private DiskSurvey survey() {
    DiskSurvey begun = survey;
    if (begun == null) {
      throw new IllegalStateException("the disk is not open yet");
    }
    return begun;
  }

  private void transferred() {
    IoBuffer from = buffer;
    if (from == null) {
      throw new IllegalStateException("a read without a buffer");
    }
    int length = request.lengthBytes();
    bytes.put(bytes.position(), from.bytes(), 0, length);
    bytes.position(bytes.position() + length);
  }

  private void failed(String reason) {
    step = null;
    survey().failed(reason);
    advance();
  }

  /** Goes on until a request is on its way or all is read. */
  private void advance() {
    while (end == null && !inFlight) {
      Reading.Step now = step;
      if (now != null && !bytes.hasRemaining()) {
        step = null;
        survey().accept(bytes.flip());
      } else if (now != null) {
        submit(now);
      } else {
        next();
      }
    }
  }

  private void next() {
    Optional<Reading.Step> next = survey().next();
    if (next.isEmpty()) {
      finish(new End.Found(survey().result()));
      return;
    }
    step = next.get();
    bytes = ByteBuffer.allocate(next.get().lengthBytes());
  }

  private void submit(Reading.Step now) {
    IoBuffer into = buffer;
    DiskPort through = port;
    if (into == null || through == null) {
      throw new IllegalStateException("a disk that is not open is read");
    }
    int length = Math.min(bytes.remaining(), into.capacityBytes());
    inFlight = true;
    through.submit(
        request.transfer(
            IoRequest.Operation.READ,
            now.offsetBytes() + bytes.position(),
            into,
            0,
            length,
            deadlineNanos));
  }

  private void finish(End with) {
    if (end != null) {
      return;
    }
    end = with;
    if (inFlight && port != null) {
      port.cancel(request);
    }
    if (buffer != null) {
      buffer.release();
      buffer = null;
    }
    if (port != null) {
      port.detach();
      port = null;
    }
    claim.withdraw();
  }
}
