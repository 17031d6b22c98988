package io.spared.queue;

import static org.assertj.core.api.Assertions.assertThat;

import io.spared.format.Geometry;
import io.spared.format.LostBits;
import io.spared.queue.Cut.Treatment;
import io.spared.queue.DeviceRequest.Operation;
import io.spared.remap.Place;
import io.spared.remap.RemapTable;
import io.spared.sim.SimRandom;
import java.util.ArrayList;
import java.util.List;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;

class CutTest {
  private static final int BLOCKS = 3;

  /** What may be known of a block. */
  private enum Kind {
    CLEAN,
    PENDING,
    MOVED,
    MOVED_WITH_LOST
  }

  private record State(Kind kind, LostBits lost) {}

  @ParameterizedTest
  @CsvSource({
    "512, 4096", "512, 8192", "512, 16384", "512, 32768", "512, 65536",
    "4096, 4096", "4096, 8192", "4096, 16384", "4096, 32768", "4096, 65536"
  })
  void everySectorOfEveryRangeIsTreatedAsItsOwnBlockSays(int sectorBytes, int blockBytes) {
    Geometry geometry = new Geometry(blockBytes, sectorBytes, (long) BLOCKS * blockBytes);
    int sectors = geometry.sectorsPerBlock();
    SimRandom random = new SimRandom(blockBytes + sectorBytes);
    long ranges = 0;
    for (int states = 0; states < 64; states++) {
      RemapTable table = new RemapTable(geometry);
      List<State> blocks = new ArrayList<>();
      for (int block = 0; block < BLOCKS; block++) {
        State state = state((states >>> (2 * block)) & 3, sectors, random);
        blocks.add(state);
        switch (state.kind) {
          case CLEAN -> {}
          case PENDING -> table.putPending(block, state.lost.low(), state.lost.high());
          case MOVED, MOVED_WITH_LOST ->
              table.put(block, block % 2, slotOf(block), state.lost.low(), state.lost.high());
        }
      }
      table.publish();
      Cut cut = new Cut(table, geometry);
      int all = BLOCKS * sectors;
      boolean every = all <= 24;
      for (int from = 0; from < all; from += every ? 1 : 1 + random.below(8)) {
        for (int to = from + 1; to <= all; to += every ? 1 : 1 + random.below(all / 3)) {
          for (Operation operation : List.of(Operation.READ, Operation.WRITE, Operation.DISCARD)) {
            check(cut, geometry, blocks, operation, from, to);
            ranges++;
          }
        }
      }
    }
    assertThat(ranges).isGreaterThan(500);
  }

  private static State state(int kind, int sectors, SimRandom random) {
    LostBits lost = new LostBits(random.nextLong(), random.nextLong()).and(LostBits.first(sectors));
    return switch (kind) {
      case 0 -> new State(Kind.CLEAN, LostBits.NONE);
      case 1 -> new State(Kind.PENDING, lost);
      case 2 -> new State(Kind.MOVED, LostBits.NONE);
      default -> new State(Kind.MOVED_WITH_LOST, lost);
    };
  }

  private static long slotOf(long block) {
    // Neighbours in the device are far apart on the spare, and the other way round.
    return 1000 - 7 * block;
  }

  private static void check(
      Cut cut, Geometry geometry, List<State> blocks, Operation operation, int from, int to) {
    int sectorBytes = geometry.sectorBytes();
    int sectors = geometry.sectorsPerBlock();
    long at = (long) from * sectorBytes;
    long end = (long) to * sectorBytes;
    while (at < end) {
      cut.next(operation, at, end);
      assertThat(cut.endBytes).isGreaterThan(at).isLessThanOrEqualTo(end);
      boolean touchesLost = false;
      for (long s = at / sectorBytes; s < cut.endBytes / sectorBytes; s++) {
        State state = blocks.get((int) (s / sectors));
        touchesLost |= state.lost.isLost((int) (s % sectors));
      }
      for (long s = at / sectorBytes; s < cut.endBytes / sectorBytes; s++) {
        int block = (int) (s / sectors);
        State state = blocks.get(block);
        boolean lost = state.lost.isLost((int) (s % sectors));
        Treatment expected =
            switch (operation) {
              case READ -> lost ? Treatment.ERROR : Treatment.TRANSFER;
              case DISCARD -> state.kind == Kind.CLEAN ? Treatment.TRANSFER : Treatment.NOTHING;
              default ->
                  state.kind == Kind.PENDING || touchesLost
                      ? Treatment.RELOCATE
                      : Treatment.TRANSFER;
            };
        assertThat(cut.treatment).isEqualTo(expected);
        if (cut.treatment == Treatment.TRANSFER) {
          boolean moved = state.kind == Kind.MOVED || state.kind == Kind.MOVED_WITH_LOST;
          assertThat(cut.place).isEqualTo(moved ? Place.of(block % 2, slotOf(block)) : Place.MAIN);
        }
        if (cut.treatment != Treatment.TRANSFER || cut.place != Place.MAIN) {
          // Nothing but a clean range is longer than its block.
          assertThat(block).isEqualTo((int) (at / geometry.blockBytes()));
        }
      }
      at = cut.endBytes;
    }
  }
}
