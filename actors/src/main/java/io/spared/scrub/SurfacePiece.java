package io.spared.scrub;

/**
 * A piece of a disk to be read.
 *
 * @param disk as in {@link io.spared.disk.DiskNumber}
 * @param offsetBytes on that disk
 * @param deviceBytes how far the pass has come with this piece, of all that there is to read
 */
record SurfacePiece(
    int disk, long offsetBytes, int lengthBytes, long firstBlock, long place, long deviceBytes) {}
