package io.spared.nbd;

import static org.assertj.core.api.Assertions.assertThat;
import static org.junit.jupiter.api.Assumptions.assumeTrue;

import java.io.IOException;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.List;
import java.util.concurrent.TimeUnit;
import java.util.stream.Stream;

/** Programs of other people, as counterparts of ours. */
public final class Tool {
  /** What a program printed and how it ended. */
  public record Result(int exitCode, String output) {
    public Result succeeded() {
      assertThat(exitCode).as(output).isZero();
      return this;
    }
  }

  private Tool() {}

  /** Skips the test, with a reason, where a program is not installed. */
  public static void needs(String program, String debianPackage) {
    boolean there =
        Stream.of("/usr/bin", "/usr/sbin", "/bin", "/sbin")
            .anyMatch(folder -> Files.isExecutable(Path.of(folder, program)));
    assumeTrue(there, program + " is not installed: apt-get install " + debianPackage);
  }

  /** The system's own programs come first: nbdsh, say, needs the Python that it was made for. */
  public static ProcessBuilder builder(List<String> command) {
    ProcessBuilder builder = new ProcessBuilder(command).redirectErrorStream(true);
    builder
        .environment()
        .merge("PATH", "/usr/sbin:/usr/bin:/sbin:/bin", (old, own) -> own + ":" + old);
    return builder;
  }

  public static Result run(String... command) throws IOException, InterruptedException {
    return run(List.of(command));
  }

  public static Result run(List<String> command) throws IOException, InterruptedException {
    Path output = Files.createTempFile("spared-tool", ".log");
    try {
      Process process = builder(command).redirectOutput(output.toFile()).start();
      if (!process.waitFor(90, TimeUnit.SECONDS)) {
        process.destroyForcibly();
        throw new AssertionError(
            String.join(" ", command) + " does not end: " + Files.readString(output));
      }
      return new Result(process.exitValue(), Files.readString(output, StandardCharsets.ISO_8859_1));
    } finally {
      Files.delete(output);
    }
  }
}
