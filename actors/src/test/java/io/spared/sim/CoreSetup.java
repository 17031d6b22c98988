package io.spared.sim;

import io.spared.discovery.Remembered;
import io.spared.ffi.disk.DiskAddress;
import io.spared.ffi.disk.DiskException;
import io.spared.ffi.disk.DiskOpener;
import io.spared.ffi.engine.DiskPort;
import io.spared.format.AreaReading;
import io.spared.format.Change;
import io.spared.format.CopyLayout;
import io.spared.format.CopyPlace;
import io.spared.format.CopyReader;
import io.spared.format.DeviceImage;
import io.spared.format.DiskEvidence;
import io.spared.format.Epoch;
import io.spared.format.Extent;
import io.spared.format.ExtentKind;
import io.spared.format.Form;
import io.spared.format.Geometry;
import io.spared.format.MainMember;
import io.spared.format.Placement;
import io.spared.format.Position;
import io.spared.format.Reading;
import io.spared.format.RemapEntries;
import io.spared.format.SortedRemapEntries;
import io.spared.format.SpareMember;
import io.spared.format.SpareState;
import io.spared.format.SpareTable;
import io.spared.format.Superblock;
import io.spared.host.AddedSpares;
import io.spared.metadata.MetadataCommand;
import io.spared.metadata.MetadataEvent;
import io.spared.metadata.MetadataReply;
import io.spared.metadata.MetadataSettings;
import io.spared.metadata.MetadataWriter;
import java.nio.ByteBuffer;
import java.nio.ByteOrder;
import java.nio.file.Path;
import java.time.Duration;
import java.util.ArrayDeque;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.Comparator;
import java.util.EnumMap;
import java.util.HashMap;
import java.util.HashSet;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import java.util.Set;
import java.util.TreeMap;
import java.util.UUID;
import java.util.concurrent.ConcurrentHashMap;
import org.apache.pekko.actor.typed.ActorRef;
import org.apache.pekko.actor.typed.javadsl.Behaviors;
import org.jspecify.annotations.Nullable;

/** One simulated set-up: a main drive with known content, spares, and what is lent of them. */
final class CoreSetup {
  static final int COPIES = 5;

  /** MiB that a device borrows of each spare, where nothing else is asked for. */
  static final int EXTENTS = 3;

  private static final long MIB = 1 << 20;
  private static final int LOOK_BYTES = 128 << 10;
  private static final CopyLayout LAYOUT = new CopyLayout(64 << 10, 64 << 10);

  final SimWorld world;
  final Geometry geometry;
  final SimDrive main;
  final List<SimDrive> spares = new ArrayList<>();
  private final List<SimDrive> next = new ArrayList<>();
  private final List<SimDrive> further = new ArrayList<>();
  SimOpener opener;
  private final String prefix;
  private final String sparePrefix;
  private final long[] usedBytes;

  /** Other devices of the host that borrow from the same spares. */
  private final List<CoreSetup> borrowers = new ArrayList<>();

  /** Drives of other devices of the host, which share its fate. */
  private final List<SimDrive> neighbours = new ArrayList<>();

  /** Drives that were put where others belong. */
  private final Map<Integer, SimDrive> strangers = new TreeMap<>();

  /** What drives held when somebody kept an image of them. */
  private final Map<Integer, SimDrive.Snapshot> images = new TreeMap<>();

  /** Copies about which their drives may lie. */
  private final Set<Integer> mayLie = new HashSet<>();

  private boolean copiesMoved;

  /** Another device's copy in the place of one of this device's. */
  private @Nullable ForeignCopy foreign;

  private record ForeignCopy(
      SimDrive drive, long offsetBytes, ByteBuffer before, ByteBuffer bytes) {}

  /** What this host remembers of devices that it has run, beside their disks. */
  final Map<UUID, Remembered> remembered = new HashMap<>();

  /** The last commit that was ever acknowledged. */
  private Position acknowledged = Position.NONE;

  /** The last acknowledged commit of some time ago, and those after it. */
  private final ArrayDeque<Acknowledged> acknowledgements = new ArrayDeque<>();

  private record Acknowledged(long atNanos, Position position) {}

  /** What waits for a moment of the metadata. */
  private final Map<SimAction.Kind, Runnable> armed = new EnumMap<>(SimAction.Kind.class);

  final Truth truth;

  /** What hosts remember of added spares, from one life to the next. */
  final Map<String, List<DiskAddress>> addedSpares = new ConcurrentHashMap<>();

  final ClientBook book;
  final UUID deviceId;
  final Placement placement;
  final List<Change> birth = new ArrayList<>();

