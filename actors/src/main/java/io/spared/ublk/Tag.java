package io.spared.ublk;

import io.spared.ffi.engine.Completions;
import io.spared.ffi.engine.IoBuffer;
import io.spared.ffi.engine.IoRequest;
import io.spared.ffi.ublk.IoDescriptors;
import io.spared.queue.DeviceRequest;
import org.jspecify.annotations.Nullable;

/**
 * One tag of a ublk queue, and all that its requests need, made once. What the driver asked for is
 * copied out of its descriptor when the tag arrives.
 */
final class Tag {
  /** Who has it. */
  enum State {
    /** Not fetched yet. */
    NEW,
    WITH_DRIVER,
    /** It came with a request that nothing was done about yet. */
    ARRIVED,
    /** Waits for a buffer or for a request of the device's queue. */
    WAITING,
    IN_DEVICE,
    /** It arrived and is not answered: the next server gets it again. */
    LEFT,
    /** The driver does not want it back. */
    OVER
  }

  final int number;

  /** The fetch or commit; in flight exactly while the driver has the tag. */
  final IoRequest command;

  State state = State.NEW;
  IoDescriptors.Operation operation = IoDescriptors.Operation.OTHER;
  long startBytes;
  int lengthBytes;
  boolean forcedUnitAccess;
  @Nullable IoBuffer buffer;

  /** Where the driver puts the pages of this tag's requests, with zero copy. */
  @Nullable IoBuffer pages;

  /** The data of a write are in the buffer. */
  boolean filled;

  /** What is committed once there is a new buffer. */
  int result;

  /** Only a buffer for its next request is missing. */
  boolean answered;

  /** With the device's queue. */
  @Nullable DeviceRequest request;

  Tag(int number, Completions completions) {
    this.number = number;
    this.command = new IoRequest(completions).attach(this);
  }

  /** It holds a request that has to be answered. */
  boolean isInHand() {
    return state == State.ARRIVED || state == State.WAITING || state == State.IN_DEVICE;
  }
}
