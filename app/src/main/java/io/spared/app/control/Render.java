package io.spared.app.control;

import io.spared.device.DeviceStatus;
import io.spared.discovery.DiscoveryCommand;
import io.spared.discovery.Judgement;
import io.spared.ffi.system.IoFlusher;
import io.spared.monitor.Event;
import io.spared.queue.Latencies;
import io.spared.queue.QueueCounts;
import io.spared.spare.SpareUsage;
import java.time.Instant;
import java.time.temporal.ChronoUnit;
import java.util.ArrayList;
import java.util.List;
import java.util.Locale;
import java.util.Map;
import java.util.Optional;
import java.util.TreeMap;
import java.util.stream.Collectors;

/** Answers for people. The daemon writes them, so that the client needs to know nothing. */
final class Render {
  private Render() {}

  /** All devices in a table. */
  static String scan(DiscoveryCommand.ScanReport report) {
    StringBuilder text = new StringBuilder();
    text.append("scan ")
        .append(report.why())
        .append(": ")
        .append(report.lookedAt())
        .append(" disks read, ")
        .append(report.judgements().size())
        .append(" set-ups found, automatic activation is ")
        .append(report.automatic() ? "on" : "off")
        .append(report.complete() ? "\n" : "; the scan is not complete\n");
    for (Judgement judgement : report.judgements()) {
      judgement.lines().forEach(line -> text.append(line).append('\n'));
      if (judgement.decision() == Judgement.Decision.ACTIVATE
          && !report.activated().contains(judgement.name())) {
        text.append(notStarted(report, judgement)).append('\n');
      }
    }
    report.activated().forEach(name -> text.append("started: ").append(name).append('\n'));
    report.leftAlone().forEach(line -> text.append("left alone: ").append(line).append('\n'));
    return text.toString();
  }

  private static String notStarted(DiscoveryCommand.ScanReport report, Judgement certain) {
    if (report.automatic()) {
      return "  not started by this scan";
    }
    String disks =
        certain
            .setUp()
            .map(found ->
                ", or spared ctl start "
                    + certain.name()
                    + " --main "
                    + found.main()
                    + found.spares().stream()
                        .map(spare -> " --spare " + spare)
                        .collect(Collectors.joining()))
            .orElse("");
    return "  not started, since automatic activation is off: spared ctl auto-activate on" + disks;
  }

  static String devices(List<DeviceStatus> devices) {
    if (devices.isEmpty()) {
      return "no devices; see conf/spared.conf, or spared ctl create\n";
    }
    List<List<String>> rows = new ArrayList<>();
    rows.add(
        List.of("DEVICE", "STATE", "SIZE", "COPIES", "REMAPPED", "PENDING", "FREE", "QUEUES", ""));
    for (DeviceStatus device : devices) {
      rows.add(
          List.of(
              device.name(),
              device.phase().name().toLowerCase(Locale.ROOT),
              device.sizeBytes() == 0 ? "-" : bytes(device.sizeBytes()),
              device.copies().good() + "/" + device.copies().total(),
              Long.toString(device.remaps().remapped()),
              Long.toString(device.remaps().pending()),
              Long.toString(device.remaps().freeSlots()),
              Integer.toString(device.traffic().queues()),
              device.sentence().equals("serves") ? "" : device.sentence()));
    }
    return table(rows);
  }

