package io.spared.app.files;

import io.spared.device.CleanStops;
import io.spared.discovery.HostMemory;
import io.spared.discovery.Remembered;
import io.spared.format.CleanStop;
import io.spared.format.Epoch;
import io.spared.format.Position;
import java.io.IOException;
import java.nio.channels.FileChannel;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.nio.file.StandardCopyOption;
import java.nio.file.StandardOpenOption;
import java.util.HashMap;
import java.util.List;
import java.util.Map;
import java.util.UUID;
import java.util.stream.Stream;
import org.slf4j.Logger;
import org.slf4j.LoggerFactory;

/**
 * One small file for each device that was stopped cleanly on this host, written beside and renamed,
 * and flushed with its directory. A file that cannot be read is no record: the start then needs
 * three copies, as ever.
 */
public final class CleanStopFiles implements CleanStops {
  private static final Logger log = LoggerFactory.getLogger(CleanStopFiles.class);
  private static final String SUFFIX = ".clean";

  private final Path directory;

  private final HostMemory memory;

  /**
   * @param memory where starts are remembered
   */
  public CleanStopFiles(Path directory, HostMemory memory) {
    this.directory = directory;
    this.memory = memory;
  }

  @Override
  public Map<UUID, Position> runs() {
    Map<UUID, Position> runs = new HashMap<>();
    memory.read().remembered().forEach((deviceId, one) -> runs.put(deviceId, one.position()));
    return runs;
  }

  @Override
  public void began(UUID deviceId, Position position) {
    memory.remember(new Remembered(deviceId, position));
  }

  @Override
  public Map<UUID, CleanStop> all() {
    Map<UUID, CleanStop> stops = new HashMap<>();
    if (!Files.isDirectory(directory)) {
      return stops;
    }
    try (Stream<Path> files = Files.list(directory)) {
      for (Path file : files.filter(f -> f.toString().endsWith(SUFFIX)).toList()) {
        read(file, stops);
      }
    } catch (IOException unreadable) {
      log.warn("{}: clean stops cannot be read: {}", directory, unreadable.getMessage());
    }
    return stops;
  }

  private static void read(Path file, Map<UUID, CleanStop> stops) {
    try {
      List<String> words = List.of(Files.readString(file).strip().split(" "));
      UUID deviceId = UUID.fromString(words.get(0));
      stops.put(
          deviceId,
          new CleanStop(
              deviceId,
              new Position(
                  new Epoch(
                      Long.parseUnsignedLong(words.get(1)),
                      Long.parseUnsignedLong(words.get(2), 16)),
                  Long.parseUnsignedLong(words.get(3)))));
    } catch (IOException | IllegalArgumentException | IndexOutOfBoundsException damaged) {
      log.warn("{}: no record of a clean stop: {}", file, damaged.toString());
    }
  }

  @Override
  public void record(CleanStop stop) {
    Path file = file(stop.deviceId());
    Path anew = file.resolveSibling(file.getFileName() + ".new");
    Position position = stop.position();
    String text =
        stop.deviceId()
            + " "
            + Long.toUnsignedString(position.epoch().counter())
            + " "
            + Long.toHexString(position.epoch().startId())
            + " "
            + Long.toUnsignedString(position.sequence())
            + "\n";
    try {
      Files.createDirectories(directory);
      try (FileChannel channel =
          FileChannel.open(
              anew,
              StandardOpenOption.CREATE,
              StandardOpenOption.TRUNCATE_EXISTING,
              StandardOpenOption.WRITE)) {
        channel.write(java.nio.ByteBuffer.wrap(text.getBytes(StandardCharsets.UTF_8)));
        channel.force(true);
      }
      Files.move(anew, file, StandardCopyOption.ATOMIC_MOVE, StandardCopyOption.REPLACE_EXISTING);
      try (FileChannel channel = FileChannel.open(directory, StandardOpenOption.READ)) {
        channel.force(true);
      }
    } catch (IOException failed) {
      log.warn("{}: the clean stop could not be recorded: {}", file, failed.getMessage());
    }
  }

  private Path file(UUID deviceId) {
    return directory.resolve(deviceId + SUFFIX);
  }
}
