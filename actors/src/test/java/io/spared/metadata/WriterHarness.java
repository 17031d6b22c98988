package io.spared.metadata;

import static org.assertj.core.api.Assertions.assertThat;

import io.spared.ffi.disk.DiskAddress;
import io.spared.ffi.disk.DiskException;
import io.spared.ffi.disk.DiskOpener;
import io.spared.ffi.engine.DiskPort;
import io.spared.format.Change;
import io.spared.format.CleanStop;
import io.spared.format.CopyConsent;
import io.spared.format.CopyLayout;
import io.spared.format.CopyPlace;
import io.spared.format.CopyPlacer;
import io.spared.format.DeviceImage;
import io.spared.format.Epoch;
import io.spared.format.LostBits;
import io.spared.format.Placement;
import io.spared.format.Position;
import io.spared.format.SortedRemapEntries;
import io.spared.format.SpareTable;
import io.spared.format.TestDevice;
import io.spared.sim.SimDrive;
import io.spared.sim.SimEngine;
import io.spared.sim.SimOpener;
import io.spared.sim.SimWorld;
import java.nio.file.Path;
import java.time.Duration;
import java.util.ArrayList;
import java.util.EnumMap;
import java.util.HashMap;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import java.util.function.BooleanSupplier;
import org.apache.pekko.actor.typed.ActorRef;
import org.jspecify.annotations.Nullable;

/**
 * A writer over simulated drives, driven without an actor system, with the device's part played.
 */
final class WriterHarness {
  static final long DISK_BYTES = 64 << 20;
  static final CopyLayout LAYOUT = new CopyLayout(64 * 1024, 16 * 4096);

  final SimWorld world;
  final List<SimDrive> drives = new ArrayList<>();
  final SimOpener opener = new SimOpener();
  final WriterRules rules;
  final int spares;
  final CopyLayout layout;
  final List<MetadataEvent> events = new ArrayList<>();
  final List<MetadataReply> replies = new ArrayList<>();
  final SortedRemapEntries acknowledged = new SortedRemapEntries();
  MetadataSettings settings = MetadataSettings.defaults();
  SimEngine engine;
  Writer writer;
  @Nullable DeviceImage image;
  private final Map<Alarms.Kind, io.spared.sim.SimEvent> alarms = new EnumMap<>(Alarms.Kind.class);
  private boolean signalled;
  private int awaited;
  private boolean resumed;
  private boolean resumedLives;
  private long nextId = 1;
  private int life;

  WriterHarness(long seed, int spares) {
    this(seed, spares, LAYOUT, new WriterRules());
  }

  WriterHarness(long seed, int spares, CopyLayout layout, WriterRules rules) {
    this.world = new SimWorld(seed);
    this.rules = rules;
    this.spares = spares;
    this.layout = layout;
    for (int spare = 0; spare < spares; spare++) {
      addDrive(spare);
    }
    engine = new SimEngine(world);
    writer = newWriter();
  }

  SimDrive addDrive(int spare) {
    SimDrive drive = new SimDrive(world, "spare-" + spare, DISK_BYTES, 512);
    drives.add(drive);
    opener.plug(address(spare), drive);
    return drive;
  }

  static DiskAddress address(int spare) {
    return new DiskAddress.OfPath(Path.of("/dev/spare-" + spare));
  }

  private Writer newWriter() {
    int mine = ++life;
    alarms.values().forEach(world::cancel);
    alarms.clear();
    signalled = false;
    return new Writer(
        settings,
        engine,
        world.world(),
        new Alarms() {
          @Override
          public void set(Kind kind, Duration delay) {
            cancel(kind);
            alarms.put(
                kind,
                world.after(
                    delay,
                    () -> {
                      alarms.remove(kind);
                      if (mine == life || resumedLives) {
                        writer.alarm(kind);
                      }
                    }));
          }

          @Override
          public void cancel(Kind kind) {
            io.spared.sim.SimEvent event = alarms.remove(kind);
            if (event != null) {
              world.cancel(event);
            }
          }
        },
        this::onEvent,
        () -> signalled = true,
        rules);
  }

  private void onEvent(MetadataEvent event) {
    events.add(event);
    if (event instanceof MetadataEvent.CommitResolved resolved) {
      apply(resolved.position(), resolved.changes());
    }
  }

  DiskPort port(int spare) {
    try {
      return opener.open(address(spare), DiskOpener.Mode.READ).attach(engine);
    } catch (DiskException e) {
      throw new AssertionError(e);
    }
  }

  /** Steps until the condition holds; fails when it never does. */
  void until(BooleanSupplier condition) {
    assertThat(runUntil(condition, Duration.ofHours(3))).as("in state " + writer.state()).isTrue();
  }

