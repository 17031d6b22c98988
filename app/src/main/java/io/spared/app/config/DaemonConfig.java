package io.spared.app.config;

import io.spared.device.DeviceSettings;
import io.spared.ffi.disk.DiskAddress;
import io.spared.nbd.NbdListenerSettings;
import java.nio.file.Path;
import java.time.Duration;
import java.util.List;

/** The whole configuration, validated. */
public record DaemonConfig(
    Path dataDirectory,
    Path controlSocket,
    int controlConnections,
    EngineKind engineKind,
    int rings,
    long bufferBytesPerRing,
    List<NbdListenerSettings> nbdListeners,
    Path ublkControl,
    Discovery discovery,
    DeviceSettings defaults,
    List<DiskAddress> hotSpares,
    List<DeviceSettings> devices) {

  public DaemonConfig {
    nbdListeners = List.copyOf(nbdListeners);
    hotSpares = List.copyOf(hotSpares);
    devices = List.copyOf(devices);
  }

  /** How bytes reach the disks. */
  public enum EngineKind {
    AUTO,
    IO_URING,
    THREADS
  }

  /** Finding set-ups without being told. */
  public record Discovery(boolean activate, int threshold, Duration delay, List<Path> files) {
    public Discovery {
      files = List.copyOf(files);
    }
  }
}
