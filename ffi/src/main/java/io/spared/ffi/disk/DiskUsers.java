package io.spared.ffi.disk;

import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import java.util.Optional;

/** Who uses a disk: mounts, swap, devices built on it, processes that have it open. */
final class DiskUsers {
  private static final int PROCESSES_NAMED_MAX = 3;

  private final HostFiles files;

  DiskUsers(HostFiles files) {
    this.files = files;
  }

  /** Where one of these devices is mounted, by /proc/self/mountinfo. */
  Optional<String> mountedAt(List<String> deviceNumbers) {
    for (String line : files.lines("/proc/self/mountinfo")) {
      String[] fields = line.split(" ", -1);
      if (fields.length > 4 && deviceNumbers.contains(fields[2])) {
        return Optional.of(fields[4].replace("\\040", " "));
      }
    }
    return Optional.empty();
  }

  /** btrfs and overlays show another number in mountinfo, but name the device as their source. */
  Optional<String> mountedFrom(List<String> deviceNames) {
    for (String line : files.lines("/proc/self/mountinfo")) {
      int separator = line.indexOf(" - ");
      if (separator > 0) {
        String[] after = line.substring(separator + 3).split(" ", -1);
        String[] before = line.substring(0, separator).split(" ", -1);
        if (after.length > 1 && before.length > 4 && deviceNames.contains(after[1])) {
          return Optional.of(before[4].replace("\\040", " "));
        }
      }
    }
    return Optional.empty();
  }

  boolean isSwap(List<String> deviceNames) {
    for (String line : files.lines("/proc/swaps")) {
      String[] fields = line.split("\\s+", 2);
      if (deviceNames.contains(fields[0])) {
        return true;
      }
    }
    return false;
  }

  /** The loop device that stands on this file. */
  Optional<String> loopOver(Path file) {
    for (String name : files.names(files.path("/sys/block"))) {
      if (name.startsWith("loop")) {
        Optional<String> backing = files.text("/sys/block/" + name + "/loop/backing_file");
        if (backing.isPresent() && backing.get().equals(file.toString())) {
          return Optional.of("/dev/" + name);
        }
      }
    }
    return Optional.empty();
  }

  /** Other processes that have the file open, a few of them by name. */
  List<String> processesWith(Path file) {
    List<String> found = new ArrayList<>();
    String own = Long.toString(ProcessHandle.current().pid());
    for (String name : files.names(files.path("/proc"))) {
      if (found.size() == PROCESSES_NAMED_MAX) {
        break;
      }
      if (!name.isEmpty()
          && Character.isDigit(name.charAt(0))
          && !name.equals(own)
          && hasOpen(name, file)) {
        String program = files.text("/proc/" + name + "/comm").orElse("unknown");
        found.add(program + " (process " + name + ")");
      }
    }
    return found;
  }

  private boolean hasOpen(String process, Path file) {
    Path descriptors = files.path("/proc/" + process + "/fd");
    for (String descriptor : files.names(descriptors)) {
      try {
        if (Files.readSymbolicLink(descriptors.resolve(descriptor)).equals(file)) {
          return true;
        }
      } catch (IOException e) {
        // Closed meanwhile, or not ours to look at.
      }
    }
    return false;
  }
}
