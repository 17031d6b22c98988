package io.spared.format;

import java.util.Optional;

/**
 * What was read of one area with a whole seal: its header, and how far its log goes. The table
 * itself was not read.
 *
 * @param header everything but table and retired slots, at the log's tail
 * @param tail the last commit that the log holds
 * @param tailChecksum what the next record would continue
 * @param logBytes how much of the log is used
 * @param damage why the checkpoint cannot be loaded, once that is known
 */
public record AreaReading(
    Seal seal,
    DeviceImage header,
    Position tail,
    int tailChecksum,
    long logBytes,
    LogEnd logEnd,
    String sentence,
    Optional<String> damage) {
  /** How a log ends. */
  public enum LogEnd {
    /** In a unit that was read and holds no whole next record: nothing more, or one torn. */
    CLEAN,
    /** Before a gap behind which more records stand: some are lost. */
    BROKEN,
    /** At a unit that cannot be read: nobody knows what stood there. */
    UNREADABLE
  }

  /** The same with its checkpoint known to be damaged. */
  public AreaReading damaged(String why) {
    return new AreaReading(
        seal, header, tail, tailChecksum, logBytes, logEnd, sentence, Optional.of(why));
  }

  /** The same where a newer area of its copy is lost, or may be: nobody knows what it held. */
  public AreaReading behindLostArea() {
    return new AreaReading(
        seal,
        header,
        tail,
        tailChecksum,
        logBytes,
        LogEnd.UNREADABLE,
        "a newer area of this copy stands or may stand there, and cannot be read",
        damage);
  }

  /** Whether its last commit is certainly the last it was given. */
  public boolean isTailKnown() {
    return logEnd == LogEnd.CLEAN;
  }
}
