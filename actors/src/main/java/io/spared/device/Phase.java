package io.spared.device;

/** Where a device is in its life. */
public enum Phase {
  /** Disks are being opened, metadata read, chosen and committed again. Nothing is served yet. */
  ASSEMBLING,
  /** Served, and all is as it should be. */
  ACTIVE,
  /** Served, but something is missing; the reasons say what. */
  DEGRADED,
  /** No new requests; what runs is finished or abandoned within the deadline. */
  DRAINING,
  /** Ended on request. Its disks are released. */
  STOPPED,
  /** Ended by trouble, with a reason. Its disks are released. */
  FAILED;

  public boolean serves() {
    return this == ACTIVE || this == DEGRADED;
  }

  public boolean ended() {
    return this == STOPPED || this == FAILED;
  }
}
