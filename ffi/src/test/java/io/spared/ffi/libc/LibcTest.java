package io.spared.ffi.libc;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import io.spared.ffi.Errno;
import io.spared.ffi.NativeAccess;
import java.io.IOException;
import java.nio.ByteBuffer;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import java.util.concurrent.TimeUnit;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

class LibcTest {
  @TempDir private Path directory;

  @Test
  void theSixthArgumentArrives() {
    NativeAccess.prove();
  }

  @Test
  void aFailedCallNamesWhatWasDoneToWhatAndTheErrno() {
    Path missing = directory.resolve("missing");
    assertThatThrownBy(() -> Descriptor.open(missing, Abi.O_RDONLY))
        .isInstanceOf(NativeException.class)
        .hasMessage("open " + missing + ": no such file or device (ENOENT)")
        .satisfies(e -> assertThat(((NativeException) e).errno()).isEqualTo(Errno.ENOENT));
  }

  @Test
  void aDescriptorIsClosedOnceAndOnlyWhenNobodyRetainsIt() throws IOException {
    Path file = Files.writeString(directory.resolve("file"), "content");
    int before = Descriptor.openCount();
    Descriptor descriptor = Descriptor.open(file, Abi.O_RDONLY);
    descriptor.retain();
    descriptor.close();
    descriptor.close();
    ByteBuffer bytes = Memory.structure(16);
    assertThat(Libc.pread(descriptor, Memory.address(bytes), 16, 0)).isEqualTo(7);
    descriptor.release();
    assertThat(Descriptor.openCount()).isEqualTo(before);
    assertThatThrownBy(descriptor::number).isInstanceOf(IllegalStateException.class);
    assertThatThrownBy(descriptor::retain).isInstanceOf(IllegalStateException.class);
  }

  @Test
  void descriptorsAreNotInherited() throws IOException {
    Path file = Files.writeString(directory.resolve("file"), "content");
    try (Descriptor opened = Descriptor.open(file, Abi.O_RDONLY);
        Descriptor counter = Libc.eventCounter(true);
        Descriptor memory = Libc.memoryFile("test");
        Descriptor epoll = Libc.epoll();
        Descriptor socket = Libc.socket(Abi.AF_UNIX, Abi.SOCK_STREAM, 0, "socket")) {
      for (Descriptor descriptor : List.of(opened, counter, memory, epoll, socket)) {
        assertThat(Libc.fcntl(descriptor, Abi.F_GETFD, 0))
            .as("flags of " + descriptor)
            .isEqualTo(Abi.FD_CLOEXEC);
      }
    }
  }

  @Test
  void itRefusesAJvmInWhichTheSixthArgumentDoesNotArrive() throws Exception {
    // A JVM where somebody loaded jnr-ffi with its broken stubs before us.
    Run run = run(BrokenStubs.class, "-Djnr.ffi.x86asm.enabled=true");
    assertThat(run.output()).contains("refused: native calls cannot be trusted in this JVM");
    assertThat(run.exitCode()).isEqualTo(3);
  }

  @Test
  void theLibraryLoadsWhereTheTemporaryDirectoryForbidsPrograms() throws Exception {
    // /proc is mounted noexec everywhere, and nothing can be written there.
    Run run = run(Prove.class, "-Djava.io.tmpdir=/proc", "-Djnr.ffi.x86asm.enabled=true");
    assertThat(run.output()).contains("proven");
    assertThat(run.exitCode()).isZero();
  }

  @Test
  void noexecMountsAreFoundByTheInnermostMount() {
    List<String> mounts =
        MountOptions.parse(
            List.of(
                "22 1 254:0 / / rw,relatime - ext4 /dev/root rw",
                "23 22 0:20 / /tmp rw,nosuid,noexec - tmpfs tmpfs rw",
                "24 23 0:21 / /tmp/inner rw - tmpfs tmpfs rw"));
    assertThat(MountOptions.isUnder(Path.of("/tmp/x"), mounts)).isTrue();
    assertThat(MountOptions.isUnder(Path.of("/tmp/inner/x"), mounts)).isFalse();
    assertThat(MountOptions.isUnder(Path.of("/var"), mounts)).isFalse();
  }

  private record Run(int exitCode, String output) {}

  private static Run run(Class<?> main, String... properties) throws Exception {
    List<String> command = new ArrayList<>();
    command.add(Path.of(System.getProperty("java.home"), "bin", "java").toString());
    command.add("--enable-native-access=ALL-UNNAMED");
    command.add("--sun-misc-unsafe-memory-access=allow");
    command.addAll(List.of(properties));
    command.addAll(List.of("-Xshare:auto", "-XX:TieredStopAtLevel=1"));
    command.addAll(List.of("-cp", System.getProperty("java.class.path"), main.getName()));
    Process process = new ProcessBuilder(command).redirectErrorStream(true).start();
    String output = new String(process.getInputStream().readAllBytes(), StandardCharsets.UTF_8);
    assertThat(process.waitFor(60, TimeUnit.SECONDS)).isTrue();
    return new Run(process.exitValue(), output);
  }

  /** Binds a library with jnr-ffi's own stubs first, and only then asks for ours. */
  static final class BrokenStubs {
    public static void main(String[] arguments) {
      NativeCalls early = jnr.ffi.LibraryLoader.create(NativeCalls.class).load("c");
      early.fdatasync(-1);
      try {
        NativeAccess.prove();
        System.out.println("trusted");
      } catch (NativeUnusableException e) {
        System.out.println("refused: " + e.getMessage());
        System.exit(3);
      }
    }
  }

  /** Loads and proves. */
  static final class Prove {
    public static void main(String[] arguments) {
      NativeAccess.prove();
      System.out.println("proven");
    }
  }
}
