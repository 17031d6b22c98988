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
 * @param block how the kernel is to make the block device, where the frontend is ublk
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
    Map<String, String> overrides,
    BlockDevice block) {

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

  /**
   * How the kernel is asked to make the block device.
   *
   * @param number N of /dev/ublkbN, or {@link #ANY_NUMBER}
   * @param queues how many parallel paths; the driver gives no more than there are processors
   * @param depth requests in each queue at a time
   * @param requestBytes the kernel cuts larger requests
   */
  public record BlockDevice(int number, int queues, int depth, int requestBytes, Copying copying) {
    public static final int ANY_NUMBER = -1;

    public static BlockDevice standard() {
      return new BlockDevice(ANY_NUMBER, 2, 128, 512 << 10, Copying.AUTO);
    }
  }

  /** How data get from the kernel's pages to the daemon's buffers. */
  public enum Copying {
    /** By the driver where the memory for it is affordable, else by the daemon. */
    AUTO,
    /** By the driver, into a buffer that every request in the queue has for good. */
    DRIVER,
    /** By the daemon, into a buffer taken when a request comes. */
    DAEMON,
    /** Not at all: the disks below read and write the kernel's pages (zero copy). */
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

  /**
   * Looking for damage and mending it.
   *
   * @param autoEvacuate a spare that has failed is left without being asked
   * @param failedAfter a spare that has been away for so long has failed
   * @param moveBytesPerSecond what is moved off a spare that is being left
   */
  public record Upkeep(
      boolean autoRepair,
      boolean autoEvacuate,
      Duration failedAfter,
      long moveBytesPerSecond,
      Duration scrubInterval,
      Duration surfacePeriod,
      long surfaceFloorBytesPerSecond,
      boolean surfaceScan) {
    public static Upkeep standard() {
      return new Upkeep(
          true,
          true,
          Duration.ofMinutes(5),
          16 << 20,
          Duration.ofHours(1),
          Duration.ofDays(30),
          1 << 20,
          true);
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
        Map.of(),
        BlockDevice.standard());
  }

  public DeviceSettings withUpkeep(Upkeep next) {
    return new DeviceSettings(
        name, description, main, spares, frontend, readOnly, deadlines, next, overrides, block);
  }

  public DeviceSettings withDeadlines(Deadlines next) {
    return new DeviceSettings(
        name, description, main, spares, frontend, readOnly, next, upkeep, overrides, block);
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
        overrides,
        block);
  }

  public DeviceSettings withMain(DiskAddress next) {
    return new DeviceSettings(
        name, description, next, spares, frontend, readOnly, deadlines, upkeep, overrides, block);
  }

  public DeviceSettings withSpares(List<DiskAddress> next) {
    return new DeviceSettings(
        name, description, main, next, frontend, readOnly, deadlines, upkeep, overrides, block);
  }

  public DeviceSettings withFrontend(Frontend next) {
    return new DeviceSettings(
        name, description, main, spares, next, readOnly, deadlines, upkeep, overrides, block);
  }

  public DeviceSettings withBlock(BlockDevice next) {
    return new DeviceSettings(
        name, description, main, spares, frontend, readOnly, deadlines, upkeep, overrides, next);
  }
}
