package io.spared.queue;

import io.spared.ffi.disk.Disk;
import io.spared.format.Geometry;
import io.spared.remap.RemapTable;
import java.util.Map;
import java.util.function.Consumer;

/**
 * What a device gives a frontend to build one queue with.
 *
 * @param queueId unlike that of any other queue of this device since it was assembled
 * @param spares the spares whose disks are there, by index
 * @param doubts shared by all queues of the device and its relocator, made anew with each assembly
 * @param reports how the device is told; called on the queue's thread
 */
public record QueueContext(
    int queueId,
    Geometry geometry,
    RemapTable table,
    Disk main,
    Map<Integer, Disk> spares,
    QueuePolicy policy,
    DeviceDoubts doubts,
    Consumer<QueueReport> reports) {

  public QueueContext {
    spares = Map.copyOf(spares);
  }

  void report(QueueReport report) {
    reports.accept(report);
  }
}
