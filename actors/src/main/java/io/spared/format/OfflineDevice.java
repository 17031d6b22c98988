package io.spared.format;

import java.io.IOException;
import java.nio.ByteBuffer;
import java.util.ArrayList;
import java.util.List;
import java.util.Optional;
import java.util.UUID;
import java.util.function.Supplier;

/**
 * A device's metadata for tools that run without the daemon and may wait: read, choose, load,
 * verify, and write copies whole. The same readers, choice and builders as in the running device.
 */
public final class OfflineDevice {
  /** How much is read at once. */
  private static final int WINDOW_BYTES = 1 << 20;

  private static final int SUPERBLOCK_BYTES = Superblock.BYTES;

  /** A disk that may hold copies, and where to look on it. */
  public record Source(UUID spareId, DiskBytes disk, List<Long> offsetsBytes) {
    public Source {
      offsetsBytes = List.copyOf(offsetsBytes);
    }
  }

  /** What stands on the disks; the image is there when the verdict is USABLE. */
  public record Loaded(
      List<CopyReading> readings, CopyVerdict verdict, Optional<DeviceImage> image) {
    public Loaded {
      readings = List.copyOf(readings);
    }
  }

  private OfflineDevice() {}

  /** Reads the three tables of a spare; the verdict names what is damaged. */
  public static SpareTable.Choice readSpareTable(DiskBytes disk) {
    List<SpareTable.Found> found = new ArrayList<>();
    if (disk.sizeBytes() < SpareTable.DISK_BYTES_MIN) {
      return new SpareTable.Choice(
          Optional.empty(),
          List.of(),
          List.of("spare's table: a disk of " + disk.sizeBytes() + " bytes is too small for it"),
          false);
    }
    for (int copy = 0; copy < SpareTable.COPIES; copy++) {
      found.add(readSpareTable(disk, copy));
    }
    return SpareTable.choose(found);
  }

  private static SpareTable.Found readSpareTable(DiskBytes disk, int copy) {
    long offsetBytes = SpareTable.offsetBytes(copy, disk.sizeBytes());
    try {
      ByteBuffer unit = disk.read(offsetBytes, CopyLayout.UNIT_BYTES);
      int claimed = SpareTable.claimedBytes(unit);
      ByteBuffer whole = claimed > CopyLayout.UNIT_BYTES ? disk.read(offsetBytes, claimed) : unit;
      return new SpareTable.Found(
          copy, Optional.of(SpareTable.read(whole, copy, offsetBytes, disk.sizeBytes())), "");
    } catch (FormatException e) {
      return new SpareTable.Found(copy, Optional.empty(), e.sentence());
    } catch (IOException e) {
      return new SpareTable.Found(
          copy, Optional.empty(), "spare's table: it cannot be read: " + e.getMessage());
    }
  }

  /** Writes a new version to all three places, one after the other. */
  public static void writeSpareTable(DiskBytes disk, SpareTable table) throws IOException {
    for (int copy = 0; copy < SpareTable.COPIES; copy++) {
      disk.write(SpareTable.offsetBytes(copy, table.diskBytes()), table.write(copy));
    }
  }

  /**
   * Every superblock at a whole MiB of the disk, whatever the spare's table says: for a spare whose
   * tables are all damaged. Reads one unit in each MiB.
   */
  public static List<Superblock> findCopies(DiskBytes disk) {
    List<Superblock> found = new ArrayList<>();
    for (long at = 0; at + SUPERBLOCK_BYTES <= disk.sizeBytes(); at += Extent.UNIT_BYTES) {
      try {
        Superblock superblock = Superblock.read(disk.read(at, SUPERBLOCK_BYTES));
        if (superblock.offsetBytes() == at) {
          found.add(superblock);
        }
      } catch (FormatException | IOException e) {
        // Not a copy, or nobody can say: the next place may hold one.
      }
    }
    return found;
  }

  /** Where the device's copies may stand according to the spare's table: one to an extent. */
  public static List<Long> copyOffsets(SpareTable table, UUID deviceId) {
    return table.lent().stream()
        .filter(range -> range.kind() == ExtentKind.METADATA)
        .filter(range -> range.deviceId().equals(deviceId))
        .map(SpareTable.Lent::offsetBytes)
        .toList();
  }