  CoreSetup(SimWorld world, Geometry geometry, int spareCount, int dataExtentsEach) {
    this(world, geometry, spareCount, dataExtentsEach, "", new SimOpener());
  }

  /**
   * @param prefix tells its disks from those of another set-up of the same host
   */
  CoreSetup(
      SimWorld world,
      Geometry geometry,
      int spareCount,
      int dataExtentsEach,
      String prefix,
      SimOpener opener) {
    this(world, geometry, spareCount, dataExtentsEach, prefix, opener, null, 0);
  }

  /** With spares that have room for another device ({@link #beside}). */
  static CoreSetup withRoom(SimWorld world, Geometry geometry, int spareCount) {
    return new CoreSetup(world, geometry, spareCount, EXTENTS, "", new SimOpener(), null, 4 * MIB);
  }

  /** Another device of the same host, which borrows from the same spares. */
  static CoreSetup beside(CoreSetup lender, Geometry geometry, String prefix) {
    CoreSetup made =
        new CoreSetup(
            lender.world,
            geometry,
            lender.spares.size(),
            EXTENTS,
            prefix,
            lender.opener,
            lender,
            0);
    lender.borrowers.add(made);
    return made;
  }

  private CoreSetup(
      SimWorld world,
      Geometry geometry,
      int spareCount,
      int dataExtentsEach,
      String prefix,
      SimOpener opener,
      @Nullable CoreSetup lender,
      long roomBytes) {
    this.prefix = prefix;
    this.sparePrefix = lender == null ? prefix : lender.prefix;
    this.opener = opener;
    this.world = world;
    this.geometry = geometry;
    this.deviceId = world.world().newUuid();
    // Discovery looks at nothing smaller.
    long mainBytes = Math.max(4 * MIB, (geometry.deviceBytes() + MIB - 1) / MIB * MIB);
    this.main = new SimDrive(world, prefix + "main", mainBytes, geometry.sectorBytes());
    opener.plug(mainAddress(), main);
    this.truth = new Truth(geometry.deviceBytes() / geometry.sectorBytes(), geometry.sectorBytes());
    this.book = new ClientBook(world, truth);
    ByteBuffer initial = ByteBuffer.allocate((int) geometry.deviceBytes());
    truth.fillInitial(initial, 0, (int) truth.sectors());
    main.poke(0, initial.array());

    List<CopyPlace> places = new ArrayList<>();
    long[] used = new long[spareCount];
    for (int s = 0; s < spareCount; s++) {
      // Behind the table in the middle.
      used[s] = lender == null ? MIB : lender.usedBytes[s] + 3 * MIB;
    }
    List<Change> lent = new ArrayList<>();
    for (int copy = 0; copy < COPIES; copy++) {
      int spare = copy % spareCount;
      places.add(new CopyPlace(copy, spare, used[spare]));
      lent.add(
          new Change.ExtentLent(
              new Extent(spare, used[spare], LAYOUT.extentBytes(), ExtentKind.METADATA)));
      used[spare] += LAYOUT.extentBytes();
    }
    for (int s = 0; s < spareCount; s++) {
      lent.add(
          new Change.ExtentLent(new Extent(s, used[s], dataExtentsEach * MIB, ExtentKind.DATA)));
      used[s] += dataExtentsEach * MIB;
      SimDrive drive =
          lender == null
              ? new SimDrive(
                  world, prefix + "spare-" + s, 2 * used[s] + roomBytes, geometry.sectorBytes())
              : lender.spares.get(s);
      spares.add(drive);
      opener.plug(spareAddress(s), drive);
      birth.add(
          new Change.SpareAdded(
              new SpareMember(s, spareId(s), evidence(drive), SpareState.IN_SERVICE)));
    }
    this.usedBytes = used;
    this.placement = new Placement(LAYOUT, places);
    birth.addAll(lent);
    birth.add(new Change.CopiesPlaced(placement));
  }

  Position acknowledged() {
    return acknowledged;
  }

  void acknowledged(Position position) {
    acknowledged = position;
    acknowledgements.add(new Acknowledged(world.nowNanos(), position));
    reached(SimAction.Kind.CUT_AFTER_COMMIT);
  }

  /** All disks are well from now on. */
  boolean healed;

  /** What looks whenever a copy has a new checkpoint. */
  Runnable lookAtCheckpoint = () -> {};

  void checkpointDone() {
    lookAtCheckpoint.run();
    reached(SimAction.Kind.CUT_AFTER_CHECKPOINT);
  }

