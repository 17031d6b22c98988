package io.spared.ffi.engine;

import static org.assertj.core.api.Assertions.assertThat;
import static org.junit.jupiter.api.Assumptions.assumeTrue;

import java.io.BufferedReader;
import java.net.StandardProtocolFamily;
import java.net.UnixDomainSocketAddress;
import java.nio.ByteBuffer;
import java.nio.channels.SocketChannel;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import java.util.concurrent.TimeUnit;
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.ValueSource;

/**
 * Sockets that systemd opened before the program ran, passed on by systemd's own tool to a process
 * of its own.
 */
class SocketActivationTest {
  private static final Path TOOL = Path.of("/usr/bin/systemd-socket-activate");
  private static final int SOCKETS = 2;

  @TempDir private Path directory;

  @ParameterizedTest
  @ValueSource(strings = {"io_uring", "threads"})
  void listeningSocketsThatArePassedOnAreServedOnceEach(String engine) throws Exception {
    assumeTrue(Files.isExecutable(TOOL), "systemd-socket-activate (package systemd) is not here");
    if (engine.equals("io_uring")) {
      DiskEngineTest.uring().close();
    }
    Path socket = directory.resolve("first");
    Process process =
        new ProcessBuilder(command(engine, socket, directory.resolve("second")))
            .redirectErrorStream(true)
            .start();
    List<String> said = new ArrayList<>();
    try (BufferedReader output = process.inputReader(StandardCharsets.UTF_8)) {
      while (said.stream().filter(line -> line.startsWith("Listening on")).count() < SOCKETS) {
        said.add(String.valueOf(output.readLine()));
      }
      assertThat(echoed(socket, "as it was sent")).isEqualTo("as it was sent");
      output.lines().forEach(said::add);
      assertThat(process.waitFor(20, TimeUnit.SECONDS)).isTrue();
    } finally {
      process.destroyForcibly();
    }
    assertThat(said)
        .contains(
            "names [nbd, control]",
            "1 listens at " + directory.resolve("second"),
            "refused: socket 2 of socket activation is asked for, but 2 were passed on; check the"
                + " .socket unit",
            "refused: inherited socket 0 is in use already; configure another listener")
        .endsWith("done");
    assertThat(process.exitValue()).isZero();
  }

  private static List<String> command(String engine, Path first, Path second) {
    List<String> command = new ArrayList<>(List.of(TOOL.toString()));
    command.addAll(List.of("-l", first.toString(), "-l", second.toString()));
    command.add("--fdname=nbd:control");
    command.add(Path.of(System.getProperty("java.home"), "bin", "java").toString());
    command.addAll(List.of("-XX:TieredStopAtLevel=1", "-XX:+UseSerialGC"));
    command.addAll(List.of("--enable-native-access=ALL-UNNAMED", "-cp"));
    command.add(System.getProperty("java.class.path"));
    command.addAll(List.of(ActivatedEcho.class.getName(), engine));
    return command;
  }

  private static String echoed(Path socket, String text) throws Exception {
    try (SocketChannel client = SocketChannel.open(StandardProtocolFamily.UNIX)) {
      client.connect(UnixDomainSocketAddress.of(socket));
      byte[] sent = text.getBytes(StandardCharsets.UTF_8);
      client.write(ByteBuffer.wrap(sent));
      ByteBuffer got = ByteBuffer.allocate(sent.length);
      while (got.hasRemaining() && client.read(got) >= 0) {}
      return new String(got.array(), 0, got.position(), StandardCharsets.UTF_8);
    }
  }
}
