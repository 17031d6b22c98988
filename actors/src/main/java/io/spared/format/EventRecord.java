package io.spared.format;

/**
 * One entry of the device's own history.
 *
 * @param block the block it is about, or -1
 */
public record EventRecord(long timeMillis, String kind, long block, String text) {}
