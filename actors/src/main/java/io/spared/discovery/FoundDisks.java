package io.spared.discovery;

import io.spared.ffi.disk.DiskIdentity;
import io.spared.format.MainMember;
import java.util.ArrayList;
import java.util.HashMap;
import java.util.LinkedHashSet;
import java.util.List;
import java.util.Map;
import java.util.Set;
import java.util.TreeSet;
import java.util.UUID;

/**
 * All disks of a scan, found by what tells them apart, so that judging a thousand set-ups does not
 * compare each with each.
 */
final class FoundDisks {
  private final Map<String, List<DiskFinding>> byTrait = new HashMap<>();
  private final Map<UUID, List<DiskFinding>> bySpare = new HashMap<>();
  private final Map<UUID, List<DiskFinding>> byDevice = new HashMap<>();

  FoundDisks(List<DiskFinding> disks) {
    List<DiskFinding> all = new ArrayList<>(disks);
    disks.forEach(disk -> disk.tail().ifPresent(all::add));
    for (DiskFinding disk : all) {
      disk.table().ifPresent(table -> add(bySpare, table.spareId(), disk));
      disk.copies().keySet().forEach(deviceId -> add(byDevice, deviceId, disk));
      disk.label().ifPresent(label -> add(byTrait, labelTrait(label.mainId()), disk));
      traits(disk.identity()).forEach(trait -> add(byTrait, trait, disk));
    }
  }

  private static <K> void add(Map<K, List<DiskFinding>> map, K key, DiskFinding disk) {
    map.computeIfAbsent(key, k -> new ArrayList<>()).add(disk);
  }

  private static String labelTrait(UUID mainId) {
    return "label " + mainId;
  }

  private static Set<String> traits(DiskIdentity identity) {
    Set<String> traits = new TreeSet<>();
    traits.add("name " + identity.kernelName());
    identity.serial().ifPresent(serial -> traits.add("serial " + serial));
    identity.wwn().ifPresent(wwn -> traits.add("wwn " + wwn));
    return traits;
  }

  /** The devices of which some spare speaks. */
  Set<UUID> devices() {
    return new TreeSet<>(byDevice.keySet());
  }

  /** The spares that are there. */
  Set<UUID> spares() {
    return bySpare.keySet();
  }

  List<DiskFinding> withCopiesOf(UUID deviceId) {
    return byDevice.getOrDefault(deviceId, List.of());
  }

  /** The disks that say they are this spare: one, or something is wrong. */
  List<DiskFinding> spare(UUID spareId) {
    return bySpare.getOrDefault(spareId, List.of());
  }

  /** The disk of this kernel name or path. */
  List<DiskFinding> called(String kernelName) {
    return byTrait.getOrDefault("name " + kernelName, List.of());
  }

  /** The disks that share a serial number, WWN, label or name with a main disk. */
  Set<DiskFinding> resembling(MainMember main) {
    Set<DiskFinding> found = new LinkedHashSet<>();
    for (String trait : traits(main.evidence().identity())) {
      found.addAll(byTrait.getOrDefault(trait, List.of()));
    }
    found.addAll(byTrait.getOrDefault(labelTrait(main.mainId()), List.of()));
    return found;
  }
}
