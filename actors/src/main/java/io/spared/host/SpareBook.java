package io.spared.host;

import io.spared.ffi.disk.DiskAddress;
import java.util.ArrayList;
import java.util.Collection;
import java.util.HashMap;
import java.util.HashSet;
import java.util.LinkedHashSet;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import java.util.Set;

/**
 * Which spares devices were given beside those that are configured, and which hot spares are left.
 * Pure: its host writes down what changes.
 */
final class SpareBook {
  private final Map<String, List<DiskAddress>> added = new HashMap<>();
  private final List<DiskAddress> hot;

  /** Hot spares that a device could not use, until its next want. */
  private final Map<String, Set<DiskAddress>> tried = new HashMap<>();

  SpareBook(Map<String, List<DiskAddress>> atStart, List<DiskAddress> hot) {
    atStart.forEach((device, spares) -> added.put(device, List.copyOf(spares)));
    this.hot = List.copyOf(hot);
  }

  /** The configured spares and those that were added. */
  List<DiskAddress> spares(String device, List<DiskAddress> configured) {
    Set<DiskAddress> all = new LinkedHashSet<>(configured);
    all.addAll(added.getOrDefault(device, List.of()));
    return List.copyOf(all);
  }

  /** What is to be remembered of the device from now on. */
  List<DiskAddress> comes(String device, DiskAddress address) {
    Set<DiskAddress> all = new LinkedHashSet<>(added.getOrDefault(device, List.of()));
    all.add(address);
    added.put(device, List.copyOf(all));
    return List.copyOf(all);
  }

  /** The same; nothing when it was not remembered. */
  Optional<List<DiskAddress>> gone(String device, DiskAddress address) {
    List<DiskAddress> left = new ArrayList<>(added.getOrDefault(device, List.of()));
    if (!left.remove(address)) {
      return Optional.empty();
    }
    added.put(device, List.copyOf(left));
    return Optional.of(List.copyOf(left));
  }

  /** A device wants a hot spare: all that are left may be tried again. */
  void wanted(String device) {
    tried.remove(device);
  }

  /**
   * The hot spare to try next for a device; each once. Those that no device has come first: a spare
   * may serve several.
   *
   * @param used all disks of all devices, and how many have them
   */
  Optional<DiskAddress> nextHot(
      String device, Collection<DiskAddress> own, Map<DiskAddress, Integer> used) {
    Set<DiskAddress> before = tried.computeIfAbsent(device, name -> new HashSet<>());
    Optional<DiskAddress> best =
        hot.stream()
            .filter(address -> !before.contains(address) && !own.contains(address))
            .min(java.util.Comparator.comparingInt(address -> used.getOrDefault(address, 0)));
    best.ifPresent(before::add);
    return best;
  }
}
