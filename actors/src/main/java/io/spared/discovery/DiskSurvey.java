package io.spared.discovery;

import io.spared.ffi.disk.DiskAddress;
import io.spared.ffi.disk.DiskGeometry;
import io.spared.ffi.disk.DiskIdentity;
import io.spared.format.CopyLayout;
import io.spared.format.CopyReader;
import io.spared.format.CopyReading;
import io.spared.format.ExtentKind;
import io.spared.format.Form;
import io.spared.format.FormatException;
import io.spared.format.MainLabel;
import io.spared.format.Reading;
import io.spared.format.SpareTable;
import java.nio.ByteBuffer;
import java.util.ArrayDeque;
import java.util.ArrayList;
import java.util.HashMap;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import java.util.UUID;
import org.jspecify.annotations.Nullable;

/**
 * Reads of one disk all that deciding needs: the label at its end, the three tables of a spare, and
 * the copies that the table points to. Reads only; a disk that is none of ours costs four units.
 *
 * <p>Bounded: a table names at most {@link SpareTable#LENT_MAX} ranges, of which {@link
 * #COPIES_MAX} copies are read.
 */
public final class DiskSurvey implements Reading {
  /** 1,000 devices with five copies each on one spare. */
  static final int COPIES_MAX = 5000;

  private static final int UNIT = CopyLayout.UNIT_BYTES;

  /** The least that a reader of copies takes, so that many disks can be read side by side. */
  static final int WINDOW_BYTES = 128 * 1024;

  private final DiskAddress address;
  private final DiskGeometry geometry;
  private final DiskIdentity identity;
  private final List<String> notes = new ArrayList<>();
  private final List<SpareTable.Found> tables = new ArrayList<>();
  private final ArrayDeque<CopyReader> waiting = new ArrayDeque<>();
  private final ArrayDeque<UUID> waitingFor = new ArrayDeque<>();
  private final Map<UUID, List<CopyReading>> copies = new HashMap<>();
  private Optional<MainLabel> label = Optional.empty();
  private Optional<SpareTable> table = Optional.empty();
  private boolean labelRead;
  private boolean tableChosen;
  private int tableBytes;
  private @Nullable DiskSurvey tail;
  private long tailOffsetBytes;

  public DiskSurvey(DiskAddress address, DiskGeometry geometry, DiskIdentity identity) {
    this.address = address;
    this.geometry = geometry;
    this.identity = identity;
  }

  /** All that was found, after {@link #next()} was empty. */
  public DiskFinding result() {
    Optional<DiskFinding> ofTail = Optional.ofNullable(tail).map(DiskSurvey::result);
    return new DiskFinding(address, geometry, identity, table, label, copies, notes, ofTail);
  }

  private boolean readsTables() {
    return tables.size() < SpareTable.COPIES && geometry.sizeBytes() >= SpareTable.DISK_BYTES_MIN;
  }

  private long tableOffsetBytes() {
    return SpareTable.offsetBytes(tables.size(), geometry.sizeBytes());
  }

  @Override
  public Optional<Step> next() {
    if (!labelRead) {
      return Optional.of(new Step(MainLabel.offsetBytes(geometry.sizeBytes()), UNIT));
    }
    DiskSurvey spare = tail;
    if (spare != null) {
      // What stands where a spare's own tables would is the device's data.
      return spare
          .next()
          .map(step -> new Step(tailOffsetBytes + step.offsetBytes(), step.lengthBytes()));
    }
    if (readsTables()) {
      return Optional.of(new Step(tableOffsetBytes(), Math.max(UNIT, tableBytes)));
    }
    if (!tableChosen) {
      chooseTable();
    }
    for (CopyReader reader = waiting.peek(); reader != null; reader = waiting.peek()) {
      Optional<Step> step = reader.next();
      if (step.isPresent()) {
        return step;
      }
      waiting.remove();
      copies.computeIfAbsent(waitingFor.remove(), id -> new ArrayList<>()).add(reader.result());
    }
    return Optional.empty();
  }

