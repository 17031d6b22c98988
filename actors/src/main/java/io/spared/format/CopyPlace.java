package io.spared.format;

/** Where one copy of the metadata stands. */
public record CopyPlace(int copy, int spare, long offsetBytes) {}
