package io.spared.format;

import static java.util.Objects.requireNonNull;

import io.spared.ffi.disk.DiskIdentity;
import java.io.IOException;
import java.nio.ByteBuffer;
import java.util.ArrayList;
import java.util.HashMap;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import java.util.Set;
import java.util.UUID;
import java.util.stream.Collectors;
import java.util.stream.IntStream;

/** A small device on test disks, whose copies can be written without a writer. */
public final class TestDevice {
  public static final UUID DEVICE = new UUID(0x1111, 0x2222);
  public static final Owner OWNER = new Owner(new UUID(7, 7), "host-a");

  public final List<TestDisk> disks = new ArrayList<>();
  private final Map<Integer, LogAppender> appenders = new HashMap<>();
  public DeviceImage image;
  private long generation;

  /** One device with so many spares of 64 MiB and a tiny layout. */
  public TestDevice(int spares, int copies, CopyLayout layout) {
    image = emptyImage(spares);
    List<CopyPlacer.Room> rooms = new ArrayList<>();
    for (int spare = 0; spare < spares; spare++) {
      disks.add(new TestDisk(64 << 20));
      rooms.add(new CopyPlacer.Room(spare, 64 << 20, SpareTable.lendable(spare, 64 << 20)));
    }
    Placement placement = CopyPlacer.place(layout, copies, rooms).orElseThrow();
    image.apply(
        new Position(new Epoch(1, 0xABC), 1),
        List.of(
            new Change.CopiesPlaced(placement),
            new Change.EpochRaised(new Epoch(1, 0xABC), OWNER)));
  }

  public static TestDevice small(int spares) {
    return new TestDevice(spares, 5, new CopyLayout(64 * 1024, 16 * 4096));
  }

  public static DeviceImage emptyImage(int spares) {
    DeviceImage image =
        new DeviceImage(
            DEVICE,
            "tank",
            Form.ADOPT,
            new Geometry(4096, 512, 1L << 40),
            new MainMember(new UUID(3, 3), evidence("sda", 1L << 40), 0),
            new SortedRemapEntries());
    List<Change> changes = new ArrayList<>();
    for (int spare = 0; spare < spares; spare++) {
      changes.add(
          new Change.SpareAdded(
              new SpareMember(
                  spare, spareId(spare), evidence("sd" + spare, 64 << 20), SpareState.IN_SERVICE)));
    }
    image.apply(Position.NONE, changes);
    return image;
  }

  public static DiskEvidence evidence(String name, long sizeBytes) {
    return new DiskEvidence(
        new DiskIdentity(
            name,
            Optional.of("Model X"),
            Optional.of("S-" + name),
            Optional.empty(),
            List.of("/dev/disk/by-id/" + name),
            List.of(
                new DiskIdentity.Content(
                    "ext4", Optional.of("uuid-" + name), Optional.of("home"), sizeBytes))),
        sizeBytes,
        512);
  }

  public static UUID spareId(int spare) {
    return new UUID(0x5A, spare);
  }

  public Placement placement() {
    return image.placement().orElseThrow();
  }

  public CopyPlace place(int copy) {
    return placement().places().get(copy);
  }

  public TestDisk disk(int copy) {
    return disks.get(place(copy).spare());
  }

  public SortedRemapEntries entries() {
    return (SortedRemapEntries) image.entries();
  }

  /** Writes all copies whole. */
  public TestDevice writeAll() throws IOException, FormatException {
    for (int copy = 0; copy < placement().copies(); copy++) {
      writeCopy(copy);
    }
    return this;
  }

  public void writeCopy(int copy) throws IOException, FormatException {
    Superblock superblock = OfflineDevice.superblock(image, place(copy));
    generation++;
    OfflineDevice.writeCopy(image, superblock, disk(copy), generation, generation * 7919);
    CopyReading reading = readings().get(copy);
    appenders.put(copy, LogAppender.after(superblock, reading.best().orElseThrow()));
  }

  /** Appends the changes as the next commit to these copies, and applies them. */
  public Position commit(Set<Integer> copies, Change... changes) throws IOException {
    Position position = new Position(image.epoch(), image.position().sequence() + 1);
    LogAppender.Payload payload = payload(position, changes);
    for (int copy : copies) {
      append(copy, payload);
    }
    image.apply(position, List.of(changes));
    return position;
  }

  public static LogAppender.Payload payload(Position position, Change... changes) {
    LogAppender.PayloadBuilder builder = new LogAppender.PayloadBuilder();
    if (!builder.add(List.of(changes))) {
      throw new IllegalArgumentException("too large");
    }
    return builder.at(position);
  }

  public long append(int copy, LogAppender.Payload payload) throws IOException {
    LogAppender appender = requireNonNull(appenders.get(copy));
    long offsetBytes = appender.offsetBytes();
    ByteBuffer bytes = ByteBuffer.allocate(8192);
    int length = appender.append(payload, bytes, 0);
    disk(copy).write(offsetBytes, bytes.limit(length));
    return offsetBytes;
  }

  public List<OfflineDevice.Source> sources() {
    return IntStream.range(0, disks.size())
        .mapToObj(spare ->
            new OfflineDevice.Source(
                spareId(spare),
                disks.get(spare),
                placement().places().stream()
                    .filter(place -> place.spare() == spare)
                    .map(CopyPlace::offsetBytes)
                    .toList()))
        .toList();
  }

  /** By copy. */
  public List<CopyReading> readings() {
    return placement().places().stream().map(this::reading).toList();
  }

  public CopyReading reading(CopyPlace place) {
    return DiskBytes.drive(
            new CopyReader(DEVICE, spareId(place.spare()), place.offsetBytes(), 128 * 1024),
            disks.get(place.spare()))
        .result();
  }

  public CopyChoice.Circumstances circumstances() {
    return new CopyChoice.Circumstances(
        DEVICE,
        IntStream.range(0, disks.size()).mapToObj(TestDevice::spareId).collect(Collectors.toSet()),
        Optional.empty(),
        Optional.empty());
  }

  public OfflineDevice.Loaded load() {
    return OfflineDevice.load(sources(), circumstances(), SortedRemapEntries::new);
  }
}
