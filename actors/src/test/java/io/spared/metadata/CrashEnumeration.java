package io.spared.metadata;

import io.spared.ffi.engine.DiskPort;
import io.spared.ffi.world.Clock;
import io.spared.ffi.world.World;
import io.spared.format.AreaReading;
import io.spared.format.Change;
import io.spared.format.CopyChoice;
import io.spared.format.CopyLayout;
import io.spared.format.CopyPlace;
import io.spared.format.CopyReader;
import io.spared.format.CopyReading;
import io.spared.format.CopyVerdict;
import io.spared.format.DeviceImage;
import io.spared.format.DiskBytes;
import io.spared.format.Epoch;
import io.spared.format.LostBits;
import io.spared.format.Placement;
import io.spared.format.Position;
import io.spared.format.RemapEntries;
import io.spared.format.SortedRemapEntries;
import io.spared.format.TableLoader;
import io.spared.format.TestDevice;
import java.io.IOException;
import java.nio.ByteBuffer;
import java.time.Duration;
import java.time.Instant;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.Collection;
import java.util.EnumMap;
import java.util.HashMap;
import java.util.HashSet;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import java.util.Set;
import java.util.SplittableRandom;
import java.util.TreeMap;
import java.util.UUID;
import java.util.function.Supplier;
import org.jspecify.annotations.Nullable;

/**
 * Runs a script of operations on the real writer over a tiny device, and stops at every point where
 * power could go: after each request was handed to a disk, and after each ended. For each of them
 * it looks at every state in which the disks may come back: of the sectors that were under way all
 * subsets, up to a bound, and beyond it every prefix, every single omission and inclusion and some
 * seeded ones; of what the copies came to, all combinations up to a bound, and always all of "none"
 * and "all"; and on top of those, up to two copies destroyed. In each state the real readers and
 * the real choice must find, by themselves, a state of the device that was committed, none older
 * than what was acknowledged, whole and with its lost bits.
 *
 * <p>Copies do not depend on one another, so each outcome of a copy is read once, and a state of
 * all of them is a choice among readings: that makes millions of states cheap.
 */
final class CrashEnumeration {
  /** What a script is made of. */
  enum Operation {
    /** A write that gives a lost sector content again. */
    WRITE,
    REMAP,
    /** Everything that lags behind arrives. */
    FLUSH,
    CHECKPOINT,
    /** A copy is found damaged and is repaired. */
    REPAIR,
    RETIRE,
    /** A commit that fails on one copy. */
    REMAP_WITH_FAILURE
  }

  /** Chooses among copies; the real one, or a broken one. */
  interface Chooser {
    CopyVerdict choose(List<CopyReading> readings, CopyChoice.Circumstances circumstances);
  }

  static final CopyLayout LAYOUT = new CopyLayout(16 * 4096, 8 * 4096);
  private static final int COPIES = 5;
  private static final int SUBSETS_BITS_MAX = 6;
  private static final int COMBINATIONS_MAX = 1024;
  private static final long BLOCKS = 64;

  private final long seed;
  private final SplittableRandom random;
  private final WriterRules rules;
  private final Chooser chooser;
  private final Supplier<SortedRemapEntries> entries;
  private final List<Operation> script;
  private final int spares;

  private CrashEngine engine;
  private final List<CrashEngine.CrashDisk> disks = new ArrayList<>();
  private Writer writer;
  private @Nullable DeviceImage image;
  private @Nullable Placement placement;
  private boolean signalled;
  private boolean enumerating;
  private final TreeMap<Long, Alarms.Kind> alarms = new TreeMap<>();
  private final Map<Alarms.Kind, Long> alarmTimes = new EnumMap<>(Alarms.Kind.class);
  private final Map<Position, String> states = new HashMap<>();
  private Position acknowledged = Position.NONE;
  private final Map<Long, List<Change>> asked = new HashMap<>();
  private final List<MetadataReply> replies = new ArrayList<>();
  private long nextId = 1;
  private long nextBlock = 1;
  private int crashPoints;
  private long checked;
  private int deeper;
  private final Set<Integer> damaged = new HashSet<>();
  private final Map<Integer, Position> highest = new HashMap<>();

