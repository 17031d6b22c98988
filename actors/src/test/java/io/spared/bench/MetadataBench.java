package io.spared.bench;

import io.spared.format.AreaReading;
import io.spared.format.Change;
import io.spared.format.CopyLayout;
import io.spared.format.CopyPlace;
import io.spared.format.CopyPlacer;
import io.spared.format.CopyReader;
import io.spared.format.CopyReading;
import io.spared.format.DeviceImage;
import io.spared.format.DiskBytes;
import io.spared.format.Epoch;
import io.spared.format.Geometry;
import io.spared.format.LogAppender;
import io.spared.format.LostBits;
import io.spared.format.OfflineDevice;
import io.spared.format.Placement;
import io.spared.format.Position;
import io.spared.format.Superblock;
import io.spared.format.TableLoader;
import io.spared.format.TestDevice;
import io.spared.remap.RemapTable;
import java.io.IOException;
import java.nio.ByteBuffer;
import java.nio.channels.FileChannel;
import java.nio.file.Files;
import java.nio.file.Path;
import java.nio.file.StandardOpenOption;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.List;
import java.util.SplittableRandom;

/** {@code ./spared bench metadata}: how long tables take to load, and what a commit costs. */
public final class MetadataBench implements Benchmark {
  private static final Geometry GEOMETRY = new Geometry(4096, 512, 1L << 44);
  private static final int WINDOW_BYTES = 1 << 20;

  @Override
  public void run(BenchArguments arguments, Figures figures) throws Exception {
    loads(10, 1.0, figures);
    loads(1_000_000, 1.0, figures);
    if (!arguments.quick()) {
      loads(10_000_000, 10.0, figures);
    }
  }

  private static void loads(int remaps, double wantedSeconds, Figures figures) throws Exception {
    RemapTable table = new RemapTable(GEOMETRY);
    table.beginLoading();
    SplittableRandom random = new SplittableRandom(1);
    for (int i = 0; i < remaps; i++) {
      table.put(random.nextLong(GEOMETRY.blockCount()), 0, i, 0, 0);
    }
    table.publish();
    CopyLayout layout = CopyPlacer.layoutFor(GEOMETRY, remaps);
    DeviceImage image = image(table, layout);
    Superblock superblock = OfflineDevice.superblock(image, new CopyPlace(0, 0, 1 << 20));
    Path path = Files.createTempFile("spared-bench-", ".copy");
    try (FileChannel file =
        FileChannel.open(path, StandardOpenOption.READ, StandardOpenOption.WRITE)) {
      DiskBytes disk = new FileBytes(file, layout.copyBytes() + (2 << 20));
      long begin = System.nanoTime();
      OfflineDevice.writeCopy(image, superblock, disk, 1, 12345);
      double writeSeconds = (System.nanoTime() - begin) / 1e9;
      double[] seconds = new double[3];
      for (int round = 0; round < seconds.length; round++) {
        begin = System.nanoTime();
        load(superblock, disk, table.remapCount());
        seconds[round] = (System.nanoTime() - begin) / 1e9;
      }
      Arrays.sort(seconds);
      System.out.printf(
          "%,d remaps: checkpoint %,d MiB, written in %.2f s, loaded in %.2f s (of %s)%n",
          table.remapCount(),
          layout.checkpointBytes() >> 20,
          writeSeconds,
          seconds[1],
          Arrays.toString(seconds));
      figures.atMost("metadata-load-" + remaps, seconds[1], "s", wantedSeconds);
    } finally {
      Files.delete(path);
    }
    commits(image, superblock, table.remapCount(), figures);
  }

  private static DeviceImage image(RemapTable table, CopyLayout layout) {
    DeviceImage small = TestDevice.emptyImage(1);
    DeviceImage image =
        new DeviceImage(
            small.deviceId(), small.name(), small.form(), GEOMETRY, small.main(), table);
    List<Change> changes = new ArrayList<>();
    small.spares().values().forEach(spare -> changes.add(new Change.SpareAdded(spare)));
    changes.add(
        new Change.CopiesPlaced(
            new Placement(
                layout,
                List.of(
                    new CopyPlace(0, 0, 1 << 20),
                    new CopyPlace(1, 0, 1L << 40),
                    new CopyPlace(2, 0, 2L << 40)))));
    image.apply(new Position(new Epoch(1, 1), 1), changes);
    return image;
  }

