package io.spared.nbd.negotiation;

/** What the negotiation must know before it goes on; it waits for the {@link Answer}. */
public sealed interface Question {
  /** Which exports this client may see. */
  record Names() implements Question {}

  record Find(String name) implements Question {}

  /** Make this export ready for this connection's requests. */
  record Open(ExportDescription export) implements Question {}
}
