package io.spared.nbd.transmission;

/**
 * A session's bounds.
 *
 * @param requests of the client in hand at a time
 * @param pieceBytes a request is carried in pieces of at most so much, a multiple of every sector
 * @param stallNanos no progress in the middle of a frame or a reply for so long ends it
 * @param idleNanos no request for so long ends it; 0: never
 */
public record SessionLimits(int requests, int pieceBytes, long stallNanos, long idleNanos) {}