  private static void load(Superblock superblock, DiskBytes disk, long expected) {
    CopyReading reading =
        DiskBytes.drive(
                new CopyReader(
                    superblock.deviceId(),
                    superblock.spareId(),
                    superblock.offsetBytes(),
                    WINDOW_BYTES),
                disk)
            .result();
    AreaReading area = reading.best().orElseThrow();
    RemapTable into = new RemapTable(GEOMETRY);
    into.beginLoading();
    TableLoader loader =
        DiskBytes.drive(new TableLoader(superblock, area, into, WINDOW_BYTES), disk);
    if (loader.failure().isPresent() || into.remapCount() != expected) {
      throw new IllegalStateException(
          "loaded " + into.remapCount() + ": " + loader.failure().orElse(""));
    }
    into.publish();
  }

  /** Encoding for five copies and applying: all that a commit does beside its writes. */
  private static void commits(
      DeviceImage image, Superblock superblock, long remaps, Figures figures) {
    SplittableRandom random = new SplittableRandom(2);
    ByteBuffer buffer = ByteBuffer.allocate(8192);
    int count = 20_000;
    long begin = 0;
    int recordBytes = 0;
    LogAppender[] logs = new LogAppender[5];
    for (int i = -5_000; i < count; i++) {
      if (i == 0) {
        begin = System.nanoTime();
      }
      Position position = new Position(image.epoch(), image.position().sequence() + 1);
      List<Change> changes =
          List.of(
              new Change.Remapped(
                  random.nextLong(GEOMETRY.blockCount()), 0, remaps + i + 5_000, LostBits.NONE));
      LogAppender.PayloadBuilder builder = new LogAppender.PayloadBuilder();
      builder.add(changes);
      LogAppender.Payload payload = builder.at(position);
      for (int copy = 0; copy < logs.length; copy++) {
        LogAppender log = logs[copy];
        if (log == null || !log.hasRoom(payload)) {
          log = LogAppender.empty(superblock, sealAt(superblock, image.position()));
          logs[copy] = log;
        }
        recordBytes = log.append(payload, buffer, 0);
      }
      image.apply(position, changes);
    }
    double micros = (System.nanoTime() - begin) / 1e3 / count;
    System.out.printf(
        "%,d remaps: a commit writes %d bytes to each copy and costs %.1f us of processor%n",
        remaps, recordBytes, micros);
    figures.report("metadata-commit-" + remaps, micros, "us");
    figures.atMost("metadata-commit-bytes-" + remaps, recordBytes, "bytes", 8192);
  }

  private static io.spared.format.Seal sealAt(Superblock superblock, Position base) {
    return new io.spared.format.Seal(
        superblock.deviceId(),
        superblock.copy(),
        0,
        superblock.offsetBytes() + superblock.layout().areaOffsetBytes(0),
        1,
        1,
        base,
        4096,
        1,
        1,
        0,
        0);
  }

  private record FileBytes(FileChannel file, long sizeBytes) implements DiskBytes {
    @Override
    public ByteBuffer read(long offsetBytes, int lengthBytes) throws IOException {
      ByteBuffer bytes = ByteBuffer.allocate(lengthBytes);
      while (bytes.hasRemaining()) {
        if (file.read(bytes, offsetBytes + bytes.position()) < 0) {
          break;
        }
      }
      return bytes.position(0).limit(lengthBytes);
    }

    @Override
    public void write(long offsetBytes, ByteBuffer bytes) throws IOException {
      ByteBuffer left = bytes.duplicate().position(0);
      while (left.hasRemaining()) {
        file.write(left, offsetBytes + left.position());
      }
    }
  }
}
