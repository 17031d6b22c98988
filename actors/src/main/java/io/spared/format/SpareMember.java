package io.spared.format;

import java.util.UUID;

/**
 * One spare of a device.
 *
 * @param index its number within the device, 0 to {@link #INDEX_MAX}, never used again for another
 * @param spareId the identity in the spare's own table
 */
public record SpareMember(int index, UUID spareId, DiskEvidence evidence, SpareState state) {
  /** Above are numbers that mark entries without a spare. */
  public static final int INDEX_MAX = 0xFFEF;

  public SpareMember withState(SpareState newState) {
    return new SpareMember(index, spareId, evidence, newState);
  }

  public SpareMember withEvidence(DiskEvidence newEvidence) {
    return new SpareMember(index, spareId, newEvidence, state);
  }
}