  /** One way in which a copy may come back. */
  private record Outcome(CopyReading reading, Map<Integer, String> stateByArea) {}

  private final List<List<Outcome>> outcomes = new ArrayList<>();
  private final List<byte[]> seenContent = new ArrayList<>();
  private final List<String> seenPending = new ArrayList<>();

  CrashEnumeration(
      long seed,
      int spares,
      List<Operation> script,
      WriterRules rules,
      Chooser chooser,
      Supplier<SortedRemapEntries> entries) {
    this.seed = seed;
    this.random = new SplittableRandom(seed);
    this.spares = spares;
    this.script = script;
    this.rules = rules;
    this.chooser = chooser;
    this.entries = entries;
    this.engine = new CrashEngine(this::submitted);
    this.writer = newWriter();
    for (int copy = 0; copy < COPIES; copy++) {
      outcomes.add(List.of());
      seenContent.add(new byte[0]);
      seenPending.add("");
    }
  }

  private void submitted(CrashEngine.Pending entry) {
    if (entry.isWrite()) {
      crashPoint();
    }
  }

  static CrashEnumeration real(long seed, int spares, List<Operation> script) {
    return new CrashEnumeration(
        seed, spares, script, new WriterRules(), CopyChoice::choose, SortedRemapEntries::new);
  }

  private Writer newWriter() {
    alarms.clear();
    alarmTimes.clear();
    CrashEngine mine = engine;
    MetadataSettings settings =
        new MetadataSettings(
            Duration.ofSeconds(5),
            Duration.ofSeconds(30),
            true,
            List.of(Duration.ofNanos(1)),
            Duration.ofNanos(1),
            100,
            0.67,
            128 * 1024,
            Duration.ZERO);
    return new Writer(
        settings,
        mine,
        new World(
            new Clock() {
              @Override
              public long nanoTime() {
                return mine.nanoTime();
              }

              @Override
              public Instant now() {
                return Instant.EPOCH;
              }
            },
            new java.util.Random(random.nextLong())),
        new Alarms() {
          @Override
          public void set(Kind kind, Duration delay) {
            cancel(kind);
            long at = mine.nanoTime() + delay.toNanos();
            while (alarms.containsKey(at)) {
              at++;
            }
            alarms.put(at, kind);
            alarmTimes.put(kind, at);
          }

          @Override
          public void cancel(Kind kind) {
            Long at = alarmTimes.remove(kind);
            if (at != null) {
              alarms.remove(at);
            }
          }
        },
        this::onEvent,
        () -> signalled = true,
        rules);
  }

  private void onEvent(MetadataEvent event) {
    if (event instanceof MetadataEvent.CommitResolved resolved) {
      acknowledge(resolved.position(), resolved.changes());
    } else if (event instanceof MetadataEvent.CopyRepaired repaired) {
      damaged.remove(repaired.copy());
    }
  }

  private DeviceImage image() {
    DeviceImage known = image;
    if (known == null) {
      throw new AssertionError("no device");
    }
    return known;
  }

  private void onReply(MetadataReply reply) {
    replies.add(reply);
    if (reply instanceof MetadataReply.Committed committed) {
      List<Change> changes = asked.get(committed.id());
      acknowledge(committed.position(), changes == null ? List.of() : changes);
    } else if (reply instanceof MetadataReply.Begun begun) {
      acknowledged = begun.position();
      states.put(begun.position(), stateOf(image()));
    }
  }

  private void acknowledge(Position position, List<Change> changes) {
    image().apply(position, changes);
    if (position.equals(acknowledged)) {
      // A part of a record: what it comes to is known with its last part.
      return;
    }
    acknowledged = position;
    states.put(position, stateOf(image()));
    if (enumerating) {
      checkQuorumHolds(position);
      crashPoint();
    }
  }

