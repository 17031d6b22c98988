package io.spared.app;

import static org.assertj.core.api.Assertions.assertThat;
import static org.junit.jupiter.api.Assumptions.assumeTrue;

import io.spared.ffi.engine.LoopDevice;
import java.io.ByteArrayOutputStream;
import java.io.IOException;
import java.io.PrintStream;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.List;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

/** What a person sees who judges a configuration before the daemon takes it. */
class DaemonCheckTest {
  @TempDir private Path directory;

  private final PrintStream out = System.out;
  private final PrintStream err = System.err;
  private final ByteArrayOutputStream said = new ByteArrayOutputStream();

  @BeforeEach
  void listen() {
    PrintStream both = new PrintStream(said, true, StandardCharsets.UTF_8);
    System.setOut(both);
    System.setErr(both);
  }

  @AfterEach
  void stopListening() {
    System.setOut(out);
    System.setErr(err);
  }

  private int check(String text) throws IOException {
    Path file = Files.writeString(directory.resolve("spared.conf"), text);
    said.reset();
    return Daemon.run(new String[] {"--check", "--config", file.toString()});
  }

  private String said() {
    return said.toString(StandardCharsets.UTF_8);
  }

  @Test
  void aGoodConfigurationIsCalledGoodAndMissingDisksAreNamed() throws IOException {
    Path main = Files.createFile(directory.resolve("main"));
    assertThat(
            check(
                "spared.devices.a { main = \"%s\", spares = [\"%s/absent\"] }"
                    .formatted(main, directory)))
        .isZero();
    assertThat(said()).contains("absent").contains("configuration is good: 1 devices");
    assertThat(said()).doesNotContain(main + ":");
  }

  @Test
  void everythingWrongIsToldAtOnceWithFileAndLine() throws IOException {
    assertThat(
            check(
                """
                spared {
                  engine.ring = 3
                  defaults.drain-deadline = 10
                  devices.a { main = "/dev/a", spares = ["/dev/a"] }
                }
                """))
        .isEqualTo(2);
    List<String> lines = said().lines().toList();
    assertThat(lines).hasSizeGreaterThanOrEqualTo(3);
    assertThat(lines).allMatch(line -> line.startsWith("spared daemon: "));
    assertThat(lines).anyMatch(line -> line.contains("spared.conf:2:") && line.contains("rings"));
    assertThat(lines).anyMatch(line -> line.contains("spared.conf:3:") && line.contains("unit"));
    assertThat(lines).anyMatch(line -> line.contains("/dev/a"));
    assertThat(said()).doesNotContain("good");
  }

  @Test
  void aFileThatCannotBeParsedOrIsNotThereIsNamed() throws IOException {
    assertThat(check("spared { engine {")).isEqualTo(2);
    assertThat(said()).contains("spared.conf");
    said.reset();
    assertThat(Daemon.run(new String[] {"--check", "--config", directory + "/none.conf"}))
        .isEqualTo(2);
    assertThat(said()).contains("none.conf").contains("check the path");
    said.reset();
    assertThat(Daemon.run(new String[] {"--chek"})).isEqualTo(2);
    assertThat(said()).contains("unknown argument --chek; usage: ");
  }

  @Test
  void systemdFindsNothingWrongWithTheServiceUnit() throws IOException {
    Path tool = Path.of("/usr/bin/systemd-analyze");
    assumeTrue(Files.isExecutable(tool), "systemd-analyze (package systemd) is not here");
    // Where spared is installed, so that the unit's programs are found.
    Path program = directory.resolve("bin/spared");
    Files.createDirectories(directory.resolve("bin"));
    Files.copy(Path.of("/bin/true"), program);
    String unit =
        Files.readString(Path.of("../deploy/spared.service"))
            .replace("/opt/spared", directory.toString());
    Path copy = Files.writeString(directory.resolve("spared.service"), unit);
    List<String> verify = List.of(tool.toString(), "verify", "--man=no", copy.toString());
    assertThat(LoopDevice.run(verify)).isEmpty();
    Files.writeString(copy, unit.replace("WatchdogSec", "WatchdogSecs"));
    assertThat(LoopDevice.run(verify)).as("that it can be seen").contains("WatchdogSecs");
  }
}
