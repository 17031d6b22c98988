package io.spared.format;

import static org.assertj.core.api.Assertions.assertThat;

import java.io.IOException;
import java.io.InputStream;
import java.nio.ByteBuffer;
import java.util.ArrayList;
import java.util.List;
import java.util.Map;
import org.junit.jupiter.api.Test;

/** The format is what the golden files hold: a change of any byte needs a new format version. */
class GoldenFilesTest {
  private static byte[] golden(String name) throws IOException {
    try (InputStream in =
        GoldenFilesTest.class.getResourceAsStream("/io/spared/format/golden/" + name + ".bin")) {
      if (in == null) {
        throw new IOException("no golden file " + name);
      }
      return in.readAllBytes();
    }
  }

  @Test
  void everyStructureIsWrittenAsItsGoldenFile() throws Exception {
    for (Map.Entry<String, byte[]> file : GoldenFiles.all().entrySet()) {
      assertThat(file.getValue()).as(file.getKey()).isEqualTo(golden(file.getKey()));
    }
  }

  @Test
  void everyGoldenFileIsReadAsWhatWasWritten() throws Exception {
    assertThat(Superblock.read(ByteBuffer.wrap(golden("superblock"))))
        .isEqualTo(GoldenFiles.superblock());
    Seal seal = Seal.read(ByteBuffer.wrap(golden("seal")), GoldenFiles.superblock(), 1);
    assertThat(seal.base()).isEqualTo(new Position(GoldenFiles.EPOCH, 41));
    assertThat(seal.entries()).isEqualTo(3);
    long offset = GoldenFiles.AT + GoldenFiles.LAYOUT.checkpointOffsetBytes(1);
    int chain = Seal.checkpointChainStart(seal.buildId());
    List<Change> header = new ArrayList<>();
    List<Change> retired = new ArrayList<>();
    SortedRemapEntries entries = new SortedRemapEntries();
    for (String name : List.of("chunk-header", "chunk-retired", "chunk-entries")) {
      ByteBuffer bytes = ByteBuffer.wrap(golden(name));
      Checkpoints.Chunk chunk = Checkpoints.read(bytes, 0, seal, offset, chain);
      switch (chunk.holds()) {
        case HEADER -> header.addAll(Checkpoints.header(bytes, 0, chunk));
        case RETIRED -> Checkpoints.retired(bytes, 0, chunk, retired::add);
        case ENTRIES -> Checkpoints.entries(bytes, 0, chunk, GoldenFiles.GEOMETRY, entries);
      }
      chain = chunk.frame().checksum();
      offset += bytes.limit();
    }
    assertThat(chain).isEqualTo(seal.checkpointChecksum());
    DeviceImage image = GoldenFiles.image();
    assertThat(header).isEqualTo(Checkpoints.headerChanges(image));
    assertThat(retired).containsExactly(new Change.SlotRetired(0, 5121));
    assertThat(entries.remaps()).isEqualTo(((SortedRemapEntries) image.entries()).remaps());
    assertThat(entries.pending()).isEqualTo(((SortedRemapEntries) image.entries()).pending());
    LogRecords.Entry record =
        LogRecords.read(
            ByteBuffer.wrap(golden("log-record")),
            0,
            seal,
            GoldenFiles.AT + GoldenFiles.LAYOUT.logOffsetBytes(1));
    assertThat(record.position()).isEqualTo(new Position(GoldenFiles.EPOCH, 42));
    assertThat(record.changes()).isEqualTo(GoldenFiles.changes());
    assertThat(SpareTable.read(ByteBuffer.wrap(golden("spare-table")), 1, 32L << 20, 64L << 20))
        .isEqualTo(GoldenFiles.spareTable());
    assertThat(MainLabel.read(ByteBuffer.wrap(golden("label")), 2L << 30))
        .isEqualTo(GoldenFiles.label());
  }

  @Test
  void everyFlippedBitIsFound() throws Exception {
    for (Map.Entry<String, byte[]> file : GoldenFiles.all().entrySet()) {
      byte[] bytes = file.getValue();
      for (int bit = 0; bit < bytes.length * 8; bit += 7) {
        bytes[bit / 8] ^= (byte) (1 << bit % 8);
        assertThat(FormatFuzzer.accepts(file.getKey(), bytes))
            .as("%s with bit %s flipped", file.getKey(), bit)
            .isFalse();
        bytes[bit / 8] ^= (byte) (1 << bit % 8);
      }
      assertThat(FormatFuzzer.accepts(file.getKey(), bytes)).as(file.getKey()).isTrue();
    }
  }

  @Test
  void everyTornWriteIsFound() throws Exception {
    for (Map.Entry<String, byte[]> file : GoldenFiles.all().entrySet()) {
      byte[] whole = file.getValue();
      for (int cut = 0; cut < whole.length; cut += 512) {
        byte[] torn = new byte[whole.length];
        System.arraycopy(whole, 0, torn, 0, cut);
        boolean lacksNothing = java.util.Arrays.equals(torn, whole);
        assertThat(FormatFuzzer.accepts(file.getKey(), torn))
            .as("%s cut at %s", file.getKey(), cut)
            .isEqualTo(lacksNothing);
      }
    }
  }

  @Test
  void anUnknownRequiredFeatureIsNamed() throws Exception {
    ByteBuffer bytes = ByteBuffer.wrap(golden("superblock"));
    bytes.order(java.nio.ByteOrder.LITTLE_ENDIAN).putInt(120, 1 << 5);
    FormatFuzzer.reseal(bytes);
    FormatException refused = null;
    try {
      Superblock.read(bytes);
    } catch (FormatException e) {
      refused = e;
    }
    assertThat(refused).isNotNull();
    assertThat(refused.trouble()).isEqualTo(FormatException.Trouble.NEWER);
    assertThat(refused.sentence()).contains("bit 5");
  }

  @Test
  void anOptionalChangeThatIsNotKnownSurvivesACheckpoint() throws Exception {
    TestDevice device = TestDevice.small(1).writeAll();
    Change kept = new Change.Kept(0x9000, new OpaqueBytes(new byte[] {4, 2}));
    device.commit(java.util.Set.of(0, 1, 2, 3, 4), kept);
    device.image = device.load().image().orElseThrow();
    device.writeAll();
    assertThat(device.load().image().orElseThrow().kept()).containsExactly((Change.Kept) kept);
  }
}
