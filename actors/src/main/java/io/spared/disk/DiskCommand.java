package io.spared.disk;

import io.spared.ffi.Errno;
import io.spared.ffi.engine.IoRequest;
import java.util.function.Consumer;

/** What the actor of one disk is told. */
public sealed interface DiskCommand {
  /**
   * Does the disk still prove its identity and read a known-good sector? The answer is given once,
   * within the policy's deadline, on the disk actor's thread.
   */
  record Prove(Errno errno, long offsetBytes, Consumer<Boolean> answer) implements DiskCommand {}

  /** An error that a user of the disk saw. */
  record Failed(IoRequest.Operation operation, Errno errno, long offsetBytes)
      implements DiskCommand {}

  record Stop() implements DiskCommand {}

  /** From its own completions. */
  record DiskAnswered() implements DiskCommand {}

  /** From its own look at the disk's identity, done where blocking is allowed. */
  record IdentityLooked(long look, boolean same, String reason) implements DiskCommand {}

  /** From its own timer. */
  record Tick() implements DiskCommand {}
}
