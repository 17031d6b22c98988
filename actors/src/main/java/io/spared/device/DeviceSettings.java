package io.spared.device;

import io.spared.ffi.disk.DiskAddress;
import java.time.Duration;
import java.util.List;
import java.util.Map;

/**
 * How one device is to be run.
 *
 * @param spares in the order in which slots are taken from them
 * @param overrides the names of policy settings that the configuration fixes, with file and line:
 *     {@code set} refuses those
 */
public record DeviceSettings(
    String name,
    String description,
    DiskAddress main,
    List<DiskAddress> spares,
    Frontend frontend,
    boolean readOnly,
    Deadlines deadlines,
    Upkeep upkeep,
    Map<String, String> overrides) {

  public DeviceSettings {
    spares = List.copyOf(spares);
    overrides = Map.copyOf(overrides);
  }

  /** How the device is served. */
  public enum Frontend {
    NBD,
    UBLK,
    /** Not at all: only clients within the daemon. */
    NONE
  }

  /** How long things may take. */
  public record Deadlines(Duration open, Duration request, Duration commit, Duration drain) {
    /** What DESIGN.md promises. */
    public static Deadlines standard() {
      return new Deadlines(
          Duration.ofSeconds(10),
          Duration.ofSeconds(30),
          Duration.ofSeconds(5),
          Duration.ofSeconds(10));
    }
  }

  /** Looking for damage and mending it. */
  public record Upkeep(
      boolean autoRepair,
      Duration scrubInterval,
      Duration surfacePeriod,
      long surfaceFloorBytesPerSecond,
      boolean surfaceScan) {
    public static Upkeep standard() {
      return new Upkeep(true, Duration.ofHours(1), Duration.ofDays(30), 1 << 20, true);
    }
  }

  /** A device with everything else at its default. */
  public static DeviceSettings of(String name, DiskAddress main, List<DiskAddress> spares) {
    return new DeviceSettings(
        name,
        "",
        main,
        spares,
        Frontend.NBD,
        false,
        Deadlines.standard(),
        Upkeep.standard(),
        Map.of());
  }

  public DeviceSettings withUpkeep(Upkeep next) {
    return new DeviceSettings(
        name, description, main, spares, frontend, readOnly, deadlines, next, overrides);
  }

  public DeviceSettings withDeadlines(Deadlines next) {
    return new DeviceSettings(
        name, description, main, spares, frontend, readOnly, next, upkeep, overrides);
  }

  /** The same settings for another device. */
  public DeviceSettings withDisks(
      String nextName, DiskAddress nextMain, List<DiskAddress> nextSpares) {
    return new DeviceSettings(
        nextName,
        description,
        nextMain,
        nextSpares,
        frontend,
        readOnly,
        deadlines,
        upkeep,
        overrides);
  }

  public DeviceSettings withSpares(List<DiskAddress> next) {
    return new DeviceSettings(
        name, description, main, next, frontend, readOnly, deadlines, upkeep, overrides);
  }
}
