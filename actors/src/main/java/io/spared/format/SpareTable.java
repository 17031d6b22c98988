package io.spared.format;

import java.nio.ByteBuffer;
import java.nio.ByteOrder;
import java.util.ArrayList;
import java.util.Comparator;
import java.util.List;
import java.util.Optional;
import java.util.UUID;

/**
 * A spare's own table: who it is and what it has lent to whom. It stands three times, at head,
 * middle and tail of the spare, each in an extent that is never lent. A new version is written to
 * one after the other, each durable before the next: two of three are always whole, and the highest
 * version wins. A lending counts when two hold it.
 *
 * @param version rises with every change
 * @param diskBytes the size of the spare when it was made one; a table on a smaller disk is that of
 *     a copied or truncated one
 */
public record SpareTable(UUID spareId, long version, long diskBytes, List<Lent> lent) {
  /** The room of one table: an extent. */
  public static final int BYTES_MAX = (int) Extent.UNIT_BYTES;

  public static final int COPIES = 3;

  /** A smaller disk has no room for three tables and something to lend. */
  public static final long DISK_BYTES_MIN = 4 * Extent.UNIT_BYTES;

  private static final int ENTRIES_AT = Frame.HEADER_BYTES + 64;
  private static final int ENTRY_BYTES = 40;
  public static final int LENT_MAX = (BYTES_MAX - ENTRIES_AT) / ENTRY_BYTES;

  /** A range lent to a device. */
  public record Lent(UUID deviceId, long offsetBytes, long lengthBytes, ExtentKind kind) {
    public Lent {
      // The checks of a range are the same everywhere.
      new Extent(0, offsetBytes, lengthBytes, kind);
    }

    public long endBytes() {
      return offsetBytes + lengthBytes;
    }
  }

  public SpareTable {
    lent = lent.stream().sorted(Comparator.comparingLong(Lent::offsetBytes)).toList();
    if (lent.size() > LENT_MAX) {
      throw new IllegalArgumentException("a spare lends at most " + LENT_MAX + " ranges");
    }
    long end = 0;
    for (Lent range : lent) {
      if (range.offsetBytes() < end || range.endBytes() > diskBytes) {
        throw new IllegalArgumentException(
            "a range lent at " + range.offsetBytes() + " overlaps another or ends beyond the disk");
      }
      end = range.endBytes();
    }
  }

  /** Where the three stand on a disk of this size. */
  public static long offsetBytes(int copy, long diskBytes) {
    long units = diskBytes / Extent.UNIT_BYTES;
    return switch (copy) {
      case 0 -> 0;
      case 1 -> units / 2 * Extent.UNIT_BYTES;
      case 2 -> (units - 1) * Extent.UNIT_BYTES;
      default -> throw new IllegalArgumentException("a spare has three tables, not " + copy);
    };
  }

  /** The ranges that can be lent at all, in order: between head and middle, middle and tail. */
  public static List<Extent> lendable(int spare, long diskBytes) {
    List<Extent> ranges = new ArrayList<>();
    for (int copy = 0; copy < COPIES - 1; copy++) {
      long from = offsetBytes(copy, diskBytes) + Extent.UNIT_BYTES;
      long to = offsetBytes(copy + 1, diskBytes);
      if (to > from) {
        ranges.add(new Extent(spare, from, to - from, ExtentKind.DATA));
      }
    }
    return ranges;
  }

  /** One of the three, as it stands at {@link #offsetBytes(int, long)}. */
  public ByteBuffer write(int copy) {
    int lengthBytes = Frame.roundUp(ENTRIES_AT + lent.size() * ENTRY_BYTES);
    ByteBuffer bytes = ByteBuffer.allocate(lengthBytes).order(ByteOrder.LITTLE_ENDIAN);
    bytes.putLong(64, version);
    bytes.putLong(72, diskBytes);
    bytes.putInt(80, lent.size());
    bytes.putInt(84, Features.REQUIRED_KNOWN);
    bytes.position(ENTRIES_AT);
    for (Lent range : lent) {
      bytes.putLong(range.deviceId().getMostSignificantBits());
      bytes.putLong(range.deviceId().getLeastSignificantBits());
      bytes.putLong(range.offsetBytes());
      bytes.putLong(range.lengthBytes());
      bytes.putLong(range.kind().code());
    }
    Frame.unsealed(
            Frame.Kind.SPARE_TABLE,
            lengthBytes,
            copy,
            Frame.NOT_IN_A_COPY,
            0,
            spareId,
            offsetBytes(copy, diskBytes),
            version,
            0)
        .write(bytes, 0);
    return bytes.position(0).limit(lengthBytes);
  }