  @Override
  public void accept(ByteBuffer bytes) {
    if (!labelRead) {
      labelRead = true;
      acceptLabel(bytes);
    } else if (tail != null) {
      tail.accept(bytes);
    } else if (readsTables()) {
      acceptTable(bytes);
    } else {
      waiting.element().accept(bytes);
    }
  }

  @Override
  public void failed(String reason) {
    if (!labelRead) {
      labelRead = true;
      notes.add("its end, where a label would stand, cannot be read: " + reason);
    } else if (tail != null) {
      tail.failed(reason);
    } else if (readsTables()) {
      addTable(Optional.empty(), "spare's table: it cannot be read: " + reason);
    } else {
      waiting.element().failed(reason);
    }
  }

  private void acceptLabel(ByteBuffer bytes) {
    try {
      MainLabel read = MainLabel.read(bytes, geometry.sizeBytes());
      label = Optional.of(read);
      if (read.form() == Form.SELF_SPARE) {
        surveyTail(read);
      }
    } catch (FormatException e) {
      if (e.trouble() != FormatException.Trouble.BLANK) {
        notes.add(e.sentence());
      }
    }
  }

  private void surveyTail(MainLabel read) {
    tailOffsetBytes = read.dataOffsetBytes() + read.deviceBytes();
    long bytes = MainLabel.offsetBytes(geometry.sizeBytes()) - tailOffsetBytes;
    if (bytes < SpareTable.DISK_BYTES_MIN) {
      notes.add("its label says that its tail is its spare, but there is none");
      return;
    }
    try {
      tail =
          new DiskSurvey(
              DiskAddress.tailOf(address, bytes),
              new DiskGeometry(
                  bytes,
                  geometry.logicalSectorBytes(),
                  geometry.physicalSectorBytes(),
                  geometry.discardGranularityBytes(),
                  geometry.rotational(),
                  geometry.volatileCache(),
                  geometry.maxTransferBytes()),
              identity);
    } catch (IllegalArgumentException none) {
      notes.add("its spare cannot be opened: " + none.getMessage());
    }
  }

  private void acceptTable(ByteBuffer bytes) {
    int claimed = SpareTable.claimedBytes(bytes);
    if (claimed > bytes.limit() && claimed <= SpareTable.BYTES_MAX) {
      tableBytes = claimed;
      return;
    }
    int copy = tables.size();
    try {
      addTable(
          Optional.of(SpareTable.read(bytes, copy, tableOffsetBytes(), geometry.sizeBytes())), "");
    } catch (FormatException e) {
      // A disk without any table is simply none of our spares, and nothing is said about it.
      addTable(Optional.empty(), e.trouble() == FormatException.Trouble.BLANK ? "" : e.sentence());
    }
  }

  private void addTable(Optional<SpareTable> read, String sentence) {
    tables.add(new SpareTable.Found(tables.size(), read, sentence));
    tableBytes = 0;
  }

  private void chooseTable() {
    tableChosen = true;
    SpareTable.Choice choice = SpareTable.choose(tables);
    choice.reasons().stream().filter(reason -> !reason.isEmpty()).forEach(notes::add);
    table = choice.table();
    if (choice.table().isEmpty()) {
      return;
    }
    SpareTable chosen = choice.table().get();
    for (SpareTable.Lent lent : chosen.lent()) {
      if (lent.kind() == ExtentKind.METADATA && waiting.size() < COPIES_MAX) {
        copies.computeIfAbsent(lent.deviceId(), id -> new ArrayList<>());
        waiting.add(
            new CopyReader(lent.deviceId(), chosen.spareId(), lent.offsetBytes(), WINDOW_BYTES));
        waitingFor.add(lent.deviceId());
      }
    }
  }

  /** For a disk that stopped answering: what was found until then, with the reason. */
  public DiskFinding brokenOff(String reason) {
    if (tail != null) {
      tail.brokenOff(reason);
    }
    @Nullable UUID half = waitingFor.peek();
    notes.add(
        half == null ? reason : reason + ", while the copies of device " + half + " were read");
    return result();
  }
}
