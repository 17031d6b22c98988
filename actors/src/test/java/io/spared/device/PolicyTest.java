package io.spared.device;

import static org.assertj.core.api.Assertions.assertThat;

import io.spared.ffi.disk.DiskAddress;
import java.nio.file.Path;
import java.time.Duration;
import java.util.List;
import java.util.Map;
import org.junit.jupiter.api.Test;

final class PolicyTest {
  private static final DeviceSettings SETTINGS =
      DeviceSettings.of("a", new DiskAddress.OfPath(Path.of("/a")), List.of());

  @Test
  void valuesAreReadAsPeopleWriteThem() {
    assertThat(Policy.read("scrub-interval", "90 s").apply(SETTINGS).upkeep().scrubInterval())
        .isEqualTo(Duration.ofSeconds(90));
    assertThat(Policy.read("scrub-interval", "2h").apply(SETTINGS).upkeep().scrubInterval())
        .isEqualTo(Duration.ofHours(2));
    assertThat(Policy.read("auto-repair", "off").apply(SETTINGS).upkeep().autoRepair()).isFalse();
    assertThat(
            Policy.read("surface-floor", "2 MiB")
                .apply(SETTINGS)
                .upkeep()
                .surfaceFloorBytesPerSecond())
        .isEqualTo(2 << 20);
    assertThat(Policy.read("commit-timeout", "250 ms").apply(SETTINGS).deadlines().commit())
        .isEqualTo(Duration.ofMillis(250));
  }

  @Test
  void whatIsNotUnderstoodChangesNothingAndSaysWhy() {
    for (String[] wrong :
        new String[][] {
          {"scrub-interval", "often"},
          {"scrub-interval", "0 s"},
          {"auto-repair", "perhaps"},
          {"surface-floor", "fast"},
          {"surface-floor", "63 KiB"},
          {"move-rate", "101 GiB"},
          {"move-rate", "99999999999 GiB"},
          {"move-rate", "99999999999999999999 B"},
          {"scrub-interval", "99999999999999999999 s"},
          {"scrub-interval", "999999999999 days"},
          {"surface-period", "59 s"},
          {"commit-timeout", "11 minutes"},
          {"request-deadline", "0 ms"},
          {"no-such-setting", "1"}
        }) {
      Policy.Reading reading = Policy.read(wrong[0], wrong[1]);
      assertThat(reading.problem()).as(wrong[0]).isPresent();
      assertThat(reading.apply(SETTINGS)).isEqualTo(SETTINGS);
    }
  }

  private static java.util.function.Consumer<DeviceStatus.PolicyValue> value(String wanted) {
    return shown -> assertThat(shown.value()).isEqualTo(wanted);
  }

  @Test
  void valuesAreShownInWordsThatCanBeSetAgain() {
    DeviceSettings changed = Policy.read("move-rate", "5M").apply(SETTINGS);
    changed = Policy.read("surface-period", "48 h").apply(changed);
    changed = Policy.read("scrub-interval", "90 minutes").apply(changed);
    changed = Policy.read("commit-timeout", "1500 ms").apply(changed);
    changed = Policy.read("failed-after", "1 h").apply(changed);
    Map<String, DeviceStatus.PolicyValue> shown = Policy.shown(changed, Map.of());
    assertThat(shown).hasEntrySatisfying("move-rate", value("5 MiB/s"));
    assertThat(shown).hasEntrySatisfying("surface-period", value("2 days"));
    assertThat(shown).hasEntrySatisfying("scrub-interval", value("90 minutes"));
    assertThat(shown).hasEntrySatisfying("commit-timeout", value("1500 ms"));
    assertThat(shown).hasEntrySatisfying("failed-after", value("1 hour"));
    DeviceSettings again = SETTINGS;
    for (Map.Entry<String, DeviceStatus.PolicyValue> each : shown.entrySet()) {
      Policy.Reading reading = Policy.read(each.getKey(), each.getValue().value());
      assertThat(reading.problem()).as(each.toString()).isEmpty();
      again = reading.apply(again);
    }
    assertThat(again).isEqualTo(changed);
  }

  @Test
  void whatTheConfigurationFixesIsNotTakenFromTheMetadata() {
    DeviceSettings fixed =
        new DeviceSettings(
            "a",
            "",
            SETTINGS.main(),
            List.of(),
            DeviceSettings.Frontend.NBD,
            false,
            SETTINGS.deadlines(),
            SETTINGS.upkeep(),
            Map.of("auto-repair", "spared.conf:12"),
            SETTINGS.block());
    Map<String, String> metadata = Map.of("auto-repair", "off", "scrub-interval", "5 s");
    DeviceSettings merged = Policy.fromMetadata(fixed, metadata);
    assertThat(merged.upkeep().autoRepair()).isTrue();
    assertThat(merged.upkeep().scrubInterval()).isEqualTo(Duration.ofSeconds(5));
    Map<String, DeviceStatus.PolicyValue> shown = Policy.shown(merged, metadata);
    assertThat(shown)
        .hasEntrySatisfying(
            "auto-repair", value -> assertThat(value.source()).isEqualTo("spared.conf:12"));
    assertThat(shown)
        .hasEntrySatisfying(
            "scrub-interval", value -> assertThat(value.source()).isEqualTo("metadata"));
    assertThat(shown)
        .hasEntrySatisfying(
            "commit-timeout", value -> assertThat(value.source()).isEqualTo("default"));
  }
}
