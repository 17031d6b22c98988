package io.spared.ffi.engine;

import io.spared.ffi.libc.Descriptor;

/** An engine that can carry commands to drivers: the one on io_uring. */
public interface DriverEngine extends Engine {
  /** A port to an open file; it retains the descriptor until detached and nothing is in flight. */
  DriverPort driver(Descriptor file);

  /** Whether commands of 32 bytes can be sent: the ring was made with long entries (SQE128). */
  boolean hasLongEntries();
}
