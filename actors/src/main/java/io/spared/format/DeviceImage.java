package io.spared.format;

import java.util.ArrayDeque;
import java.util.ArrayList;
import java.util.Collection;
import java.util.Collections;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import java.util.SortedMap;
import java.util.TreeMap;
import java.util.TreeSet;
import java.util.UUID;
import org.jspecify.annotations.Nullable;

/**
 * All that a device's metadata says, in memory. It changes only through {@link #apply}: when a
 * checkpoint and a log are loaded, and in the running device after a commit. Used on one thread,
 * but for the {@link RemapEntries}, whose own rules hold.
 *
 * <p>Nothing here is derived from two keys at once (there is no "free slot" here): replay over a
 * fuzzy checkpoint passes through states that never were, such as two blocks on one slot. Who
 * allocates slots reads the finished image.
 */
public final class DeviceImage {
  /** The history that travels with the device; older events are in the host's logs. */
  public static final int EVENTS_MAX = 128;

  /** Bounds the header of a checkpoint. */
  public static final int NAMES_MAX = 256;

  public static final int EXTENTS_MAX = 2048;

  public static final int SPARES_MAX = 64;

  private final UUID deviceId;
  private final Geometry geometry;
  private final RemapEntries entries;
  private String name;
  private Form form;
  private MainMember main;
  private final TreeMap<Integer, SpareMember> spares = new TreeMap<>();
  private final TreeMap<Integer, TreeMap<Long, Extent>> extents = new TreeMap<>();
  private final TreeMap<Integer, TreeSet<Long>> retiredSlots = new TreeMap<>();
  private final TreeMap<String, String> policy = new TreeMap<>();
  private final TreeMap<String, Long> cursors = new TreeMap<>();
  private final TreeMap<String, Long> counters = new TreeMap<>();
  private final ArrayDeque<EventRecord> events = new ArrayDeque<>();
  private final ArrayList<Change.Kept> kept = new ArrayList<>();
  private Epoch epoch = Epoch.NONE;
  private @Nullable Owner owner;
  private @Nullable CleanMark cleanMark;
  private @Nullable ReplaceState replace;
  private @Nullable Placement placement;
  private Position position = Position.NONE;

  public DeviceImage(
      UUID deviceId,
      String name,
      Form form,
      Geometry geometry,
      MainMember main,
      RemapEntries entries) {
    this.deviceId = deviceId;
    this.name = name;
    this.form = form;
    this.geometry = geometry;
    this.main = main;
    this.entries = entries;
  }

  /** Takes the changes of one commit in; the position becomes that commit's. */
  public void apply(Position committed, List<Change> changes) {
    for (Change change : changes) {
      apply(change);
    }
    position = committed;
  }

  private void apply(Change change) {
    switch (change) {
      case Change.Remapped c ->
          entries.put(c.block(), c.spare(), c.slot(), c.lost().low(), c.lost().high());
      case Change.Unmapped c -> entries.remove(c.block());
      case Change.LostChanged c -> entries.setLost(c.block(), c.lost().low(), c.lost().high());
      case Change.PendingSet c ->
          entries.putPending(c.block(), c.unreadable().low(), c.unreadable().high());
      case Change.PendingCleared c -> entries.removePending(c.block());
      case Change.SlotRetired c ->
          retiredSlots.computeIfAbsent(c.spare(), spare -> new TreeSet<>()).add(c.slot());
      case Change.ExtentLent c -> lend(c.extent());
      case Change.ExtentReturned c -> giveBack(c.spare(), c.offsetBytes(), c.lengthBytes());
      case Change.SpareAdded c -> spares.put(c.spare().index(), c.spare());
      case Change.SpareRemoved c -> {
        spares.remove(c.spare());
        extents.remove(c.spare());
        retiredSlots.remove(c.spare());
      }
      case Change.SpareStateChanged c ->
          spares.computeIfPresent(c.spare(), (index, spare) -> spare.withState(c.state()));
      case Change.SpareEvidenceRecorded c ->
          spares.computeIfPresent(c.spare(), (index, spare) -> spare.withEvidence(c.evidence()));
      case Change.MainRecorded c -> main = c.main();
      case Change.FormChanged c -> form = c.form();
      case Change.PolicySet c -> policy.put(c.name(), c.value());
      case Change.PolicyCleared c -> policy.remove(c.name());
      case Change.CursorMoved c -> cursors.put(c.name(), c.position());
      case Change.ReplaceStarted c -> replace = c.replace();
      case Change.ReplaceMoved c -> {
        if (replace != null) {
          replace = replace.withCursor(c.cursorBytes());
        }
      }
      case Change.ReplaceEnded c -> replace = null;
      case Change.EventRecorded c -> {
        events.addLast(c.event());
        if (events.size() > EVENTS_MAX) {
          events.removeFirst();
        }
      }
      case Change.CounterSet c -> counters.put(c.name(), c.value());
      case Change.CleanMarked c -> cleanMark = c.mark();
      case Change.EpochRaised c -> {
        epoch = c.epoch();
        owner = c.owner();
        cleanMark = null;
      }
      case Change.CopiesPlaced c -> placement = c.placement();
      case Change.NameChanged c -> name = c.name();
      case Change.Kept c -> kept.add(c);
    }
  }