  boolean runUntil(BooleanSupplier condition, Duration atMost) {
    long end = world.nowNanos() + atMost.toNanos();
    while (true) {
      engine.turn(false);
      if (signalled || resumed) {
        signalled = false;
        resumed = false;
        writer.ioEnded();
        continue;
      }
      if (condition.getAsBoolean()) {
        return true;
      }
      if (world.nextEventNanos() > end || !world.step()) {
        return false;
      }
    }
  }

  void runFor(Duration duration) {
    runUntil(() -> false, duration);
  }

  // The device's part.

  Placement placementOver(List<Integer> on) {
    return CopyPlacer.place(
            layout,
            5,
            on.stream()
                .map(spare ->
                    new CopyPlacer.Room(spare, DISK_BYTES, SpareTable.lendable(spare, DISK_BYTES)))
                .toList())
        .orElseThrow();
  }

  /** Creates the device and begins its first epoch. */
  WriterHarness created() {
    DeviceImage fresh = TestDevice.emptyImage(spares);
    List<Integer> all = new ArrayList<>();
    Map<Integer, DiskPort> ports = new HashMap<>();
    for (int spare = 0; spare < spares; spare++) {
      all.add(spare);
      ports.put(spare, port(spare));
    }
    fresh.apply(Position.NONE, List.of(new Change.CopiesPlaced(placementOver(all))));
    writer.create(fresh, ports, this::reply);
    MetadataReply reply = await(MetadataReply.Created.class);
    assertThat(reply).isNotNull();
    image = fresh;
    begin(1);
    return this;
  }

  MetadataReply begin(long counter) {
    writer.begin(
        new Epoch(counter, world.world().random().nextLong()), TestDevice.OWNER, this::reply);
    return awaitAny(MetadataReply.Begun.class, MetadataReply.Refused.class);
  }

  MetadataReply beginPlaced(long counter, List<Integer> on, List<Change> changes) {
    Map<Integer, DiskPort> ports = new HashMap<>();
    on.forEach(spare -> ports.put(spare, port(spare)));
    writer.beginPlaced(
        new MetadataCommand.BeginPlaced(
            new Epoch(counter, world.world().random().nextLong()),
            TestDevice.OWNER,
            placementOver(on),
            changes,
            ports,
            ignoredRef()),
        this::reply);
    return awaitAny(MetadataReply.Begun.class, MetadataReply.Refused.class);
  }

  /** The process dies: a new writer on a new engine over the same drives. */
  void restart(boolean powerCut) {
    writer.close();
    engine.close();
    if (powerCut) {
      drives.forEach(SimDrive::powerCut);
    }
    engine = new SimEngine(world);
    writer = newWriter();
    image = null;
  }

  MetadataReply load() {
    return load(Optional.empty(), Optional.empty());
  }

  MetadataReply load(Optional<CleanStop> cleanStop, Optional<CopyConsent> consent) {
    List<MetadataCommand.CopySource> sources = new ArrayList<>();
    List<Integer> all = new ArrayList<>();
    for (int spare = 0; spare < drives.size(); spare++) {
      all.add(spare);
    }
    for (int spare : all) {
      if (!drives.get(spare).isPresent()) {
        continue;
      }
      List<Long> offsets = new ArrayList<>();
      for (Placement placement : placementsToLookAt) {
        for (CopyPlace place : placement.places()) {
          if (place.spare() == spare && !offsets.contains(place.offsetBytes())) {
            offsets.add(place.offsetBytes());
          }
        }
      }
      sources.add(
          new MetadataCommand.CopySource(
              TestDevice.spareId(spare), port(spare), DISK_BYTES, offsets));
    }
    writer.load(
        TestDevice.DEVICE,
        sources,
        geometry -> new SortedRemapEntries(),
        cleanStop,
        consent,
        this::reply);
    MetadataReply reply = awaitAny(MetadataReply.Loaded.class, MetadataReply.NotLoaded.class);
    if (reply instanceof MetadataReply.Loaded loaded) {
      image = loaded.image();
    }
    return reply;
  }

  /** The places that the spares' tables would name. */
  final List<Placement> placementsToLookAt = new ArrayList<>();

  @SuppressWarnings("NullAway") // the writer answers through its callback here, never through this
  private static ActorRef<MetadataReply> ignoredRef() {
    return null;
  }

  void reply(MetadataReply reply) {
    replies.add(reply);
    if (reply instanceof MetadataReply.Committed committed) {
      List<Change> changes = asked.remove(committed.id());
      if (changes != null) {
        apply(committed.position(), changes);
      }
    }
    if (reply instanceof MetadataReply.Begun && image != null) {
      placementsToLookAt.add(image.placement().orElseThrow());
    }
  }

  private final Map<Long, List<Change>> asked = new HashMap<>();

