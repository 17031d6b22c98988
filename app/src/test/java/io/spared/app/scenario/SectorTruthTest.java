package io.spared.app.scenario;

import static org.assertj.core.api.Assertions.assertThatCode;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import java.nio.ByteBuffer;
import org.junit.jupiter.api.Test;

class SectorTruthTest {
  private final SectorTruth truth = new SectorTruth(16);

  private ByteBuffer write(int first, int count) {
    ByteBuffer bytes = ByteBuffer.allocate(count * SectorTruth.SECTOR_BYTES);
    int number = truth.writes(first, count, bytes, 0);
    truth.acknowledged(first, count, number, false);
    return bytes;
  }

  @Test
  void anAcknowledgedWriteMustBeThereUnlessPowerWasLost() {
    ByteBuffer old = write(3, 2);
    write(3, 2);
    assertThatThrownBy(() -> truth.found(3, old, 2, false)).hasMessageContaining("acknowledged");
    assertThatCode(() -> truth.found(3, old, 2, true)).doesNotThrowAnyException();
  }

  @Test
  void anAcknowledgedFlushHoldsWithoutPowerToo() {
    ByteBuffer old = write(3, 2);
    write(3, 2);
    truth.flushed(truth.flushBegins());
    assertThatThrownBy(() -> truth.found(3, old, 2, true)).hasMessageContaining("flushed");
  }

  @Test
  void aFlushCoversWhatWasAcknowledgedWhenItBeganAndNoMore() {
    ByteBuffer first = write(3, 1);
    int[] covered = truth.flushBegins();
    write(3, 1);
    truth.flushed(covered);
    assertThatCode(() -> truth.found(3, first, 1, true)).doesNotThrowAnyException();
  }

  @Test
  void anUnansweredWriteMayBeThereInPartAndAForeignSectorMayNot() {
    write(3, 2);
    ByteBuffer later = ByteBuffer.allocate(2 * SectorTruth.SECTOR_BYTES);
    truth.writes(3, 2, later, 0);
    truth.unanswered(3, 2);
    assertThatCode(() -> truth.found(3, later, 1, false)).doesNotThrowAnyException();
    assertThatThrownBy(() -> truth.found(4, later, 1, false))
        .hasMessageContaining("never written to it");
    later.put(700, (byte) 77);
    assertThatThrownBy(() -> truth.found(4, later.slice(SectorTruth.SECTOR_BYTES, 512), 1, false))
        .hasMessageContaining("never written to it");
  }

  @Test
  void onlyWhatWasSpoiledMayBeUnreadableUntilALaterWriteIsAcknowledged() {
    write(3, 2);
    assertThatThrownBy(() -> truth.notRead(3, 1)).hasMessageContaining("nothing had spoiled");
    ByteBuffer bytes = ByteBuffer.allocate(SectorTruth.SECTOR_BYTES);
    int underWay = truth.writes(4, 1, bytes, 0);
    truth.spoils(3, 2);
    truth.acknowledged(4, 1, underWay, false);
    write(3, 1);
    assertThatThrownBy(() -> truth.notRead(3, 1)).hasMessageContaining("nothing had spoiled");
    assertThatCode(() -> truth.notRead(4, 1)).doesNotThrowAnyException();
  }
}
