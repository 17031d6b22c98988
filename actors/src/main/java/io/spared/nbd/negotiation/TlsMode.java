package io.spared.nbd.negotiation;

/** Whether a listener speaks TLS. */
public enum TlsMode {
  OFF,
  /** A client may, or may go on in the clear. */
  OFFERED,
  /** Nothing is told or served before. */
  REQUIRED
}
