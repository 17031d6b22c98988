package io.spared.discovery;

import io.spared.ffi.disk.DiskAddress;
import io.spared.format.CleanStop;
import java.util.Map;
import java.util.Set;
import java.util.UUID;

/**
 * What this host knows beside the disks.
 *
 * @param hostId its own identifier, as it stands in the metadata of devices that it owns
 * @param cleanStops its own records of clean stops
 * @param remembered the devices that it has run
 * @param active the devices that it serves now, or is about to
 * @param threshold the confidence from which a set-up is activated
 * @param assembling the disks of devices that are being assembled, and the names of those
 */
public record HostKnowledge(
    UUID hostId,
    Map<UUID, CleanStop> cleanStops,
    Map<UUID, Remembered> remembered,
    Set<UUID> active,
    int threshold,
    Map<DiskAddress, String> assembling) {
  public HostKnowledge {
    cleanStops = Map.copyOf(cleanStops);
    remembered = Map.copyOf(remembered);
    active = Set.copyOf(active);
    assembling = Map.copyOf(assembling);
  }

  public HostKnowledge(
      UUID hostId,
      Map<UUID, CleanStop> cleanStops,
      Map<UUID, Remembered> remembered,
      Set<UUID> active,
      int threshold) {
    this(hostId, cleanStops, remembered, active, threshold, Map.of());
  }
}
