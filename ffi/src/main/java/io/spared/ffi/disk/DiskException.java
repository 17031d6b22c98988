package io.spared.ffi.disk;

/** Why a disk cannot be used, in one sentence that says what, which disk and what to do. */
public final class DiskException extends Exception {
  /** The kind of trouble, for decisions. */
  public enum Reason {
    MISSING,
    BUSY,
    /**
     * In use, though no other process has it open: perhaps the kernel has yet to end what one left.
     */
    LINGERING,
    READ_ONLY,
    NO_PERMISSION,
    TOO_SMALL,
    MOUNTED,
    NOT_A_DISK,
    UNSUPPORTED,
    IO
  }

  private final Reason reason;

  public DiskException(Reason reason, String sentence) {
    super(sentence);
    this.reason = reason;
  }

  public DiskException(Reason reason, String sentence, Throwable cause) {
    super(sentence, cause);
    this.reason = reason;
  }

  public Reason reason() {
    return reason;
  }
}
