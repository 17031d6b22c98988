package io.spared.queue;

import io.spared.ffi.Errno;
import io.spared.ffi.engine.IoBuffer;
import java.util.Arrays;
import org.jspecify.annotations.Nullable;

/**
 * One request to a device: a mutable object that is used again and again, so that an I/O allocates
 * nothing. Prepared by the host, submitted to its queue, ended once through {@link
 * QueueHost#completed}.
 *
 * <p>A request can fail in parts: {@link #errno()} says why the first part failed, and the bad
 * ranges say which bytes were not read or may not have been written. What lies outside of them is
 * done and right. The buffer is the host's until submitted, and again after the end; what the
 * kernel may still touch then it holds by its own count, so a host that gives its count back and
 * takes a new buffer is safe.
 */
public final class DeviceRequest {
  /** What is asked for. */
  public enum Operation {
    READ,
    WRITE,
    FLUSH,
    DISCARD,
    WRITE_ZEROES
  }

  Operation operation = Operation.READ;
  long offsetBytes;
  long lengthBytes;
  @Nullable IoBuffer buffer;
  int bufferOffsetBytes;
  boolean fua;

  /** Zeroes that leave their range allocated. */
  boolean withoutHoles;

  private @Nullable Object attachment;

  private @Nullable Errno errno;
  private long[] badRanges = new long[8];
  private int badRangeCount;

  /** For the queue: whether it is the queue's now. */
  boolean submitted;

  /** For the queue: how far it has been cut, as an offset in the device. */
  long cursorBytes;

  /** For the queue: parts that have not ended. */
  int unfinishedParts;

  /** For the queue: cut to its end. */
  boolean cut;

  /** For the queue: its last step, after all parts, is a flush. */
  boolean flushing;

  /** For the queue: when it was submitted. */
  long submittedNanos;

  /** For the queue: until when a disk may take over a part that is submitted now. */
  long deadlineNanos;

  /** For the queue: counted among those begun and not finished. */
  boolean begun;

  /** For the queue: neighbours in the list of submitted requests. */
  @Nullable DeviceRequest previous;

  @Nullable DeviceRequest next;

  DeviceRequest() {}

  public DeviceRequest read(long offsetBytes, int lengthBytes, IoBuffer buffer, int bufferOffset) {
    return prepare(Operation.READ, offsetBytes, lengthBytes, buffer, bufferOffset, false);
  }

  public DeviceRequest write(
      long offsetBytes, int lengthBytes, IoBuffer buffer, int bufferOffset, boolean fua) {
    return prepare(Operation.WRITE, offsetBytes, lengthBytes, buffer, bufferOffset, fua);
  }

  public DeviceRequest flush() {
    return prepare(Operation.FLUSH, 0, 0, null, 0, false);
  }

  public DeviceRequest discard(long offsetBytes, long lengthBytes) {
    return prepare(Operation.DISCARD, offsetBytes, lengthBytes, null, 0, false);
  }

  public DeviceRequest writeZeroes(long offsetBytes, long lengthBytes, boolean fua) {
    return prepare(Operation.WRITE_ZEROES, offsetBytes, lengthBytes, null, 0, fua);
  }

  /** The zeroes leave their range allocated on disks that could make a hole of it. */
  public DeviceRequest withoutHoles() {
    withoutHoles = true;
    return this;
  }

  private DeviceRequest prepare(
      Operation operation,
      long offsetBytes,
      long lengthBytes,
      @Nullable IoBuffer buffer,
      int bufferOffsetBytes,
      boolean fua) {
    if (submitted) {
      throw new IllegalStateException("a request was used again before it ended: " + this);
    }
    this.operation = operation;
    this.offsetBytes = offsetBytes;
    this.lengthBytes = lengthBytes;
    this.buffer = buffer;
    this.bufferOffsetBytes = bufferOffsetBytes;
    this.fua = fua;
    this.withoutHoles = false;
    this.errno = null;
    this.badRangeCount = 0;
    return this;
  }

  /** The host's own, kept for it from request to request. */
  public DeviceRequest attach(@Nullable Object attachment) {
    this.attachment = attachment;
    return this;
  }

  public @Nullable Object attachment() {
    return attachment;
  }

  public Operation operation() {
    return operation;
  }

  public long offsetBytes() {
    return offsetBytes;
  }

  public long lengthBytes() {
    return lengthBytes;
  }

  public @Nullable IoBuffer buffer() {
    return buffer;
  }

  public int bufferOffsetBytes() {
    return bufferOffsetBytes;
  }

  public boolean isFua() {
    return fua;
  }

  /** Why the request, or the first part of it that did, failed; null when all of it is done. */
  public @Nullable Errno errno() {
    return errno;
  }

  public int badRangeCount() {
    return badRangeCount;
  }

  /** Where bad range i begins, as an offset in the device. Ranges are in no order. */
  public long badOffsetBytes(int i) {
    return badRanges[2 * i];
  }

  public long badLengthBytes(int i) {
    return badRanges[2 * i + 1];
  }

  /** Part of it failed. Grows the last bad range where the new one continues it. */
  void fail(Errno why, long badOffsetBytes, long badLengthBytes) {
    if (errno == null) {
      errno = why;
    }
    if (badLengthBytes == 0) {
      return;
    }
    if (badRangeCount > 0) {
      int last = 2 * (badRangeCount - 1);
      if (badRanges[last] + badRanges[last + 1] == badOffsetBytes) {
        badRanges[last + 1] += badLengthBytes;
        return;
      }
    }
    if (2 * badRangeCount == badRanges.length) {
      badRanges = Arrays.copyOf(badRanges, badRanges.length * 2);
    }
    badRanges[2 * badRangeCount] = badOffsetBytes;
    badRanges[2 * badRangeCount + 1] = badLengthBytes;
    badRangeCount++;
  }

  boolean isWrite() {
    return operation == Operation.WRITE || operation == Operation.WRITE_ZEROES;
  }

  /** What obeys fences and doubts. */
  boolean changesBytes() {
    return isWrite() || operation == Operation.DISCARD;
  }

  @Override
  public String toString() {
    return operation
        + " "
        + lengthBytes
        + " bytes at "
        + offsetBytes
        + (fua ? " FUA" : "")
        + (errno == null ? "" : ": " + errno);
  }
}
