package io.spared.ffi.disk;

import java.util.LinkedHashMap;
import java.util.Map;
import java.util.Optional;
import java.util.Set;

/** The fault plans of a process by the address of their disk, kept over closing and opening. */
public final class FaultPlans {
  private final long seed;
  private final Map<String, FaultPlan> plans = new LinkedHashMap<>();

  public FaultPlans(long seed) {
    this.seed = seed;
  }

  /** The plan of the disk of this address ({@code fault:...}), made when there is none. */
  public synchronized FaultPlan of(DiskAddress.OfFault address) {
    String name = address.toString();
    return plans.computeIfAbsent(name, key -> new FaultPlan(seed ^ name.hashCode()));
  }

  /** The plan of a disk that has been opened. */
  public synchronized Optional<FaultPlan> find(String address) {
    return Optional.ofNullable(plans.get(address));
  }

  public synchronized Set<String> addresses() {
    return Set.copyOf(plans.keySet());
  }
}
