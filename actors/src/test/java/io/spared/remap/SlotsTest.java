package io.spared.remap;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import io.spared.format.Extent;
import io.spared.format.ExtentKind;
import io.spared.sim.SimRandom;
import java.util.ArrayList;
import java.util.HashMap;
import java.util.List;
import java.util.Map;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.ValueSource;

class SlotsTest {
  private static final long MIB = 1 << 20;

  private static Extent extent(int spare, long atMib, long mib) {
    return new Extent(spare, atMib * MIB, mib * MIB, ExtentKind.DATA);
  }

  /** What a slot is, by the rules; what is not here is free. */
  private static final class Model {
    enum State {
      HELD,
      USED,
      RESTING,
      RETIRED
    }

    final Map<Long, State> states = new HashMap<>();

    List<Long> in(State state) {
      List<Long> places = new ArrayList<>();
      states.forEach((place, is) -> {
        if (is == state) {
          places.add(place);
        }
      });
      places.sort(null);
      return places;
    }
  }

  /** A request of a reader: it may touch any slot that the map named when it was looked up. */
  private record Flight(TableReader reader, long version, List<Long> touches) {}

  @ParameterizedTest
  @ValueSource(ints = {4096, 65536})
  void noSlotIsGivenTwiceOrWhileARequestMayStillTouchIt(int blockBytes) {
    long given = 0;
    for (long seed = 0; seed < 12; seed++) {
      SimRandom random = new SimRandom(seed);
      RemapTable table = new RemapTable(1 << 20, 8);
      Slots slots = new Slots(table, blockBytes);
      slots.lend(extent(0, 3, 1));
      slots.lend(extent(2, 0, 1));
      long all = slots.usage().lent();
      List<TableReader> readers = List.of(table.newReader(), table.newReader());
      List<Flight> flights = new ArrayList<>();
      Model model = new Model();
      for (int step = 0; step < 3000; step++) {
        switch (random.below(9)) {
          case 0, 1, 2 -> {
            long place = slots.take(random.chance(0.1) ? 1 : 0, true);
            if (place != Place.NONE) {
              given++;
              assertThat(model.states.get(place)).isIn(null, Model.State.RESTING);
              for (Flight flight : flights) {
                assertThat(flight.touches).doesNotContain(place);
              }
              model.states.put(place, Model.State.HELD);
            } else {
              assertThat(model.states.size()).isGreaterThan(0);
            }
          }
          case 3, 4 ->
              pick(
                  random,
                  model,
                  Model.State.HELD,
                  place -> {
                    slots.use(place);
                    table.publish();
                    model.states.put(place, Model.State.USED);
                  });
          case 5 ->
              pick(
                  random,
                  model,
                  Model.State.HELD,
                  place -> {
                    slots.giveBack(place);
                    model.states.remove(place);
                  });
          case 6 ->
              pick(
                  random,
                  model,
                  Model.State.USED,
                  place -> {
                    table.publish();
                    if (random.chance(0.05)) {
                      slots.retire(place);
                      model.states.put(place, Model.State.RETIRED);
                    } else {
                      slots.release(place);
                      model.states.put(place, Model.State.RESTING);
                    }
                  });
          case 7 -> {
            TableReader reader = readers.get(random.below(2));
            flights.add(new Flight(reader, reader.begin(), model.in(Model.State.USED)));
          }
          default -> {
            if (!flights.isEmpty()) {
              Flight flight = flights.remove(random.below(flights.size()));
              flight.reader.end(flight.version);
            }
            if (random.chance(0.3)) {
              readers.forEach(TableReader::refresh);
            }
          }
        }
        Slots.Usage usage = slots.usage();
        assertThat(usage.lent()).isEqualTo(all);
        assertThat(usage.held()).isEqualTo(model.in(Model.State.HELD).size());
        assertThat(usage.used()).isEqualTo(model.in(Model.State.USED).size());
        assertThat(usage.retired()).isEqualTo(model.in(Model.State.RETIRED).size());
        assertThat(usage.free() + usage.resting())
            .isEqualTo(all - usage.held() - usage.used() - usage.retired());
      }
    }
    assertThat(given).isGreaterThan(1000);
  }

