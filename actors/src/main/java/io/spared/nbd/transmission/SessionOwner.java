package io.spared.nbd.transmission;

/** Whoever keeps a session: told within the session's own calls. */
public interface SessionOwner {
  /** The connection is over for the client; requests below may still be under way. */
  void ended(boolean orderly, String reason);

  /** Nothing is left of it, with the socket or with the device: it may be forgotten. */
  void gone();
}
