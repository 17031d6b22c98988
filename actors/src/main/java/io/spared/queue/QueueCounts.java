package io.spared.queue;

import java.util.EnumMap;
import java.util.Map;

/** What a queue has done since it was opened, by operation; those it never did are left out. */
public record QueueCounts(Map<DeviceRequest.Operation, OperationCount> operations) {
  /** Every request that ended, whatever its end, and the bytes it was about. */
  public record OperationCount(long requests, long bytes, long errors, Latencies latencies) {
    OperationCount plus(OperationCount other) {
      return new OperationCount(
          requests + other.requests,
          bytes + other.bytes,
          errors + other.errors,
          latencies.plus(other.latencies));
    }
  }

  public static final QueueCounts NONE = new QueueCounts(Map.of());

  public QueueCounts {
    operations = Map.copyOf(operations);
  }

  public long requests() {
    return operations.values().stream().mapToLong(OperationCount::requests).sum();
  }

  public long errors() {
    return operations.values().stream().mapToLong(OperationCount::errors).sum();
  }

  public QueueCounts plus(QueueCounts other) {
    Map<DeviceRequest.Operation, OperationCount> sums =
        new EnumMap<>(DeviceRequest.Operation.class);
    sums.putAll(operations);
    other.operations.forEach(
        (operation, count) -> sums.merge(operation, count, OperationCount::plus));
    return new QueueCounts(sums);
  }
}
