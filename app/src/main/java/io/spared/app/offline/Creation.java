package io.spared.app.offline;

import io.spared.ffi.disk.Disk;
import io.spared.ffi.disk.DiskAddress;
import io.spared.ffi.disk.DiskIdentity;
import io.spared.ffi.disk.DiskOpener;
import io.spared.ffi.world.World;
import io.spared.format.Change;
import io.spared.format.CopyLayout;
import io.spared.format.CopyPlace;
import io.spared.format.CopyPlacer;
import io.spared.format.DeviceImage;
import io.spared.format.DiskEvidence;
import io.spared.format.Epoch;
import io.spared.format.Extent;
import io.spared.format.ExtentKind;
import io.spared.format.Form;
import io.spared.format.FormatException;
import io.spared.format.Geometry;
import io.spared.format.LostBits;
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
import java.io.IOException;
import java.nio.ByteBuffer;
import java.util.ArrayList;
import java.util.List;
import java.util.Optional;
import java.util.UUID;

/**
 * Makes a new device. Everything is judged first and nothing is written unless all of it is good.
 * Then in this order, each step durable: what the spares lend, the copies of the metadata, and for
 * the labelled form the label on main. In the adopt form no byte of main is written.
 */
public final class Creation {
  private static final long MEGABYTE = 1L << 20;
  private static final long FIRST_DATA_BYTES_MAX = 1L << 30;

  private final OfflineDisks disks;
  private final World world;
  private final Request request;

  /**
   * What is to be made.
   *
   * @param force write over content that is recognised on the spares
   */
  public record Request(
      String name,
      String main,
      List<String> spares,
      Form form,
      int blockBytes,
      int copies,
      boolean force,
      Owner owner) {
    public Request {
      spares = List.copyOf(spares);
    }
  }

  /**
   * A block that is on a spare from the beginning.
   *
   * @param bytes the whole block; what stands in lost sectors does not matter
   */
  // An array is what the bytes are; records of this kind are never compared.
  @SuppressWarnings("ArrayRecordComponent")
  public record Imported(long block, byte[] bytes, LostBits lost) {}

  /** What was made. */
  public record Made(UUID deviceId, DeviceImage image, String sentence) {}

  /** A spare with its table as it will be. */
  static final class SparePlan {
    final int index;
    final OfflineDisk disk;
    final UUID spareId;
    final long firstVersion;
    final List<SpareTable.Lent> lent;
    final List<SpareTable.Lent> ours = new ArrayList<>();

    SparePlan(
        int index, OfflineDisk disk, UUID spareId, long firstVersion, List<SpareTable.Lent> lent) {
      this.index = index;
      this.disk = disk;
      this.spareId = spareId;
      this.firstVersion = firstVersion;
      this.lent = new ArrayList<>(lent);
    }

    List<Extent> free() {
      List<Extent> free = new ArrayList<>();
      for (Extent range : SpareTable.lendable(index, disk.sizeBytes())) {
        long at = range.offsetBytes();
        List<SpareTable.Lent> sorted = new ArrayList<>(lent);
        sorted.sort(java.util.Comparator.comparingLong(SpareTable.Lent::offsetBytes));
        for (SpareTable.Lent taken : sorted) {
          if (taken.endBytes() <= at || taken.offsetBytes() >= range.endBytes()) {
            continue;
          }
          if (taken.offsetBytes() > at) {
            free.add(new Extent(index, at, taken.offsetBytes() - at, ExtentKind.DATA));
          }
          at = taken.endBytes();
        }
        if (at < range.endBytes()) {
          free.add(new Extent(index, at, range.endBytes() - at, ExtentKind.DATA));
        }
      }
      return free;
    }

    void lend(UUID deviceId, long offsetBytes, long lengthBytes, ExtentKind kind) {
      SpareTable.Lent range = new SpareTable.Lent(deviceId, offsetBytes, lengthBytes, kind);
      lent.add(range);
      ours.add(range);
    }

    SpareTable table() {
      return new SpareTable(spareId, firstVersion, disk.sizeBytes(), lent);
    }
  }

  public Creation(OfflineDisks disks, Request request) {
    this.disks = disks;
    this.world = disks.world();
    this.request = request;
  }

  /** Judges, and unless something forbids it, writes. */
  public Made make() throws OfflineException, IOException {
    return make(opened -> List.of());
  }

