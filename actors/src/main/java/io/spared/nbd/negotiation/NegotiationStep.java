package io.spared.nbd.negotiation;

/** What the owner of a negotiation does next, once it has sent what was written for the client. */
public sealed interface NegotiationStep {
  /** Nothing more can be done with the bytes that are there. */
  record MoreBytes() implements NegotiationStep {}

  record Ask(Question question) implements NegotiationStep {}

  /** The next byte from the client belongs to a TLS handshake; come back with plain bytes. */
  record StartTls() implements NegotiationStep {}

  /** The next byte belongs to the transmission phase. */
  record Transmit(Agreement agreement) implements NegotiationStep {}

  /** The connection is over. Orderly ones are not worth a warning. */
  record End(boolean orderly, String reason) implements NegotiationStep {}
}
