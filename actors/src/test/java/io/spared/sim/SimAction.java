package io.spared.sim;

/**
 * One thing that a script does to the world.
 *
 * @param atNanos since the beginning of the run
 * @param disk an index into the set-up's drives, main first; -1 when it is about no drive
 */
record SimAction(long atNanos, Kind kind, int disk, long number, double rate) {
  /** What is done. */
  enum Kind {
    RATE_SLOW,
    RATE_STUCK,
    RATE_NEW_DEFECT,
    RATE_TRANSIENT_MEDIA,
    RATE_TRANSPORT,
    RATE_FLUSH_FAILS,
    RATE_MISDIRECTED,
    RATE_STALE,
    RATE_TORN_UNREADABLE,
    RATE_COMMIT_INDETERMINATE,
    RATE_COMMIT_REFUSED,
    DEFECT,
    ROT,
    HANG,
    RESUME,
    STALL,
    DISAPPEAR,
    REAPPEAR,
    KILL,
    POWER_CUT,
    STOP,
    STOP_DEVICE,
    START_DEVICE,
    FREEZE,
    THAW,
    SCRUB,
    REPAIR,
    CLOCK_JUMP,
    REPLACE,
    CANCEL_REPLACE,
    EVACUATE,
    CANCEL_EVACUATION,
    TAKE_OVER,
    REMOVE_DEVICE,
    ADD_SPARE,
    SWAP,
    RIVAL,

    /** A power cut at the next moment when a commit was acknowledged. */
    CUT_AFTER_COMMIT,

    /** A power cut at the next moment when a copy has a new checkpoint. */
    CUT_AFTER_CHECKPOINT,

    /** An image of the drive is kept. */
    KEEP_IMAGE,

    /** The drive comes back as it was when its image was kept. */
    RETURN_OLDER,

    /** Somebody makes another device's copy where one of this device's stands. */
    FOREIGN_COPY,

    /** The drive often takes its time, up to so many nanoseconds, but never for ever. */
    SLUGGISH,

    /** The daemon has another device from the beginning; number 1: on the same spares. */
    NEIGHBOUR,

    /** The device is larger by so many bytes, so that it is copied in several windows. */
    LARGER,

    /** Every client has so many more requests to make. */
    WORK,

    /** A message takes up to so many nanoseconds to be handled, as on a busy machine. */
    BUSY_MACHINE,

    /** Logs of copies are checkpointed when they are as full as this. */
    CHECKPOINT_FILL
  }

  @Override
  public String toString() {
    return String.format(
        "%9.3f ms %s%s%s%s",
        atNanos / 1e6,
        kind,
        disk < 0 ? "" : disk == 0 ? " main" : " spare-" + (disk - 1),
        number == 0 ? "" : " " + number,
        rate == 0 ? "" : String.format(" %.4f", rate));
  }
}