  /** Runs the whole script with a check at every crash point, and answers how many states. */
  long run() {
    create();
    for (int i = 0; i < 2; i++) {
      commit(remap());
    }
    drain();
    enumerating = true;
    for (Operation operation : script) {
      perform(operation);
    }
    drain();
    return checked;
  }

  int crashPoints() {
    return crashPoints;
  }

  private void create() {
    DeviceImage fresh = TestDevice.emptyImage(spares);
    List<CopyPlace> places = new ArrayList<>();
    long each = (LAYOUT.copyBytes() + 4095) / 4096 * 4096;
    for (int copy = 0; copy < COPIES; copy++) {
      places.add(new CopyPlace(copy, copy % spares, copy / spares * each));
    }
    Placement placed = new Placement(LAYOUT, places);
    placement = placed;
    Map<Integer, DiskPort> ports = new HashMap<>();
    for (int spare = 0; spare < spares; spare++) {
      CrashEngine.CrashDisk disk = engine.disk(new byte[(int) (each * COPIES)]);
      disks.add(disk);
      ports.put(spare, disk);
    }
    // The table that checkpoints are made of is the one under test.
    DeviceImage device =
        new DeviceImage(
            fresh.deviceId(),
            fresh.name(),
            fresh.form(),
            fresh.geometry(),
            fresh.main(),
            entries.get());
    List<Change> changes = new ArrayList<>();
    fresh.spares().values().forEach(spare -> changes.add(new Change.SpareAdded(spare)));
    changes.add(new Change.CopiesPlaced(placed));
    device.apply(Position.NONE, changes);
    image = device;
    writer.create(device, ports, this::onReply);
    drain();
    begin(1);
  }

  private void begin(long counter) {
    Epoch epoch = new Epoch(counter, random.nextLong());
    states.put(new Position(epoch, writer.lastSequence() + 1), stateOf(image()));
    writer.begin(epoch, TestDevice.OWNER, this::onReply);
    drain();
    if (!(replies.get(replies.size() - 1) instanceof MetadataReply.Begun)) {
      throw failure("the device does not begin: " + replies.get(replies.size() - 1));
    }
  }

  private Change remap() {
    long block = nextBlock++ % BLOCKS;
    return new Change.Remapped(
        block, (int) (block % spares), block, new LostBits(0b1010_0101 ^ (block & 0xFF), 0));
  }

  private void perform(Operation operation) {
    switch (operation) {
      case WRITE -> {
        long block = 1 + random.nextLong(Math.max(1, nextBlock - 1));
        commit(new Change.LostChanged(block % BLOCKS, LostBits.NONE));
      }
      case REMAP -> commit(remap());
      case FLUSH -> drain();
      case CHECKPOINT -> writer.checkpoint();
      case REPAIR -> {
        damage(random.nextInt(COPIES));
        writer.scrub(this::onReply);
        drain();
      }
      case RETIRE -> commit(new Change.SlotRetired(0, nextBlock++));
      case REMAP_WITH_FAILURE -> {
        // One fault at a time: what failed before is repaired.
        drain();
        disks.get(random.nextInt(Math.min(spares, COPIES - spares))).failNextWrite = true;
        commit(remap());
        commit(remap());
        commit(remap());
      }
    }
  }

  private void damage(int copy) {
    // A copy that is damaged already is a fault; a second one at once is for the destroyed ones.
    damaged.add(copy);
    CopyPlace place = place(copy);
    byte[] bytes = disks.get(place.spare()).bytes;
    int from = (int) place.offsetBytes();
    for (int i = 0; i < LAYOUT.copyBytes(); i += 512) {
      bytes[from + i] ^= 0x55;
    }
  }

  private CopyPlace place(int copy) {
    Placement known = placement;
    if (known == null) {
      throw new AssertionError("no placement");
    }
    return known.places().get(copy);
  }

