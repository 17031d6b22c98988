package io.spared.ffi.disk;

/**
 * What a disk can do. Sizes are bytes; a granularity or limit of 0 means "not offered" or "no
 * limit".
 */
public record DiskGeometry(
    long sizeBytes,
    int logicalSectorBytes,
    int physicalSectorBytes,
    long discardGranularityBytes,
    boolean rotational,
    boolean volatileCache,
    int maxTransferBytes) {}
