package io.spared.discovery;

import static org.assertj.core.api.Assertions.assertThat;

import org.junit.jupiter.api.Test;

class DiscoverySettingsTest {
  @Test
  void onlyTheWholeWordOnTheKernelsCommandLineForbids() {
    assertThat(DiscoverySettings.forbiddenBy("root=/dev/vda1 spared.activate=0 quiet\n")).isTrue();
    assertThat(DiscoverySettings.forbiddenBy("spared.activate=0")).isTrue();
    assertThat(DiscoverySettings.forbiddenBy("root=/dev/vda1 quiet\n")).isFalse();
    assertThat(DiscoverySettings.forbiddenBy("spared.activate=1")).isFalse();
    assertThat(DiscoverySettings.forbiddenBy("other.spared.activate=0")).isFalse();
    assertThat(DiscoverySettings.forbiddenBy("spared.activate=00 spared.activated=0")).isFalse();
  }
}