  /** Commits and goes on until it is answered; copies that lag behind are left lagging. */
  private void commit(Change... changes) {
    long id = nextId++;
    asked.put(id, List.of(changes));
    DeviceImage next = copyOf(image());
    Position position = new Position(image().epoch(), writer.lastSequence() + 1);
    next.apply(position, List.of(changes));
    states.put(position, stateOf(next));
    int before = replies.size();
    writer.commit(id, List.of(changes), this::onReply);
    int guard = 0;
    while (replies.size() == before && step()) {
      if (++guard > 10_000) {
        throw failure("a commit is never answered");
      }
    }
    boolean held =
        replies.stream()
            .anyMatch(reply -> reply instanceof MetadataReply.Committed c && c.id() == id);
    if (!held) {
      throw failure("a commit that one fault should not stop got " + replies.getLast());
    }
  }

  private DeviceImage copyOf(DeviceImage original) {
    DeviceImage copy =
        new DeviceImage(
            original.deviceId(),
            original.name(),
            original.form(),
            original.geometry(),
            original.main(),
            new SortedRemapEntries());
    SortedRemapEntries table = (SortedRemapEntries) original.entries();
    List<Change> changes = new ArrayList<>();
    original.spares().values().forEach(spare -> changes.add(new Change.SpareAdded(spare)));
    table
        .remaps()
        .forEach((b, t) -> changes.add(new Change.Remapped(b, t.spare(), t.slot(), t.lost())));
    original
        .spares()
        .keySet()
        .forEach(spare ->
            original
                .retiredSlots(spare)
                .forEach(slot -> changes.add(new Change.SlotRetired(spare, slot))));
    copy.apply(original.position(), changes);
    return copy;
  }

  private void drain() {
    int guard = 0;
    while (step()) {
      if (++guard > 100_000) {
        throw failure("it never comes to rest: " + writer.status() + alarms);
      }
    }
  }

  /** Ends one request, or lets the next alarm fire; false when there is neither. */
  private boolean step() {
    if (signalled) {
      signalled = false;
      writer.ioEnded();
      return true;
    }
    if (!engine.pending.isEmpty()) {
      CrashEngine.Pending entry = engine.pending.get(random.nextInt(engine.pending.size()));
      engine.end(entry);
      if (entry.isWrite()) {
        crashPoint();
      }
      return true;
    }
    Map.Entry<Long, Alarms.Kind> alarm = alarms.pollFirstEntry();
    if (alarm == null) {
      return false;
    }
    engine.passTo(alarm.getKey());
    alarmTimes.remove(alarm.getValue());
    writer.alarm(alarm.getValue());
    return true;
  }

  // What the disks may be like.

  private void crashPoint() {
    if (!enumerating) {
      return;
    }
    crashPoints++;
    for (int copy = 0; copy < COPIES; copy++) {
      refresh(copy);
    }
    checkNoCopyWentBack();
    int[] sizes = outcomes.stream().mapToInt(List::size).toArray();
    long product = 1;
    for (int size : sizes) {
      product *= size;
    }
    if (product <= COMBINATIONS_MAX) {
      everyCombination(sizes, new int[COPIES], 0);
    } else {
      extremes(sizes);
      for (int i = 0; i < COMBINATIONS_MAX; i++) {
        int[] chosen = new int[COPIES];
        for (int copy = 0; copy < COPIES; copy++) {
          chosen[copy] = random.nextInt(sizes[copy]);
        }
        check(chosen, Set.of());
      }
    }
    destroyed(sizes);
  }

  private void everyCombination(int[] sizes, int[] chosen, int copy) {
    if (copy == COPIES) {
      check(chosen, Set.of());
      return;
    }
    for (int i = 0; i < sizes[copy]; i++) {
      chosen[copy] = i;
      everyCombination(sizes, chosen, copy + 1);
    }
  }

  /** The first outcome of a copy is "none", the last "all". */
  private void extremes(int[] sizes) {
    for (int mask = 0; mask < 1 << COPIES; mask++) {
      check(extreme(sizes, mask), Set.of());
    }
  }

  private static int[] extreme(int[] sizes, int mask) {
    int[] chosen = new int[COPIES];
    for (int copy = 0; copy < COPIES; copy++) {
      chosen[copy] = (mask >>> copy & 1) == 0 ? 0 : sizes[copy] - 1;
    }
    return chosen;
  }

