package io.spared.app.scenario;

import static org.assertj.core.api.Assertions.assertThat;
import static org.junit.jupiter.api.Assumptions.assumeTrue;

import io.spared.app.scenario.KillTrial.Disks;
import io.spared.nbd.Tool;
import java.io.IOException;
import java.io.Reader;
import java.io.Writer;
import java.net.UnixDomainSocketAddress;
import java.nio.ByteBuffer;
import java.nio.channels.SocketChannel;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.Optional;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.Timeout;
import org.junit.jupiter.api.io.TempDir;

/** SIGKILL of the real daemon under clients that write, and what they find afterwards. */
@Timeout(180)
final class KilledDaemonTest {
  @TempDir Path directory;

  @Test
  void nothingAcknowledgedIsLostAndClientsGoOnWhenTheDaemonIsKilledUnderThem() throws Exception {
    assumeTrue(
        Files.isExecutable(Path.of("/usr/bin/qemu-io")),
        "qemu-io is not installed: apt-get install qemu-utils");
    try (KillTrial trial = new KillTrial(directory, Disks.LOCAL, Optional.empty(), 7);
        QemuIo qemu = new QemuIo(trial.socket())) {
      assertThat(qemu.says("write -P 1 16M 1M")).contains("wrote 1048576/1048576");
      trial.round();
      assertThat(trial.remapped()).isPositive();
      // It was connected before the kill and asks on as if nothing had been.
      assertThat(qemu.says("read -P 1 16M 1M"))
          .contains("read 1048576/1048576")
          .doesNotContain("verification failed");
      assertThat(qemu.says("write -P 2 17M 64k")).contains("wrote 65536/65536");
      assertThat(qemu.says("flush")).doesNotContain("failed");
      assertThat(trial.acknowledged()).isGreaterThan(300);
      assertThat(trial.unanswered()).isPositive();
    }
  }

  @Test
  void aFlushThatWasAcknowledgedOutlivesALossOfPower() throws Exception {
    assumeTrue(FarServer.isInstalled(), "nbdkit is not installed: apt-get install nbdkit");
    Path activated = directory.resolve("activated.sock");
    try (KillTrial trial = new KillTrial(directory, Disks.VOLATILE, Optional.of(activated), 8)) {
      assertThat(greeting(activated)).startsWith("NBDMAGICIHAVEOPT");
      assertThat(exports(activated)).contains("export=\"a\"").contains("killed now and then");
      trial.round();
      assertThat(trial.flushes()).isPositive();
      assertThat(trial.takenBack()).as("there was something to lose").isPositive();
      assertThat(greeting(activated)).startsWith("NBDMAGICIHAVEOPT");
    }
  }

  private static String exports(Path socket) throws Exception {
    Tool.needs("nbdinfo", "libnbd-bin");
    String uri = "nbd+unix:///?socket=" + socket;
    Trial.until(() -> exitCode("nbdinfo", "--list", uri) == 0);
    return Tool.run("nbdinfo", "--list", uri).succeeded().output();
  }

  private static int exitCode(String... command) {
    try {
      return Tool.run(command).exitCode();
    } catch (IOException | InterruptedException e) {
      throw new IllegalStateException(e);
    }
  }

  /** What the daemon says first on a socket that was passed on to it. */
  private static String greeting(Path socket) throws IOException {
    try (SocketChannel channel = SocketChannel.open(UnixDomainSocketAddress.of(socket))) {
      ByteBuffer bytes = ByteBuffer.allocate(18);
      while (bytes.hasRemaining() && channel.read(bytes) >= 0) {}
      return new String(bytes.array(), StandardCharsets.ISO_8859_1);
    }
  }

  /** QEMU's own client, told to wait for a server that is away. */
  private static final class QemuIo implements AutoCloseable {
    private static final String PROMPT = "qemu-io> ";

    private final Process process;
    private final Writer commands;
    private final Reader answers;

    QemuIo(Path socket) throws IOException {
      process =
          new ProcessBuilder(
                  "qemu-io",
                  "--image-opts",
                  "driver=nbd,server.type=unix,server.path="
                      + socket
                      + ",export=a,reconnect-delay=60,open-timeout=30")
              .redirectErrorStream(true)
              .start();
      commands = process.outputWriter();
      answers = process.inputReader();
      answer();
    }

    /** One line at a time: it does not see a second one that came with the first. */
    String says(String line) throws IOException {
      commands.write(line + "\n");
      commands.flush();
      return answer();
    }

    private String answer() throws IOException {
      StringBuilder answer = new StringBuilder();
      while (answer.indexOf(PROMPT) < 0) {
        int next = answers.read();
        if (next < 0) {
          throw new IOException("qemu-io ended: " + answer);
        }
        answer.append((char) next);
      }
      return answer.toString();
    }

    @Override
    public void close() {
      process.destroyForcibly();
    }
  }
}
