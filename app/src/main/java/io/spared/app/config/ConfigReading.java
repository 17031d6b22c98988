package io.spared.app.config;

import com.typesafe.config.Config;
import com.typesafe.config.ConfigException;
import com.typesafe.config.ConfigFactory;
import com.typesafe.config.ConfigParseOptions;
import io.spared.device.DeviceSettings;
import io.spared.ffi.disk.DiskAddress;
import io.spared.ublk.UblkSettings;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.time.Duration;
import java.util.ArrayList;
import java.util.HashMap;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import java.util.stream.Stream;

/**
 * Reads a configuration and everything that is wrong with it. Either there are problems, all of
 * them, or there is a configuration.
 */
public record ConfigReading(Optional<DaemonConfig> config, List<Problem> problems) {

  private static final Duration MILLISECOND = Duration.ofMillis(1);

  public ConfigReading {
    problems = List.copyOf(problems);
  }

  /** Reads a file with the drop-ins of conf.d beside it; without a file, the defaults alone. */
  public static ConfigReading read(Optional<Path> file) {
    List<Problem> problems = new ArrayList<>();
    Config all = ConfigFactory.empty();
    if (file.isPresent()) {
      Path main = file.get().toAbsolutePath();
      if (!Files.isReadable(main)) {
        return failed(
            new Problem(main.toString(), 0, "", "no such file, or not readable; check the path"));
      }
      all = parse(main, problems);
      Path parent = main.getParent();
      if (parent != null) {
        for (Path dropIn : dropIns(parent.resolve("conf.d"), problems)) {
          all = parse(dropIn, problems).withFallback(all);
        }
      }
    }
    if (!problems.isEmpty()) {
      return new ConfigReading(Optional.empty(), problems);
    }
    return of(all);
  }

  /** Reads a configuration from text, for tests and trials. */
  public static ConfigReading ofText(String text) {
    try {
      return of(
          ConfigFactory.parseString(
              text, ConfigParseOptions.defaults().setOriginDescription("text")));
    } catch (ConfigException wrong) {
      return failed(problem("text", wrong));
    }
  }

  private static ConfigReading failed(Problem problem) {
    return new ConfigReading(Optional.empty(), List.of(problem));
  }

  private static Config parse(Path file, List<Problem> problems) {
    try {
      return ConfigFactory.parseFile(file.toFile());
    } catch (ConfigException wrong) {
      problems.add(problem(file.toString(), wrong));
      return ConfigFactory.empty();
    }
  }

  private static Problem problem(String file, ConfigException wrong) {
    int line = wrong.origin() == null ? 0 : wrong.origin().lineNumber();
    String message = wrong.getMessage() == null ? "cannot be parsed" : wrong.getMessage();
    int at = message.indexOf(": " + line + ": ");
    return new Problem(
        file, line, "", at < 0 ? message : message.substring(at + (": " + line + ": ").length()));
  }

  private static List<Path> dropIns(Path directory, List<Problem> problems) {
    if (!Files.isDirectory(directory)) {
      return List.of();
    }
    try (Stream<Path> files = Files.list(directory)) {
      return files.filter(file -> file.toString().endsWith(".conf")).sorted().toList();
    } catch (IOException unreadable) {
      problems.add(
          new Problem(directory.toString(), 0, "", "cannot be listed; check its permissions"));
      return List.of();
    }
  }

  private static ConfigReading of(Config raw) {
    Config config;
    try {
      config = raw.resolve();
    } catch (ConfigException wrong) {
      return failed(problem("configuration", wrong));
    }
    Reader reader = new Reader(config);
    DeviceSettings base = DeviceSettings.of("", new DiskAddress.OfPath(Path.of("/")), List.of());
    DeviceSettings defaults = tuned(reader, "spared.defaults", base);
    DaemonConfig read =
        new DaemonConfig(
            Path.of(reader.string("spared.data-directory", "/var/lib/spared")),
            Path.of(reader.string("spared.control.socket", "/run/spared/control.sock")),
            reader.number("spared.control.connections", 64, 4, 1024),
            reader.choice(
                "spared.engine.kind", DaemonConfig.EngineKind.AUTO, DaemonConfig.EngineKind.class),
            reader.number("spared.engine.rings", 0, 0, 64),
            reader.bytes("spared.engine.buffers", 32L << 20, 8L << 20, 1L << 30),
            NbdReading.listeners(reader),
            Path.of(reader.string("spared.ublk.control", "/dev/ublk-control")),
            new DaemonConfig.Discovery(
                reader.flag("spared.discovery.activate", false),
                reader.number("spared.discovery.threshold", 90, 50, 100),
                reader.duration(
                    "spared.discovery.delay",
                    Duration.ofSeconds(2),
                    Duration.ZERO,
                    Duration.ofMinutes(10)),
                reader.paths("spared.discovery.files")),
            defaults,
            hotSpares(reader),
            devices(reader, defaults));
    reader.refuseUnknown("spared");
    refuseSharedDisks(reader, read.devices(), read.hotSpares());
    return reader.problems().isEmpty()
        ? new ConfigReading(Optional.of(read), List.of())
        : new ConfigReading(Optional.empty(), reader.problems());
  }

