package io.spared.format;

import io.spared.ffi.disk.DiskIdentity;
import java.nio.ByteBuffer;
import java.nio.ByteOrder;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import java.util.UUID;

/** One of each structure, made of fixed values: what the golden files hold. */
public final class GoldenFiles {
  static final UUID DEVICE = UUID.fromString("11111111-2222-4333-8444-555555555555");
  static final UUID SPARE = UUID.fromString("aaaaaaaa-bbbb-4ccc-8ddd-eeeeeeeeeeee");
  static final UUID MAIN = UUID.fromString("01234567-89ab-4cde-8f01-23456789abcd");
  static final Epoch EPOCH = new Epoch(3, 0x1122334455667788L);
  static final Owner OWNER = new Owner(new UUID(1, 2), "ward-7");
  static final Geometry GEOMETRY = new Geometry(4096, 512, 1L << 30);
  static final CopyLayout LAYOUT = new CopyLayout(16 * 4096, 8 * 4096);
  static final long AT = 5L << 20;
  static final DiskEvidence EVIDENCE =
      new DiskEvidence(
          new DiskIdentity(
              "sdb",
              Optional.of("Model"),
              Optional.of("SN1"),
              Optional.of("0x5000"),
              List.of("/dev/disk/by-id/ata-Model_SN1"),
              List.of(
                  new DiskIdentity.Content(
                      "ext4", Optional.of("u-1"), Optional.empty(), 1L << 30))),
          1L << 30,
          512);

  private GoldenFiles() {}

  static Superblock superblock() {
    return new Superblock(DEVICE, SPARE, 1, 5, AT, GEOMETRY, LAYOUT, 0);
  }

  static DeviceImage image() {
    SortedRemapEntries entries = new SortedRemapEntries();
    DeviceImage image =
        new DeviceImage(
            DEVICE, "tank", Form.ADOPT, GEOMETRY, new MainMember(MAIN, EVIDENCE, 0), entries);
    image.apply(
        new Position(EPOCH, 41),
        List.of(
            new Change.SpareAdded(new SpareMember(0, SPARE, EVIDENCE, SpareState.IN_SERVICE)),
            new Change.CopiesPlaced(
                new Placement(
                    LAYOUT,
                    List.of(
                        new CopyPlace(0, 0, 1 << 20),
                        new CopyPlace(1, 0, AT),
                        new CopyPlace(2, 0, 9L << 20)))),
            new Change.EpochRaised(EPOCH, OWNER),
            new Change.CleanMarked(new CleanMark(new UUID(1, 2), 0x99, 1_700_000_000_000L)),
            new Change.ExtentLent(new Extent(0, 20 << 20, 1 << 20, ExtentKind.DATA)),
            new Change.PolicySet("scan-days", "30"),
            new Change.CursorMoved("scan", 123456),
            new Change.CounterSet("remaps", 2),
            new Change.EventRecorded(new EventRecord(1_700_000_000_000L, "remapped", 7, "moved")),
            new Change.SlotRetired(0, 5121),
            new Change.Remapped(7, 0, 5120, new LostBits(0b101, 0)),
            new Change.Remapped(8, 0, 5122, LostBits.NONE),
            new Change.PendingSet(100, new LostBits(1, 0))));
    return image;
  }

  /** Every kind of change once. */
  static List<Change> changes() {
    return List.of(
        new Change.Remapped(1, 2, 3, new LostBits(4, 5)),
        new Change.Unmapped(6),
        new Change.LostChanged(7, new LostBits(8, 9)),
        new Change.PendingSet(10, new LostBits(11, 12)),
        new Change.PendingCleared(13),
        new Change.SlotRetired(14, 15),
        new Change.ExtentLent(new Extent(16, 17L << 20, 18L << 20, ExtentKind.METADATA)),
        new Change.ExtentReturned(19, 20L << 20, 21L << 20),
        new Change.SpareAdded(new SpareMember(22, SPARE, EVIDENCE, SpareState.EVACUATING)),
        new Change.SpareRemoved(23),
        new Change.SpareStateChanged(24, SpareState.LOST),
        new Change.SpareEvidenceRecorded(25, EVIDENCE),
        new Change.MainRecorded(new MainMember(MAIN, EVIDENCE, 26)),
        new Change.FormChanged(Form.LABELLED),
        new Change.PolicySet("name", "value"),
        new Change.PolicyCleared("name"),
        new Change.CursorMoved("cursor", 27),
        new Change.ReplaceStarted(new ReplaceState(ReplaceState.MAIN, MAIN, EVIDENCE, 28)),
        new Change.ReplaceMoved(29),
        new Change.ReplaceEnded(),
        new Change.EventRecorded(new EventRecord(30, "kind", 31, "text")),
        new Change.CounterSet("counter", 32),
        new Change.CleanMarked(new CleanMark(MAIN, 33, 34)),
        new Change.EpochRaised(EPOCH, OWNER),
        new Change.CopiesPlaced(image().placement().orElseThrow()),
        new Change.NameChanged("tank"),
        new Change.Kept(0x8001, new OpaqueBytes(new byte[] {1, 2, 3})));
  }

  static SpareTable spareTable() {
    return new SpareTable(
        SPARE,
        9,
        64L << 20,
        List.of(
            new SpareTable.Lent(DEVICE, 5L << 20, 1 << 20, ExtentKind.METADATA),
            new SpareTable.Lent(DEVICE, 20L << 20, 4L << 20, ExtentKind.DATA)));
  }

  static MainLabel label() {
    return new MainLabel(MAIN, DEVICE, Form.LABELLED, 2L << 30, 0, 1L << 30);
  }

  /** The bytes of all, by name. */
  public static Map<String, byte[]> all() throws FormatException {
    Map<String, byte[]> files = new LinkedHashMap<>();
    files.put("superblock", bytes(superblock().write()));
    AreaBuilder builder = new AreaBuilder(image(), superblock(), 1, 77, 0x0F0E0D0C0B0A0908L);
    String[] names = {"chunk-header", "chunk-retired", "chunk-entries"};
    ByteBuffer chunk = ByteBuffer.allocate(Checkpoints.CHUNK_BYTES_MAX);
    for (String name : names) {
      chunk.clear();
      builder.next(chunk);
      files.put(name, bytes(chunk));
    }
    if (builder.next(chunk.clear()) != 0) {
      throw new IllegalStateException("more chunks than names");
    }
    Seal seal = builder.seal();
    files.put("seal", bytes(seal.write()));
    LogAppender.PayloadBuilder payload = new LogAppender.PayloadBuilder();
    if (!payload.add(changes())) {
      throw new IllegalStateException("the changes do not fit");
    }
    ByteBuffer record = ByteBuffer.allocate(8192).order(ByteOrder.LITTLE_ENDIAN);
    int length =
        LogAppender.empty(superblock(), seal)
            .append(payload.at(new Position(EPOCH, 42)), record, 0);
    files.put("log-record", bytes(record.position(0).limit(length)));
    files.put("spare-table", bytes(spareTable().write(1)));
    files.put("label", bytes(label().write()));
    return files;
  }

  private static byte[] bytes(ByteBuffer buffer) {
    byte[] copy = new byte[buffer.limit()];
    buffer.get(0, copy);
    return copy;
  }
}
