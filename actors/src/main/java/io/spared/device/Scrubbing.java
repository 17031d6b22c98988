package io.spared.device;

import io.spared.ffi.disk.Disk;
import io.spared.format.Change;
import io.spared.format.DeviceImage;
import io.spared.metadata.MetadataCommand;
import io.spared.metadata.MetadataReply;
import io.spared.monitor.Event;
import io.spared.monitor.MonitorCommand;
import io.spared.scrub.ScrubProgress;
import io.spared.scrub.ScrubberCommand;
import io.spared.scrub.ScrubberRequest;
import java.time.Duration;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import java.util.function.Consumer;
import java.util.function.Supplier;
import org.apache.pekko.actor.typed.ActorRef;
import org.jspecify.annotations.Nullable;

/**
 * The scrubber of a device that serves: begun, begun anew after a crash, and ended; and where its
 * surface scan goes on after a restart, which is kept in the device's metadata.
 */
final class Scrubbing {
  /** A scrubber that crashed too often is started again after so long. */
  private static final Duration PAUSE = Duration.ofHours(1);

  /** Where the surface scan goes on after a restart, and how often it was through. */
  private static final String SURFACE_CURSOR = "surface";

  private static final String SURFACE_BEGAN = "surface-began";

  private static final String SURFACE_PASSES = "surface-passes";

  private final Run run;
  private final LiveMap map;
  private final DeviceImage image;
  private final Commits commits;
  private final ActorRef<MetadataCommand> writer;
  private final ActorRef<MetadataReply> metadataInbox;
  private final Supplier<Map<Integer, Disk>> disks;
  private final Consumer<ScrubberRequest.FoundFault> found;
  private DeviceSettings settings;
  private @Nullable ActorRef<ScrubberCommand> scrubber;
  private Optional<ScrubProgress> progress = Optional.empty();
  private int crashes;

  /**
   * @param disks those that are there when it begins
   * @param found what the surface scan could not read
   */
  Scrubbing(
      Run run,
      LiveMap map,
      Commits commits,
      ActorRef<MetadataCommand> writer,
      ActorRef<MetadataReply> metadataInbox,
      Supplier<Map<Integer, Disk>> disks,
      Consumer<ScrubberRequest.FoundFault> found) {
    this.run = run;
    this.map = map;
    this.image = map.image();
    this.commits = commits;
    this.writer = writer;
    this.metadataInbox = metadataInbox;
    this.disks = disks;
    this.found = found;
    this.settings = run.settings;
  }

  void begin() {
    scrubber =
        DeviceChildren.scrubber(
            run, map, disks.get(), cursorBytes(), StatusOf.time(cursor(SURFACE_BEGAN)), settings);
  }

  /** The scrubber knows only the disks that it began with. */
  void restart() {
    end();
    begin();
  }

  private void end() {
    ActorRef<ScrubberCommand> now = scrubber;
    if (now != null) {
      now.tell(new ScrubberCommand.Stop());
      run.leave(now);
      scrubber = null;
    }
  }

  /** Looking for damage ends, and so does mending it. */
  void stop() {
    end();
    writer.tell(new MetadataCommand.CancelScrub());
    writer.tell(new MetadataCommand.CancelRepair());
  }

  /** Nothing durable depends on it: it begins anew, but not again and again at once. */
  void crashed() {
    scrubber = null;
    crashes++;
    boolean atOnce = crashes <= LifeCycle.CRASHES_SURVIVED;
    happened(
        Event.Severity.ERROR,
        "scrubber.crashed",
        "its scrubber crashed; it is started again" + (atOnce ? "" : " in an hour"));
    if (atOnce) {
      begin();
    } else {
      run.later("scrubber", PAUSE.toNanos(), new DeviceNews.ScrubberAgain(run.number));
    }
  }

  void settingsChanged(DeviceSettings next) {
    settings = next;
    tell(new ScrubberCommand.SetPlan(DeviceChildren.plan(next)));
  }

  /** The metadata is read now. */
  void scrubMetadata() {
    writer.tell(new MetadataCommand.Scrub(metadataInbox));
  }

  /** The surface scan goes on at full rate. */
  void scanNow() {
    tell(new ScrubberCommand.ScanNow());
  }

  void metadataScrubbed() {
    tell(new ScrubberCommand.MetadataScrubbed());
  }

  private void tell(ScrubberCommand command) {
    ActorRef<ScrubberCommand> now = scrubber;
    if (now != null) {
      now.tell(command);
    }
  }

  private long cursor(String name) {
    return image.cursors().getOrDefault(name, 0L);
  }

  private long cursorBytes() {
    long cursor = cursor(SURFACE_CURSOR);
    return cursor >= image.geometry().deviceBytes() ? 0 : Math.max(0, cursor);
  }

  void on(ScrubberRequest request) {
    switch (request) {
      case ScrubberRequest.ScrubMetadata scrub -> scrubMetadata();
      case ScrubberRequest.FoundFault fault -> found.accept(fault);
      case ScrubberRequest.SurfaceAt at -> {
        if (cursor(SURFACE_CURSOR) != at.cursorBytes()) {
          note(
              new Change.CursorMoved(SURFACE_CURSOR, at.cursorBytes()),
              new Change.CursorMoved(SURFACE_BEGAN, at.began().toEpochMilli()));
        }
      }
      case ScrubberRequest.SurfaceDone done -> {
        note(
            new Change.CounterSet(
                SURFACE_PASSES, image.counters().getOrDefault(SURFACE_PASSES, 0L) + 1));
        happened(
            Event.Severity.NOTICE,
            "surface.done",
            "the whole surface was read, " + done.unreadableBlocks() + " blocks gave trouble");
      }
      case ScrubberRequest.Overdue late ->
          run.parts
              .monitor()
              .tell(
                  late.overdue()
                      ? new MonitorCommand.Raise(
                          Event.Severity.WARNING,
                          run.settings.name(),
                          "surface.overdue",
                          late.sentence())
                      : new MonitorCommand.Clear(run.settings.name(), "surface.overdue"));
      case ScrubberRequest.Progress told -> progress = Optional.of(told.progress());
      case ScrubberRequest.Stopped stopped -> {}
    }
  }

  private void note(Change... changes) {
    commits.ask(List.of(changes), new Commits.Purpose.Note(), run.nowNanos());
  }

  DeviceStatus.Scrubs status(MetadataReply.@Nullable Status metadata) {
    return new DeviceStatus.Scrubs(
        metadata == null ? 0 : metadata.scrubsDone(),
        metadata == null ? Optional.empty() : StatusOf.time(metadata.lastScrubMillis()),
        progress.flatMap(ScrubProgress::nextScrub),
        progress.map(ScrubProgress::percent).orElse(0.0),
        progress.flatMap(ScrubProgress::surfaceEstimate),
        progress.map(ScrubProgress::faults).orElse(0L),
        metadata != null && metadata.scrubbing());
  }

  private void happened(Event.Severity severity, String kind, String sentence) {
    run.parts
        .monitor()
        .tell(new MonitorCommand.Happened(severity, run.settings.name(), kind, sentence));
  }
}
