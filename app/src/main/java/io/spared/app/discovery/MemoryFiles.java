package io.spared.app.discovery;

import io.spared.device.CleanStops;
import io.spared.discovery.AdoptedDisk;
import io.spared.discovery.HostMemory;
import io.spared.discovery.Remembered;
import io.spared.format.Epoch;
import io.spared.format.Position;
import java.io.IOException;
import java.nio.ByteBuffer;
import java.nio.channels.FileChannel;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.nio.file.StandardCopyOption;
import java.nio.file.StandardOpenOption;
import java.util.HashMap;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import java.util.Set;
import java.util.UUID;
import java.util.stream.Stream;
import org.slf4j.Logger;
import org.slf4j.LoggerFactory;

/**
 * What this host remembers of the devices that it has run: one small file each, written beside and
 * renamed, so that a crash leaves the old or the new one. A position never goes back: an older one
 * is not written over a newer one.
 */
public final class MemoryFiles implements HostMemory {
  private static final Logger log = LoggerFactory.getLogger(MemoryFiles.class);
  private static final String SUFFIX = ".ran";
  private static final String AUTOMATIC = "automatic";

  private final Path directory;
  private final CleanStops cleanStops;
  private final AdoptedMarks adopted;

  /** So that two threads never write one file: a few, since a lock is held over a flush. */
  private static final Object[] LOCKS = {
    new Object(), new Object(), new Object(), new Object(), new Object(), new Object(), new Object()
  };

  /**
   * @param directory such as /var/lib/spared/devices; made when something is to be remembered
   */
  public MemoryFiles(Path directory, CleanStops cleanStops) {
    this.directory = directory;
    this.cleanStops = cleanStops;
    this.adopted = new AdoptedMarks(directory.resolveSibling("adopted"), Path.of("/"));
  }

  @Override
  public Contents read() {
    Map<UUID, Remembered> remembered = new HashMap<>();
    if (Files.isDirectory(directory)) {
      try (Stream<Path> files = Files.list(directory)) {
        for (Path file : files.filter(f -> f.toString().endsWith(SUFFIX)).toList()) {
          readOne(file).ifPresent(one -> remembered.put(one.deviceId(), one));
        }
      } catch (IOException e) {
        log.warn("{}: what was remembered of devices cannot be read: {}", directory, e.toString());
      }
    }
    return new Contents(cleanStops.all(), remembered, automatic());
  }

  private static Optional<Remembered> readOne(Path file) {
    try {
      List<String> words = List.of(Files.readString(file).strip().split(" ", -1));
      return Optional.of(
          new Remembered(
              UUID.fromString(words.get(0)),
              new Position(
                  new Epoch(
                      Long.parseUnsignedLong(words.get(1)),
                      Long.parseUnsignedLong(words.get(2), 16)),
                  Long.parseUnsignedLong(words.get(3)))));
    } catch (IOException | IllegalArgumentException | IndexOutOfBoundsException e) {
      log.warn("{}: says nothing of a device: {}", file, e.toString());
      return Optional.empty();
    }
  }

  private Optional<Boolean> automatic() {
    try {
      Path file = directory.resolve(AUTOMATIC);
      return Files.exists(file)
          ? Optional.of(Files.readString(file).strip().equals("on"))
          : Optional.empty();
    } catch (IOException e) {
      // A person may have switched it off, and nobody can say: doubt waits.
      log.warn("{}: cannot be read, so automatic activation is off: {}", directory, e.toString());
      return Optional.of(false);
    }
  }

  @Override
  public void remember(Remembered remembered) {
    synchronized (lockOf(remembered.deviceId())) {
      rememberLocked(remembered);
    }
  }

  private static Object lockOf(UUID deviceId) {
    return LOCKS[Math.floorMod(deviceId.hashCode(), LOCKS.length)];
  }

  private void rememberLocked(Remembered remembered) {
    Path file = directory.resolve(remembered.deviceId() + SUFFIX);
    boolean newer =
        !Files.exists(file)
            || readOne(file)
                .map(known -> known.position().compareTo(remembered.position()) < 0)
                .orElse(true);
    if (newer) {
      Position position = remembered.position();
      write(
          file,
          remembered.deviceId()
              + " "
              + Long.toUnsignedString(position.epoch().counter())
              + " "
              + Long.toHexString(position.epoch().startId())
              + " "
              + Long.toUnsignedString(position.sequence()));
    }
  }

  @Override
  public void rememberAdopted(Set<AdoptedDisk> disks) {
    disks.forEach(adopted::mark);
  }

  @Override
  public void rememberAutomatic(boolean on) {
    write(directory.resolve(AUTOMATIC), on ? "on" : "off");
  }

  private void write(Path file, String text) {
    Path anew = file.resolveSibling(file.getFileName() + ".new");
    try {
      Files.createDirectories(directory);
      try (FileChannel channel =
          FileChannel.open(
              anew,
              StandardOpenOption.CREATE,
              StandardOpenOption.TRUNCATE_EXISTING,
              StandardOpenOption.WRITE)) {
        channel.write(ByteBuffer.wrap((text + "\n").getBytes(StandardCharsets.UTF_8)));
        channel.force(true);
      }
      Files.move(anew, file, StandardCopyOption.ATOMIC_MOVE, StandardCopyOption.REPLACE_EXISTING);
    } catch (IOException e) {
      log.warn("{}: cannot be written, and is not remembered: {}", file, e.toString());
    }
  }
}