  private static DeviceSettings tuned(Reader reader, String at, DeviceSettings base) {
    DeviceSettings.Deadlines deadlines = base.deadlines();
    DeviceSettings.Upkeep upkeep = base.upkeep();
    DeviceSettings.Deadlines newDeadlines =
        new DeviceSettings.Deadlines(
            reader.duration(
                at + ".open-deadline", deadlines.open(), MILLISECOND, Duration.ofMinutes(10)),
            reader.duration(
                at + ".request-deadline", deadlines.request(), MILLISECOND, Duration.ofHours(1)),
            reader.duration(
                at + ".commit-timeout", deadlines.commit(), MILLISECOND, Duration.ofMinutes(10)),
            reader.duration(
                at + ".drain-deadline", deadlines.drain(), MILLISECOND, Duration.ofHours(1)));
    DeviceSettings.Upkeep newUpkeep =
        new DeviceSettings.Upkeep(
            reader.flag(at + ".auto-repair", upkeep.autoRepair()),
            reader.flag(at + ".auto-evacuate", upkeep.autoEvacuate()),
            reader.duration(
                at + ".failed-after", upkeep.failedAfter(), MILLISECOND, Duration.ofDays(365)),
            reader.bytes(at + ".move-rate", upkeep.moveBytesPerSecond(), 64L << 10, 100L << 30),
            reader.duration(
                at + ".scrub-interval",
                upkeep.scrubInterval(),
                Duration.ofSeconds(1),
                Duration.ofDays(365)),
            reader.duration(
                at + ".surface-period",
                upkeep.surfacePeriod(),
                Duration.ofMinutes(1),
                Duration.ofDays(3650)),
            reader.bytes(
                at + ".surface-floor", upkeep.surfaceFloorBytesPerSecond(), 64L << 10, 100L << 30),
            reader.flag(at + ".surface-scan", upkeep.surfaceScan()));
    Map<String, String> overrides = new HashMap<>(base.overrides());
    for (String name :
        List.of(
            "auto-repair",
            "auto-evacuate",
            "failed-after",
            "move-rate",
            "scrub-interval",
            "surface-period",
            "surface-scan",
            "surface-floor",
            "request-deadline",
            "commit-timeout",
            "drain-deadline")) {
      if (reader.has(at + "." + name)) {
        overrides.put(name, reader.where(at + "." + name));
      }
    }
    return new DeviceSettings(
        base.name(),
        base.description(),
        base.main(),
        base.spares(),
        base.frontend(),
        base.readOnly(),
        newDeadlines,
        newUpkeep,
        overrides,
        blockDevice(reader, at, base.block()));
  }

  private static DeviceSettings.BlockDevice blockDevice(
      Reader reader, String at, DeviceSettings.BlockDevice base) {
    return new DeviceSettings.BlockDevice(
        base.number(),
        reader.number(at + ".ublk.queues", base.queues(), 1, 64),
        reader.number(at + ".ublk.depth", base.depth(), 1, UblkSettings.DEPTH_MAX),
        requestBytes(reader, at + ".ublk.request", base.requestBytes()),
        reader.choice(at + ".ublk.copying", base.copying(), DeviceSettings.Copying.class));
  }

  private static int requestBytes(Reader reader, String at, int otherwise) {
    long bytes = reader.bytes(at, otherwise, 64 << 10, 1 << 20);
    if (bytes % 4096 != 0) {
      reader.problem(at, bytes + " bytes is no multiple of 4 KiB");
    }
    return (int) bytes;
  }

  private static List<DiskAddress> hotSpares(Reader reader) {
    List<DiskAddress> spares = new ArrayList<>();
    for (String spare : reader.strings("spared.hot-spares")) {
      address(reader, "spared.hot-spares", spare).ifPresent(spares::add);
    }
    return spares;
  }

