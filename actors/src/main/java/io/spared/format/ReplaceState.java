package io.spared.format;

import java.util.UUID;

/**
 * A disk being replaced: below the cursor writes go to both.
 *
 * @param spare the spare that is replaced, or {@link #MAIN}
 */
public record ReplaceState(int spare, UUID newDiskId, DiskEvidence newDisk, long cursorBytes) {
  public static final int MAIN = 0xFFFF;

  public ReplaceState withCursor(long newCursorBytes) {
    return new ReplaceState(spare, newDiskId, newDisk, newCursorBytes);
  }
}
