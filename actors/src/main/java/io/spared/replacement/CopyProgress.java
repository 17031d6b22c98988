package io.spared.replacement;

/**
 * How far a copy is.
 *
 * @param copiedBytes of the device, including what lives on spares and need not be copied
 * @param againBytes still to be copied again, since a crash may have left it on one disk only
 * @param movedBlocks could not be read from main and are on a spare now
 */
public record CopyProgress(
    long copiedBytes, long totalBytes, long againBytes, long movedBlocks, long bytesPerSecond) {}
