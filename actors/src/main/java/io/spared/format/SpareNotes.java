package io.spared.format;

import java.util.ArrayList;
import java.util.List;
import java.util.Optional;

/**
 * What a device notes of a spare beside its member: the names and values of these counters and
 * policies. Pure.
 *
 * <p><b>Copies left.</b> A spare that is being left holds no copy of the metadata any more, and
 * blocks still live on it. What stood at the places of its copies stays until they went back to it,
 * and tells how new its disk is: the commit that places the copies elsewhere also notes up to which
 * commit they held everything. The one before it that counted is held by a copy on every spare in
 * service, so on the right disk the newest of them ends there or later ({@link SpareAge}).
 */
public final class SpareNotes {
  private static final String GIVEN_UP = "given-up-";
  private static final String COPIES_LEFT = "copies-left-";

  private SpareNotes() {}

  /** Goes with the commit that gives a spare up which is not there. */
  public static Change gone(int spare) {
    return new Change.CounterSet(GIVEN_UP + spare, 1);
  }

  /**
   * Whether the spare was given up when it was not there. What was on it has been told lost, so it
   * is not used when it comes back; one that was there then goes on to give what it can.
   */
  public static boolean isGone(DeviceImage image, int spare) {
    return image.counters().getOrDefault(GIVEN_UP + spare, 0L) != 0;
  }

  /** Goes with the commit that places the copies anew. */
  public static List<Change> copiesLeft(DeviceImage image, Placement next) {
    List<Change> notes = new ArrayList<>();
    image
        .placement()
        .ifPresent(now ->
            now.spares().stream()
                .filter(spare -> !next.spares().contains(spare))
                .sorted()
                .forEach(spare ->
                    notes.add(new Change.PolicySet(COPIES_LEFT + spare, text(image.position())))));
    return notes;
  }

  private static String text(Position position) {
    return Long.toUnsignedString(position.epoch().counter())
        + ' '
        + Long.toUnsignedString(position.sequence());
  }

  /** Up to where the copies on a spare held everything, when they were placed elsewhere. */
  public static Optional<Position> copiesLeft(DeviceImage image, int spare) {
    String noted = image.policy().getOrDefault(COPIES_LEFT + spare, "");
    int space = noted.indexOf(' ');
    if (space < 0) {
      return Optional.empty();
    }
    try {
      return Optional.of(
          new Position(
              new Epoch(Long.parseUnsignedLong(noted, 0, space, 10), 0),
              Long.parseUnsignedLong(noted, space + 1, noted.length(), 10)));
    } catch (NumberFormatException unreadable) {
      return Optional.empty();
    }
  }

  /** Goes with the commit that takes the spare out. */
  public static List<Change> forgotten(DeviceImage image, int spare) {
    return image.policy().containsKey(COPIES_LEFT + spare)
        ? List.of(new Change.PolicyCleared(COPIES_LEFT + spare))
        : List.of();
  }
}
