package io.spared.host;

import io.spared.ffi.disk.DiskAddress;
import java.util.List;
import java.util.Map;
import java.util.Optional;

/** The host's memory of spares that came to devices while they served, beside the configuration. */
public interface AddedSpares {
  /** By the names of the devices, as remembered when the daemon started. */
  Map<String, List<DiskAddress>> atStart();

  /**
   * Remembers these for a device, durably, in the stead of what was remembered. May block.
   *
   * @return why they are not remembered
   */
  Optional<String> record(String device, List<DiskAddress> spares);

  /** For hosts whose memory ends with them. */
  static AddedSpares none() {
    return new AddedSpares() {
      @Override
      public Map<String, List<DiskAddress>> atStart() {
        return Map.of();
      }

      @Override
      public Optional<String> record(String device, List<DiskAddress> spares) {
        return Optional.empty();
      }
    };
  }
}