  /** Reads every place, without the tables. */
  public static List<CopyReading> read(UUID deviceId, List<Source> sources) {
    List<CopyReading> readings = new ArrayList<>();
    for (Source source : sources) {
      for (long offsetBytes : source.offsetsBytes()) {
        readings.add(
            DiskBytes.drive(
                    new CopyReader(deviceId, source.spareId(), offsetBytes, WINDOW_BYTES),
                    source.disk())
                .result());
      }
    }
    return readings;
  }

  /** Reads and verifies every area of every copy whole; slower, and certain. */
  public static List<CopyReading> verify(List<CopyReading> readings, List<Source> sources) {
    List<CopyReading> verified = new ArrayList<>();
    for (CopyReading reading : readings) {
      CopyReading result = reading;
      for (AreaReading area : reading.areas()) {
        Optional<String> failure =
            DiskBytes.drive(
                    TableLoader.verifying(reading.superblock().orElseThrow(), area, WINDOW_BYTES),
                    diskOf(reading, sources))
                .failure();
        if (failure.isPresent()) {
          result = result.damaged(area.seal().area(), failure.get());
        }
      }
      verified.add(result);
    }
    return verified;
  }

  private static DiskBytes diskOf(CopyReading reading, List<Source> sources) {
    return sources.stream()
        .filter(source -> source.spareId().equals(reading.spareId()))
        .findFirst()
        .orElseThrow()
        .disk();
  }

  /**
   * Reads, chooses and loads. A winner whose table turns out damaged is taken out and the choice
   * made again.
   *
   * @param entries makes empty entries for each attempt
   */
  public static Loaded load(
      List<Source> sources,
      CopyChoice.Circumstances circumstances,
      Supplier<RemapEntries> entries) {
    List<CopyReading> readings = read(circumstances.deviceId(), sources);
    while (true) {
      CopyVerdict verdict = CopyChoice.choose(readings, circumstances);
      if (verdict.decision() != CopyVerdict.Decision.USABLE) {
        return new Loaded(readings, verdict, Optional.empty());
      }
      int winner = verdict.winners().get(0);
      CopyReading reading = readings.get(winner);
      AreaReading area = CopyChoice.holding(reading, verdict.position().orElseThrow());
      TableLoader loader =
          DiskBytes.drive(
              new TableLoader(
                  reading.superblock().orElseThrow(), area, entries.get(), WINDOW_BYTES),
              diskOf(reading, sources));
      if (loader.failure().isEmpty()) {
        return new Loaded(readings, verdict, Optional.of(loader.result()));
      }
      String why = loader.failure().get();
      readings = new ArrayList<>(readings);
      readings.set(winner, reading.damaged(area.seal().area(), why));
    }
  }

  /**
   * Writes one copy whole: both seals wiped, the checkpoint into the first area, its seal, the
   * superblock last. For creation, and for repair by a person, who has kept what stood there.
   */
  public static void writeCopy(
      DeviceImage image, Superblock superblock, DiskBytes disk, long generation, long buildId)
      throws IOException, FormatException {
    for (int area = 0; area < 2; area++) {
      disk.write(
          superblock.offsetBytes() + superblock.layout().areaOffsetBytes(area),
          ByteBuffer.allocate(Seal.BYTES));
    }
    AreaBuilder builder = new AreaBuilder(image, superblock, 0, generation, buildId);
    ByteBuffer chunk = ByteBuffer.allocate(Checkpoints.CHUNK_BYTES_MAX);
    while (true) {
      long offsetBytes = builder.offsetBytes();
      chunk.clear();
      if (builder.next(chunk) == 0) {
        break;
      }
      disk.write(offsetBytes, chunk);
    }
    Seal seal = builder.seal();
    disk.write(seal.offsetBytes(), seal.write());
    disk.write(superblock.offsetBytes(), superblock.write());
  }

  /** The superblock of a copy of the image's placement. */
  public static Superblock superblock(DeviceImage image, CopyPlace place) {
    Placement placement = image.placement().orElseThrow();
    SpareMember spare = image.spares().get(place.spare());
    if (spare == null) {
      throw new IllegalArgumentException("copy " + place.copy() + " is placed on no spare");
    }
    return new Superblock(
        image.deviceId(),
        spare.spareId(),
        place.copy(),
        placement.copies(),
        place.offsetBytes(),
        image.geometry(),
        placement.layout(),
        0);
  }
}
