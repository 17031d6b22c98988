package io.spared.app.scenario;

import io.spared.nbd.Tool;
import java.io.IOException;
import java.net.UnixDomainSocketAddress;
import java.nio.channels.SocketChannel;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import java.util.concurrent.TimeUnit;

/** nbdkit with any filters, as a disk on another host. */
final class FarServer implements AutoCloseable {
  private final Path socket;
  private final Process process;

  private FarServer(Path socket, Process process) {
    this.socket = socket;
    this.process = process;
  }

  static boolean isInstalled() {
    return Files.isExecutable(Path.of("/usr/bin/nbdkit"));
  }

  static FarServer start(Path socket, String... arguments) throws IOException {
    Files.deleteIfExists(socket);
    List<String> command = new ArrayList<>(List.of("nbdkit", "-f", "-U", socket.toString()));
    command.addAll(List.of(arguments));
    Path log = Path.of(socket + ".log");
    Process process =
        Tool.builder(command)
            .redirectOutput(ProcessBuilder.Redirect.appendTo(log.toFile()))
            .start();
    FarServer server = new FarServer(socket, process);
    if (!Trial.until(() -> !process.isAlive() || listens(socket)) || !process.isAlive()) {
      server.close();
      throw new IOException("nbdkit does not start: " + Files.readString(log));
    }
    return server;
  }

  private static boolean listens(Path socket) {
    try (SocketChannel channel = SocketChannel.open(UnixDomainSocketAddress.of(socket))) {
      return channel.isConnected();
    } catch (IOException notYet) {
      return false;
    }
  }

  /** How it is named as a disk of a device. */
  String disk() {
    return "nbd:unix:" + socket + ":";
  }

  /** SIGKILL: what it kept in its memory is gone. */
  void kill() {
    process.destroyForcibly();
    process.onExit().orTimeout(10, TimeUnit.SECONDS).join();
  }

  @Override
  public void close() {
    kill();
  }
}
