package io.spared.device;

import io.spared.format.DeviceImage;
import io.spared.metadata.MetadataReply;
import io.spared.queue.QueueCounts;
import java.time.Instant;
import java.util.ArrayList;
import java.util.HashMap;
import java.util.List;
import java.util.Map;
import java.util.Optional;

/** Puts a device's status together from what its parts know. */
final class StatusOf {
  private StatusOf() {}

  static DeviceStatus device(
      DeviceSettings settings,
      Life life,
      Optional<Serving> serving,
      int heldQuestions,
      int restarts,
      Optional<Instant> since) {
    Optional<DeviceImage> image = serving.map(Serving::image);
    Optional<MetadataReply.Status> metadata = serving.map(Serving::metadata);
    return new DeviceStatus(
        settings.name(),
        settings.description(),
        image.map(i -> i.deviceId().toString()).orElse(""),
        life.phase(),
        life.sentence(),
        life.frozen(),
        List.copyOf(life.troubles().values()),
        image.map(i -> i.geometry().deviceBytes()).orElse(0L),
        image.map(i -> i.geometry().blockBytes()).orElse(0),
        image.map(i -> i.geometry().sectorBytes()).orElse(0),
        image.map(i -> i.form().name().toLowerCase(java.util.Locale.ROOT)).orElse(""),
        image.map(i -> i.epoch().toString()).orElse(""),
        image.map(i -> i.position().sequence()).orElse(0L),
        serving.map(s -> s.disks().status()).orElse(List.of()),
        copies(metadata),
        serving.map(Serving::remaps).orElse(new DeviceStatus.Remaps(0, 0, 0, 0, 0, 0, 0)),
        new DeviceStatus.Traffic(
            serving.map(s -> s.queues().count()).orElse(0),
            serving.map(s -> s.queues().users()).orElse(List.of()),
            metadata.map(MetadataReply.Status::heldWrites).orElse(0),
            heldQuestions,
            serving.map(s -> s.doubts().inDoubtCount()).orElse(0),
            serving.map(s -> operations(s.queues().counts())).orElse(Map.of()),
            serving.map(s -> s.queues().uses()).orElse(List.of())),
        serving.map(s -> s.commits().status()).orElse(DeviceStatus.Commits.NONE),
        repairs(settings, metadata),
        serving
            .map(s -> s.scrubStatus())
            .orElse(
                new DeviceStatus.Scrubs(
                    0, Optional.empty(), Optional.empty(), 0, Optional.empty(), 0, false)),
        serving.map(Serving::jobs).orElse(List.of()),
        restarts,
        since,
        Policy.shown(settings, image.map(i -> (Map<String, String>) i.policy()).orElse(Map.of())),
        serving.flatMap(s -> s.replacement().status()));
  }

  private static Map<String, QueueCounts.OperationCount> operations(QueueCounts counts) {
    Map<String, QueueCounts.OperationCount> named = new HashMap<>();
    counts.operations().forEach((operation, count) -> named.put(operation.name(), count));
    return named;
  }

  private static DeviceStatus.Copies copies(Optional<MetadataReply.Status> metadata) {
    if (metadata.isEmpty()) {
      return new DeviceStatus.Copies(0, 0, false, List.of());
    }
    MetadataReply.Status status = metadata.get();
    List<String> each = new ArrayList<>();
    for (MetadataReply.CopyStatus copy : status.copies()) {
      each.add(
          "copy "
              + copy.copy()
              + " on spare "
              + copy.spare()
              + " at "
              + copy.offsetBytes()
              + ": "
              + switch (copy.state()) {
                case IN_STEP -> "in step";
                case STALE -> "stale";
                case REPAIRING -> "being repaired";
                case HELD -> "held by the kernel";
                case GONE -> "gone";
              }
              + (copy.reason().isEmpty() ? "" : " (" + copy.reason() + ")"));
    }
    return new DeviceStatus.Copies(
        status.healthy(),
        status.copies().size(),
        status.state() == MetadataReply.State.READY,
        each);
  }

  private static DeviceStatus.Repairs repairs(
      DeviceSettings settings, Optional<MetadataReply.Status> metadata) {
    if (metadata.isEmpty()) {
      return new DeviceStatus.Repairs(settings.upkeep().autoRepair(), 0, 0, 0, Optional.empty());
    }
    MetadataReply.Status status = metadata.get();
    return new DeviceStatus.Repairs(
        status.autoRepair(),
        status.copies().size() - status.healthy(),
        status.repairsDone(),
        status.repairsFailed(),
        time(status.lastRepairMillis()));
  }

  static Optional<Instant> time(long millis) {
    return millis <= 0 ? Optional.empty() : Optional.of(Instant.ofEpochMilli(millis));
  }
}
