package io.spared.bench;

import io.spared.ffi.disk.DiskIdentity;
import io.spared.format.Change;
import io.spared.format.CopyLayout;
import io.spared.format.CopyPlace;
import io.spared.format.CopyPlacer;
import io.spared.format.DeviceImage;
import io.spared.format.DiskBytes;
import io.spared.format.DiskEvidence;
import io.spared.format.Epoch;
import io.spared.format.ExtentKind;
import io.spared.format.Form;
import io.spared.format.FormatException;
import io.spared.format.Geometry;
import io.spared.format.MainMember;
import io.spared.format.OfflineDevice;
import io.spared.format.Owner;
import io.spared.format.Placement;
import io.spared.format.Position;
import io.spared.format.SortedRemapEntries;
import io.spared.format.SpareMember;
import io.spared.format.SpareState;
import io.spared.format.SpareTable;
import java.io.IOException;
import java.io.RandomAccessFile;
import java.nio.ByteBuffer;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import java.util.Optional;
import java.util.UUID;

/** A set-up on two sparse files, as `create` makes them: an adopted main and its spare. */
final class FileSetUp {
  static final Owner HOST = new Owner(new UUID(7, 7), "bench");
  private static final long MAIN_BYTES = 64L << 20;
  private static final long SPARE_BYTES = 64L << 20;

  private FileSetUp() {}

  /** Makes one in the directory and answers its files. */
  static List<Path> make(Path directory, int number) throws IOException, FormatException {
    Path real = directory.toRealPath();
    Path main = real.resolve("main-" + number + ".img");
    Path spare = real.resolve("spare-" + number + ".img");
    size(main, MAIN_BYTES);
    size(spare, SPARE_BYTES);
    UUID deviceId = new UUID(0xDE71CE, number);
    UUID spareId = new UUID(0x5A4E, number);
    Geometry geometry = new Geometry(4096, 512, MAIN_BYTES);
    DeviceImage image =
        new DeviceImage(
            deviceId,
            "device-" + number,
            Form.ADOPT,
            geometry,
            new MainMember(new UUID(0x3A14, number), evidence(main, MAIN_BYTES), 0),
            new SortedRemapEntries());
    CopyLayout layout = CopyPlacer.layoutFor(geometry, SPARE_BYTES / geometry.blockBytes());
    Placement placement =
        CopyPlacer.place(
                layout,
                5,
                List.of(new CopyPlacer.Room(0, SPARE_BYTES, SpareTable.lendable(0, SPARE_BYTES))))
            .orElseThrow();
    Epoch epoch = new Epoch(1, number);
    image.apply(
        new Position(epoch, 1),
        List.of(
            new Change.SpareAdded(
                new SpareMember(0, spareId, evidence(spare, SPARE_BYTES), SpareState.IN_SERVICE)),
            new Change.CopiesPlaced(placement),
            new Change.EpochRaised(epoch, HOST)));
    List<SpareTable.Lent> lent = new ArrayList<>();
    for (CopyPlace place : placement.places()) {
      lent.add(
          new SpareTable.Lent(
              deviceId, place.offsetBytes(), layout.extentBytes(), ExtentKind.METADATA));
    }
    try (OpenFile disk = new OpenFile(spare)) {
      OfflineDevice.writeSpareTable(disk, new SpareTable(spareId, 1, SPARE_BYTES, lent));
      for (CopyPlace place : placement.places()) {
        OfflineDevice.writeCopy(
            image, OfflineDevice.superblock(image, place), disk, 1, number * 31L + place.copy());
      }
    }
    return List.of(main, spare);
  }

  private static DiskEvidence evidence(Path file, long sizeBytes) {
    return new DiskEvidence(
        new DiskIdentity(
            file.toString(),
            Optional.empty(),
            Optional.empty(),
            Optional.empty(),
            List.of(),
            List.of()),
        sizeBytes,
        512);
  }

  private static void size(Path file, long bytes) throws IOException {
    try (RandomAccessFile open = new RandomAccessFile(file.toFile(), "rw")) {
      open.setLength(bytes);
    }
  }

  private static final class OpenFile implements DiskBytes, AutoCloseable {
    private final RandomAccessFile file;

    OpenFile(Path path) throws IOException {
      file = new RandomAccessFile(path.toFile(), "rw");
    }

    @Override
    public long sizeBytes() {
      return SPARE_BYTES;
    }

    @Override
    public ByteBuffer read(long offsetBytes, int lengthBytes) throws IOException {
      byte[] bytes = new byte[lengthBytes];
      file.seek(offsetBytes);
      file.readFully(bytes);
      return ByteBuffer.wrap(bytes);
    }

    @Override
    public void write(long offsetBytes, ByteBuffer bytes) throws IOException {
      byte[] content = new byte[bytes.limit()];
      bytes.get(0, content);
      file.seek(offsetBytes);
      file.write(content);
    }

    @Override
    public void close() throws IOException {
      // Direct reads of pages that are still dirty would wait for their writing, in the scan.
      file.getFD().sync();
      file.close();
    }
  }
}