  /** On top: any one and any two destroyed, less those that are faulty already. */
  private void destroyed(int[] sizes) {
    long faulty = copiesNotWhole();
    for (int first = 0; first < COPIES; first++) {
      for (int second = first; second < COPIES; second++) {
        Set<Integer> gone = new HashSet<>(List.of(first));
        gone.add(second);
        if (faulty + gone.size() > 2) {
          continue;
        }
        for (int mask = 0; mask < 1 << COPIES; mask++) {
          boolean same = false;
          for (int copy = 0; copy < COPIES; copy++) {
            same |= (mask >>> copy & 1) != 0 && (sizes[copy] == 1 || gone.contains(copy));
          }
          if (!same) {
            check(extreme(sizes, mask), gone);
          }
        }
      }
    }
  }

  /** Copies that were damaged or missed a commit, by the writer's own account. */
  private long copiesNotWhole() {
    Set<Integer> faulty = new HashSet<>(damaged);
    for (MetadataReply.CopyStatus copy : writer.status().copies()) {
      if (copy.state() != MetadataReply.CopyState.IN_STEP) {
        faulty.add(copy.copy());
      }
    }
    return faulty.size();
  }

  private void refresh(int copy) {
    CopyPlace place = place(copy);
    byte[] disk = disks.get(place.spare()).bytes;
    int from = (int) place.offsetBytes();
    int to = from + (int) LAYOUT.copyBytes();
    List<CrashEngine.Pending> mine = new ArrayList<>();
    StringBuilder key = new StringBuilder();
    for (CrashEngine.Pending entry : engine.pending) {
      long at = entry.request().offsetBytes();
      if (entry.isWrite() && entry.disk() == disks.get(place.spare()) && at >= from && at < to) {
        mine.add(entry);
        key.append(System.identityHashCode(entry)).append(' ');
      }
    }
    if (key.toString().equals(seenPending.get(copy))
        && Arrays.equals(seenContent.get(copy), 0, seenContent.get(copy).length, disk, from, to)) {
      return;
    }
    seenPending.set(copy, key.toString());
    byte[] content = Arrays.copyOfRange(disk, from, to);
    seenContent.set(copy, content);
    List<int[]> sectors = changedSectors(content, from, mine);
    List<Outcome> found = new ArrayList<>();
    for (boolean[] subset : subsets(sectors.size())) {
      byte[] after = content.clone();
      for (int i = 0; i < sectors.size(); i++) {
        if (subset[i]) {
          CrashEngine.Pending entry = mine.get(sectors.get(i)[0]);
          int at = sectors.get(i)[1];
          System.arraycopy(
              entry.bytes(),
              at,
              after,
              (int) entry.request().offsetBytes() - from + at,
              CrashEngine.SECTOR);
        }
      }
      found.add(read(place, after));
    }
    outcomes.set(copy, found);
  }

  /** Pairs of which write and where in it, for sectors that it would change. */
  private static List<int[]> changedSectors(
      byte[] content, int from, List<CrashEngine.Pending> writes) {
    List<int[]> sectors = new ArrayList<>();
    for (int w = 0; w < writes.size(); w++) {
      byte[] bytes = writes.get(w).bytes();
      int start = (int) writes.get(w).request().offsetBytes() - from;
      for (int at = 0; at < bytes.length; at += CrashEngine.SECTOR) {
        if (!Arrays.equals(
            bytes, at, at + CrashEngine.SECTOR, content, start + at, start + at + 512)) {
          sectors.add(new int[] {w, at});
        }
      }
    }
    return sectors;
  }

