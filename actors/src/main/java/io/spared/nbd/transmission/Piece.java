package io.spared.nbd.transmission;

import io.spared.ffi.engine.IoBuffer;
import io.spared.queue.DeviceRequest;
import org.jspecify.annotations.Nullable;

/**
 * The part of a job that one buffer holds and one device request carries; used again and again.
 * Also stands for a job without data.
 */
final class Piece {
  @Nullable Job job;
  @Nullable DeviceRequest request;
  @Nullable IoBuffer buffer;

  /** What was counted for the buffer in the budget. */
  int budgetBytes;

  long offsetBytes;
  int lengthBytes;

  /** Where the data begins in the buffer; before it is room for a reply's header. */
  int dataOffsetBytes;

  /** Writes: how much of the payload has arrived. Failed reads: how far the reply got. */
  int progressBytes;

  /** Where the bytes to send begin and how many they are. */
  int sendOffsetBytes;

  int sendBytes;

  /** All data of a job in pieces was sent, and what is left is to say so. */
  boolean onlyEnd;

  @Nullable Piece next;

  Job job() {
    Job j = job;
    if (j == null) {
      throw new IllegalStateException("a piece without a job");
    }
    return j;
  }

  IoBuffer buffer() {
    IoBuffer b = buffer;
    if (b == null) {
      throw new IllegalStateException("a piece without a buffer");
    }
    return b;
  }
}
