package io.spared.app.offline;

import static io.spared.app.offline.OfflineRig.bytes;
import static org.assertj.core.api.Assertions.assertThat;

import java.io.IOException;
import java.nio.ByteBuffer;
import java.nio.ByteOrder;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.Arrays;
import java.util.Map;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;
import org.junit.jupiter.params.provider.ValueSource;

/** A pair of dm-remap in files, taken over by the command line, and then looked at. */
final class DmRemapImportTest {
  private static final int SECTOR = 512;
  private static final long MAIN_SECTORS = 32 << 11;

  @TempDir Path directory;
  private OfflineRig rig;
  private Path main;
  private Path spare;
  private Path kept;

  @BeforeEach
  void aPair() throws IOException {
    rig = new OfflineRig(directory);
    main = rig.disk("main.img", 32);
    spare = rig.disk("spare.img", 64);
    kept = directory.resolve("kept");
    for (int sector = 0; sector < 64; sector++) {
      OfflineRig.write(main, (long) sector * SECTOR, filled("main " + sector));
    }
    // Where dm-remap put them, and where the new metadata or slots may come to stand.
    OfflineRig.write(spare, 2000 * SECTOR, filled("moved 9"));
    OfflineRig.write(spare, 1281 * SECTOR, filled("moved 10"));
    OfflineRig.write(spare, 3000 * SECTOR, filled("moved 63"));
  }

  @ParameterizedTest
  @ValueSource(longs = {0, 131_072, 393_216, 524_288, 1_048_576, 2_097_152, 4_194_304})
  void aPairOfFormatAIsTakenOverAndServesWhatWasWritten(long offsetBytes) throws IOException {
    byte[] copy =
        formatA(7, new long[][] {{9, 2000, 2}, {10, 1281, 2}, {63, 3000, 2}, {17, 600, 2}});
    byte[] older = formatA(6, new long[][] {{9, 3000, 2}});
    OfflineRig.write(spare, offsetBytes, copy);
    OfflineRig.write(spare, offsetBytes == 262_144 ? 0 : 262_144, older);
    Map<Path, byte[]> before = bytes(main, spare);

    // Without --yes it only says what it would do; for a program in one object.
    assertThat(rig.ctl("--json", "import", "dm-remap", main, spare)).as(rig.said).isZero();
    assertThat(rig.said.strip())
        .startsWith("{")
        .contains("\"done\":false", "4 remaps")
        .hasLineCount(1);
    assertThat(rig.ctl("import", "dm-remap", main, spare)).as(rig.said).isZero();
    assertThat(rig.said)
        .contains("of format A", "sequence 7", "4 remaps", "nothing was written")
        .contains("sector 17: its spare sector 600 lies within");
    assertThat(Files.readAllBytes(spare)).isEqualTo(before.get(spare));

    assertThat(rig.ctl("import", "dm-remap", main, spare, "--yes", "--keep", kept))
        .as(rig.said)
        .isZero();
    assertThat(rig.said).contains("3 blocks were taken over", "quarantined", "sector 17");
    assertThat(Files.readAllBytes(main)).isEqualTo(before.get(main));
    assertThat(rig.ctl("check", spare)).as(rig.said).isZero();

    // The old copies and the old data are kept, byte by byte.
    assertThat(indexIn(Files.readAllBytes(kept), copy)).isPositive();
    assertThat(indexIn(Files.readAllBytes(kept), filled("moved 10"))).isPositive();

    // Each sector lives where the export says, and there stands what dm-remap served.
    assertThat(rig.ctl("export", "--main", main, "--spare", spare)).as(rig.said).isZero();
    String table = rig.said;
    assertServes(table, 9, "moved 9");
    assertServes(table, 10, "moved 10");
    assertServes(table, 63, "moved 63");
    assertServes(table, 8, "main 8");
    assertServes(table, 16, "main 16");
    assertServes(table, 40, "main 40");
    assertThat(segment(table, 17)[2]).isEqualTo("error");
    assertThat(rig.ctl("explain", spare, "17")).isZero();
    assertThat(rig.said).contains("block 2, in slot", "lost until it is written");
  }

