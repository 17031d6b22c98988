package io.spared.queue;

import java.util.EnumMap;
import java.util.Map;
import java.util.Objects;

/** Counts a queue's requests as they end, on the queue's thread, and allocates nothing for it. */
final class QueueStatistics {
  private static final class Tally {
    long requests;
    long bytes;
    long errors;
    final LatencyHistogram latencies = new LatencyHistogram();
  }

  private final EnumMap<DeviceRequest.Operation, Tally> tallies =
      new EnumMap<>(DeviceRequest.Operation.class);

  QueueStatistics() {
    for (DeviceRequest.Operation operation : DeviceRequest.Operation.values()) {
      tallies.put(operation, new Tally());
    }
  }

  void ended(DeviceRequest request, long nowNanos) {
    Tally tally = Objects.requireNonNull(tallies.get(request.operation));
    tally.requests++;
    tally.bytes += request.lengthBytes;
    if (request.errno() != null) {
      tally.errors++;
    }
    tally.latencies.add(nowNanos - request.submittedNanos);
  }

  QueueCounts now() {
    Map<DeviceRequest.Operation, QueueCounts.OperationCount> counts =
        new EnumMap<>(DeviceRequest.Operation.class);
    tallies.forEach((operation, tally) -> {
      if (tally.requests > 0) {
        counts.put(
            operation,
            new QueueCounts.OperationCount(
                tally.requests, tally.bytes, tally.errors, tally.latencies.now()));
      }
    });
    return new QueueCounts(counts);
  }
}