  private Collection<boolean[]> subsets(int count) {
    Map<String, boolean[]> all = new LinkedHashMap<>();
    add(all, new boolean[count]);
    if (count <= SUBSETS_BITS_MAX) {
      for (int mask = 1; mask < (1 << count) - 1; mask++) {
        boolean[] subset = new boolean[count];
        for (int i = 0; i < count; i++) {
          subset[i] = (mask >>> i & 1) != 0;
        }
        add(all, subset);
      }
    } else {
      for (int i = 0; i < count; i++) {
        boolean[] prefix = new boolean[count];
        Arrays.fill(prefix, 0, i, true);
        boolean[] single = new boolean[count];
        single[i] = true;
        boolean[] omission = new boolean[count];
        Arrays.fill(omission, true);
        omission[i] = false;
        boolean[] some = new boolean[count];
        for (int j = 0; j < count; j++) {
          some[j] = random.nextBoolean();
        }
        add(all, prefix);
        add(all, single);
        add(all, omission);
        add(all, some);
      }
    }
    boolean[] full = new boolean[count];
    Arrays.fill(full, true);
    all.remove(Arrays.toString(full));
    add(all, full);
    return all.values();
  }

  private static void add(Map<String, boolean[]> all, boolean[] subset) {
    all.put(Arrays.toString(subset), subset);
  }

  private Outcome read(CopyPlace place, byte[] content) {
    DiskBytes bytes = new OneCopy(content, place.offsetBytes());
    UUID spareId = TestDevice.spareId(place.spare());
    CopyReading reading =
        DiskBytes.drive(
                new CopyReader(TestDevice.DEVICE, spareId, place.offsetBytes(), 128 * 1024), bytes)
            .result();
    Map<Integer, String> stateByArea = new HashMap<>();
    for (AreaReading area : reading.areas()) {
      TableLoader loader =
          DiskBytes.drive(
              new TableLoader(
                  reading.superblock().orElseThrow(), area, new SortedRemapEntries(), 128 * 1024),
              bytes);
      stateByArea.put(
          area.seal().area(),
          loader.failure().map(why -> "FAILED " + why).orElseGet(() -> stateOf(loader.result())));
    }
    return new Outcome(reading, stateByArea);
  }

  /** The bytes of one copy, where it stands. */
  private static final class OneCopy implements DiskBytes {
    private final byte[] content;
    private final long offsetBytes;

    OneCopy(byte[] content, long offsetBytes) {
      this.content = content;
      this.offsetBytes = offsetBytes;
    }

    @Override
    public long sizeBytes() {
      return offsetBytes + content.length;
    }

    @Override
    public ByteBuffer read(long at, int lengthBytes) throws IOException {
      if (at < offsetBytes || at + lengthBytes > sizeBytes()) {
        throw new IOException("beyond the copy");
      }
      return ByteBuffer.wrap(content, (int) (at - offsetBytes), lengthBytes).slice();
    }

    @Override
    public void write(long at, ByteBuffer bytes) throws IOException {
      throw new IOException("this is only read");
    }
  }

  private static String stateOf(DeviceImage image) {
    StringBuilder text = new StringBuilder();
    SortedRemapEntries table = (SortedRemapEntries) image.entries();
    table
        .remaps()
        .forEach((block, to) ->
            text.append(block)
                .append('>')
                .append(to.spare())
                .append('/')
                .append(to.slot())
                .append('!')
                .append(to.lost().low())
                .append(' '));
    image.spares().keySet().forEach(spare -> text.append(image.retiredSlots(spare)));
    return text.toString();
  }

  // What must hold.

