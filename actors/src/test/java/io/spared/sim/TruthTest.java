package io.spared.sim;

import static org.assertj.core.api.Assertions.assertThat;

import java.nio.ByteBuffer;
import org.junit.jupiter.api.Test;

class TruthTest {
  private static final int SECTOR = 512;

  private final Truth truth = new Truth(16, SECTOR);

  private Truth.Write write(long sector) {
    Truth.Write write = truth.beginWrite(sector, 1, Truth.Kind.DATA, false);
    truth.writeEnded(write);
    return write;
  }

  private boolean accepts(long sector, long writeId) {
    return acceptsFrom(sector, writeId, truth.begin());
  }

  private boolean acceptsFrom(long sector, long writeId, long begun) {
    assertThat(truth.violation()).isNull();
    ByteBuffer bytes = ByteBuffer.allocate(SECTOR);
    if (writeId >= 0) {
      SectorContent.fill(bytes, 0, SECTOR, writeId, sector);
    }
    truth.sectorRead(sector, begun, bytes, 0);
    return truth.violation() == null;
  }

  @Test
  void whatWasWrittenLastIsReadAndNothingOlder() {
    Truth.Write a = write(3);
    Truth.Write b = write(3);
    assertThat(accepts(3, b.id())).isTrue();
    assertThat(accepts(3, a.id())).isFalse();
  }

  @Test
  void zerosAndOtherSectorsAreNotTheInitialContent() {
    assertThat(accepts(1, 0)).isTrue();
    assertThat(accepts(1, SectorContent.ZEROS)).isFalse();
  }

  @Test
  void ofTwoConcurrentWritesEitherMayLastButNotBothInTurn() {
    Truth.Write a = truth.beginWrite(0, 1, Truth.Kind.DATA, false);
    Truth.Write b = truth.beginWrite(0, 1, Truth.Kind.DATA, false);
    truth.writeEnded(b);
    truth.writeEnded(a);
    assertThat(accepts(0, b.id())).isTrue();
    assertThat(accepts(0, a.id())).isFalse();
  }

  @Test
  void aFailedWriteMayHappenLateUntilAnotherSucceeds() {
    Truth.Write a = write(0);
    Truth.Write failed = truth.beginWrite(0, 1, Truth.Kind.DATA, false);
    truth.writeFailedAt(failed, 0);
    truth.writeEnded(failed);
    assertThat(accepts(0, a.id())).isTrue();
    assertThat(accepts(0, failed.id())).isTrue();
    write(0);
    assertThat(accepts(0, failed.id())).isFalse();
  }

  @Test
  void aPowerCutMayTakeBackWhatWasNotFlushedButNotWhatWas() {
    Truth.Write a = write(5);
    truth.flushSucceeded(truth.begin());
    write(5);
    truth.powerCut();
    assertThat(accepts(5, a.id())).isTrue();
    assertThat(accepts(5, 0)).isFalse();
  }

  @Test
  void aFlushCoversOnlyWhatHadEndedWhenItBegan() {
    Truth.Write a = truth.beginWrite(5, 1, Truth.Kind.DATA, false);
    long flush = truth.begin();
    truth.writeEnded(a);
    truth.flushSucceeded(flush);
    truth.powerCut();
    assertThat(accepts(5, 0)).isTrue();
  }

  @Test
  void whatWasReadAfterAPowerCutStays() {
    Truth.Write a = write(5);
    truth.powerCut();
    assertThat(accepts(5, 0)).isTrue();
    assertThat(accepts(5, a.id())).isFalse();
  }

  @Test
  void theDeathOfTheDaemonTakesNothingBack() {
    Truth.Write a = write(5);
    truth.daemonDied();
    assertThat(accepts(5, a.id())).isTrue();
    assertThat(accepts(5, 0)).isFalse();
  }

  @Test
  void aPowerCutAfterADeathStillTakesBackWhatWasNotFlushed() {
    write(5);
    truth.daemonDied();
    truth.powerCut();
    assertThat(accepts(5, 0)).isTrue();
  }

  @Test
  void aFuaWriteSurvivesAlone() {
    Truth.Write a = truth.beginWrite(5, 1, Truth.Kind.DATA, true);
    truth.writeEnded(a);
    truth.powerCut();
    assertThat(accepts(5, 0)).isFalse();
  }

  @Test
  void aDiscardMayShowZerosOrNot() {
    Truth.Write a = write(5);
    Truth.Write discard = truth.beginWrite(5, 1, Truth.Kind.DISCARD, false);
    truth.writeEnded(discard);
    assertThat(accepts(5, a.id())).isTrue();
    assertThat(accepts(5, SectorContent.ZEROS)).isTrue();
  }
}
