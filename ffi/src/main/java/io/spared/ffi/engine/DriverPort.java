package io.spared.ffi.engine;

/**
 * A driver's file as seen from one engine: READ and WRITE at offsets as with disks, and commands
 * (io_uring's URING_CMD). Used on the engine's thread only.
 */
public interface DriverPort extends DiskPort {
  /**
   * Takes a prepared COMMAND ({@link IoRequest#plain}) with its code, what the driver reads in the
   * entry's address, and a payload of 16 bytes as two words. It ends DONE with the driver's answer,
   * 0 or more, in {@link IoRequest#transferredBytes()}, or FAILED with the errno. It may stay in
   * flight for ever: a deadline of {@link Ledger#NEVER} costs nothing. Allocates nothing.
   */
  void command(IoRequest request, int code, long address, long first, long second);

  /**
   * The same with a payload of 32 bytes, for which the engine needs long submission entries
   * (SQE128).
   */
  void command(IoRequest request, int code, long first, long second, long third, long fourth);
}