  private void check(int[] chosen, Set<Integer> gone) {
    checked++;
    List<CopyReading> readings = new ArrayList<>();
    for (int copy = 0; copy < COPIES; copy++) {
      CopyPlace place = place(copy);
      readings.add(
          gone.contains(copy)
              ? CopyReading.absent(TestDevice.spareId(place.spare()), place.offsetBytes())
              : outcomes.get(copy).get(chosen[copy]).reading());
    }
    Set<UUID> present = new HashSet<>();
    for (int spare = 0; spare < spares; spare++) {
      present.add(TestDevice.spareId(spare));
    }
    CopyChoice.Circumstances circumstances =
        new CopyChoice.Circumstances(
            TestDevice.DEVICE, present, Optional.empty(), Optional.empty());
    while (true) {
      CopyVerdict verdict = chooser.choose(readings, circumstances);
      if (verdict.decision() != CopyVerdict.Decision.USABLE) {
        throw failure(
            "copies "
                + Arrays.toString(chosen)
                + " without "
                + gone
                + " do not start: "
                + verdict.reasons());
      }
      Position position = verdict.position().orElseThrow();
      int winner = verdict.winners().get(0);
      AreaReading area = CopyChoice.holding(readings.get(winner), position);
      String loaded =
          outcomes.get(winner).get(chosen[winner]).stateByArea().get(area.seal().area());
      if (loaded == null || loaded.startsWith("FAILED")) {
        readings.set(
            winner, readings.get(winner).damaged(area.seal().area(), String.valueOf(loaded)));
        continue;
      }
      if (position.compareTo(acknowledged) < 0) {
        throw failure(
            "copies "
                + Arrays.toString(chosen)
                + " without "
                + gone
                + " come back at "
                + position
                + ", acknowledged was "
                + acknowledged);
      }
      String expected = states.get(position);
      if (!loaded.equals(expected)) {
        throw failure("at " + position + " the table is " + loaded + " and should be " + expected);
      }
      maybeDeeper(chosen, gone);
      return;
    }
  }

  /** Now and then, a start from this very state, with its own crash points. */
  private void maybeDeeper(int[] chosen, Set<Integer> gone) {
    if (deeper > 0 || !enumerating || random.nextInt(1000) != 0) {
      return;
    }
    CrashEnumeration next =
        new CrashEnumeration(
            random.nextLong(), spares, List.of(Operation.REMAP), rules, chooser, entries);
    next.deeper = 1;
    next.takeOver(this, chosen, gone);
    checked += next.checked;
  }

  private void takeOver(CrashEnumeration from, int[] chosen, Set<Integer> gone) {
    placement = from.placement;
    states.putAll(from.states);
    acknowledged = from.acknowledged;
    nextBlock = from.nextBlock;
    for (CrashEngine.CrashDisk disk : from.disks) {
      disks.add(engine.disk(disk.bytes.clone()));
    }
    for (int copy = 0; copy < COPIES; copy++) {
      CopyPlace place = place(copy);
      byte[] content = from.contentOf(copy, chosen[copy]);
      if (gone.contains(copy)) {
        Arrays.fill(content, (byte) 0x33);
      }
      System.arraycopy(
          content, 0, disks.get(place.spare()).bytes, (int) place.offsetBytes(), content.length);
    }
    List<MetadataCommand.CopySource> sources = new ArrayList<>();
    for (int spare = 0; spare < spares; spare++) {
      List<Long> offsets = new ArrayList<>();
      for (int copy = 0; copy < COPIES; copy++) {
        if (place(copy).spare() == spare) {
          offsets.add(place(copy).offsetBytes());
        }
      }
      sources.add(
          new MetadataCommand.CopySource(
              TestDevice.spareId(spare), disks.get(spare), disks.get(spare).bytes.length, offsets));
    }
    writer.load(
        TestDevice.DEVICE,
        sources,
        geometry -> entries.get(),
        Optional.empty(),
        Optional.empty(),
        this::onReply);
    drain();
    if (!(replies.get(replies.size() - 1) instanceof MetadataReply.Loaded loaded)) {
      throw failure("a state that can start does not load: " + replies);
    }
    image = loaded.image();
    enumerating = gone.isEmpty();
    begin(loaded.verdict().nextEpoch(0).counter());
    perform(Operation.REMAP);
    drain();
    if (writer.status().healthy() != COPIES) {
      throw failure("not all copies return: " + writer.status());
    }
  }

