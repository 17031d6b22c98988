package io.spared.disk;

import io.spared.ffi.Errno;
import io.spared.ffi.engine.IoRequest;
import java.util.function.Consumer;

/** What the actor of one disk is told. */
public sealed interface DiskCommand {
  /**
   * Does the disk still prove its identity and read a known-good sector? The answer is given once,
   * on the disk actor's thread, within the policy's deadline and a tick; who asks while a proof
   * runs waits for that one's end first.
   */
  record Prove(Errno errno, long offsetBytes, Consumer<Boolean> answer) implements DiskCommand {}

  /** An error that a user of the disk saw. */
  record Failed(IoRequest.Operation operation, Errno errno, long offsetBytes)
      implements DiskCommand {}

  record Stop() implements DiskCommand {}

  /** From its own completions. */
  record DiskAnswered() implements DiskCommand {}

  /** From its own look at the disk's identity, done where blocking is allowed. */
  record IdentityLooked(long look, Finding finding, String reason) implements DiskCommand {}

  /** What a look at the identity found. */
  enum Finding {
    SAME,
    /** Another disk is there, or none. */
    NOT_IT,
    /** It could not be looked at, which says nothing for good. */
    UNKNOWN
  }

  /** From its own timer. */
  record Tick() implements DiskCommand {}
}
