package io.spared.ffi.ublk;

/** What the driver says of a device. */
public enum UblkDeviceState {
  /** Added and not started, or stopped. */
  DEAD,
  /** Served by a process. */
  LIVE,
  /** Its server is gone or rests; I/O waits for the next one. */
  QUIESCED,
  /** Its server is gone; I/O fails until the next one. */
  FAIL_IO,
  /** A state that this program does not know. */
  UNKNOWN;

  static UblkDeviceState of(int number) {
    return switch (number) {
      case 0 -> DEAD;
      case 1 -> LIVE;
      case 2 -> QUIESCED;
      case 3 -> FAIL_IO;
      default -> UNKNOWN;
    };
  }
}
