package io.spared.ffi.disk;

import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import java.util.Optional;

/** A block device as sysfs and udev tell of it, by its major and minor number. */
final class DeviceNode {
  private final HostFiles files;
  private final String number;
  private final Path directory;
  private final Path wholeDisk;
  private final List<String> udev;

  DeviceNode(HostFiles files, int major, int minor) {
    this.files = files;
    this.number = major + ":" + minor;
    Path link = files.path("/sys/dev/block/" + number);
    Path resolved = link;
    try {
      resolved = link.toRealPath();
    } catch (IOException e) {
      // Without sysfs (some containers) everything below answers that it does not know.
    }
    this.directory = resolved;
    Path parent = resolved.getParent();
    this.wholeDisk =
        Files.exists(resolved.resolve("partition")) && parent != null ? parent : resolved;
    this.udev = files.lines("/run/udev/data/b" + number);
  }

  /** That of a device's file. */
  static DeviceNode of(HostFiles files, Path device) throws IOException {
    Object rdev = Files.getAttribute(device, "unix:rdev");
    long number = rdev instanceof Long value ? value : 0;
    int major = (int) ((number >>> 8 & 0xfff) | (number >>> 32 & ~0xfffL));
    int minor = (int) ((number & 0xff) | (number >>> 12 & ~0xffL));
    return new DeviceNode(files, major, minor);
  }

  String number() {
    return number;
  }

  String kernelName() {
    return directory.getFileName().toString();
  }

  private Path queue(String name) {
    return wholeDisk.resolve("queue").resolve(name);
  }

  boolean rotational() {
    return files.number(queue("rotational"), 0) == 1;
  }

  boolean volatileCache() {
    return files.text(queue("write_cache")).map(text -> text.equals("write back")).orElse(true);
  }

  long discardGranularityBytes() {
    return files.number(queue("discard_max_bytes"), 0) == 0
        ? 0
        : files.number(queue("discard_granularity"), 0);
  }

  int maxTransferBytes() {
    return (int) Math.min(Integer.MAX_VALUE, files.number(queue("max_sectors_kb"), 0) * 1024);
  }

  boolean readOnly() {
    return files.number(directory.resolve("ro"), 0) == 1;
  }

  Optional<String> model() {
    return files.text(wholeDisk.resolve("device/model")).or(() -> udevProperty("ID_MODEL"));
  }

  Optional<String> serial() {
    return files
        .text(wholeDisk.resolve("device/serial"))
        .or(() -> files.text(wholeDisk.resolve("serial")))
        .or(this::serialPage)
        .or(() -> udevProperty("ID_SERIAL_SHORT"));
  }

  /** SCSI's page 0x80: four bytes of header, then the serial number. */
  private Optional<String> serialPage() {
    try {
      byte[] page = Files.readAllBytes(wholeDisk.resolve("device/vpd_pg80"));
      if (page.length <= 4) {
        return Optional.empty();
      }
      String serial =
          new String(page, 4, page.length - 4, java.nio.charset.StandardCharsets.US_ASCII)
              .replace('\0', ' ')
              .strip();
      return serial.isEmpty() ? Optional.empty() : Optional.of(serial);
    } catch (IOException e) {
      return Optional.empty();
    }
  }

  Optional<String> wwn() {
    return files
        .text(wholeDisk.resolve("wwid"))
        .or(() -> files.text(wholeDisk.resolve("device/wwid")))
        .or(() -> udevProperty("ID_WWN"));
  }

  private Optional<String> udevProperty(String name) {
    String prefix = "E:" + name + "=";
    return udev.stream()
        .filter(line -> line.startsWith(prefix))
        .map(line -> line.substring(prefix.length()))
        .findFirst();
  }

  /**
   * Names under which people know it, such as /dev/disk/by-id/... Not those by the number that the
   * kernel gave the disk when it came: after a reboot another disk has it.
   */
  List<String> links() {
    List<String> links = new ArrayList<>();
    for (String line : udev) {
      if (line.startsWith("S:") && !line.startsWith("S:disk/by-diskseq/")) {
        links.add("/dev/" + line.substring(2));
      }
    }
    return links;
  }

  /** Devices built on this one or on one of its partitions: device mapper, md, bcache. */
  List<String> holders() {
    List<String> holders = new ArrayList<>();
    for (Path part : parts()) {
      for (String holder : files.names(part.resolve("holders"))) {
        String mapped =
            files
                .text(files.path("/sys/block/" + holder + "/dm/name"))
                .map(name -> holder + " (" + name + ")")
                .orElse(holder);
        holders.add(mapped);
      }
    }
    return holders;
  }

  /** The device numbers of this device and of its partitions. */
  List<String> numbers() {
    List<String> numbers = new ArrayList<>();
    for (Path part : parts()) {
      files.text(part.resolve("dev")).ifPresent(numbers::add);
    }
    if (!numbers.contains(number)) {
      numbers.add(number);
    }
    return numbers;
  }

  /** The paths of the device and of its partitions, beside each other. */
  List<String> paths(Path device) {
    List<String> paths = new ArrayList<>();
    paths.add(device.toString());
    for (Path part : parts()) {
      if (!part.equals(directory)) {
        paths.add(device.resolveSibling(part.getFileName().toString()).toString());
      }
    }
    return paths;
  }

  private List<Path> parts() {
    List<Path> parts = new ArrayList<>();
    parts.add(directory);
    for (String name : files.names(directory)) {
      if (Files.exists(directory.resolve(name).resolve("partition"))) {
        parts.add(directory.resolve(name));
      }
    }
    return parts;
  }
}
