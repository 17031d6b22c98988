package io.spared.format;

import java.util.Comparator;
import java.util.List;
import java.util.Optional;
import java.util.UUID;

/**
 * What was read of one place where a copy stands or should stand.
 *
 * @param spareId the spare on which was read
 * @param superblock there when kind is READ
 * @param areas those with a whole seal and header, best first
 * @param newestSealed the newest area with a whole seal, whether its header can be read or not
 * @param mayHoldMore its superblock or a seal could not be read, or a seal is damaged, so that more
 *     may have stood there
 */
public record CopyReading(
    UUID spareId,
    long offsetBytes,
    Kind kind,
    String sentence,
    Optional<Superblock> superblock,
    List<AreaReading> areas,
    Optional<Sealed> newestSealed,
    boolean mayHoldMore) {
  /** An area with a whole seal. */
  public record Sealed(int area, long generation) {}

  /** What stands there. */
  public enum Kind {
    /** A copy of the device with at least one usable area. */
    READ,
    /** The disk did not answer, or what it gave is damaged beyond use. */
    UNREADABLE,
    /** Nothing of ours. */
    BLANK,
    NEWER,
    /** A copy of another device, or of another place. */
    FOREIGN,
    /** The disk is not there. */
    ABSENT
  }

  public CopyReading {
    areas =
        areas.stream()
            .sorted(
                Comparator.comparing(AreaReading::tail)
                    .thenComparing(area -> area.seal().generation())
                    .reversed())
            .toList();
  }

  static CopyReading without(UUID spareId, long offsetBytes, Kind kind, String sentence) {
    return new CopyReading(
        spareId, offsetBytes, kind, sentence, Optional.empty(), List.of(), Optional.empty(), false);
  }

  /** For a disk that is known to hold a copy and is not there. */
  public static CopyReading absent(UUID spareId, long offsetBytes) {
    return without(spareId, offsetBytes, Kind.ABSENT, "its disk is not there");
  }

  /** The area that holds the newest state. */
  public Optional<AreaReading> best() {
    return areas.stream().findFirst();
  }

  /** The same with the checkpoint of one area known to be damaged. */
  public CopyReading damaged(int area, String why) {
    return new CopyReading(
        spareId,
        offsetBytes,
        kind,
        sentence,
        superblock,
        areas.stream()
            .map(reading -> reading.seal().area() == area ? reading.damaged(why) : reading)
            .toList(),
        newestSealed,
        mayHoldMore);
  }
}
