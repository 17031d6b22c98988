package io.spared.app.files;

import io.spared.app.config.Addresses;
import io.spared.ffi.disk.DiskAddress;
import io.spared.host.AddedSpares;
import java.io.IOException;
import java.nio.ByteBuffer;
import java.nio.channels.FileChannel;
import java.nio.charset.StandardCharsets;
import java.nio.file.DirectoryStream;
import java.nio.file.Files;
import java.nio.file.Path;
import java.nio.file.StandardCopyOption;
import java.nio.file.StandardOpenOption;
import java.util.ArrayList;
import java.util.HashMap;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import java.util.stream.Stream;
import org.slf4j.Logger;
import org.slf4j.LoggerFactory;

/**
 * One small file for each device that was given spares while it served: an address a line, written
 * beside and renamed, and flushed with its directory. A disk is written down by its name under
 * /dev/disk/by-id where it has one, since the kernel may name it otherwise at the next start. A
 * name that is wrong by then costs nothing but the spare: who it is says its own table.
 */
public final class AddedSpareFiles implements AddedSpares {
  private static final Logger log = LoggerFactory.getLogger(AddedSpareFiles.class);
  private static final String SUFFIX = ".spares";

  private final Path directory;
  private final Path names;
  private final Map<String, List<DiskAddress>> atStart;

  /**
   * @param names where links with lasting names point to disks: /dev/disk/by-id
   */
  public AddedSpareFiles(Path directory, Path names) {
    this.directory = directory;
    this.names = names;
    this.atStart = read();
  }

  @Override
  public Map<String, List<DiskAddress>> atStart() {
    return atStart;
  }

  private Map<String, List<DiskAddress>> read() {
    Map<String, List<DiskAddress>> all = new HashMap<>();
    if (!Files.isDirectory(directory)) {
      return all;
    }
    try (Stream<Path> files = Files.list(directory)) {
      for (Path file : files.filter(f -> f.toString().endsWith(SUFFIX)).toList()) {
        String name = String.valueOf(file.getFileName());
        all.put(name.substring(0, name.length() - SUFFIX.length()), addresses(file));
      }
    } catch (IOException unreadable) {
      log.warn("{}: added spares cannot be read: {}", directory, unreadable.getMessage());
    }
    return Map.copyOf(all);
  }

  private static List<DiskAddress> addresses(Path file) {
    List<DiskAddress> addresses = new ArrayList<>();
    try {
      for (String line : Files.readAllLines(file)) {
        if (!line.isBlank()) {
          addresses.add(Addresses.parse(line.strip()));
        }
      }
    } catch (IOException | IllegalArgumentException damaged) {
      log.warn(
          "{}: {}; a device whose added spares are not found waits for them: name them in the"
              + " configuration",
          file,
          damaged.getMessage());
    }
    return addresses;
  }

  @Override
  public Optional<String> record(String device, List<DiskAddress> spares) {
    Path file = directory.resolve(device + SUFFIX);
    try {
      Files.createDirectories(directory);
      if (spares.isEmpty()) {
        Files.deleteIfExists(file);
      } else {
        StringBuilder text = new StringBuilder();
        for (DiskAddress spare : spares) {
          text.append(lasting(spare)).append('\n');
        }
        Path anew = directory.resolve(device + SUFFIX + ".new");
        try (FileChannel channel =
            FileChannel.open(
                anew,
                StandardOpenOption.CREATE,
                StandardOpenOption.TRUNCATE_EXISTING,
                StandardOpenOption.WRITE)) {
          ByteBuffer bytes = ByteBuffer.wrap(text.toString().getBytes(StandardCharsets.UTF_8));
          while (bytes.hasRemaining()) {
            channel.write(bytes);
          }
          channel.force(true);
        }
        Files.move(anew, file, StandardCopyOption.ATOMIC_MOVE, StandardCopyOption.REPLACE_EXISTING);
      }
      try (FileChannel channel = FileChannel.open(directory, StandardOpenOption.READ)) {
        channel.force(true);
      }
      return Optional.empty();
    } catch (IOException failed) {
      return Optional.of(file + ": " + failed.getMessage());
    }
  }

  private DiskAddress lasting(DiskAddress address) {
    return switch (address) {
      case DiskAddress.OfPath path -> new DiskAddress.OfPath(lasting(path.path()));
      case DiskAddress.OfFault fault -> new DiskAddress.OfFault(lasting(fault.inner()));
      default -> address;
    };
  }

  private Path lasting(Path disk) {
    if (disk.startsWith(names) || !Files.isDirectory(names)) {
      return disk;
    }
    try (DirectoryStream<Path> links = Files.newDirectoryStream(names)) {
      Path real = disk.toRealPath();
      List<Path> all = new ArrayList<>();
      for (Path link : links) {
        if (Files.exists(link) && link.toRealPath().equals(real)) {
          all.add(link);
        }
      }
      return all.stream().sorted().findFirst().orElse(disk);
    } catch (IOException unreadable) {
      return disk;
    }
  }
}