  private void lend(Extent extent) {
    giveBack(extent.spare(), extent.offsetBytes(), extent.lengthBytes());
    TreeMap<Long, Extent> ofSpare =
        extents.computeIfAbsent(extent.spare(), spare -> new TreeMap<>());
    Extent merged = extent;
    Map.Entry<Long, Extent> before = ofSpare.lowerEntry(extent.offsetBytes());
    if (before != null
        && before.getValue().endBytes() == extent.offsetBytes()
        && before.getValue().kind() == extent.kind()
        && extent.kind() == ExtentKind.DATA) {
      ofSpare.remove(before.getKey());
      merged = join(before.getValue(), merged);
    }
    Extent after = ofSpare.get(extent.endBytes());
    if (after != null && after.kind() == extent.kind() && extent.kind() == ExtentKind.DATA) {
      ofSpare.remove(after.offsetBytes());
      merged = join(merged, after);
    }
    ofSpare.put(merged.offsetBytes(), merged);
  }

  private static Extent join(Extent first, Extent second) {
    return new Extent(
        first.spare(),
        first.offsetBytes(),
        first.lengthBytes() + second.lengthBytes(),
        first.kind());
  }

  private void giveBack(int spare, long offsetBytes, long lengthBytes) {
    TreeMap<Long, Extent> ofSpare = extents.get(spare);
    if (ofSpare == null) {
      return;
    }
    long endBytes = offsetBytes + lengthBytes;
    Map.Entry<Long, Extent> entry = ofSpare.lowerEntry(endBytes);
    while (entry != null && entry.getValue().endBytes() > offsetBytes) {
      Extent extent = entry.getValue();
      ofSpare.remove(entry.getKey());
      if (extent.endBytes() > endBytes) {
        ofSpare.put(
            endBytes, new Extent(spare, endBytes, extent.endBytes() - endBytes, extent.kind()));
      }
      if (extent.offsetBytes() < offsetBytes) {
        ofSpare.put(
            extent.offsetBytes(),
            new Extent(
                spare, extent.offsetBytes(), offsetBytes - extent.offsetBytes(), extent.kind()));
      }
      entry = ofSpare.lowerEntry(offsetBytes);
    }
  }

  public UUID deviceId() {
    return deviceId;
  }

  public String name() {
    return name;
  }

  public Form form() {
    return form;
  }

  public Geometry geometry() {
    return geometry;
  }

  public MainMember main() {
    return main;
  }

  public RemapEntries entries() {
    return entries;
  }

  /** By index. */
  public SortedMap<Integer, SpareMember> spares() {
    return Collections.unmodifiableSortedMap(spares);
  }

  /** The extents lent by a spare, by offset; neighbours of kind DATA are joined. */
  public Collection<Extent> extents(int spare) {
    TreeMap<Long, Extent> ofSpare = extents.get(spare);
    return ofSpare == null ? List.of() : Collections.unmodifiableCollection(ofSpare.values());
  }

  public List<Extent> extents() {
    return extents.values().stream().flatMap(ofSpare -> ofSpare.values().stream()).toList();
  }

  /** The slots of a spare that failed, in order. */
  public Collection<Long> retiredSlots(int spare) {
    TreeSet<Long> slots = retiredSlots.get(spare);
    return slots == null ? List.of() : Collections.unmodifiableCollection(slots);
  }

  public long retiredSlotCount() {
    return retiredSlots.values().stream().mapToLong(TreeSet::size).sum();
  }

  public SortedMap<String, String> policy() {
    return Collections.unmodifiableSortedMap(policy);
  }

  public SortedMap<String, Long> cursors() {
    return Collections.unmodifiableSortedMap(cursors);
  }

  public SortedMap<String, Long> counters() {
    return Collections.unmodifiableSortedMap(counters);
  }

  /** Oldest first. */
  public Collection<EventRecord> events() {
    return Collections.unmodifiableCollection(events);
  }

  /** What optional features that this version does not know have left; carried along. */
  public List<Change.Kept> kept() {
    return Collections.unmodifiableList(kept);
  }

  public Epoch epoch() {
    return epoch;
  }

  public Optional<Owner> owner() {
    return Optional.ofNullable(owner);
  }

  public Optional<CleanMark> cleanMark() {
    return Optional.ofNullable(cleanMark);
  }

  public Optional<ReplaceState> replace() {
    return Optional.ofNullable(replace);
  }

  /** Where the copies stand; absent only while a device is being created. */
  public Optional<Placement> placement() {
    return Optional.ofNullable(placement);
  }

  /** The last commit that was applied. */
  public Position position() {
    return position;
  }
}