  /** The last commit that had been acknowledged at that time. */
  Position acknowledgedBy(long nanos) {
    while (acknowledgements.size() > 1) {
      Acknowledged oldest = acknowledgements.removeFirst();
      Acknowledged next = acknowledgements.getFirst();
      if (next.atNanos() > nanos) {
        acknowledgements.addFirst(oldest);
        break;
      }
    }
    Acknowledged first = acknowledgements.peekFirst();
    return first == null || first.atNanos() > nanos ? Position.NONE : first.position();
  }

  /** Has this done, once, when its moment comes. */
  void arm(SimAction.Kind moment, Runnable then) {
    armed.put(moment, then);
  }

  void reached(SimAction.Kind moment) {
    Runnable then = armed.remove(moment);
    if (then != null) {
      world.after(Duration.ZERO, then);
    }
  }

  /** A further drive, empty: to take main's place. */
  void plugNext() {
    SimDrive drive =
        new SimDrive(world, "next", main.geometry().sizeBytes(), geometry.sectorBytes());
    next.add(drive);
    opener.plug(address("next"), drive);
  }

  /** A further drive, empty: to become a spare. */
  void plugFurther() {
    SimDrive drive =
        new SimDrive(
            world, "further", spares.get(0).geometry().sizeBytes(), geometry.sectorBytes());
    further.add(drive);
    opener.plug(address("further"), drive);
  }

  AddedSpares memory() {
    return new AddedSpares() {
      @Override
      public Map<String, List<DiskAddress>> atStart() {
        return Map.copyOf(addedSpares);
      }

      @Override
      public Optional<String> record(String device, List<DiskAddress> spares) {
        addedSpares.put(device, spares);
        return Optional.empty();
      }
    };
  }

  static DiskAddress address(String name) {
    return new DiskAddress.OfPath(Path.of("/dev", name));
  }

  DiskAddress mainAddress() {
    return address(prefix + "main");
  }

  DiskAddress spareAddress(int spare) {
    return address(sparePrefix + "spare-" + spare);
  }

  UUID spareId(int spare) {
    return new UUID(((long) sparePrefix.hashCode() << 8) + spare, 77);
  }

  private static DiskEvidence evidence(SimDrive drive) {
    return new DiskEvidence(
        drive.identity(), drive.geometry().sizeBytes(), drive.geometry().logicalSectorBytes());
  }

  /** Writes what the spares say of themselves: who has borrowed what. */
  void writeSpareTables() {
    for (int s = 0; s < spares.size(); s++) {
      List<SpareTable.Lent> lent = new ArrayList<>(lentOf(s));
      for (CoreSetup borrower : borrowers) {
        lent.addAll(borrower.lentOf(s));
      }
      SimDrive drive = spares.get(s);
      long bytes = drive.geometry().sizeBytes();
      SpareTable table = new SpareTable(spareId(s), 1, bytes, lent);
      for (int copy = 0; copy < SpareTable.COPIES; copy++) {
        ByteBuffer written = table.write(copy);
        byte[] raw = new byte[written.remaining()];
        written.get(raw);
        drive.poke(SpareTable.offsetBytes(copy, bytes), raw);
      }
    }
  }

  private List<SpareTable.Lent> lentOf(int spare) {
    List<SpareTable.Lent> lent = new ArrayList<>();
    for (Change change : birth) {
      if (change instanceof Change.ExtentLent one && one.extent().spare() == spare) {
        lent.add(
            new SpareTable.Lent(
                deviceId,
                one.extent().offsetBytes(),
                one.extent().lengthBytes(),
                one.extent().kind()));
      }
    }
    return lent;
  }

  boolean isBorrower() {
    return !sparePrefix.equals(prefix);
  }

  /** What the device is called. */
  String name() {
    return named("sim");
  }

  String named(String what) {
    return prefix + what;
  }

  /** Where its drives share the fate of these, they are killed, cut off and healed with them. */
  void besides(CoreSetup other) {
    neighbours.add(other.main);
    if (!other.isBorrower()) {
      neighbours.addAll(other.spares);
    }
  }

  /** The image of the device as it was made. */
  DeviceImage born(RemapEntries entries) {
    DeviceImage image =
        new DeviceImage(
            deviceId,
            name(),
            Form.ADOPT,
            geometry,
            new MainMember(new UUID(0, 7), evidence(main), 0),
            entries);
    image.apply(new Position(Epoch.NONE, 0), birth);
    return image;
  }