  /** Blocks to begin with, made from the open disks once everything was judged. */
  public interface Importer {
    List<Imported> blocks(Opened opened) throws OfflineException, IOException;
  }

  /** The disks of the device to be. */
  public record Opened(OfflineDisk main, List<OfflineDisk> spares, Geometry geometry) {
    public Opened {
      spares = List.copyOf(spares);
    }
  }

  /** The same, with blocks that are on the spares from the beginning. */
  public Made make(Importer importer) throws OfflineException, IOException {
    if (!request.name().matches("[A-Za-z0-9][A-Za-z0-9_.-]{0,62}")) {
      throw new OfflineException(
          request.name()
              + ": a device's name has 1 to 63 letters, digits, '_', '.' or '-', and begins with a"
              + " letter or digit");
    }
    if (request.spares().isEmpty()) {
      throw new OfflineException("a device needs a spare; name one with --spare");
    }
    if (request.copies() < 3 || request.copies() > 9 || request.copies() % 2 == 0) {
      throw new OfflineException(
          "a device has 3, 5, 7 or 9 copies of its metadata, not " + request.copies());
    }
    OfflineDisk main = disks.open(request.main(), DiskOpener.Mode.OWN);
    refuseSpareAsMain(main);
    Geometry geometry = geometry(main);
    UUID deviceId = world.newUuid();
    List<SparePlan> spares = new ArrayList<>();
    for (String text : request.spares()) {
      spares.add(spare(spares.size(), text, geometry));
    }
    Placement placement = place(geometry, spares, deviceId);
    lendData(spares, deviceId);
    List<Imported> imported =
        importer.blocks(
            new Opened(main, spares.stream().map(spare -> spare.disk).toList(), geometry));
    DeviceImage image = image(deviceId, geometry, main, spares, placement);
    place(imported, image, spares);
    write(image, spares, placement);
    if (request.form() != Form.ADOPT) {
      label(image, main);
    }
    return new Made(
        deviceId,
        image,
        request.name()
            + " "
            + deviceId
            + ": "
            + geometry.deviceBytes()
            + " bytes, "
            + placement.copies()
            + " copies of its metadata on "
            + spares.size()
            + (spares.size() == 1 ? " spare" : " spares")
            + (request.form() == Form.ADOPT ? "; no byte of main was changed" : ""));
  }

  private static void refuseSpareAsMain(OfflineDisk main) throws OfflineException {
    if (OfflineDevice.readSpareTable(main).table().isPresent()) {
      throw new OfflineException(
          main.disk().address() + " is a spare already; it cannot be a main disk as well");
    }
  }

  private Geometry geometry(OfflineDisk main) throws OfflineException {
    Disk disk = main.disk();
    int sectorBytes = disk.geometry().logicalSectorBytes();
    long bytes = disk.geometry().sizeBytes() / sectorBytes * sectorBytes;
    if (request.form() != Form.ADOPT) {
      bytes = MainLabel.offsetBytes(disk.geometry().sizeBytes()) / sectorBytes * sectorBytes;
      if (request.form() == Form.SELF_SPARE) {
        bytes -= tailBytes();
        if (bytes <= 0) {
          throw new OfflineException(
              disk.address() + ": its tail has to be smaller than the disk; name a smaller one");
        }
      }
      for (DiskIdentity.Content content : disk.identity().contents()) {
        if (content.endBytes() > bytes) {
          throw new OfflineException(
              disk.address()
                  + ": its "
                  + content.kind()
                  + " reaches to byte "
                  + content.endBytes()
                  + ", where the "
                  + (request.form() == Form.LABELLED ? "label" : "spare")
                  + " would stand; shrink it, or use the adopt form");
        }
      }
      requireBlankTail(main);
    }
    try {
      return new Geometry(request.blockBytes(), sectorBytes, bytes);
    } catch (IllegalArgumentException wrong) {
      throw new OfflineException(disk.address() + ": " + wrong.getMessage());
    }
  }

  /** The spare of the self-spare form is the tail of main: how much of it. */
  private long tailBytes() throws OfflineException {
    DiskAddress spare = DiskAddress.parse(request.spares().get(0));
    while (spare instanceof DiskAddress.OfFault fault) {
      spare = fault.inner();
    }
    if (request.spares().size() != 1
        || !(spare instanceof DiskAddress.OfTail tail)
        || tail.sizeBytes() % MEGABYTE != 0
        || tail.sizeBytes() < SpareTable.DISK_BYTES_MIN) {
      throw new OfflineException(
          "the self-spare form has one spare, the tail of main, of whole MiB and 4 MiB at least");
    }
    return tail.sizeBytes();
  }

