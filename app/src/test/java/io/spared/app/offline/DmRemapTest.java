package io.spared.app.offline;

import static org.assertj.core.api.Assertions.assertThat;

import java.nio.ByteBuffer;
import java.nio.ByteOrder;
import java.nio.charset.StandardCharsets;
import java.util.List;
import java.util.Optional;
import org.junit.jupiter.api.Test;

final class DmRemapTest {
  @Test
  void theChecksumIsDmRemapsOwnNotTheCommonOne() {
    ByteBuffer digits = ByteBuffer.wrap("123456789".getBytes(StandardCharsets.US_ASCII));
    assertThat(DmRemapCopy.update(0, digits, 0, 9)).isEqualTo(0x2DFD2D88);
  }

  @Test
  void aCopyOfFormatAIsReadAndOneWithADamagedByteIsNot() {
    ByteBuffer bytes = formatA(5, new long[][] {{100, 4000, 2}, {200, 4001, 2}});
    Optional<DmRemapCopy> copy = DmRemapCopy.read(bytes, 131_072);
    assertThat(copy).isPresent();
    assertThat(copy.get().sequence()).isEqualTo(5);
    assertThat(copy.get().entries()).hasSize(2);
    assertThat(copy.get().entries().get(0).spareSector()).isEqualTo(4000);
    bytes.put(40_000, (byte) 1);
    assertThat(DmRemapCopy.read(bytes, 131_072)).isEmpty();
  }

  @Test
  void theHighestSequenceOfFormatAWinsOverFormatB() {
    DmRemapCopy old = DmRemapCopy.read(formatA(5, new long[0][]), 0).orElseThrow();
    DmRemapCopy newer = DmRemapCopy.read(formatA(9, new long[0][]), 131_072).orElseThrow();
    DmRemapCopy helper = new DmRemapCopy(DmRemapCopy.Format.B, 0, 50, 0, 0, 0, List.of());
    assertThat(DmRemapPlan.best(List.of(old, newer, helper))).contains(newer);
  }

  @Test
  void entriesThatCannotHoldWhatWasWrittenAreQuarantinedByName() {
    DmRemapCopy copy =
        DmRemapCopy.read(
                formatA(
                    1,
                    new long[][] {
                      {8, 2000, 2}, // good
                      {17, 600, 2}, // within dm-remap's own metadata
                      {25, 3000, 2}, // shared with the next
                      {33, 3000, 2},
                      {41, 3001, 1}, // pending: never held data
                      {49, 9_999_999, 2}, // beyond the spare
                      {8, 2001, 2}, // a later entry for the same sector wins
                    }),
                0)
            .orElseThrow();
    DmRemapPlan plan = DmRemapPlan.of(copy, 100_000, 100_000, 8);
    assertThat(block(plan, 1).fromSpare()).containsEntry(0, 2001L);
    assertThat(plan.quarantined())
        .hasSize(5)
        .anyMatch(line -> line.startsWith("sector 17:") && line.contains("metadata"))
        .anyMatch(line -> line.startsWith("sector 25:") && line.contains("shared by 2"))
        .anyMatch(line -> line.startsWith("sector 33:") && line.contains("shared by 2"))
        .anyMatch(line -> line.startsWith("sector 41:") && line.contains("pending"))
        .anyMatch(line -> line.startsWith("sector 49:") && line.contains("beyond"));
    assertThat(block(plan, 2).lost().isLost(1)).isTrue();
    assertThat(block(plan, 2).fromSpare()).isEmpty();
  }

  private static DmRemapPlan.BlockPlan block(DmRemapPlan plan, long block) {
    return Optional.ofNullable(plan.blocks().get(block)).orElseThrow();
  }

  private static ByteBuffer formatA(long sequence, long[][] entries) {
    ByteBuffer bytes =
        ByteBuffer.allocate((DmRemapCopy.FORMAT_A_BYTES + 4095) / 4096 * 4096)
            .order(ByteOrder.LITTLE_ENDIAN);
    bytes.putInt(0, DmRemapCopy.MAGIC);
    bytes.putInt(4, DmRemapCopy.VERSION);
    bytes.putLong(8, sequence);
    bytes.putLong(120, 100_000);
    bytes.putLong(128, 100_000);
    bytes.putInt(296, entries.length);
    for (int i = 0; i < entries.length; i++) {
      bytes.putLong(312 + 40 * i, entries[i][0]);
      bytes.putLong(320 + 40 * i, entries[i][1]);
      bytes.putShort(346 + 40 * i, (short) entries[i][2]);
    }
    bytes.putInt(24, DmRemapCopy.checksum(bytes));
    return bytes;
  }
}
