package io.spared.device;

/** Why a device that serves is Degraded; at most one sentence of each kind at a time. */
public enum Trouble {
  /** Fewer copies of the metadata are good than the device has. */
  COPIES,
  /** No commit can reach its quorum: reads and unaffected writes go on, remaps are refused. */
  QUORUM,
  /** No slot is left: the next bad block fails its write. */
  SLOTS,
  /** A spare is missing. */
  SPARE,
  /** Main answers with transport errors or has disappeared. */
  MAIN,
  /** A flush failed: writes and flushes fail until the device is started again. */
  FLUSH,
  /** Repair gave up for now and tries once an hour. */
  REPAIR
}