  /** Overwrites a copy beneath whoever uses it. */
  void destroyCopy(int copy) {
    CopyPlace place = placement.places().get(copy);
    byte[] noise = new byte[16 << 10];
    Arrays.fill(noise, (byte) 0x5A);
    SimDrive drive = spares.get(place.spare());
    drive.poke(place.offsetBytes(), Arrays.copyOf(noise, CopyLayout.UNIT_BYTES));
    for (int area = 0; area < 2; area++) {
      drive.poke(place.offsetBytes() + LAYOUT.areaOffsetBytes(area), noise);
    }
  }

  /** Writes the copies of the device as it was made. */
  boolean writeCopies() {
    SimProcess born = new SimProcess(world, 1);
    boolean[] created = new boolean[1];
    Map<Integer, DiskPort> ports = new TreeMap<>();
    try {
      for (int s = 0; s < spares.size(); s++) {
        ports.put(s, opener.open(spareAddress(s), DiskOpener.Mode.OWN).attach(born.engine(0)));
      }
    } catch (DiskException e) {
      throw new IllegalStateException(e);
    }
    born.start(
        Behaviors.<MetadataReply>setup(context -> {
          ActorRef<MetadataEvent> nobody = context.getSystem().ignoreRef();
          ActorRef<MetadataCommand> writer =
              context.spawn(
                  MetadataWriter.create(
                      MetadataSettings.defaults(), born.engine(0), world.world(), nobody),
                  "metadata",
                  SimProcess.dispatcher(0));
          writer.tell(
              new MetadataCommand.Create(born(new SortedRemapEntries()), ports, context.getSelf()));
          return Behaviors.receive(MetadataReply.class)
              .onAnyMessage(reply -> {
                created[0] = reply instanceof MetadataReply.Created;
                return Behaviors.same();
              })
              .build();
        }));
    world.runUntil(() -> created[0], Duration.ofMinutes(1));
    born.kill(drives());
    return created[0];
  }

  /** Somebody pulls a drive and puts another in its place, of the same size. */
  void swap(int disk) {
    SimDrive own = disk == 0 ? main : spares.get(disk - 1);
    if (strangers.containsKey(disk)) {
      return;
    }
    own.disappear();
    SimDrive stranger = new SimDrive(world, own.name(), "SN-stranger", own.geometry());
    strangers.put(disk, stranger);
    opener.plug(address(own.name()), stranger);
  }

  void keepImage(int disk) {
    images.put(disk, drives().get(disk).snapshot());
  }

  /**
   * A spare is pulled and comes back as it was when its image was kept, under its own name and
   * serial. Only when that can be told from a crash: when its copies miss more than one record and
   * the first ones of as many starts, and a copy that does not lie is on another spare to say so.
   */
  void returnOlder(int disk) {
    SimDrive.Snapshot image = images.get(disk);
    SimDrive own = spares.get(disk - 1);
    boolean others =
        placement.places().stream()
            .anyMatch(place -> place.spare() != disk - 1 && !mayLie.contains(place.copy()));
    if (image == null
        || copiesMoved
        || !others
        || strangers.containsKey(disk)
        || !own.isPresent()) {
      return;
    }
    Optional<Position> then = newest(disk - 1, image);
    Optional<Position> now = newest(disk - 1, own.snapshot());
    if (then.isEmpty() || now.isEmpty()) {
      return;
    }
    long starts = now.get().epoch().counter() - then.get().epoch().counter();
    if (now.get().sequence() - then.get().sequence() <= 1 + starts) {
      return;
    }
    world.coverage().hit("spare.returnedOlder");
    own.disappear();
    SimDrive older = new SimDrive(world, own.name(), own.serial(), own.geometry());
    older.reappear(image);
    strangers.put(disk, older);
    opener.plug(address(own.name()), older);
  }

  /**
   * Somebody makes another device on a spare, and writes where a copy of this one stands. Only
   * while no drive may lie there as well.
   */
  void foreignCopy(int copy) {
    CopyPlace place = placement.places().get(copy);
    SimDrive drive = spares.get(place.spare());
    if (foreign != null || !mayLie.isEmpty() || !drive.isPresent()) {
      return;
    }
    Superblock of =
        new Superblock(
            new UUID(0xF0, 0x12),
            spareId(place.spare()),
            copy,
            COPIES,
            place.offsetBytes(),
            geometry,
            LAYOUT,
            0);
    byte[] bytes = new byte[Superblock.BYTES];
    of.write().get(bytes);
    foreign =
        new ForeignCopy(
            drive,
            place.offsetBytes(),
            ByteBuffer.wrap(drive.peek(place.offsetBytes(), Superblock.BYTES)),
            ByteBuffer.wrap(bytes));
    drive.poke(place.offsetBytes(), bytes);
    world.coverage().hit("copy.foreign");
  }

