package io.spared.format;

import io.spared.ffi.disk.DiskIdentity;

/** By what a disk is known again, as it was when this was recorded. */
public record DiskEvidence(DiskIdentity identity, long sizeBytes, int logicalSectorBytes) {}
