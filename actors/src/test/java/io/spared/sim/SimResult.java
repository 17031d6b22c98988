package io.spared.sim;

import java.util.List;
import org.jspecify.annotations.Nullable;

/** What came of one run. */
record SimResult(
    long seed,
    @Nullable String violation,
    long traceHash,
    long simulatedNanos,
    long diskRequests,
    long clientRequests,
    long clientFailures,
    int lives,
    long faults,
    Coverage coverage,
    List<String> lastLines) {}
