package io.spared.ffi.system;

import io.spared.ffi.libc.Abi;
import io.spared.ffi.libc.Libc;
import io.spared.ffi.libc.NativeException;
import java.util.Optional;

/**
 * Keeps this process's memory from being written out, so that it never waits for a disk that it
 * serves itself. Pages are locked when they are first touched (MCL_ONFAULT): locking everything at
 * once would make the JVM's whole reserve resident.
 */
public final class MemoryLock {
  private MemoryLock() {}

  /** Locks; says in a sentence why not, if not. The daemon goes on either way. */
  public static Optional<String> lock() {
    try {
      Libc.lockMemory(Abi.MCL_CURRENT | Abi.MCL_FUTURE | Abi.MCL_ONFAULT);
      return Optional.empty();
    } catch (NativeException e) {
      return Optional.of(
          "memory is not locked: "
              + e.errno().meaning()
              + "; under memory pressure the daemon may wait for its own devices; give it"
              + " CAP_IPC_LOCK or LimitMEMLOCK=infinity");
    }
  }
}