  /** The place of label and tail must be zeros: what stands there may be somebody's. */
  private void requireBlankTail(OfflineDisk main) throws OfflineException {
    long from = MainLabel.offsetBytes(main.sizeBytes());
    if (request.form() == Form.SELF_SPARE) {
      from -= tailBytes();
    }
    try {
      for (long at = from; at < main.sizeBytes() && !request.force(); at += MEGABYTE) {
        ByteBuffer tail = main.read(at, (int) Math.min(MEGABYTE, main.sizeBytes() - at));
        while (tail.hasRemaining()) {
          if (tail.get() != 0) {
            throw new OfflineException(
                main.disk().address()
                    + ": its last "
                    + (main.sizeBytes() - from) / 1024
                    + " KiB are not empty, so nobody can say that they are free; use the adopt"
                    + " form, or --force");
          }
        }
      }
    } catch (IOException unreadable) {
      throw new OfflineException(
          main.disk().address() + ": the place of the label cannot be read; use the adopt form");
    }
  }

  private SparePlan spare(int index, String text, Geometry geometry) throws OfflineException {
    OfflineDisk disk = disks.open(text, DiskOpener.Mode.OWN);
    if (disk.disk().geometry().logicalSectorBytes() > geometry.sectorBytes()) {
      throw new OfflineException(
          disk.disk().address()
              + ": its sectors have "
              + disk.disk().geometry().logicalSectorBytes()
              + " bytes, those of main "
              + geometry.sectorBytes()
              + "; a spare's may not be larger");
    }
    if (disk.sizeBytes() < SpareTable.DISK_BYTES_MIN) {
      throw new OfflineException(
          disk.disk().address()
              + ": too small for a spare, "
              + disk.sizeBytes()
              + " bytes; it needs 16 MiB or more");
    }
    SpareTable.Choice choice = OfflineDevice.readSpareTable(disk);
    if (choice.table().isPresent()) {
      SpareTable known = choice.table().get();
      return new SparePlan(index, disk, known.spareId(), known.version() + 1, known.lent());
    }
    if (!request.force()) {
      refuseContent(disk);
    }
    return new SparePlan(index, disk, world.newUuid(), 1, List.of());
  }

  private static void refuseContent(OfflineDisk disk) throws OfflineException {
    for (DiskIdentity.Content content : disk.disk().identity().contents()) {
      throw new OfflineException(
          disk.disk().address()
              + ": holds "
              + content.kind()
              + content.label().map(label -> " \"" + label + "\"").orElse("")
              + ", which would be destroyed; wipe it first, or use --force");
    }
    try {
      MainLabel label =
          MainLabel.read(
              disk.read(MainLabel.offsetBytes(disk.sizeBytes()), MainLabel.BYTES),
              disk.sizeBytes());
      throw new OfflineException(
          disk.disk().address()
              + ": is the main disk of device "
              + label.deviceId()
              + "; it cannot be a spare as well");
    } catch (FormatException | IOException noLabel) {
      // As it should be.
    }
    if (!OfflineDevice.findCopies(disk).isEmpty()) {
      throw new OfflineException(
          disk.disk().address()
              + ": holds copies of a device's metadata although its own table is gone; see spared"
              + " ctl inspect, or use --force to give all of it up");
    }
  }

  private Placement place(Geometry geometry, List<SparePlan> spares, UUID deviceId)
      throws OfflineException {
    long slots = 0;
    List<CopyPlacer.Room> rooms = new ArrayList<>();
    for (SparePlan spare : spares) {
      slots += spare.disk.sizeBytes() / geometry.blockBytes();
      rooms.add(new CopyPlacer.Room(spare.index, spare.disk.sizeBytes(), spare.free()));
    }
    CopyLayout layout = CopyPlacer.layoutFor(geometry, slots);
    Optional<Placement> placement = CopyPlacer.place(layout, request.copies(), rooms);
    if (placement.isEmpty()) {
      throw new OfflineException(
          "the spares have no room for "
              + request.copies()
              + " copies of "
              + layout.extentBytes() / MEGABYTE
              + " MiB each; use a larger spare, another one beside it, or fewer copies");
    }
    for (CopyPlace place : placement.get().places()) {
      spares
          .get(place.spare())
          .lend(deviceId, place.offsetBytes(), layout.extentBytes(), ExtentKind.METADATA);
    }
    return placement.get();
  }

