package io.spared.format;

import java.util.Optional;

/**
 * What was found of one copy, judged beside the others.
 *
 * @param copy its number, or -1 when not even that can be read
 * @param spare the index of the spare it stands on, or -1
 */
public record CopyFinding(
    int copy,
    int spare,
    long offsetBytes,
    Standing standing,
    Optional<Position> position,
    String sentence) {
  /** How it compares. */
  public enum Standing {
    /** Holds the newest state. */
    CURRENT,
    /** Whole, but older. */
    STALE,
    /** Holds the newest state or an older one, with damage that repair should mend. */
    DAMAGED,
    /** Nothing trustworthy can be read. */
    UNREADABLE,
    /** Its disk is not there. */
    ABSENT,
    /** A whole copy that stands where it does not belong, or of another device. */
    FOREIGN,
    /** Of a placement that was given up. */
    FORMER
  }
}