  /** It must still stand there: a running device never writes over another's. */
  void takeForeignCopyAway() {
    ForeignCopy there = foreign;
    if (there == null) {
      return;
    }
    foreign = null;
    byte[] stands = there.drive().peek(there.offsetBytes(), Superblock.BYTES);
    if (!ByteBuffer.wrap(stands).equals(there.bytes())) {
      truth.violated("another device's copy on " + there.drive().name() + " was written over");
    }
    there.drive().poke(there.offsetBytes(), there.before().array());
  }

  CopyReader readerOf(CopyPlace place) {
    return new CopyReader(deviceId, spareId(place.spare()), place.offsetBytes(), LOOK_BYTES);
  }

  /**
   * Rots something on a drive, but not the end of the log that says how new a spare is: without it
   * the spare looks like an older state of itself, and rightly waits for a person.
   */
  void rot(SimDrive drive) {
    int spare = spares.indexOf(drive);
    Position before = lastOn(spare);
    if (drive.rotSomewhere() && lastOn(spare).compareTo(before) < 0) {
      world.coverage().hit("rot.ofTheLastLogOfASpare");
      drive.unrot();
    }
  }

  /** The newest that the copies on a spare hold, however they can be read. */
  private Position lastOn(int spare) {
    return placement.places().stream()
        .filter(place -> place.spare() == spare)
        .flatMap(place -> TakenOver.read(readerOf(place), spares.get(spare)).best().stream())
        .map(AreaReading::tail)
        .max(Comparator.naturalOrder())
        .orElse(Position.NONE);
  }

  /** Up to where a spare's copies go, when all of them can be read to an end. */
  private Optional<Position> newest(int spare, SimDrive.Snapshot contents) {
    Position newest = Position.NONE;
    for (CopyPlace place : placement.places()) {
      if (place.spare() != spare) {
        continue;
      }
      CopyReader reader = readerOf(place);
      for (Optional<Reading.Step> step = reader.next(); step.isPresent(); step = reader.next()) {
        byte[] bytes = new byte[step.get().lengthBytes()];
        contents.bytes().read(step.get().offsetBytes(), bytes, 0, bytes.length);
        reader.accept(ByteBuffer.wrap(bytes).order(ByteOrder.LITTLE_ENDIAN));
      }
      Optional<AreaReading> best =
          reader.result().best().filter(area -> area.isTailKnown() && area.damage().isEmpty());
      if (best.isEmpty()) {
        return Optional.empty();
      }
      Position tail = best.get().tail();
      newest = tail.compareTo(newest) > 0 ? tail : newest;
    }
    return Optional.of(newest);
  }

  /** The right drives are where they were. A stranger must not have been written to. */
  boolean unswap() {
    strangers.forEach((disk, stranger) -> {
      SimDrive own = disk == 0 ? main : spares.get(disk - 1);
      opener.plug(address(own.name()), own);
      stranger.disappear();
      if (stranger.writesAsked() > 0) {
        truth.violated("a disk that is not the device's was written in the place of " + own.name());
      }
    });
    boolean any = !strangers.isEmpty();
    strangers.clear();
    return any;
  }

  /** What was metadata may become data, about which drives do not lie. */
  void copiesMayMove() {
    copiesMoved = true;
    spares.forEach(SimDrive::forgetSilentRanges);
  }

  /** Where the spares are that it was made with. */
  List<DiskAddress> spareAddresses() {
    List<DiskAddress> all = new ArrayList<>();
    spares.forEach(drive -> all.add(address(drive.name())));
    return all;
  }

  List<SimDrive> drives() {
    List<SimDrive> all = new ArrayList<>(spares);
    all.addFirst(main);
    all.addAll(next);
    all.addAll(further);
    all.addAll(strangers.values());
    all.addAll(neighbours);
    return all;
  }

  /**
   * Where the drives may lie: two copies of the metadata, since no more than two faults at a time
   * are promised to be survived.
   */
  void allowSilentFaults(SimRandom random) {
    int first = random.below(COPIES);
    for (int copy : List.of(first, (first + 1 + random.below(COPIES - 1)) % COPIES)) {
      CopyPlace place = placement.places().get(copy);
      mayLie.add(place.copy());
      spares
          .get(place.spare())
          .allowSilentFaults(place.offsetBytes(), place.offsetBytes() + LAYOUT.copyBytes());
    }
  }
}
