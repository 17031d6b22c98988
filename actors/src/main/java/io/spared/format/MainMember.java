package io.spared.format;

import java.util.UUID;

/**
 * The main disk of a device.
 *
 * @param mainId the identity in its label; for adopt it stands only in the metadata
 * @param dataOffsetBytes where the device's first byte stands on it
 */
public record MainMember(UUID mainId, DiskEvidence evidence, long dataOffsetBytes) {}
