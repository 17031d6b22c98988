package io.spared.ublk;

import static org.assertj.core.api.Assertions.assertThat;

import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.ValueSource;

final class KnownBadKernelsTest {
  @ParameterizedTest
  @ValueSource(
      strings = {
        "6.18.4",
        "6.18.4-arch1-1",
        "6.18.5",
        "6.17.0-1015-azure",
        "6.17.0-1018-azure",
        "6.17.0-1017-aws"
      })
  void aKernelThatCrashesWhenADeviceIsAddedIsNotAsked(String release) {
    assertThat(KnownBadKernels.sentence(release))
        .hasValueSatisfying(
            sentence -> assertThat(sentence).contains(release).contains("6.18.6").contains("NBD"));
  }

  @ParameterizedTest
  @ValueSource(
      strings = {
        "6.12.48+deb12-cloud-amd64",
        "6.18.6",
        "6.18.45-1",
        "7.3.4+deb13-cloud-amd64",
        "6.17.0-1014-azure",
        "6.17.0-22-generic",
        "6.17.12",
        "5.15",
        ""
      })
  void anyOtherKernelIsTrusted(String release) {
    assertThat(KnownBadKernels.sentence(release)).isEmpty();
  }
}
