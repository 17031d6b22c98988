package io.spared.app.config;

import io.spared.device.DeviceSettings;
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
    List<Listen> nbdListen,
    Path ublkControl,
    Discovery discovery,
    DeviceSettings defaults,
    List<DeviceSettings> devices) {

  public DaemonConfig {
    nbdListen = List.copyOf(nbdListen);
    devices = List.copyOf(devices);
  }

  /** How bytes reach the disks. */
  public enum EngineKind {
    AUTO,
    IO_URING,
    THREADS
  }

  /** Where clients connect. */
  public sealed interface Listen {
    record Unix(Path path) implements Listen {}

    record Tcp(String host, int port) implements Listen {}
  }

  /** Finding set-ups without being told. */
  public record Discovery(boolean activate, int threshold, Duration delay, List<Path> files) {
    public Discovery {
      files = List.copyOf(files);
    }
  }
}