  /**
   * How many bytes the table claims that begins with this unit, to be read before {@link #read}; 0
   * when none begins here.
   */
  public static int claimedBytes(ByteBuffer unit) {
    return Frame.claimedLength(unit, 0, Frame.Kind.SPARE_TABLE);
  }

  /** Reads one of the three, which was found at {@code foundAtBytes} of a disk of that size. */
  public static SpareTable read(ByteBuffer bytes, int copy, long foundAtBytes, long diskBytes)
      throws FormatException {
    Frame frame = Frame.read(bytes, 0, Frame.Kind.SPARE_TABLE);
    Features.check(bytes.getInt(84), "the spare's table");
    if (frame.copy() != copy || frame.offsetBytes() != foundAtBytes) {
      throw new FormatException(
          FormatException.Trouble.FOREIGN,
          "spare's table: number "
              + frame.copy()
              + " for offset "
              + frame.offsetBytes()
              + " stands at offset "
              + foundAtBytes);
    }
    long recordedBytes = bytes.getLong(72);
    if (recordedBytes > diskBytes) {
      throw new FormatException(
          FormatException.Trouble.FOREIGN,
          "spare's table: it is that of a disk of "
              + recordedBytes
              + " bytes, this one has "
              + diskBytes
              + "; the disk was truncated or copied to a smaller one");
    }
    int count = bytes.getInt(80);
    if (count < 0 || count > (frame.lengthBytes() - ENTRIES_AT) / ENTRY_BYTES) {
      throw new FormatException("spare's table: " + count + " ranges do not fit");
    }
    List<Lent> lent = new ArrayList<>(count);
    try {
      for (int i = 0; i < count; i++) {
        int at = ENTRIES_AT + i * ENTRY_BYTES;
        long code = bytes.getLong(at + 32);
        lent.add(
            new Lent(
                new UUID(bytes.getLong(at), bytes.getLong(at + 8)),
                bytes.getLong(at + 16),
                bytes.getLong(at + 24),
                ExtentKind.of(code < 0 || code > 255 ? 0 : (int) code)));
      }
      return new SpareTable(frame.owner(), bytes.getLong(64), recordedBytes, lent);
    } catch (IllegalArgumentException e) {
      throw new FormatException("spare's table: " + e.getMessage());
    }
  }

  /** What was read of one of the three: a table, or why not. */
  public record Found(int copy, Optional<SpareTable> table, String sentence) {}

  /**
   * The table that holds: the highest version of those found.
   *
   * @param table absent when none is whole; then it must be rebuilt from the devices' metadata, and
   *     nothing may be lent
   * @param stale the ones to write again
   * @param contradiction whole tables of different spares stand there
   */
  public record Choice(
      Optional<SpareTable> table,
      List<Integer> stale,
      List<String> reasons,
      boolean contradiction) {
    public Choice {
      stale = List.copyOf(stale);
      reasons = List.copyOf(reasons);
    }
  }

  /** Chooses among the three. Two whole ones of different spares contradict: none is chosen. */
  public static Choice choose(List<Found> found) {
    List<String> reasons = new ArrayList<>();
    Optional<SpareTable> best = Optional.empty();
    for (Found one : found) {
      if (one.table().isEmpty()) {
        // A disk that is no spare says the same three times.
        if (!reasons.contains(one.sentence())) {
          reasons.add(one.sentence());
        }
        continue;
      }
      SpareTable table = one.table().get();
      if (best.isPresent() && !best.get().spareId().equals(table.spareId())) {
        return new Choice(
            Optional.empty(),
            List.of(),
            List.of(
                "spare's table: those of spare "
                    + best.get().spareId()
                    + " and of spare "
                    + table.spareId()
                    + " stand on one disk; find out which it is"),
            true);
      }
      if (best.isEmpty() || table.version() > best.get().version()) {
        best = one.table();
      }
    }
    List<Integer> stale = new ArrayList<>();
    for (Found one : found) {
      if (best.isPresent() && !one.table().equals(best)) {
        stale.add(one.copy());
      }
    }
    return new Choice(best, stale, reasons, false);
  }
}
