package io.spared.discovery;

import io.spared.ffi.disk.DiskAddress;
import io.spared.format.Position;
import java.util.Map;
import java.util.Set;
import java.util.UUID;
import org.apache.pekko.actor.typed.ActorRef;

/** What discovery asks of its owner. */
public sealed interface DiscoveryRequest {
  /** What must not be opened, and which devices need no activation. Asked before every scan. */
  record WhatIsServed(ActorRef<Served> replyTo) implements DiscoveryRequest {}

  /**
   * Start this device. The owner adds it like one from the configuration, which opens its disks
   * exclusively and compares them with the metadata once more; it refuses what it has already, or
   * what the configuration says otherwise.
   */
  record Activate(SetUp setUp, ActorRef<Activation> replyTo) implements DiscoveryRequest {}

  /**
   * What this host serves now.
   *
   * @param deviceIds of all devices that are supervised, whatever their phase
   * @param names kernel names (ublkb0) and paths under which they are served
   * @param positions what each device that has been assembled stands at: all that is older has been
   *     left behind
   * @param assembling the disks of devices that are supervised and have not said yet which they
   *     are, and the names of those devices
   */
  record Served(
      Set<UUID> deviceIds,
      Set<String> names,
      Map<UUID, Position> positions,
      Map<DiskAddress, String> assembling) {
    public Served {
      deviceIds = Set.copyOf(deviceIds);
      names = Set.copyOf(names);
      positions = Map.copyOf(positions);
      assembling = Map.copyOf(assembling);
    }

    public Served(Set<UUID> deviceIds, Set<String> names, Map<UUID, Position> positions) {
      this(deviceIds, names, positions, Map.of());
    }

    public Served(Set<UUID> deviceIds, Set<String> names) {
      this(deviceIds, names, Map.of());
    }
  }

  /** The answer to {@link Activate}: whether it has begun. */
  record Activation(boolean accepted, String sentence) {}
}
