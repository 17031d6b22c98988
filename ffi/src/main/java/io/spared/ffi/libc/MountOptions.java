package io.spared.ffi.libc;

import java.io.IOException;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;

/** Which mounts forbid programs, read from /proc/self/mountinfo. */
final class MountOptions {
  private MountOptions() {}

  /** Every mount point, those that forbid programs marked by a leading '!'. */
  static List<String> noexecMounts() {
    try {
      return parse(
          Files.readAllLines(Path.of("/proc/self/mountinfo"), StandardCharsets.ISO_8859_1));
    } catch (IOException e) {
      return List.of();
    }
  }

  static List<String> parse(List<String> mountinfo) {
    List<String> mounts = new ArrayList<>();
    for (String line : mountinfo) {
      String[] fields = line.split(" ", -1);
      if (fields.length > 5) {
        boolean noexec = List.of(fields[5].split(",", -1)).contains("noexec");
        mounts.add((noexec ? "!" : "") + fields[4].replace("\\040", " "));
      }
    }
    return mounts;
  }

  /** Whether the innermost mount that holds this directory forbids programs. */
  static boolean isUnder(Path directory, List<String> mounts) {
    Path absolute = directory.toAbsolutePath().normalize();
    int longest = -1;
    boolean noexec = false;
    for (String mount : mounts) {
      boolean marked = mount.startsWith("!");
      Path point = Path.of(marked ? mount.substring(1) : mount);
      // Later lines lie over earlier ones on the same place.
      if (absolute.startsWith(point) && point.getNameCount() >= longest) {
        longest = point.getNameCount();
        noexec = marked;
      }
    }
    return noexec;
  }
}