  @ParameterizedTest
  @CsvSource({"0", "524288", "1048576", "2097152", "4194304"})
  void aPairOfFormatBHasNoRemapsAndIsTakenOverAsItIs(long offsetBytes) throws IOException {
    OfflineRig.write(spare, offsetBytes, formatB());
    Map<Path, byte[]> before = bytes(main, spare);
    assertThat(rig.ctl("import", "dm-remap", main, spare)).as(rig.said).isZero();
    assertThat(rig.said).contains("of format B", "0 remaps", "nothing was written");
    assertThat(Files.readAllBytes(spare)).isEqualTo(before.get(spare));
    assertThat(rig.ctl("import", "dm-remap", main, spare, "--yes", "--keep", kept))
        .as(rig.said)
        .isZero();
    assertThat(Files.readAllBytes(main)).isEqualTo(before.get(main));
    assertThat(indexIn(Files.readAllBytes(kept), formatB())).isPositive();
    assertThat(rig.ctl("export", "--main", main, "--spare", spare)).isZero();
    assertThat(rig.said.strip()).isEqualTo("0 " + MAIN_SECTORS + " linear " + main + " 0");
  }

  @Test
  void whereTheOldBytesCannotBeKeptNothingIsWritten() throws IOException {
    OfflineRig.write(spare, 0, formatA(1, new long[][] {{9, 2000, 2}}));
    Files.writeString(kept, "somebody's");
    Map<Path, byte[]> before = bytes(main, spare, kept);
    assertThat(rig.ctl("import", "dm-remap", main, spare, "--yes", "--keep", kept)).isNotZero();
    for (Map.Entry<Path, byte[]> disk : before.entrySet()) {
      assertThat(Files.readAllBytes(disk.getKey())).isEqualTo(disk.getValue());
    }
  }

  private void assertServes(String table, long sector, String words) throws IOException {
    String[] segment = segment(table, sector);
    assertThat(segment[2]).as(table).isEqualTo("linear");
    long at = Long.parseLong(segment[4]) + sector - Long.parseLong(segment[0]);
    assertThat(OfflineRig.read(Path.of(segment[3]), at * SECTOR, SECTOR))
        .as("sector %s", sector)
        .isEqualTo(filled(words));
  }

  /** The words of the segment that serves a sector. */
  private static String[] segment(String table, long sector) {
    return table
        .lines()
        .map(line -> line.split(" ", -1))
        .filter(line -> Long.parseLong(line[0]) <= sector)
        .reduce((earlier, later) -> later)
        .orElseThrow();
  }

  private static byte[] filled(String words) {
    return Arrays.copyOf(words.getBytes(StandardCharsets.UTF_8), SECTOR);
  }

  private static int indexIn(byte[] all, byte[] part) {
    for (int at = 0; at + part.length <= all.length; at++) {
      if (Arrays.equals(all, at, at + part.length, part, 0, part.length)) {
        return at;
      }
    }
    return -1;
  }

  /** As dm-remap's kernel module writes it. */
  static byte[] formatA(long sequence, long[][] entries) {
    ByteBuffer bytes =
        ByteBuffer.allocate(DmRemapCopy.FORMAT_A_BYTES).order(ByteOrder.LITTLE_ENDIAN);
    bytes.putInt(0, DmRemapCopy.MAGIC).putInt(4, DmRemapCopy.VERSION).putLong(8, sequence);
    bytes.putLong(120, MAIN_SECTORS).putLong(128, 64 << 11).putInt(136, SECTOR);
    bytes.putInt(296, entries.length);
    for (int i = 0; i < entries.length; i++) {
      bytes.putLong(312 + 40 * i, entries[i][0]).putLong(320 + 40 * i, entries[i][1]);
      bytes.putShort(346 + 40 * i, (short) entries[i][2]);
    }
    return bytes.putInt(24, DmRemapCopy.checksum(bytes)).array();
  }

  /** As its helper script writes it. */
  private static byte[] formatB() {
    ByteBuffer bytes = ByteBuffer.allocate(SECTOR).order(ByteOrder.LITTLE_ENDIAN);
    bytes.putInt(0, DmRemapCopy.MAGIC).putInt(4, DmRemapCopy.VERSION).putLong(8, 1);
    for (int i = 40; i < 114; i++) {
      bytes.put(i, (byte) ' ');
    }
    bytes.putLong(114, MAIN_SECTORS).putLong(122, 64 << 11);
    bytes.put(144, "/dev/main".getBytes(StandardCharsets.UTF_8));
    return bytes.array();
  }
}
