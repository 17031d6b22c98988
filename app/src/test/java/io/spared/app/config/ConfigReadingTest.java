package io.spared.app.config;

import static org.assertj.core.api.Assertions.assertThat;

import io.spared.device.DeviceSettings;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.time.Duration;
import java.util.List;
import java.util.Optional;
import java.util.stream.Stream;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

final class ConfigReadingTest {
  private static final Path CONF =
      Files.isDirectory(Path.of("conf")) ? Path.of("conf") : Path.of("../conf");

  @Test
  void theCommentedConfigurationSaysTheDefaults() {
    DaemonConfig documented = read(CONF.resolve("spared.conf"));
    DaemonConfig builtIn = ConfigReading.ofText("").config().orElseThrow();
    assertThat(documented.rings()).isEqualTo(builtIn.rings());
    assertThat(documented.bufferBytesPerRing()).isEqualTo(builtIn.bufferBytesPerRing());
    assertThat(documented.discovery()).isEqualTo(builtIn.discovery());
    assertThat(documented.controlSocket()).isEqualTo(builtIn.controlSocket());
    assertThat(documented.defaults().deadlines()).isEqualTo(builtIn.defaults().deadlines());
    assertThat(documented.defaults().upkeep()).isEqualTo(builtIn.defaults().upkeep());
    assertThat(documented.defaults().block()).isEqualTo(builtIn.defaults().block());
    assertThat(documented.devices()).isEmpty();
  }

  @Test
  void everyExampleIsGood() throws IOException {
    try (Stream<Path> examples = Files.list(CONF.resolve("examples"))) {
      List<Path> files = examples.toList();
      assertThat(files).hasSizeGreaterThanOrEqualTo(3);
      for (Path file : files) {
        assertThat(ConfigReading.read(Optional.of(file)).problems()).as(file.toString()).isEmpty();
      }
    }
  }

  @Test
  void withoutCopyingADeviceHasOnlyDisksThatTheRingReaches() {
    String device =
        """
        spared.devices.a { main = "%s", spares = ["/dev/s", "%s"], frontend = "ublk", ublk.copying = none }
        """;
    assertThat(ConfigReading.ofText(device.formatted("/dev/a", "/dev/t")).problems()).isEmpty();
    assertThat(ConfigReading.ofText(device.formatted("memory:16M", "nbd:unix:/s:x")).problems())
        .hasSize(2)
        .first()
        .asString()
        .contains("memory:", "copying = auto");
    // The other frontend does not care.
    assertThat(
            ConfigReading.ofText(
                    device.formatted("memory:16M", "/dev/t").replace("\"ublk\"", "\"nbd\""))
                .problems())
        .isEmpty();
  }

  @Test
  void aBlockDeviceIsShapedByItsOwnSettingsAboveTheDefaults() {
    ConfigReading reading =
        ConfigReading.ofText(
            """
            spared {
              ublk.control = "/dev/other"
              defaults.ublk { queues = 4, copying = driver }
              devices {
                a { main = "/dev/a", spares = ["/dev/s"], ublk { number = 7, depth = 4096, request = 1 MiB } }
                b { main = "/dev/b", spares = ["/dev/s"] }
              }
            }
            """);
    DaemonConfig config = reading.config().orElseThrow();
    assertThat(config.ublkControl()).isEqualTo(Path.of("/dev/other"));
    assertThat(config.devices())
        .extracting(DeviceSettings::block)
        .containsExactly(
            new DeviceSettings.BlockDevice(7, 4, 4096, 1 << 20, DeviceSettings.Copying.DRIVER),
            new DeviceSettings.BlockDevice(
                DeviceSettings.BlockDevice.ANY_NUMBER,
                4,
                128,
                512 << 10,
                DeviceSettings.Copying.DRIVER));
    assertThat(
            ConfigReading.ofText("spared.defaults.ublk { depth = 4097, request = 70000 B }")
                .problems())
        .hasSize(2);
  }

  @Test
  void everythingWrongIsToldAtOnceWithItsLineAndASuggestion() {
    ConfigReading reading =
        ConfigReading.ofText(
            """
            spared {
              engine.ring = 3
              defaults.drain-deadline = 10
              devices {
                a { main = "/dev/a", spares = ["/dev/s"] }
                b { main = "/dev/a", spares = ["/dev/s"] }
                c { main = "/dev/s", spares = ["/dev/t"], frontend = "usb" }
                d { spares = [] }
              }
            }
            """);
    assertThat(reading.config()).isEmpty();
    List<String> told = reading.problems().stream().map(Problem::toString).toList();
    assertThat(told).anyMatch(p -> p.contains("spared.engine.ring") && p.contains("engine.rings"));
    assertThat(told).anyMatch(p -> p.contains("has no unit") && p.contains(":3:"));
    assertThat(told).anyMatch(p -> p.contains("/dev/a is the main disk of a already"));
    assertThat(told).anyMatch(p -> p.contains("/dev/s is a spare of a"));
    assertThat(told).anyMatch(p -> p.contains("\"usb\" is none of nbd, ublk, none"));
    assertThat(told).anyMatch(p -> p.contains("has no main disk"));
    assertThat(told).anyMatch(p -> p.contains("has no spare disk"));
  }

  @Test
  void aDeviceTakesItsOwnValuesOverTheDefaultsAndSaysWhereTheyStand() {
    DaemonConfig config =
        ConfigReading.ofText(
                """
                spared.defaults.commit-timeout = 3 s
                spared.devices.a {
                  main = "memory:16M,m"
                  spares = ["fault:/tmp/s"]
                  scrub-interval = 10 minutes
                }
                """)
            .config()
            .orElseThrow();
    DeviceSettings device = config.devices().get(0);
    assertThat(device.deadlines().commit()).isEqualTo(Duration.ofSeconds(3));
    assertThat(device.upkeep().scrubInterval()).isEqualTo(Duration.ofMinutes(10));
    assertThat(device.overrides()).containsKeys("scrub-interval", "commit-timeout");
    assertThat(device.overrides().get("scrub-interval")).endsWith(":5");
    assertThat(device.main().toString()).startsWith("memory:");
    assertThat(device.spares().get(0).toString()).isEqualTo("fault:/tmp/s");
  }

  @Test
  void dropInsAreReadAfterTheFileInOrder(@TempDir Path directory) throws IOException {
    Files.writeString(directory.resolve("spared.conf"), "spared.engine.rings = 1\n");
    Files.createDirectories(directory.resolve("conf.d"));
    Files.writeString(directory.resolve("conf.d/10.conf"), "spared.engine.rings = 2\n");
    Files.writeString(directory.resolve("conf.d/20.conf"), "spared.engine.rings = 3\n");
    Files.writeString(directory.resolve("conf.d/30.txt"), "spared.engine.rings = 4\n");
    assertThat(read(directory.resolve("spared.conf")).rings()).isEqualTo(3);
  }

  @Test
  void aFileThatIsNotThereOrCannotBeParsedIsAProblemWithItsName(@TempDir Path directory)
      throws IOException {
    Path missing = directory.resolve("none.conf");
    assertThat(ConfigReading.read(Optional.of(missing)).problems().toString())
        .contains("none.conf");
    Path broken = directory.resolve("broken.conf");
    Files.writeString(broken, "spared {\n  engine { \n");
    assertThat(ConfigReading.read(Optional.of(broken)).problems().toString())
        .contains("broken.conf");
  }

  private static DaemonConfig read(Path file) {
    ConfigReading reading = ConfigReading.read(Optional.of(file));
    assertThat(reading.problems()).isEmpty();
    return reading.config().orElseThrow();
  }
}
