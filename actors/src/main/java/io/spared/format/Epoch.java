package io.spared.format;

import java.util.Optional;

/**
 * One start of a device. The counter rises with every start; the random start id tells apart two
 * starts that could not know of each other.
 */
public record Epoch(long counter, long startId) {
  public static final Epoch NONE = new Epoch(0, 0);

  /** What a device bears that was created and never started. */
  public static final long CREATED = 1;

  /** Whether a daemon began it, and not whoever created the device. */
  public boolean isStart() {
    return counter > CREATED;
  }

  /** What {@link #toString} wrote; empty for anything else. */
  public static Optional<Epoch> parse(String text) {
    int dash = text.indexOf('-');
    try {
      return dash < 1
          ? Optional.empty()
          : Optional.of(
              new Epoch(
                  Long.parseLong(text.substring(0, dash)),
                  Long.parseUnsignedLong(text.substring(dash + 1), 16)));
    } catch (NumberFormatException e) {
      return Optional.empty();
    }
  }

  @Override
  public String toString() {
    return counter + "-" + Long.toHexString(startId);
  }
}
