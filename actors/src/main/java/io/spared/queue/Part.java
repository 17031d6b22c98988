package io.spared.queue;

import io.spared.ffi.engine.Completions;
import io.spared.ffi.engine.DiskPort;
import io.spared.ffi.engine.IoRequest;
import org.jspecify.annotations.Nullable;

/** One request to one disk, on behalf of a request to the device; kept and used again. */
final class Part {
  /** How it stands. */
  enum State {
    FREE,
    IN_FLIGHT,
    /** Ended with an error: waits for the disk's proof, or is between two steps of isolation. */
    WAITING,
    /** Its request ended without it; the kernel has it still. */
    ABANDONED
  }

  final IoRequest io;
  State state = State.FREE;
  @Nullable DeviceRequest request;
  @Nullable DiskPort port;
  int disk;
  long place;

  /** What it covers, in the device. A flush covers nothing. */
  long offsetBytes;

  int lengthBytes;

  /** Version of the map in which it was looked up, from submission to the kernel's last word. */
  long version;

  /** Writes, zeroes or discards: what fences wait for. */
  boolean changesBytes;

  /** Goes to the disk that is to take main's place, beside the part for main. */
  boolean mirrors;

  /** Written to both disks: until this one has ended its part. */
  WritesOnBoth.@Nullable Range onBoth;

  /** Zeroes are written, not asked for: so that both disks are treated alike. */
  boolean zeroesByHand;

  /** For a flush: the round of {@link DeviceDoubts} that it covers. */
  long flushRound;

  /** Its failure is being isolated; the isolation uses this part for its own requests. */
  @Nullable Isolation isolation;

  /** While abandoned, if it changes bytes. */
  DeviceDoubts.@Nullable Range doubt;

  Part(Completions completions) {
    io = new IoRequest(completions).attach(this);
  }

  boolean isOnDisk() {
    return state == State.IN_FLIGHT || state == State.ABANDONED;
  }

  boolean overlaps(long fromBytes, long toBytes) {
    return offsetBytes < toBytes && fromBytes < offsetBytes + lengthBytes;
  }
}
