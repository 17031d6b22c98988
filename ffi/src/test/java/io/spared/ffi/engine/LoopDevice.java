package io.spared.ffi.engine;

import static org.junit.jupiter.api.Assumptions.assumeTrue;

import java.io.IOException;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.List;
import java.util.concurrent.TimeUnit;

/** A loop device over a file, for tests; they are skipped with a reason where there is none. */
public final class LoopDevice implements AutoCloseable {
  private final String device;

  private LoopDevice(String device) {
    this.device = device;
  }

  /** Makes a loop device; options are losetup's. */
  public static LoopDevice over(Path file, String... options) {
    assumeTrue(
        "root".equals(System.getProperty("user.name")), "loop devices are made by root only");
    assumeTrue(Files.exists(Path.of("/dev/loop-control")), "this kernel has no loop devices");
    List<String> command = new java.util.ArrayList<>(List.of("losetup", "--find", "--show"));
    command.addAll(List.of(options));
    command.add(file.toString());
    return new LoopDevice(run(command).strip());
  }

  public Path path() {
    return Path.of(device);
  }

  @Override
  public void close() {
    run(List.of("losetup", "--detach", device));
  }

  /** Runs a program to its end and gives what it printed; fails when it fails. */
  public static String run(List<String> command) {
    try {
      Process process = new ProcessBuilder(command).redirectErrorStream(true).start();
      String output = new String(process.getInputStream().readAllBytes(), StandardCharsets.UTF_8);
      if (!process.waitFor(30, TimeUnit.SECONDS) || process.exitValue() != 0) {
        process.destroyForcibly();
        throw new AssertionError(String.join(" ", command) + ": " + output);
      }
      return output;
    } catch (IOException e) {
      throw new AssertionError(e);
    } catch (InterruptedException e) {
      Thread.currentThread().interrupt();
      throw new AssertionError(e);
    }
  }
}