  private static void pick(
      SimRandom random, Model model, Model.State state, java.util.function.LongConsumer then) {
    List<Long> places = model.in(state);
    if (!places.isEmpty()) {
      then.accept(places.get(random.below(places.size())));
    }
  }

  private final RemapTable table = new RemapTable(1 << 20, 8);
  private final Slots slots = new Slots(table, 4096);

  @Test
  void aSlotThatWasLeftRestsUntilTheReaderThatMayTouchItHasEnded() {
    slots.lend(extent(0, 0, 1));
    TableReader reader = table.newReader();
    List<Long> taken = new ArrayList<>();
    for (int i = 0; i < 256; i++) {
      long place = slots.take(0, true);
      slots.use(place);
      taken.add(place);
    }
    long version = reader.begin();
    table.publish();
    slots.release(taken.get(9));
    assertThat(slots.take(0, true)).isEqualTo(Place.NONE);
    assertThat(slots.hasResting()).isTrue();
    reader.end(version);
    assertThat(slots.take(0, true)).isEqualTo(Place.NONE);
    reader.refresh();
    assertThat(slots.take(0, true)).isEqualTo(taken.get(9));
  }

  @Test
  void theReserveIsLeftForThoseWhoMayUseIt() {
    slots.lend(extent(0, 0, 1));
    slots.setReserve(250);
    for (int i = 0; i < 6; i++) {
      assertThat(slots.take(0, false)).isNotEqualTo(Place.NONE);
    }
    assertThat(slots.take(0, false)).isEqualTo(Place.NONE);
    assertThat(slots.take(0, true)).isNotEqualTo(Place.NONE);
    assertThat(slots.fullness()).isEqualTo(Slots.Fullness.OUT);
  }

  @Test
  void warningsComeAtEightyNinetyAndNinetyFivePerCentOfWhatHasNotFailed() {
    slots.lend(extent(0, 0, 1));
    for (int i = 0; i < 56; i++) {
      slots.retire(slots.take(0, true));
    }
    List<Slots.Fullness> seen = new ArrayList<>();
    for (int taken = 1; taken <= 200; taken++) {
      slots.take(0, true);
      Slots.Fullness now = slots.fullness();
      if (seen.isEmpty() || seen.getLast() != now) {
        seen.add(now);
        if (now == Slots.Fullness.FULL_80) {
          assertThat(taken).isEqualTo(160);
        } else if (now == Slots.Fullness.FULL_90) {
          assertThat(taken).isEqualTo(180);
        } else if (now == Slots.Fullness.FULL_95) {
          assertThat(taken).isEqualTo(190);
        }
      }
    }
    assertThat(seen).containsExactly(Slots.Fullness.values());
  }

  @Test
  void onlySparesThatMayBeUsedAreAsked() {
    slots.lend(extent(0, 0, 1));
    slots.lend(extent(5, 7, 1));
    assertThat(Place.spare(slots.take(1L << 5, true))).isZero();
    assertThat(Place.spare(slots.take(1L, true))).isEqualTo(5);
    assertThat(slots.take(1L | 1L << 5, true)).isEqualTo(Place.NONE);
  }

  @Test
  void anExtentGoesBackOnlyWhenNothingIsOnIt() {
    slots.lend(extent(1, 4, 2));
    long place = slots.take(0, true);
    Extent first = extent(1, 4, 1);
    assertThat(slots.isReturnable(first)).isFalse();
    assertThatThrownBy(() -> slots.takeBack(first)).isInstanceOf(IllegalStateException.class);
    slots.giveBack(place);
    slots.takeBack(first);
    assertThat(slots.usage().lent()).isEqualTo(256);
    assertThat(Place.slot(slots.take(0, true))).isEqualTo(5 * 256);
    slots.lend(first);
    assertThatThrownBy(() -> slots.lend(first)).isInstanceOf(IllegalStateException.class);
  }

  @Test
  void whatIsLoadedIsNotGiven() {
    slots.lend(extent(0, 0, 1));
    slots.loadUsed(0, 0);
    slots.loadRetired(0, 1);
    assertThat(Place.slot(slots.take(0, true))).isEqualTo(2);
    assertThatThrownBy(() -> slots.loadUsed(0, 0)).isInstanceOf(IllegalStateException.class);
    assertThatThrownBy(() -> slots.giveBack(Place.of(0, 1)))
        .isInstanceOf(IllegalStateException.class);
  }
}
