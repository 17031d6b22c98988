package io.spared.app.discovery;

import io.spared.discovery.BlockDevice;
import io.spared.discovery.DiskCatalog;
import io.spared.ffi.disk.DiskAddress;
import java.io.IOException;
import java.nio.charset.StandardCharsets;
import java.nio.file.DirectoryStream;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import java.util.Optional;

/**
 * The block devices of this machine as sysfs and udev tell of them, and the files that the
 * configuration names. Nothing is opened: a device that hangs costs nothing here.
 */
public final class SystemCatalog implements DiskCatalog {
  private static final long SECTOR_BYTES = 512;

  private final Path root;
  private final List<Path> files;

  /**
   * @param files to look at besides, such as images of disks
   */
  public SystemCatalog(List<Path> files) {
    this(Path.of("/"), files);
  }

  /** With /sys and /run below another root; for tests. */
  SystemCatalog(Path root, List<Path> files) {
    this.root = root;
    this.files = List.copyOf(files);
  }

  @Override
  public List<BlockDevice> list() {
    List<BlockDevice> devices = new ArrayList<>();
    for (Path entry : entries(root.resolve("sys/class/block"))) {
      devices.add(device(entry));
    }
    for (Path file : files) {
      try {
        if (Files.isRegularFile(file)) {
          Path real = file.toRealPath();
          devices.add(BlockDevice.file(new DiskAddress.OfPath(real), Files.size(real)));
        }
      } catch (IOException e) {
        // Gone between the question and the answer, or not ours to read: it is not there.
      }
    }
    return devices;
  }

  private BlockDevice device(Path entry) {
    String name = entry.getFileName().toString();
    String number = text(entry.resolve("dev")).orElse("");
    List<String> holders = new ArrayList<>();
    for (Path holder : entries(entry.resolve("holders"))) {
      holders.add(holder.getFileName().toString());
    }
    return new BlockDevice(
        new DiskAddress.OfPath(Path.of("/dev", name.replace('!', '/'))),
        name,
        number,
        number(entry.resolve("size")) * SECTOR_BYTES,
        text(entry.resolve("ro")).filter("1"::equals).isPresent(),
        holders,
        text(entry.resolve("dm/uuid")),
        text(entry.resolve("loop/backing_file")),
        udevProperty(number, "ID_FS_TYPE"));
  }

  private Optional<String> udevProperty(String number, String name) {
    String prefix = "E:" + name + "=";
    try {
      return Files.readAllLines(
              root.resolve("run/udev/data/b" + number), StandardCharsets.ISO_8859_1)
          .stream()
          .filter(line -> line.startsWith(prefix))
          .map(line -> line.substring(prefix.length()))
          .findFirst();
    } catch (IOException e) {
      return Optional.empty();
    }
  }

  private static List<Path> entries(Path directory) {
    List<Path> entries = new ArrayList<>();
    try (DirectoryStream<Path> stream = Files.newDirectoryStream(directory)) {
      stream.forEach(entries::add);
    } catch (IOException e) {
      // No sysfs, as in some containers: there is nothing to list.
    }
    entries.sort(null);
    return entries;
  }

  private static Optional<String> text(Path file) {
    try {
      String text = Files.readString(file, StandardCharsets.ISO_8859_1).strip();
      return text.isEmpty() ? Optional.empty() : Optional.of(text);
    } catch (IOException e) {
      return Optional.empty();
    }
  }

  private static long number(Path file) {
    try {
      return text(file).map(Long::parseLong).orElse(0L);
    } catch (NumberFormatException e) {
      return 0;
    }
  }
}