  /** The content that an outcome stands for, made again. */
  private byte[] contentOf(int copy, int outcome) {
    CopyPlace place = place(copy);
    byte[] content = seenContent.get(copy).clone();
    int from = (int) place.offsetBytes();
    List<CrashEngine.Pending> mine = new ArrayList<>();
    for (CrashEngine.Pending entry : engine.pending) {
      long at = entry.request().offsetBytes();
      if (entry.isWrite()
          && entry.disk() == disks.get(place.spare())
          && at >= from
          && at < from + LAYOUT.copyBytes()) {
        mine.add(entry);
      }
    }
    // Only "none" and "all" can be made again exactly; others stand for one of them.
    if (outcome > 0 && outcome == outcomes.get(copy).size() - 1) {
      for (CrashEngine.Pending entry : mine) {
        System.arraycopy(
            entry.bytes(),
            0,
            content,
            (int) entry.request().offsetBytes() - from,
            entry.bytes().length);
      }
    }
    return content;
  }

  /** An acknowledged commit stands on a majority of the disks' copies, one on every spare. */
  private void checkQuorumHolds(Position position) {
    Set<Integer> onSpares = new HashSet<>();
    int holding = 0;
    for (int copy = 0; copy < COPIES; copy++) {
      CopyPlace place = place(copy);
      byte[] disk = disks.get(place.spare()).bytes;
      int from = (int) place.offsetBytes();
      CopyReading reading =
          read(place, Arrays.copyOfRange(disk, from, from + (int) LAYOUT.copyBytes())).reading();
      if (reading.best().map(area -> area.tail().compareTo(position) >= 0).orElse(false)) {
        holding++;
        onSpares.add(place.spare());
      }
    }
    if (holding < COPIES / 2 + 1 || onSpares.size() < spares) {
      throw failure(
          position + " was acknowledged with " + holding + " copies on spares " + onSpares);
    }
  }

  /** Unless it was damaged, a copy never holds less than it did. */
  private void checkNoCopyWentBack() {
    for (int copy = 0; copy < COPIES; copy++) {
      Optional<AreaReading> best = outcomes.get(copy).get(0).reading().best();
      if (damaged.contains(copy)) {
        highest.remove(copy);
      } else if (best.isPresent()) {
        Position before = highest.getOrDefault(copy, Position.NONE);
        if (best.get().tail().compareTo(before) < 0) {
          throw failure("copy " + copy + " went back from " + before + " to " + best.get().tail());
        }
        highest.put(copy, best.get().tail());
      }
    }
  }

  private AssertionError failure(String what) {
    return new AssertionError(
        "script " + script + " over " + spares + " spares, seed " + seed + ": " + what);
  }

  /** The same for the same script in every run. */
  static long seedOf(List<Operation> script, long round) {
    long value = round + 1;
    for (Operation operation : script) {
      value = value * 31 + operation.name().hashCode();
    }
    return value * 0x9E3779B97F4A7C15L;
  }

  /** All scripts of up to so many operations. */
  static List<List<Operation>> scripts(int operationsMax) {
    List<List<Operation>> all = new ArrayList<>();
    List<List<Operation>> last = List.of(List.of());
    for (int length = 1; length <= operationsMax; length++) {
      List<List<Operation>> longer = new ArrayList<>();
      for (List<Operation> script : last) {
        for (Operation operation : Operation.values()) {
          List<Operation> next = new ArrayList<>(script);
          next.add(operation);
          longer.add(next);
        }
      }
      all.addAll(longer);
      last = longer;
    }
    return all;
  }

  /** For tests of broken variants: a table whose checkpoints forget lost bits. */
  static SortedRemapEntries forgettingLostBits() {
    return new SortedRemapEntries() {
      @Override
      public RemapEntries.Walk walk() {
        RemapEntries.Walk real = super.walk();
        return new RemapEntries.Walk() {
          @Override
          public boolean next() {
            return real.next();
          }

          @Override
          public long block() {
            return real.block();
          }

          @Override
          public boolean isPending() {
            return real.isPending();
          }

          @Override
          public int spare() {
            return real.spare();
          }

          @Override
          public long slot() {
            return real.slot();
          }

          @Override
          public long lostLow() {
            return 0;
          }

          @Override
          public long lostHigh() {
            return 0;
          }
        };
      }
    };
  }
}