  /** Something to begin with; the running device borrows more. */
  private static void lendData(List<SparePlan> spares, UUID deviceId) throws OfflineException {
    long lent = 0;
    for (SparePlan spare : spares) {
      long wanted =
          Math.clamp(
              spare.disk.sizeBytes() / 8 / MEGABYTE * MEGABYTE, MEGABYTE, FIRST_DATA_BYTES_MAX);
      for (Extent free : spare.free()) {
        if (wanted > 0) {
          long length = Math.min(wanted, free.lengthBytes());
          spare.lend(deviceId, free.offsetBytes(), length, ExtentKind.DATA);
          wanted -= length;
          lent += length;
        }
      }
    }
    if (lent == 0) {
      throw new OfflineException(
          "the spares have room for the metadata but not for a single block; use a larger one");
    }
  }

  private DeviceImage image(
      UUID deviceId,
      Geometry geometry,
      OfflineDisk main,
      List<SparePlan> spares,
      Placement placement) {
    MainMember member = new MainMember(world.newUuid(), evidence(main), 0);
    DeviceImage image =
        new DeviceImage(
            deviceId, request.name(), request.form(), geometry, member, new SortedRemapEntries());
    List<Change> changes = new ArrayList<>();
    Epoch epoch = new Epoch(Epoch.CREATED, world.random().nextLong());
    changes.add(new Change.EpochRaised(epoch, request.owner()));
    for (SparePlan spare : spares) {
      changes.add(
          new Change.SpareAdded(
              new SpareMember(
                  spare.index, spare.spareId, evidence(spare.disk), SpareState.IN_SERVICE)));
      for (SpareTable.Lent lent : spare.ours) {
        changes.add(
            new Change.ExtentLent(
                new Extent(spare.index, lent.offsetBytes(), lent.lengthBytes(), lent.kind())));
      }
    }
    changes.add(new Change.CopiesPlaced(placement));
    image.apply(new Position(epoch, 1), changes);
    return image;
  }

  /** Writes imported blocks into the first slots. */
  private static void place(List<Imported> imported, DeviceImage image, List<SparePlan> spares)
      throws OfflineException, IOException {
    int blockBytes = image.geometry().blockBytes();
    List<Change> changes = new ArrayList<>();
    int next = 0;
    for (Extent extent : image.extents()) {
      if (extent.kind() != ExtentKind.DATA) {
        continue;
      }
      for (long at = extent.offsetBytes();
          at + blockBytes <= extent.endBytes() && next < imported.size();
          at += blockBytes) {
        Imported block = imported.get(next++);
        spares.get(extent.spare()).disk.write(at, ByteBuffer.wrap(block.bytes()));
        changes.add(
            new Change.Remapped(block.block(), extent.spare(), at / blockBytes, block.lost()));
      }
    }
    if (next < imported.size()) {
      throw new OfflineException(
          "the spares have no room for " + imported.size() + " blocks; add a larger one");
    }
    if (!changes.isEmpty()) {
      image.apply(new Position(image.epoch(), 2), changes);
    }
  }

  static DiskEvidence evidence(OfflineDisk disk) {
    return new DiskEvidence(
        disk.disk().identity(), disk.sizeBytes(), disk.disk().geometry().logicalSectorBytes());
  }

  private void write(DeviceImage image, List<SparePlan> spares, Placement placement)
      throws OfflineException, IOException {
    for (SparePlan spare : spares) {
      OfflineDevice.writeSpareTable(spare.disk, spare.table());
    }
    long buildId = world.random().nextLong();
    for (CopyPlace place : placement.places()) {
      try {
        OfflineDevice.writeCopy(
            image,
            OfflineDevice.superblock(image, place),
            spares.get(place.spare()).disk,
            1,
            buildId);
      } catch (FormatException defect) {
        throw new OfflineException("the metadata could not be built: " + defect.getMessage());
      }
    }
  }

  private static void label(DeviceImage image, OfflineDisk main) throws IOException {
    MainLabel label =
        new MainLabel(
            image.main().mainId(),
            image.deviceId(),
            image.form(),
            main.sizeBytes(),
            0,
            image.geometry().deviceBytes());
    main.write(MainLabel.offsetBytes(main.sizeBytes()), label.write());
  }
}
