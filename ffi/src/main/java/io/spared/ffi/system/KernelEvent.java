package io.spared.ffi.system;

import java.nio.charset.StandardCharsets;
import java.util.LinkedHashMap;
import java.util.Map;
import java.util.Optional;

/**
 * One event of the kernel about a device.
 *
 * @param action such as add, remove or change
 * @param devicePath below /sys
 * @param properties such as SUBSYSTEM, DEVNAME, DEVTYPE
 */
public record KernelEvent(String action, String devicePath, Map<String, String> properties) {
  public KernelEvent {
    properties = Map.copyOf(properties);
  }

  public boolean isBlockDevice() {
    return "block".equals(properties.get("SUBSYSTEM"));
  }

  /** Such as sdb. */
  public Optional<String> deviceName() {
    return Optional.ofNullable(properties.get("DEVNAME"));
  }

  /** Reads "ACTION@PATH" and the properties behind it, all ended by zeros; empty for others'. */
  static Optional<KernelEvent> parse(byte[] message) {
    String[] parts = new String(message, StandardCharsets.UTF_8).split("\0", -1);
    int at = parts[0].indexOf('@');
    if (at <= 0) {
      return Optional.empty();
    }
    Map<String, String> properties = new LinkedHashMap<>();
    for (int i = 1; i < parts.length; i++) {
      int equals = parts[i].indexOf('=');
      if (equals > 0) {
        properties.put(parts[i].substring(0, equals), parts[i].substring(equals + 1));
      }
    }
    return Optional.of(
        new KernelEvent(parts[0].substring(0, at), parts[0].substring(at + 1), properties));
  }
}
