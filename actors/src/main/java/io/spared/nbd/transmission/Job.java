package io.spared.nbd.transmission;

/** One request of a client until its whole reply was handed over; used again and again. */
final class Job {
  int type;
  int flags;
  long cookie;
  long offsetBytes;
  long lengthBytes;

  /** How much of it was cut into pieces so far. */
  long cutBytes;

  /** Pieces that were cut and are not over. */
  int pieces;

  /** The protocol's error to answer; 0: none so far. */
  int error;

  /** It takes more than one piece. */
  boolean inPieces;

  /** No piece of it is longer. */
  int pieceBytes;

  /** A part of the reply was sent, so that an error can no longer be the whole reply. */
  boolean begun;

  /** A discard that must be durable is followed by a flush. */
  boolean flushFollows;

  boolean isCut() {
    return cutBytes == lengthBytes;
  }
}
