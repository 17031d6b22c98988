package io.spared.device;

import io.spared.format.CleanStop;
import io.spared.format.Position;
import java.util.Map;
import java.util.UUID;
import java.util.concurrent.ConcurrentHashMap;

/**
 * This host's own records of clean stops and of starts, outside of the devices' disks. It blocks,
 * so it is called where blocking is allowed; it never throws: a record that cannot be read or
 * written is none.
 */
public interface CleanStops {
  Map<UUID, CleanStop> all();

  /** In place of the one before: it stays, since whatever is older than it was left behind. */
  void record(CleanStop stop);

  /**
   * The newest state that each device is known to have had on this host: whatever is older was left
   * behind, or is an old copy.
   */
  default Map<UUID, Position> runs() {
    return Map.of();
  }

  /** A device was started at this state. */
  default void began(UUID deviceId, Position position) {}

  /** Kept only as long as the process lives, for tests. */
  static CleanStops inMemory() {
    Map<UUID, CleanStop> stops = new ConcurrentHashMap<>();
    return new CleanStops() {
      @Override
      public Map<UUID, CleanStop> all() {
        return Map.copyOf(stops);
      }

      @Override
      public void record(CleanStop stop) {
        stops.put(stop.deviceId(), stop);
      }
    };
  }
}
