package io.spared.app.scenario;

import java.io.BufferedReader;
import java.io.IOException;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import java.util.Optional;
import java.util.concurrent.TimeUnit;

/**
 * The daemon in a process of its own, so that it can be killed. With a socket for activation it is
 * started as a service manager starts it: the socket stands and listens before, and is passed on.
 */
final class DaemonProcess implements AutoCloseable {
  /**
   * What systemd does for a .socket unit, in the few lines of a program that every Debian has: the
   * socket becomes descriptor 3, and the environment says so and to whom.
   */
  private static final String ACTIVATE =
      """
      use Socket; use POSIX ();
      my $path = shift; unlink $path; $^F = 9;
      socket(my $s, AF_UNIX, SOCK_STREAM, 0) or die "socket: $!";
      bind($s, sockaddr_un($path)) or die "bind: $!";
      listen($s, 8) or die "listen: $!";
      POSIX::dup2(fileno($s), 3) or die "dup2: $!" if fileno($s) != 3;
      $ENV{LISTEN_FDS} = 1; $ENV{LISTEN_PID} = $$;
      exec @ARGV;
      """;

  private final Process process;

  private DaemonProcess(Process process) {
    this.process = process;
  }

  /** Starts it and waits until it says that it is ready. */
  static DaemonProcess start(Path config, Path log, Optional<Path> activation) throws IOException {
    List<String> command = new ArrayList<>();
    activation.ifPresent(
        socket -> command.addAll(List.of("perl", "-e", ACTIVATE, socket.toString())));
    command.addAll(
        List.of(
            Path.of(System.getProperty("java.home"), "bin", "java").toString(),
            "--enable-native-access=ALL-UNNAMED",
            "--sun-misc-unsafe-memory-access=allow",
            "-Djnr.ffi.x86asm.enabled=false",
            "-XX:TieredStopAtLevel=1",
            "-XX:+UseSerialGC",
            "-Xmx256m",
            "-cp",
            System.getProperty("java.class.path"),
            "io.spared.app.Main",
            "daemon",
            "--config",
            config.toString()));
    Process process =
        new ProcessBuilder(command)
            .redirectError(ProcessBuilder.Redirect.appendTo(log.toFile()))
            .start();
    DaemonProcess started = new DaemonProcess(process);
    BufferedReader output = process.inputReader();
    String line = output.readLine();
    while (line != null && !line.startsWith("spared ready")) {
      line = output.readLine();
    }
    if (line == null) {
      started.close();
      throw new IOException("the daemon did not start; see " + log);
    }
    // Nobody reads on; what it prints later must not stop it.
    Thread.ofVirtual().start(() -> drain(output));
    return started;
  }

  private static void drain(BufferedReader output) {
    try {
      while (output.readLine() != null) {}
    } catch (IOException ended) {
      // It was killed.
    }
  }

  /** SIGKILL, and its end. */
  void kill() {
    process.destroyForcibly();
    process.onExit().orTimeout(20, TimeUnit.SECONDS).join();
  }

  /** SIGTERM, and its exit code. */
  int stop() {
    process.destroy();
    return process.onExit().orTimeout(20, TimeUnit.SECONDS).join().exitValue();
  }

  @Override
  public void close() {
    kill();
  }
}
