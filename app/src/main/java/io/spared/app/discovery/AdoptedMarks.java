package io.spared.app.discovery;

import io.spared.discovery.AdoptedDisk;
import java.io.IOException;
import java.nio.charset.StandardCharsets;
import java.nio.file.DirectoryStream;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import java.util.Set;
import java.util.concurrent.ConcurrentHashMap;
import org.slf4j.Logger;
import org.slf4j.LoggerFactory;

/**
 * Tells udev which disks were adopted: by an empty file for each, whose name the program
 * `disk-role` of the udev rules makes from the disk in the same way.
 *
 * <p>udev has judged a disk before it was adopted, and at boot also before the directory was
 * mounted, so a disk without a role in udev's database is shown to udev once more. That is done
 * once for each disk in a run of the daemon: where the rules are not installed no role ever
 * appears, and every event wakes discovery.
 */
final class AdoptedMarks {
  private static final Logger log = LoggerFactory.getLogger(AdoptedMarks.class);

  private final Path directory;
  private final Path root;
  private final Set<String> shown = ConcurrentHashMap.newKeySet();

  /**
   * @param directory of the files; made when there is one to be made
   * @param root below which /sys and /run are; another one in tests
   */
  AdoptedMarks(Path directory, Path root) {
    this.directory = directory;
    this.root = root;
  }

  void mark(AdoptedDisk disk) {
    Path entry = root.resolve("sys/class/block").resolve(disk.kernelName());
    String partition = text(entry.resolve("partition"));
    String name =
        disk.serial().replace('/', '_') + (partition.isEmpty() ? "" : "-part" + partition);
    Path file = directory.resolve(name);
    try {
      if (!Files.exists(file)) {
        Files.createDirectories(directory);
        Files.createFile(file);
      }
    } catch (IOException e) {
      log.warn("{}: cannot be made, so udev may let others use the disk: {}", file, e.toString());
      return;
    }
    if (!hasRole(entry) && shown.add(disk.kernelName() + " " + name)) {
      show(entry);
      // Partitions take the role from their disk.
      partitions(entry).forEach(AdoptedMarks::show);
    }
  }

  private boolean hasRole(Path entry) {
    String number = text(entry.resolve("dev"));
    return text(root.resolve("run/udev/data/b" + number))
        .lines()
        .anyMatch(line -> line.startsWith("E:ID_SPARED_ROLE="));
  }

  private static void show(Path entry) {
    Path event = entry.resolve("uevent");
    try {
      if (Files.exists(event)) {
        Files.writeString(event, "change");
      }
    } catch (IOException e) {
      log.warn("{}: udev cannot be told to look at the disk again: {}", event, e.toString());
    }
  }

  private static List<Path> partitions(Path entry) {
    List<Path> partitions = new ArrayList<>();
    try (DirectoryStream<Path> children = Files.newDirectoryStream(entry)) {
      for (Path child : children) {
        if (Files.exists(child.resolve("partition"))) {
          partitions.add(child);
        }
      }
    } catch (IOException e) {
      // Gone meanwhile, or no sysfs: there is nothing to show.
    }
    return partitions;
  }

  private static String text(Path file) {
    try {
      return Files.readString(file, StandardCharsets.ISO_8859_1).strip();
    } catch (IOException e) {
      return "";
    }
  }
}
