package io.spared.scrub;

import static org.assertj.core.api.Assertions.assertThat;

import io.spared.disk.DiskNumber;
import io.spared.ffi.Errno;
import io.spared.format.Geometry;
import io.spared.format.LostBits;
import io.spared.remap.Place;
import java.util.HashSet;
import java.util.List;
import java.util.Random;
import java.util.Set;
import org.junit.jupiter.api.Test;

final class PieceReadingTest {
  private static final Geometry GEOMETRY = new Geometry(4096, 512, 1 << 20);

  @Test
  void aHealthyPieceIsReadOnce() {
    PieceReading reading = new PieceReading(piece(8), GEOMETRY);
    assertThat(reads(reading, Set.of(), Set.of())).isEqualTo(1);
    assertThat(reading.faults()).isEmpty();
  }

  @Test
  void exactlyTheUnreadableSectorsAreFoundWhereverTheyLie() {
    for (long seed = 1; seed <= 200; seed++) {
      Random random = new Random(seed);
      Set<Long> bad = new HashSet<>();
      for (int i = random.nextInt(12); i > 0; i--) {
        bad.add(512L * random.nextInt(8 * 8));
      }
      PieceReading reading = new PieceReading(piece(8), GEOMETRY);
      reads(reading, bad, Set.of());
      Set<Long> found = new HashSet<>();
      for (PieceReading.Fault fault : reading.faults()) {
        for (int sector = 0; sector < 8; sector++) {
          if (fault.unreadable().isLost(sector)) {
            found.add((fault.block() - 100) * 4096 + sector * 512L);
          }
        }
      }
      assertThat(found).as("seed %d", seed).isEqualTo(bad);
    }
  }

  @Test
  void aBlockThatIsReadOnlyWithEffortIsFoundWithNothingUnreadable() {
    PieceReading reading = new PieceReading(piece(8), GEOMETRY);
    // Large reads across this sector fail, it alone can be read.
    reads(reading, Set.of(), Set.of(5 * 512L));
    assertThat(reading.faults()).isEqualTo(List.of(new PieceReading.Fault(100, LostBits.NONE)));
  }

  @Test
  void readingAPieceThatIsAllBadIsBounded() {
    Set<Long> bad = new HashSet<>();
    for (int i = 0; i < 64; i++) {
      bad.add(i * 512L);
    }
    PieceReading reading = new PieceReading(piece(8), GEOMETRY);
    assertThat(reads(reading, bad, Set.of())).isEqualTo(1 + 8 + 64 * 3);
  }

  private static SurfacePiece piece(int blocks) {
    return new SurfacePiece(DiskNumber.MAIN, 0, blocks * 4096, 100, Place.MAIN, 0);
  }

  private static int reads(PieceReading reading, Set<Long> bad, Set<Long> weak) {
    int count = 0;
    for (PieceReading.Read read = reading.next(); read != null; read = reading.next()) {
      long from = read.offsetBytes();
      long to = from + read.lengthBytes();
      boolean fails = bad.stream().anyMatch(sector -> sector >= from && sector < to);
      boolean stumbles =
          read.lengthBytes() > 512 && weak.stream().anyMatch(s -> s >= from && s < to);
      reading.ended(fails || stumbles ? Errno.ENODATA : null);
      assertThat(++count).isLessThan(10_000);
    }
    return count;
  }
}
