package io.spared.app.control;

import io.prometheus.metrics.expositionformats.PrometheusTextFormatWriter;
import io.prometheus.metrics.model.snapshots.ClassicHistogramBuckets;
import io.prometheus.metrics.model.snapshots.CounterSnapshot;
import io.prometheus.metrics.model.snapshots.GaugeSnapshot;
import io.prometheus.metrics.model.snapshots.HistogramSnapshot;
import io.prometheus.metrics.model.snapshots.Labels;
import io.prometheus.metrics.model.snapshots.MetricSnapshots;
import io.spared.device.DeviceStatus;
import io.spared.device.Phase;
import io.spared.ffi.system.IoFlusher;
import io.spared.queue.Latencies;
import io.spared.spare.SpareUsage;
import java.io.ByteArrayOutputStream;
import java.io.IOException;
import java.nio.charset.StandardCharsets;
import java.util.List;
import java.util.Locale;
import java.util.Map;
import java.util.TreeMap;
import java.util.function.ToDoubleFunction;

/** What the actors know, in Prometheus' format. Nothing is counted here. */
final class Metrics {
  private final List<DeviceStatus> devices;
  private final MetricSnapshots.Builder all = MetricSnapshots.builder();

  private Metrics(List<DeviceStatus> devices) {
    this.devices = devices;
  }

  /** All that is shown. */
  record Source(
      List<DeviceStatus> devices,
      List<SpareUsage> spares,
      Map<String, Long> events,
      List<IoFlusher.ThreadFlag> threads) {
    Source withEvents(Map<String, Long> counted) {
      return new Source(devices, spares, counted, threads);
    }

    Source withThreads(List<IoFlusher.ThreadFlag> now) {
      return new Source(devices, spares, events, now);
    }
  }

  static String render(Source source) {
    Metrics metrics = new Metrics(source.devices());
    metrics.devices();
    metrics.spares(source.spares());
    metrics.events(source.events());
    metrics.threads(source.threads());
    ByteArrayOutputStream out = new ByteArrayOutputStream();
    try {
      PrometheusTextFormatWriter.create().write(out, metrics.all.build());
    } catch (IOException impossible) {
      throw new IllegalStateException(impossible);
    }
    return out.toString(StandardCharsets.UTF_8);
  }

  private void devices() {
    GaugeSnapshot.Builder states =
        GaugeSnapshot.builder()
            .name("spared_device_state")
            .help("1 for the state that the device is in");
    for (DeviceStatus device : devices) {
      for (Phase phase : Phase.values()) {
        states.dataPoint(
            GaugeSnapshot.GaugeDataPointSnapshot.builder()
                .labels(
                    Labels.of(
                        "device", device.name(), "state", phase.name().toLowerCase(Locale.ROOT)))
                .value(phase == device.phase() ? 1 : 0)
                .build());
      }
    }
    all.metricSnapshot(states.build());
    gauge("spared_device_size_bytes", "Size of the device", DeviceStatus::sizeBytes);
    gauge("spared_copies", "Copies of the metadata", d -> d.copies().total());
    gauge("spared_copies_good", "Copies that hold every commit", d -> d.copies().good());
    gauge("spared_quorum", "1 while commits can be made", d -> d.copies().quorum() ? 1 : 0);
    gauge("spared_remapped_blocks", "Blocks that live on a spare", d -> d.remaps().remapped());
    gauge("spared_pending_blocks", "Blocks with unreadable sectors", d -> d.remaps().pending());
    gauge("spared_lost_sectors", "Sectors whose content is lost", d -> d.remaps().lostSectors());
    gauge("spared_slots", "Slots lent to the device", d -> d.remaps().slots());
    gauge("spared_slots_free", "Slots that are free", d -> d.remaps().freeSlots());
    gauge("spared_slots_retired", "Slots that failed", d -> d.remaps().retiredSlots());
    gauge("spared_queues", "Queues that are open", d -> d.traffic().queues());
    gauge(
        "spared_held_requests", "Questions kept while assembling", d -> d.traffic().heldRequests());
    gauge("spared_in_doubt", "Ranges under abandoned requests", d -> d.traffic().inDoubt());
    gauge(
        "spared_surface_scan_ratio",
        "Progress of the scan",
        d -> d.scrubs().surfacePercent() / 100);
    counter("spared_relocations", "Blocks that were moved", d -> d.remaps().relocations());
    counter("spared_commits", "Commits that are durable", d -> d.commits().committed());
    counter(
        "spared_commits_indeterminate",
        "Commits without their quorum",
        d -> d.commits().indeterminate());
    counter("spared_commits_refused", "Commits refused", d -> d.commits().refused());
    gauge("spared_repairs_pending", "Copies that need repair", d -> d.repairs().pending());
    counter("spared_repairs", "Copies that were repaired", d -> d.repairs().done());
    counter("spared_repairs_failed", "Repairs that failed", d -> d.repairs().failed());
    counter("spared_scrubs", "Scrubs of the metadata", d -> d.scrubs().completed());
    counter("spared_restarts", "Restarts after a crash of a part", DeviceStatus::restarts);
    disks();
    operations();
    commitTimes();
  }

  private void disks() {
    CounterSnapshot.Builder errors =
        CounterSnapshot.builder().name("spared_disk_errors").help("Errors of a disk by kind");
    GaugeSnapshot.Builder held =
        GaugeSnapshot.builder()
            .name("spared_disk_held_requests")
            .help("Abandoned requests that the kernel still holds");
    for (DeviceStatus device : devices) {
      for (DeviceStatus.DiskStatus disk : device.disks()) {
        held.dataPoint(
            gaugePoint(Labels.of("device", device.name(), "disk", disk.role()), disk.held()));
        Map<String, Long> kinds = new TreeMap<>();
        kinds.put("media", disk.mediaErrors());
        kinds.put("transport", disk.transportErrors());
        kinds.put("timeout", disk.timeouts());
        kinds.forEach((kind, count) ->
            errors.dataPoint(
                CounterSnapshot.CounterDataPointSnapshot.builder()
                    .labels(Labels.of("device", device.name(), "disk", disk.role(), "kind", kind))
                    .value(count)
                    .build()));
      }
    }
    all.metricSnapshot(errors.build());
    all.metricSnapshot(held.build());
  }