  /** One device in full. */
  static String device(DeviceStatus d) {
    StringBuilder text = new StringBuilder();
    line(text, d.name(), d.sentence() + (d.description().isEmpty() ? "" : " - " + d.description()));
    line(text, "state", d.phase().name().toLowerCase(Locale.ROOT) + (d.frozen() ? ", frozen" : ""));
    if (!d.uuid().isEmpty()) {
      line(text, "uuid", d.uuid());
      line(
          text,
          "size",
          bytes(d.sizeBytes())
              + ", sectors of "
              + d.sectorBytes()
              + ", blocks of "
              + d.blockBytes()
              + ", form "
              + d.form());
      line(text, "metadata", "epoch " + d.epoch() + ", sequence " + d.sequence());
    }
    line(
        text,
        "copies",
        d.copies().total() == 0
            ? "not in use"
            : d.copies().good()
                + " of "
                + d.copies().total()
                + (d.copies().quorum() ? "" : ", NO QUORUM"));
    for (String copy : d.copies().each()) {
      line(text, "", copy);
    }
    for (DeviceStatus.DiskStatus disk : d.disks()) {
      line(
          text,
          disk.role(),
          disk.address()
              + ", "
              + bytes(disk.sizeBytes())
              + ", "
              + disk.health()
              + ", media errors "
              + disk.mediaErrors()
              + ", transport "
              + disk.transportErrors()
              + ", timeouts "
              + disk.timeouts()
              + (disk.held() == 0 ? "" : ", held by the kernel " + disk.held()));
    }
    d.replacing()
        .ifPresent(copy ->
            line(
                text,
                "replacing",
                "main by "
                    + copy.disk()
                    + ", "
                    + copy.phase()
                    + ", "
                    + bytes(copy.copiedBytes())
                    + " of "
                    + bytes(copy.totalBytes())
                    + (copy.againBytes() == 0 ? "" : ", again " + bytes(copy.againBytes()))
                    + ", unreadable blocks moved "
                    + copy.movedBlocks()
                    + ", at most "
                    + bytes(copy.bytesPerSecond())
                    + " in a second"
                    + (copy.waits().isEmpty() ? "" : "; waits: " + copy.waits())));
    DeviceStatus.Remaps r = d.remaps();
    line(
        text,
        "remaps",
        r.remapped()
            + " blocks, "
            + r.lostSectors()
            + " sectors lost, "
            + r.pending()
            + " pending, "
            + r.relocations()
            + " moved since the start");
    line(
        text,
        "slots",
        r.freeSlots() + " free of " + r.slots() + ", " + r.retiredSlots() + " retired");
    for (DeviceStatus.Job job : d.jobs()) {
      line(text, "job", job.what() + ": " + job.sentence());
    }
    DeviceStatus.Traffic t = d.traffic();
    line(text, "used by", t.users().isEmpty() ? "nobody" : String.join(", ", t.users()));
    for (Map.Entry<String, QueueCounts.OperationCount> entry :
        new TreeMap<>(t.operations()).entrySet()) {
      QueueCounts.OperationCount count = entry.getValue();
      line(
          text,
          entry.getKey().toLowerCase(Locale.ROOT),
          count.requests()
              + " requests, "
              + bytes(count.bytes())
              + ", "
              + count.errors()
              + " errors"
              + times(count.latencies()));
    }
    for (DeviceStatus.QueueUse use : t.uses()) {
      line(
          text,
          "queue " + use.queue(),
          use.user() + ", " + use.requests() + " requests, " + use.errors() + " errors");
    }
    if (t.heldRequests() > 0 || t.inDoubt() > 0 || t.held() > 0) {
      line(
          text,
          "waiting",
          t.heldRequests()
              + " requests held, "
              + t.inDoubt()
              + " ranges in doubt, "
              + t.held()
              + " held by the kernel");
    }
    DeviceStatus.Commits c = d.commits();
    line(
        text,
        "commits",
        c.committed()
            + ", indeterminate "
            + c.indeterminate()
            + ", refused "
            + c.refused()
            + String.format(Locale.ROOT, ", last took %.1f ms", c.lastMillis())
            + times(c.latencies()));
    DeviceStatus.Repairs repairs = d.repairs();
    line(
        text,
        "repairs",
        repairs.done()
            + " done, "
            + repairs.failed()
            + " failed, "
            + repairs.pending()
            + " pending, last "
            + when(repairs.last())
            + (repairs.automatic() ? "" : ", automatic repair is off"));
    DeviceStatus.Scrubs s = d.scrubs();
    line(
        text,
        "scrubs",
        s.completed()
            + " completed"
            + (s.running() ? ", one is running" : "")
            + ", last "
            + when(s.last())
            + ", next "
            + when(s.next()));
    line(
        text,
        "surface",
        String.format(Locale.ROOT, "%.2f%% read", s.surfacePercent())
            + s.surfaceEstimate()
                .map(end -> ", at this pace done by " + when(Optional.of(end)))
                .orElse("")
            + ", "
            + s.surfaceUnreadable()
            + " unreadable blocks found"
            + (isOff(d, "surface-scan") ? "; switched off" : ""));
    if (d.restarts() > 0) {
      line(text, "restarts", Integer.toString(d.restarts()));
    }
    for (Map.Entry<String, DeviceStatus.PolicyValue> entry : new TreeMap<>(d.policy()).entrySet()) {
      line(
          text, entry.getKey(), entry.getValue().value() + "  (" + entry.getValue().source() + ")");
    }
    return text.toString();
  }

