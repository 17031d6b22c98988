package io.spared.app.config;

import static org.assertj.core.api.Assertions.assertThat;

import io.spared.nbd.NbdLimits;
import io.spared.nbd.NbdListenerSettings;
import io.spared.nbd.NbdListenerSettings.Endpoint;
import io.spared.nbd.negotiation.TlsMode;
import java.nio.file.Path;
import java.time.Duration;
import java.util.List;
import java.util.Optional;
import org.junit.jupiter.api.Test;

class NbdReadingTest {
  private static List<NbdListenerSettings> listeners(String text) {
    ConfigReading reading = ConfigReading.ofText(text);
    assertThat(reading.problems()).isEmpty();
    return reading.config().orElseThrow().nbdListeners();
  }

  private static List<String> problems(String text) {
    return ConfigReading.ofText(text).problems().stream().map(Problem::toString).toList();
  }

  @Test
  void withoutSettingsThereIsOneUnixSocketForTheDaemonAlone() {
    List<NbdListenerSettings> listeners = listeners("spared {}");
    assertThat(listeners).hasSize(1);
    assertThat(listeners.getFirst().endpoint())
        .isEqualTo(new Endpoint.Unix(Path.of("/run/spared/nbd.sock"), 0600, Optional.empty()));
    assertThat(listeners.getFirst().limits()).isEqualTo(NbdLimits.DEFAULTS);
    assertThat(listeners.getFirst().tls().mode()).isEqualTo(TlsMode.OFF);
  }

  @Test
  void everySettingArrives() {
    List<NbdListenerSettings> listeners =
        listeners(
            """
            spared.nbd {
              listen = ["unix:/run/a.sock", "tcp:[::1]:10809", "systemd:2"]
              unix-mode = "0660"
              unix-owner = qemu
              insecure-allowed = true
              tls { mode = required, certificate = /c.pem, key = /k.pem, client-authority = /a.pem }
              clients { archive = [archivist] }
              limits { connections = 3, requests = 5, bytes = 1 MiB, idle = 1 hour }
            }
            """);
    assertThat(listeners).hasSize(3);
    NbdListenerSettings unix = listeners.getFirst();
    assertThat(unix.endpoint())
        .isEqualTo(new Endpoint.Unix(Path.of("/run/a.sock"), 0660, Optional.of("qemu")));
    assertThat(unix.insecureAllowed()).isTrue();
    assertThat(unix.tls().mode()).isEqualTo(TlsMode.REQUIRED);
    assertThat(unix.tls().clientAuthority()).contains(Path.of("/a.pem"));
    assertThat(unix.clients()).containsEntry("archive", List.of("archivist"));
    assertThat(unix.limits().connections()).isEqualTo(3);
    assertThat(unix.limits().idle()).isEqualTo(Duration.ofHours(1));
    assertThat(listeners.get(1).endpoint()).isInstanceOf(Endpoint.Tcp.class);
    assertThat(listeners.get(2).endpoint()).isEqualTo(new Endpoint.Inherited(2));
  }

  @Test
  void wrongSettingsAreExplained() {
    assertThat(problems("spared.nbd.listen = [\"tcp:nowhere\"]"))
        .anyMatch(problem -> problem.contains("tcp:ADDRESS:PORT"));
    assertThat(problems("spared.nbd.unix-mode = \"rw\""))
        .anyMatch(problem -> problem.contains("three octal digits"));
    assertThat(problems("spared.nbd.tls.mode = required"))
        .anyMatch(problem -> problem.contains("certificate and a key"));
    assertThat(problems("spared.nbd.limits.conections = 3"))
        .anyMatch(problem -> problem.contains("conections"));
  }
}
