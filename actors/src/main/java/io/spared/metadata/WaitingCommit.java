package io.spared.metadata;

import io.spared.format.Change;
import java.util.List;
import java.util.function.Consumer;

/** A commit that was asked for. */
record WaitingCommit(
    long id, List<Change> changes, long deadlineNanos, Consumer<MetadataReply> answer) {}