  private static boolean isOff(DeviceStatus d, String setting) {
    DeviceStatus.PolicyValue value = d.policy().get(setting);
    return value != null && value.value().equals("off");
  }

  static String spares(List<SpareUsage> spares) {
    List<List<String>> rows = new ArrayList<>();
    rows.add(List.of("SPARE", "SIZE", "LENT", "FREE", "DEVICES"));
    for (SpareUsage spare : spares) {
      rows.add(
          List.of(
              spare.address(),
              bytes(spare.sizeBytes()),
              spare.percent() + "%",
              bytes(spare.freeBytes()),
              String.join(", ", spare.devices())));
    }
    return table(rows);
  }

  static String threads(List<IoFlusher.ThreadFlag> threads) {
    List<List<String>> rows = new ArrayList<>();
    rows.add(List.of("THREAD", "NAME", "I/O-FLUSHER"));
    for (IoFlusher.ThreadFlag thread : threads) {
      rows.add(
          List.of(
              Long.toString(thread.threadId()), thread.name(), thread.flusher() ? "yes" : "no"));
    }
    return table(rows) + IoFlusher.summary(threads) + "\n";
  }

  static String events(List<Event> events) {
    StringBuilder text = new StringBuilder();
    for (Event event : events) {
      text.append(event(event)).append('\n');
    }
    return text.toString();
  }

  static String event(Event event) {
    return event.time().truncatedTo(ChronoUnit.MILLIS)
        + " "
        + event.severity().name().toLowerCase(Locale.ROOT)
        + " "
        + (event.device().isEmpty() ? "-" : event.device())
        + " "
        + event.kind()
        + ": "
        + event.sentence();
  }

  static String bytes(long bytes) {
    String[] units = {"B", "KiB", "MiB", "GiB", "TiB", "PiB"};
    double value = bytes;
    int unit = 0;
    while (value >= 1024 && unit < units.length - 1) {
      value /= 1024;
      unit++;
    }
    return unit == 0 || value == Math.rint(value)
        ? String.format(Locale.ROOT, "%.0f %s", value, units[unit])
        : String.format(Locale.ROOT, "%.1f %s", value, units[unit]);
  }

  /** Half and all but a hundredth, as far as powers of two tell. */
  private static String times(Latencies latencies) {
    return latencies.total() == 0
        ? ""
        : ", half within "
            + time(latencies.shareBelowNanos(0.5))
            + ", 99% within "
            + time(latencies.shareBelowNanos(0.99));
  }

  private static String time(long nanos) {
    if (nanos == Long.MAX_VALUE) {
      return "more than a minute";
    }
    return nanos < 1_000_000_000
        ? String.format(Locale.ROOT, "%.3g ms", nanos / 1e6)
        : String.format(Locale.ROOT, "%.1f s", nanos / 1e9);
  }

  private static String when(Optional<Instant> time) {
    return time.map(t -> t.truncatedTo(ChronoUnit.SECONDS).toString()).orElse("never");
  }

  private static void line(StringBuilder text, String name, String value) {
    text.append(String.format(Locale.ROOT, "%-16s %s%n", name, value));
  }

  private static String table(List<List<String>> rows) {
    int[] widths = new int[rows.get(0).size()];
    for (List<String> row : rows) {
      for (int i = 0; i < widths.length; i++) {
        widths[i] = Math.max(widths[i], row.get(i).length());
      }
    }
    StringBuilder text = new StringBuilder();
    for (List<String> row : rows) {
      StringBuilder line = new StringBuilder();
      for (int i = 0; i < widths.length; i++) {
        line.append(String.format(Locale.ROOT, "%-" + Math.max(1, widths[i]) + "s  ", row.get(i)));
      }
      text.append(line.toString().stripTrailing()).append('\n');
    }
    return text.toString();
  }
}