  private static List<DeviceSettings> devices(Reader reader, DeviceSettings defaults) {
    List<DeviceSettings> devices = new ArrayList<>();
    for (String name : reader.namesUnder("spared.devices")) {
      String at = "spared.devices." + quoted(name);
      if (!name.matches("[A-Za-z0-9][A-Za-z0-9_.-]{0,62}")) {
        reader.problem(
            at,
            "a device's name has 1 to 63 letters, digits, '_', '.' or '-', and begins with a letter"
                + " or digit");
        continue;
      }
      String main = reader.string(at + ".main", "");
      if (main.isEmpty()) {
        reader.problem(at, "has no main disk; add main = \"/dev/disk/by-id/...\"");
      }
      List<String> spares = reader.strings(at + ".spares");
      if (spares.isEmpty()) {
        reader.problem(at, "has no spare disk; add spares = [\"/dev/disk/by-id/...\"]");
      }
      DeviceSettings tuned = tuned(reader, at, defaults);
      DeviceSettings.Frontend frontend =
          reader.choice(
              at + ".frontend", DeviceSettings.Frontend.NBD, DeviceSettings.Frontend.class);
      boolean readOnly = reader.flag(at + ".read-only", false);
      String description = reader.string(at + ".description", "");
      Optional<DiskAddress> mainAddress = address(reader, at + ".main", main);
      List<DiskAddress> spareAddresses = new ArrayList<>();
      for (String spare : spares) {
        address(reader, at + ".spares", spare).ifPresent(spareAddresses::add);
      }
      if (frontend == DeviceSettings.Frontend.UBLK
          && tuned.block().copying() == DeviceSettings.Copying.NONE) {
        refuseDisksOffTheRing(reader, at, mainAddress.stream().toList(), spareAddresses);
      }
      mainAddress.ifPresent(address ->
          devices.add(
              new DeviceSettings(
                  name,
                  description,
                  address,
                  spareAddresses,
                  frontend,
                  readOnly,
                  tuned.deadlines(),
                  tuned.upkeep(),
                  tuned.overrides(),
                  numbered(reader, at, tuned.block()))));
    }
    return devices;
  }

  /** Without copying a disk is given the kernel's pages, which io_uring alone can do. */
  private static void refuseDisksOffTheRing(
      Reader reader, String at, List<DiskAddress> main, List<DiskAddress> spares) {
    for (DiskAddress disk : Stream.concat(main.stream(), spares.stream()).toList()) {
      boolean onRing =
          switch (disk) {
            case DiskAddress.OfPath _, DiskAddress.OfTail _ -> true;
            case DiskAddress.OfMemory _, DiskAddress.OfNbd _, DiskAddress.OfFault _ -> false;
          };
      if (!onRing) {
        reader.problem(
            at,
            "copying = none is for block devices and files of this host, and "
                + disk
                + " is neither; set ublk.copying = auto");
      }
    }
  }

  private static DeviceSettings.BlockDevice numbered(
      Reader reader, String at, DeviceSettings.BlockDevice block) {
    int any = DeviceSettings.BlockDevice.ANY_NUMBER;
    return new DeviceSettings.BlockDevice(
        reader.number(at + ".ublk.number", any, any, (1 << 20) - 1),
        block.queues(),
        block.depth(),
        block.requestBytes(),
        block.copying());
  }

  private static String quoted(String name) {
    return name.matches("[A-Za-z0-9_-]+") ? name : "\"" + name.replace("\"", "\\\"") + "\"";
  }

  private static Optional<DiskAddress> address(Reader reader, String at, String text) {
    if (text.isEmpty()) {
      return Optional.empty();
    }
    try {
      return Optional.of(Addresses.parse(text));
    } catch (IllegalArgumentException wrong) {
      reader.problem(at, String.valueOf(wrong.getMessage()));
      return Optional.empty();
    }
  }

  private static void refuseSharedDisks(
      Reader reader, List<DeviceSettings> devices, List<DiskAddress> hotSpares) {
    Map<String, String> mains = new HashMap<>();
    Map<String, String> spares = new HashMap<>();
    for (DeviceSettings device : devices) {
      String at = "spared.devices." + quoted(device.name());
      String main = Addresses.base(device.main());
      String other = mains.putIfAbsent(main, device.name());
      if (other != null) {
        reader.problem(at + ".main", main + " is the main disk of " + other + " already");
      }
      for (DiskAddress spare : device.spares()) {
        spares.putIfAbsent(Addresses.base(spare), device.name());
      }
    }
    for (DiskAddress hot : hotSpares) {
      String owner = mains.get(Addresses.base(hot));
      if (owner != null) {
        reader.problem(
            "spared.hot-spares",
            Addresses.base(hot) + " is the main disk of " + owner + "; it cannot be both");
      }
    }
    for (DeviceSettings device : devices) {
      String owner = spares.get(Addresses.base(device.main()));
      if (owner != null) {
        reader.problem(
            "spared.devices." + quoted(device.name()) + ".main",
            Addresses.base(device.main()) + " is a spare of " + owner + "; it cannot be both");
      }
    }
  }

  /** The configured disks that are not there now: no error, since disks come late. */
  public static List<String> missingDisks(DaemonConfig config) {
    List<String> missing = new ArrayList<>();
    for (DeviceSettings device : config.devices()) {
      List<DiskAddress> disks = new ArrayList<>();
      disks.add(device.main());
      disks.addAll(device.spares());
      for (DiskAddress disk : disks) {
        String base = Addresses.base(disk);
        if (base.startsWith("/") && !Files.exists(Path.of(base))) {
          missing.add(device.name() + ": " + base + " is not there now; the device would wait");
        }
      }
    }
    return missing;
  }
}
