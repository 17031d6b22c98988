package io.spared.app.files;

import java.io.IOException;
import java.nio.charset.StandardCharsets;
import java.nio.file.DirectoryStream;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayDeque;
import java.util.ArrayList;
import java.util.Deque;
import java.util.HashSet;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import java.util.Set;
import java.util.function.IntPredicate;
import java.util.regex.Matcher;
import java.util.regex.Pattern;
import org.jspecify.annotations.Nullable;

/**
 * Whether something that the daemon needs lies on a block device that it serves: it would wait for
 * itself.
 *
 * <p>The device's server may just be dead, when every look at its files would hang. So nothing on a
 * device is touched before it is known not to be one of those: a path is followed from the root,
 * name by name, and the mounts and what is below a device come from /proc and /sys.
 */
public final class OwnFiles {
  /** As the kernel bounds links in one path; files of loop devices count like links. */
  private static final int STEPS_MAX = 40;

  /** Devices on devices: loop on dm on ublk. */
  private static final int DEVICES_MAX = 256;

  private static final Pattern UBLK = Pattern.compile("ublkb(\\d{1,9})(p\\d+)?");

  /** Of a mount that nobody asked about yet. */
  private static final Optional<String> UNKNOWN = Optional.of("");

  private final Path proc;
  private final Path sys;
  private final IntPredicate served;

  /**
   * @param served whether the ublk device of a number is this daemon's, now or once it has it back
   */
  public OwnFiles(Path proc, Path sys, IntPredicate served) {
    this.proc = proc;
    this.sys = sys;
    this.served = served;
  }

  private record Mount(int order, Path at, String device, String source) {}

  /** The refusal for the first of the named paths that lies on such a device. */
  public Optional<String> refusal(Map<String, Path> paths) {
    Map<Mount, Optional<String>> looked = new LinkedHashMap<>();
    mounts().forEach(mount -> looked.put(mount, UNKNOWN));
    for (Map.Entry<String, Path> named : paths.entrySet()) {
      Optional<String> device = deviceBelow(named.getValue(), looked, STEPS_MAX);
      if (device.isPresent()) {
        return Optional.of(
            named.getKey()
                + " "
                + named.getValue()
                + " lies on /dev/"
                + device.get()
                + ", which is spared's own: the daemon would wait for itself; put it on another"
                + " disk");
      }
    }
    return Optional.empty();
  }

  private List<Mount> mounts() {
    List<Mount> mounts = new ArrayList<>();
    try {
      for (String line : Files.readAllLines(proc.resolve("self/mountinfo"))) {
        String[] fields = line.split(" ", -1);
        int dash = List.of(fields).indexOf("-");
        if (fields.length > 5 && dash > 0 && fields.length > dash + 2) {
          mounts.add(
              new Mount(
                  mounts.size(), Path.of(plain(fields[4])), fields[2], plain(fields[dash + 2])));
        }
      }
    } catch (IOException e) {
      // Without /proc nothing can be said; mounts would be the least of the worries.
      return List.of();
    }
    return mounts;
  }

  /** Undoes the octal escapes of mountinfo. */
  private static String plain(String field) {
    StringBuilder text = new StringBuilder();
    for (int i = 0; i < field.length(); i++) {
      if (field.charAt(i) == '\\' && i + 3 < field.length()) {
        text.append((char) Integer.parseInt(field.substring(i + 1, i + 4), 8));
        i += 3;
      } else {
        text.append(field.charAt(i));
      }
    }
    return text.toString();
  }

  private Optional<String> deviceBelow(
      Path path, Map<Mount, Optional<String>> looked, int stepsLeft) {
    if (stepsLeft == 0) {
      return Optional.empty();
    }
    Path at = Path.of("/");
    Deque<Path> ahead = new ArrayDeque<>();
    path.toAbsolutePath().normalize().forEach(ahead::add);
    while (true) {
      Optional<String> device = deviceOf(at, looked, stepsLeft);
      if (device.isPresent() || ahead.isEmpty()) {
        return device;
      }
      Path next = at.resolve(ahead.remove());
      if (deviceOf(next, looked, stepsLeft).isEmpty() && Files.isSymbolicLink(next)) {
        Path target = at.resolve(linkOf(next));
        for (Path rest : ahead) {
          target = target.resolve(rest);
        }
        return deviceBelow(target, looked, stepsLeft - 1);
      }
      at = next;
    }
  }

  private static Path linkOf(Path link) {
    try {
      return Files.readSymbolicLink(link);
    } catch (IOException e) {
      return link;
    }
  }

  private Optional<String> deviceOf(Path path, Map<Mount, Optional<String>> looked, int stepsLeft) {
    Mount best = null;
    for (Mount mount : looked.keySet()) {
      // The last one mounted over a place is the one that is seen.
      if (path.startsWith(mount.at())
          && (best == null || mount.at().getNameCount() >= best.at().getNameCount())) {
        best = mount;
      }
    }
    if (best == null) {
      return Optional.empty();
    }
    Optional<String> known = looked.get(best);
    if (known == null || UNKNOWN.equals(known)) {
      // Meanwhile: a loop device over a file on itself is not looked at for ever.
      looked.put(best, Optional.empty());
      known = served(best, looked, stepsLeft);
      looked.put(best, known);
    }
    return known;
  }

  private Optional<String> served(Mount mount, Map<Mount, Optional<String>> looked, int stepsLeft) {
    // Some file systems (btrfs) have a number of their own; their source names the device.
    Path first =
        mount.device().startsWith("0:")
            ? sys.resolve("class/block").resolve(kernelName(mount.source()))
            : sys.resolve("dev/block").resolve(mount.device());
    Set<String> seen = new HashSet<>();
    Deque<Path> waiting = new ArrayDeque<>(List.of(first));
    while (!waiting.isEmpty() && seen.size() < DEVICES_MAX) {
      Path directory = real(waiting.remove());
      String name = directory == null ? "" : String.valueOf(directory.getFileName());
      if (directory == null || !seen.add(name)) {
        continue;
      }
      Matcher ublk = UBLK.matcher(name);
      if (ublk.matches() && served.test(Integer.parseInt(ublk.group(1)))) {
        return Optional.of(name);
      }
      if (Files.exists(directory.resolve("partition")) && directory.getParent() != null) {
        waiting.add(directory.getParent());
      }
      waiting.addAll(entries(directory.resolve("slaves")));
      Optional<Path> backing = backingFile(directory);
      if (backing.isPresent()) {
        Optional<String> below = deviceBelow(backing.get(), looked, stepsLeft - 1);
        if (below.isPresent()) {
          return below;
        }
      }
    }
    return Optional.empty();
  }

  private static String kernelName(String source) {
    Path device = Path.of(source);
    if (!device.startsWith("/dev")) {
      return "none";
    }
    Path real = real(device);
    return String.valueOf((real == null ? device : real).getFileName());
  }

  private static @Nullable Path real(Path path) {
    try {
      return path.toRealPath();
    } catch (IOException e) {
      return null;
    }
  }

  private static List<Path> entries(Path directory) {
    List<Path> entries = new ArrayList<>();
    try (DirectoryStream<Path> all = Files.newDirectoryStream(directory)) {
      all.forEach(entries::add);
    } catch (IOException e) {
      return List.of();
    }
    return entries;
  }

  private static Optional<Path> backingFile(Path device) {
    try {
      String text =
          Files.readString(device.resolve("loop/backing_file"), StandardCharsets.UTF_8).strip();
      return text.startsWith("/") ? Optional.of(Path.of(text)) : Optional.empty();
    } catch (IOException e) {
      return Optional.empty();
    }
  }
}
