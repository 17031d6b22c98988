package io.spared.discovery;

import static java.util.Objects.requireNonNull;

import io.spared.ffi.disk.DiskAddress;
import io.spared.ffi.disk.DiskGeometry;
import io.spared.ffi.disk.DiskIdentity;
import io.spared.format.Change;
import io.spared.format.CopyLayout;
import io.spared.format.CopyPlace;
import io.spared.format.CopyPlacer;
import io.spared.format.DeviceImage;
import io.spared.format.DiskBytes;
import io.spared.format.DiskEvidence;
import io.spared.format.Epoch;
import io.spared.format.Extent;
import io.spared.format.ExtentKind;
import io.spared.format.Form;
import io.spared.format.FormatException;
import io.spared.format.Geometry;
import io.spared.format.MainLabel;
import io.spared.format.MainMember;
import io.spared.format.OfflineDevice;
import io.spared.format.Owner;
import io.spared.format.Placement;
import io.spared.format.Position;
import io.spared.format.SortedRemapEntries;
import io.spared.format.SpareMember;
import io.spared.format.SpareState;
import io.spared.format.SpareTable;
import io.spared.format.TestDisk;
import java.io.IOException;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import java.util.UUID;

/** A host's disks as a test arranges them, with set-ups made by the real format. */
final class Shelf {
  static final Owner HOST = new Owner(new UUID(7, 7), "this-host");
  static final long MAIN_BYTES = 256L << 20;
  static final long SPARE_BYTES = 64L << 20;
  private static final CopyLayout LAYOUT = new CopyLayout(64 * 1024, 16 * 4096);

  /** A disk in a place. */
  record Plugged(TestDisk bytes, DiskIdentity identity) {}

  /** A set-up on the shelf. */
  static final class Made {
    final UUID deviceId;
    final List<String> spares;
    DeviceImage image;

    Made(UUID deviceId, List<String> spares, DeviceImage image) {
      this.deviceId = deviceId;
      this.spares = spares;
      this.image = image;
    }
  }

  private final Map<String, Plugged> disks = new LinkedHashMap<>();
  private final Map<UUID, SpareTable> tables = new LinkedHashMap<>();
  private long generation;
  private long devices;

  /** A new disk with a serial number, as /dev/NAME. */
  Shelf disk(String name, long sizeBytes, String serial) {
    disks.put(
        name,
        new Plugged(
            new TestDisk(sizeBytes), identity(name, Optional.of(serial), Optional.empty())));
    return this;
  }

  /** A disk with serial number and WWN. */
  Shelf diskWithWwn(String name, long sizeBytes, String serial) {
    disks.put(
        name,
        new Plugged(
            new TestDisk(sizeBytes),
            identity(name, Optional.of(serial), Optional.of("wwn-" + serial))));
    return this;
  }

  /** A regular file, which has no serial number. */
  Shelf file(String path, long sizeBytes) {
    disks.put(
        path,
        new Plugged(new TestDisk(sizeBytes), identity(path, Optional.empty(), Optional.empty())));
    return this;
  }

  private static DiskIdentity identity(String name, Optional<String> serial, Optional<String> wwn) {
    return new DiskIdentity(name, Optional.of("Model"), serial, wwn, List.of(), List.of());
  }

  List<String> names() {
    return List.copyOf(disks.keySet());
  }

  Plugged at(String name) {
    return requireNonNull(disks.get(name), name);
  }

  void unplug(String name) {
    requireNonNull(disks.remove(name), name);
  }

  /** The disk comes back under another name, with all else unchanged. */
  void rename(String from, String to) {
    Plugged disk = at(from);
    disks.remove(from);
    DiskIdentity old = disk.identity();
    disks.put(
        to,
        new Plugged(
            disk.bytes(),
            new DiskIdentity(
                to, old.model(), old.serial(), old.wwn(), old.links(), old.contents())));
  }

  void swap(String one, String other) {
    rename(one, "between");
    rename(other, one);
    rename("between", other);
  }

  /** The bytes of one disk on another, as dd would copy them. */
  void copyBytes(String from, String to) {
    Plugged target = at(to);
    disks.put(to, new Plugged(at(from).bytes().copy(), target.identity()));
  }

  /** The same drive with fewer bytes. */
  void truncate(String name, long sizeBytes) throws IOException {
    Plugged old = at(name);
    TestDisk shorter = new TestDisk(sizeBytes);
    for (long at = 0; at < sizeBytes; at += 4096) {
      shorter.write(at, old.bytes().read(at, 4096));
    }
    disks.put(name, new Plugged(shorter, old.identity()));
  }

  /** A set-up, made and started once by this host. */
  Made make(String name, Form form, String main, String... spares)
      throws IOException, FormatException {
    UUID deviceId = new UUID(0xDE71CE, ++devices);
    UUID mainId = new UUID(0x3A14, devices);
    long mainBytes = at(main).bytes().sizeBytes();
    DeviceImage image =
        new DeviceImage(
            deviceId,
            name,
            form,
            new Geometry(4096, 512, form == Form.ADOPT ? mainBytes : mainBytes - (1 << 20)),
            new MainMember(mainId, evidence(main), 0),
            new SortedRemapEntries());
    List<Change> changes = new ArrayList<>();
    List<CopyPlacer.Room> rooms = new ArrayList<>();
    for (int index = 0; index < spares.length; index++) {
      SpareTable table = tableOf(spares[index]);
      changes.add(
          new Change.SpareAdded(
              new SpareMember(
                  index, table.spareId(), evidence(spares[index]), SpareState.IN_SERVICE)));
      rooms.add(new CopyPlacer.Room(index, table.diskBytes(), free(index, table)));
    }
    Placement placement = CopyPlacer.place(LAYOUT, 5, rooms).orElseThrow();
    changes.add(new Change.CopiesPlaced(placement));
    changes.add(new Change.EpochRaised(new Epoch(1, 0xABC), HOST));
    image.apply(new Position(new Epoch(1, 0xABC), 1), changes);
    Made made = new Made(deviceId, List.of(spares), image);
    for (CopyPlace place : placement.places()) {
      lend(spares[place.spare()], deviceId, place.offsetBytes());
    }
    if (form != Form.ADOPT) {
      writeLabel(main, new MainLabel(mainId, deviceId, form, mainBytes, 0, mainBytes - (1 << 20)));
    }
    write(made);
    return made;
  }