  private void apply(Position position, List<Change> changes) {
    DeviceImage device = image;
    if (device == null) {
      throw new AssertionError("committed without a device");
    }
    device.apply(position, changes);
    for (Change change : changes) {
      switch (change) {
        case Change.Remapped c ->
            acknowledged.put(c.block(), c.spare(), c.slot(), c.lost().low(), c.lost().high());
        case Change.LostChanged c ->
            acknowledged.setLost(c.block(), c.lost().low(), c.lost().high());
        case Change.CopiesPlaced c -> placementsToLookAt.add(c.placement());
        default -> {}
      }
    }
  }

  long commit(Change... changes) {
    long id = nextId++;
    asked.put(id, List.of(changes));
    writer.commit(id, List.of(changes), this::reply);
    return id;
  }

  /** Commits and waits for the answer. */
  MetadataReply committed(Change... changes) {
    long id = commit(changes);
    until(() -> replyTo(id).isPresent());
    return replyTo(id).orElseThrow();
  }

  MetadataReply remap(long block) {
    return committed(new Change.Remapped(block, 0, block + 1000, new LostBits(block & 0xFF, 0)));
  }

  Optional<MetadataReply> replyTo(long id) {
    return replies.stream()
        .filter(reply ->
            switch (reply) {
              case MetadataReply.Committed c -> c.id() == id;
              case MetadataReply.Indeterminate c -> c.id() == id;
              case MetadataReply.Refused c -> c.id() == id;
              case MetadataReply.Cancelled c -> c.id() == id;
              default -> false;
            })
        .findFirst();
  }

  long answersTo(long id) {
    return replies.stream()
        .filter(reply ->
            switch (reply) {
              case MetadataReply.Committed c -> c.id() == id;
              case MetadataReply.Indeterminate c -> c.id() == id;
              case MetadataReply.Refused c -> c.id() == id;
              case MetadataReply.Cancelled c -> c.id() == id;
              default -> false;
            })
        .count();
  }

  MetadataReply await(Class<? extends MetadataReply> type) {
    return awaitAny(type, type);
  }

  /** The next reply of either type that nobody has waited for yet. */
  MetadataReply awaitAny(
      Class<? extends MetadataReply> type, Class<? extends MetadataReply> orType) {
    until(() -> nextOf(type, orType) >= 0);
    int at = nextOf(type, orType);
    awaited = at + 1;
    return replies.get(at);
  }

  private int nextOf(Class<? extends MetadataReply> type, Class<? extends MetadataReply> orType) {
    for (int i = awaited; i < replies.size(); i++) {
      if (type.isInstance(replies.get(i)) || orType.isInstance(replies.get(i))) {
        return i;
      }
    }
    return -1;
  }

  MetadataReply.Status status() {
    return writer.status();
  }

  boolean isWhole() {
    return status().healthy() == 5;
  }

  CopyPlace place(int copy) {
    DeviceImage device = image;
    if (device == null) {
      throw new AssertionError("no device");
    }
    return device.placement().orElseThrow().places().get(copy);
  }

  /** Overwrites a whole copy with noise. */
  void destroy(int copy) {
    CopyPlace place = place(copy);
    byte[] noise = new byte[(int) layout.copyBytes()];
    world.world().random().nextBytes(noise);
    drives.get(place.spare()).poke(place.offsetBytes(), noise);
  }

  SortedRemapEntries entries() {
    DeviceImage device = image;
    if (device == null) {
      throw new AssertionError("no device");
    }
    return (SortedRemapEntries) device.entries();
  }

  <T extends MetadataEvent> List<T> events(Class<T> type) {
    return events.stream().filter(type::isInstance).map(type::cast).toList();
  }

  MetadataReply placed(List<Integer> on, List<Change> changes) {
    long id = place(on, changes);
    until(() -> replyTo(id).isPresent());
    return replyTo(id).orElseThrow();
  }

  long place(List<Integer> on, List<Change> changes) {
    long id = nextId++;
    Placement next = placementOver(on);
    List<Change> all = new ArrayList<>(changes);
    all.add(new Change.CopiesPlaced(next));
    asked.put(id, all);
    Map<Integer, DiskPort> ports = new HashMap<>();
    on.forEach(spare -> ports.put(spare, port(spare)));
    writer.place(new MetadataCommand.Place(id, next, changes, ports, ignoredRef()), this::reply);
    return id;
  }

  /** The first writer is paused and another takes its place; both believe to be the one. */
  void restartWithoutClosing() {
    writer = newWriter();
    image = null;
  }

  /** The paused writer goes on. */
  void resume(Writer paused) {
    writer = paused;
    life++;
    resumed = true;
    resumedLives = true;
  }

  Optional<MetadataReply> refusedBy(Writer paused) {
    List<MetadataReply> answers = new ArrayList<>();
    paused.commit(1_000_000, List.of(new Change.PendingCleared(1)), answers::add);
    return answers.stream().filter(MetadataReply.Refused.class::isInstance).findFirst();
  }
}
