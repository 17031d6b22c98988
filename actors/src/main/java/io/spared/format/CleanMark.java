package io.spared.format;

import java.util.UUID;

/**
 * A clean stop: everything flushed, nothing in doubt.
 *
 * @param headsHash of the partition and file-system heads of main ({@link MainHeads}), by which a
 *     later start sees that somebody wrote main without spared; 0 when it was not taken
 */
public record CleanMark(UUID hostId, long headsHash, long timeMillis) {}