  DiskEvidence evidence(String name) {
    return new DiskEvidence(at(name).identity(), at(name).bytes().sizeBytes(), 512);
  }

  private void writeLabel(String main, MainLabel label) throws IOException {
    at(main).bytes().write(MainLabel.offsetBytes(label.diskBytes()), label.write());
  }

  private SpareTable tableOf(String disk) throws IOException {
    for (SpareTable table : tables.values()) {
      if (table.spareId().equals(spareId(disk))) {
        return table;
      }
    }
    SpareTable table = new SpareTable(spareId(disk), 1, at(disk).bytes().sizeBytes(), List.of());
    store(disk, table);
    return table;
  }

  private static UUID spareId(String disk) {
    return UUID.nameUUIDFromBytes(disk.getBytes(java.nio.charset.StandardCharsets.UTF_8));
  }

  private void store(String disk, SpareTable table) throws IOException {
    tables.put(table.spareId(), table);
    OfflineDevice.writeSpareTable(at(disk).bytes(), table);
  }

  private static List<Extent> free(int index, SpareTable table) {
    List<Extent> free = new ArrayList<>();
    for (Extent range : SpareTable.lendable(index, table.diskBytes())) {
      long from = range.offsetBytes();
      for (SpareTable.Lent lent : table.lent()) {
        if (lent.offsetBytes() >= range.offsetBytes() && lent.endBytes() <= range.endBytes()) {
          if (lent.offsetBytes() > from) {
            free.add(new Extent(index, from, lent.offsetBytes() - from, ExtentKind.DATA));
          }
          from = lent.endBytes();
        }
      }
      if (from < range.endBytes()) {
        free.add(new Extent(index, from, range.endBytes() - from, ExtentKind.DATA));
      }
    }
    return free;
  }

  private void lend(String disk, UUID deviceId, long offsetBytes) throws IOException {
    SpareTable table = tableOf(disk);
    List<SpareTable.Lent> lent = new ArrayList<>(table.lent());
    lent.add(new SpareTable.Lent(deviceId, offsetBytes, LAYOUT.extentBytes(), ExtentKind.METADATA));
    store(disk, new SpareTable(table.spareId(), table.version() + 1, table.diskBytes(), lent));
  }

  private void write(Made made) throws IOException, FormatException {
    for (CopyPlace place : made.image.placement().orElseThrow().places()) {
      writeCopy(made, place);
    }
  }

  void writeCopy(Made made, CopyPlace place) throws IOException, FormatException {
    OfflineDevice.writeCopy(
        made.image,
        OfflineDevice.superblock(made.image, place),
        at(made.spares.get(place.spare())).bytes(),
        ++generation,
        generation * 7919);
  }

  CopyPlace place(Made made, int copy) {
    return made.image.placement().orElseThrow().places().get(copy);
  }

  /** The device is started again: a new epoch on all copies, by this owner. */
  void restart(Made made, Owner owner) throws IOException, FormatException {
    Position before = made.image.position();
    Epoch epoch = new Epoch(before.epoch().counter() + 1, before.epoch().startId() + 17);
    made.image.apply(
        new Position(epoch, before.sequence() + 1), List.of(new Change.EpochRaised(epoch, owner)));
    write(made);
  }

  void change(Made made, Change... changes) throws IOException, FormatException {
    Position before = made.image.position();
    made.image.apply(new Position(before.epoch(), before.sequence() + 1), List.of(changes));
    write(made);
  }

  void destroyCopy(Made made, int copy) {
    CopyPlace place = place(made, copy);
    at(made.spares.get(place.spare())).bytes().wipe(place.offsetBytes(), LAYOUT.extentBytes());
  }

  static DiskAddress address(String name) {
    return new DiskAddress.OfPath(Path.of(name.startsWith("/") ? name : "/dev/" + name));
  }

  /** Everything that a scan of these disks finds. */
  List<DiskFinding> survey() {
    List<DiskFinding> found = new ArrayList<>();
    disks.forEach((name, disk) -> {
      long sizeBytes = disk.bytes().sizeBytes();
      found.add(
          DiskBytes.drive(
                  new DiskSurvey(
                      address(name),
                      new DiskGeometry(sizeBytes, 512, 4096, 0, true, true, 0),
                      disk.identity()),
                  disk.bytes())
              .result());
    });
    return found;
  }

  static HostKnowledge knowledge() {
    return new HostKnowledge(HOST.hostId(), Map.of(), Map.of(), java.util.Set.of(), 90);
  }

  /** The judgement of the only set-up. */
  Judgement judge(HostKnowledge knowledge) {
    List<Judgement> judgements = SetUpJudge.judge(survey(), knowledge);
    if (judgements.size() != 1) {
      throw new AssertionError("not one set-up: " + judgements);
    }
    return judgements.get(0);
  }

  Judgement judge() {
    return judge(knowledge());
  }
}
