package io.spared.ffi.libc;

import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import jnr.ffi.LibraryLoader;
import org.jspecify.annotations.Nullable;

/**
 * Loads the C library so that its calls can be trusted.
 *
 * <p>Two traps are closed here, before the first jnr class loads. The stubs that jnr-ffi generates
 * for x86-64 pass the return address as the sixth integer argument (its issue 181), unless {@code
 * jnr.ffi.x86asm.enabled} is false. And jffi unpacks its own library into java.io.tmpdir, which a
 * noexec mount breaks: it is given a private directory on a file system that allows programs, which
 * is removed again once the library is loaded.
 */
final class NativeLibrary {
  private NativeLibrary() {}

  static NativeCalls load() {
    System.setProperty("jnr.ffi.x86asm.enabled", "false");
    Path unpacked = null;
    if (System.getProperty("jffi.boot.library.path") == null
        && System.getProperty("jffi.extract.dir") == null) {
      unpacked = privateDirectory();
      System.setProperty("jffi.extract.dir", unpacked.toString());
    }
    try {
      return LibraryLoader.create(NativeCalls.class).failImmediately().load("c");
    } catch (LinkageError | RuntimeException e) {
      throw new NativeUnusableException(
          "the C library cannot be called through jnr-ffi ("
              + e.getMessage()
              + "); give a directory that allows programs with -Dspared.native.dir=DIR",
          e);
    } finally {
      if (unpacked != null) {
        remove(unpacked);
      }
    }
  }

  private static Path privateDirectory() {
    List<String> tried = new ArrayList<>();
    List<String> noexec = MountOptions.noexecMounts();
    for (String candidate : candidates()) {
      Path directory = Path.of(candidate);
      if (!Files.isDirectory(directory) || !Files.isWritable(directory)) {
        tried.add(candidate + " (not writable)");
      } else if (MountOptions.isUnder(directory, noexec)) {
        tried.add(candidate + " (mounted noexec)");
      } else {
        try {
          // Made with mode 0700 and a random name: nobody else can put a library there.
          return Files.createTempDirectory(directory, "spared-native-");
        } catch (IOException e) {
          tried.add(candidate + " (" + e.getMessage() + ")");
        }
      }
    }
    throw new NativeUnusableException(
        "no directory to unpack jffi's library into: "
            + String.join(", ", tried)
            + "; give one that allows programs with -Dspared.native.dir=DIR");
  }

  private static List<String> candidates() {
    List<String> candidates = new ArrayList<>();
    add(candidates, System.getProperty("spared.native.dir"));
    add(candidates, System.getenv("RUNTIME_DIRECTORY"));
    add(candidates, System.getenv("STATE_DIRECTORY"));
    add(candidates, System.getenv("CACHE_DIRECTORY"));
    add(candidates, System.getenv("XDG_RUNTIME_DIR"));
    add(candidates, System.getProperty("java.io.tmpdir"));
    add(candidates, "/var/lib/spared");
    add(candidates, "/run");
    add(candidates, "/var/tmp");
    add(candidates, System.getProperty("user.home"));
    return candidates;
  }

  private static void add(List<String> candidates, @Nullable String candidate) {
    if (candidate != null && !candidate.isEmpty()) {
      // systemd separates several directories by colons; the first is ours.
      int colon = candidate.indexOf(':');
      candidates.add(colon < 0 ? candidate : candidate.substring(0, colon));
    }
  }

  private static void remove(Path directory) {
    try (var entries = Files.newDirectoryStream(directory)) {
      for (Path entry : entries) {
        Files.deleteIfExists(entry);
      }
      Files.deleteIfExists(directory);
    } catch (IOException e) {
      // An empty private directory that stays behind harms nobody.
    }
  }
}
