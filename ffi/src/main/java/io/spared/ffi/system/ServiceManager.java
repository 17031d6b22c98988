package io.spared.ffi.system;

import io.spared.ffi.libc.Abi;
import io.spared.ffi.libc.Descriptor;
import io.spared.ffi.libc.Libc;
import io.spared.ffi.libc.Memory;
import io.spared.ffi.libc.NativeException;
import io.spared.ffi.world.Clock;
import java.io.IOException;
import java.lang.ref.Reference;
import java.nio.ByteBuffer;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.time.Duration;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import java.util.concurrent.TimeUnit;
import org.slf4j.Logger;
import org.slf4j.LoggerFactory;

/**
 * Tells the service manager how the daemon is (sd_notify's protocol: datagrams to the socket that
 * NOTIFY_SOCKET names). Without a service manager every message is dropped; a failure to tell is
 * logged once and never hurts the daemon.
 */
public final class ServiceManager {
  private static final Logger LOG = LoggerFactory.getLogger(ServiceManager.class);
  private static final int STATUS_MAX = 1000;
  private static final Duration ANSWER_WAIT = Duration.ofSeconds(2);

  private final String socket;
  private final Optional<Duration> watchdog;
  private boolean complained;

  ServiceManager(Map<String, String> environment, long processId) {
    this.socket = environment.getOrDefault("NOTIFY_SOCKET", "");
    this.watchdog = watchdog(environment, processId);
  }

  /** The service manager that started this process, if any. */
  public static ServiceManager ofThisProcess() {
    return new ServiceManager(System.getenv(), ProcessHandle.current().pid());
  }

  private static Optional<Duration> watchdog(Map<String, String> environment, long processId) {
    String owner = environment.get("WATCHDOG_PID");
    String micros = environment.get("WATCHDOG_USEC");
    try {
      if (micros == null || (owner != null && Long.parseLong(owner) != processId)) {
        return Optional.empty();
      }
      long value = Long.parseLong(micros);
      return value > 0 ? Optional.of(Duration.ofNanos(value * 1000)) : Optional.empty();
    } catch (NumberFormatException e) {
      return Optional.empty();
    }
  }

  public boolean isPresent() {
    return !socket.isEmpty();
  }

  /** Whether the whole machine goes down; no, where systemd does not say so within two seconds. */
  public boolean isMachineStopping() {
    return Files.isDirectory(Path.of("/run/systemd/system"))
        && saysStopping(List.of("systemctl", "is-system-running"), ANSWER_WAIT);
  }

  static boolean saysStopping(List<String> question, Duration wait) {
    try {
      Process process =
          new ProcessBuilder(question).redirectError(ProcessBuilder.Redirect.DISCARD).start();
      if (!process.waitFor(wait.toNanos(), TimeUnit.NANOSECONDS)) {
        process.destroyForcibly();
        return false;
      }
      return new String(process.getInputStream().readAllBytes(), StandardCharsets.UTF_8)
          .strip()
          .equals("stopping");
    } catch (IOException e) {
      LOG.warn("whether the machine goes down is not known: {}", e.getMessage());
      return false;
    } catch (InterruptedException e) {
      Thread.currentThread().interrupt();
      return false;
    }
  }

  /** Within which time {@link #alive} must be called again and again; half of it is a good pace. */
  public Optional<Duration> watchdog() {
    return watchdog;
  }

  public void ready(String status) {
    tell("READY=1\nSTATUS=" + line(status));
  }

  public void status(String status) {
    tell("STATUS=" + line(status));
  }

  /** Feeds the watchdog. */
  public void alive() {
    tell("WATCHDOG=1");
  }

  public void stopping(String status) {
    tell("STOPPING=1\nSTATUS=" + line(status));
  }

  /** The configuration is being read again; {@link #ready} says when that is over. */
  public void reloading(Clock clock) {
    // The manager compares this with its own monotonic clock, which System.nanoTime is on Linux.
    tell("RELOADING=1\nMONOTONIC_USEC=" + clock.nanoTime() / 1000);
  }

  private static String line(String status) {
    String single = status.replace('\n', ' ');
    return single.length() <= STATUS_MAX ? single : single.substring(0, STATUS_MAX);
  }

  private synchronized void tell(String message) {
    if (socket.isEmpty()) {
      return;
    }
    try {
      send(message);
    } catch (NativeException e) {
      if (!complained) {
        complained = true;
        LOG.warn("the service manager cannot be told: {}", e.getMessage());
      }
    }
  }

  private void send(String message) throws NativeException {
    byte[] path = socket.getBytes(StandardCharsets.UTF_8);
    if (path[0] == '@') {
      path[0] = 0;
    }
    ByteBuffer address = Memory.structure(2 + path.length + 1);
    address.putShort((short) Abi.AF_UNIX).put(path);
    int addressBytes = address.position() + (path[0] == 0 ? 0 : 1);
    byte[] bytes = message.getBytes(StandardCharsets.UTF_8);
    ByteBuffer content = Memory.structure(bytes.length).put(bytes);
    try (Descriptor to =
        Libc.socket(Abi.AF_UNIX, Abi.SOCK_DGRAM, 0, "service manager at " + socket)) {
      long result =
          Libc.sendTo(
              to, Memory.address(content), bytes.length, Memory.address(address), addressBytes);
      if (result < 0) {
        throw new NativeException("send to " + to, io.spared.ffi.Errno.of((int) -result));
      }
    } finally {
      Reference.reachabilityFence(address);
      Reference.reachabilityFence(content);
    }
  }
}
