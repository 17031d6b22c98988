package io.spared.ffi.engine;

import io.spared.ffi.libc.Descriptor;
import org.jspecify.annotations.Nullable;

/** An engine that can carry commands to drivers: the one on io_uring. */
public interface DriverEngine extends Engine {
  /** A port to an open file; it retains the descriptor until detached and nothing is in flight. */
  DriverPort driver(Descriptor file);

  /** Whether commands of 32 bytes can be sent: the ring was made with long entries (SQE128). */
  boolean hasLongEntries();

  /**
   * A place where a driver puts the pages of its requests, one request after the other; null when
   * this engine has none (left). It may be given to the driver while the caller is the only one who
   * holds it: a disk's request that has not ended names the place and not the pages that are in it.
   */
  @Nullable IoBuffer takePages();
}