  private void operations() {
    CounterSnapshot.Builder bytes =
        CounterSnapshot.builder().name("spared_io_bytes").help("Bytes of requests by operation");
    CounterSnapshot.Builder errors =
        CounterSnapshot.builder().name("spared_io_errors").help("Failed requests by operation");
    HistogramSnapshot.Builder times =
        HistogramSnapshot.builder()
            .name("spared_io_seconds")
            .help("Requests by operation and how long they took");
    for (DeviceStatus device : devices) {
      new TreeMap<>(device.traffic().operations())
          .forEach((operation, count) -> {
            Labels labels =
                Labels.of("device", device.name(), "operation", operation.toLowerCase(Locale.ROOT));
            bytes.dataPoint(point(labels, (double) count.bytes()));
            errors.dataPoint(point(labels, (double) count.errors()));
            times.dataPoint(histogram(labels, count.latencies()));
          });
    }
    all.metricSnapshot(bytes.build());
    all.metricSnapshot(errors.build());
    all.metricSnapshot(times.build());
  }

  private void commitTimes() {
    HistogramSnapshot.Builder times =
        HistogramSnapshot.builder()
            .name("spared_commit_seconds")
            .help("Commits by how long they took until they were durable on a quorum");
    for (DeviceStatus device : devices) {
      times.dataPoint(histogram(Labels.of("device", device.name()), device.commits().latencies()));
    }
    all.metricSnapshot(times.build());
  }

  private static HistogramSnapshot.HistogramDataPointSnapshot histogram(
      Labels labels, Latencies latencies) {
    ClassicHistogramBuckets.Builder buckets = ClassicHistogramBuckets.builder();
    for (int place = 0; place < latencies.counts().size(); place++) {
      long bound = Latencies.boundNanos(place);
      buckets.bucket(
          bound == Long.MAX_VALUE ? Double.POSITIVE_INFINITY : bound / 1e9,
          latencies.counts().get(place));
    }
    return HistogramSnapshot.HistogramDataPointSnapshot.builder()
        .labels(labels)
        .classicHistogramBuckets(buckets.build())
        .sum(latencies.sumNanos() / 1e9)
        .build();
  }

  private static CounterSnapshot.CounterDataPointSnapshot point(Labels labels, double value) {
    return CounterSnapshot.CounterDataPointSnapshot.builder().labels(labels).value(value).build();
  }

  private void spares(List<SpareUsage> spares) {
    GaugeSnapshot.Builder size =
        GaugeSnapshot.builder().name("spared_spare_size_bytes").help("Size of the spare disk");
    GaugeSnapshot.Builder lent =
        GaugeSnapshot.builder().name("spared_spare_lent_bytes").help("Lent to devices");
    GaugeSnapshot.Builder free =
        GaugeSnapshot.builder().name("spared_spare_free_bytes").help("Free to be lent");
    for (SpareUsage spare : spares) {
      Labels labels = Labels.of("spare", spare.address());
      size.dataPoint(gaugePoint(labels, (double) spare.sizeBytes()));
      lent.dataPoint(gaugePoint(labels, (double) spare.lentBytes()));
      free.dataPoint(gaugePoint(labels, (double) spare.freeBytes()));
    }
    all.metricSnapshot(size.build());
    all.metricSnapshot(lent.build());
    all.metricSnapshot(free.build());
  }

  private void events(Map<String, Long> events) {
    CounterSnapshot.Builder counts =
        CounterSnapshot.builder().name("spared_events").help("Events by kind");
    new TreeMap<>(events)
        .forEach((kind, count) -> counts.dataPoint(point(Labels.of("kind", kind), count)));
    all.metricSnapshot(counts.build());
  }

  private void threads(List<IoFlusher.ThreadFlag> threads) {
    GaugeSnapshot.Builder gauge =
        GaugeSnapshot.builder()
            .name("spared_threads")
            .help("Threads of the daemon, by whether they have the I/O-flusher flag");
    for (boolean flusher : new boolean[] {true, false}) {
      gauge.dataPoint(
          gaugePoint(
              Labels.of("io_flusher", Boolean.toString(flusher)),
              (double) threads.stream().filter(t -> t.flusher() == flusher).count()));
    }
    all.metricSnapshot(gauge.build());
  }

  private void gauge(String name, String help, ToDoubleFunction<DeviceStatus> value) {
    GaugeSnapshot.Builder gauge = GaugeSnapshot.builder().name(name).help(help);
    for (DeviceStatus device : devices) {
      gauge.dataPoint(gaugePoint(Labels.of("device", device.name()), value.applyAsDouble(device)));
    }
    all.metricSnapshot(gauge.build());
  }

  private static GaugeSnapshot.GaugeDataPointSnapshot gaugePoint(Labels labels, double value) {
    return GaugeSnapshot.GaugeDataPointSnapshot.builder().labels(labels).value(value).build();
  }

  private void counter(String name, String help, ToDoubleFunction<DeviceStatus> value) {
    CounterSnapshot.Builder counter = CounterSnapshot.builder().name(name).help(help);
    for (DeviceStatus device : devices) {
      counter.dataPoint(point(Labels.of("device", device.name()), value.applyAsDouble(device)));
    }
    all.metricSnapshot(counter.build());
  }
}
