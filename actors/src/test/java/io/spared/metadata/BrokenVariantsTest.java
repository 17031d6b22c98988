package io.spared.metadata;

import static org.assertj.core.api.Assertions.assertThat;

import io.spared.format.AreaReading;
import io.spared.format.CopyChoice;
import io.spared.format.CopyConsent;
import io.spared.format.CopyPlace;
import io.spared.format.CopyReading;
import io.spared.format.Epoch;
import io.spared.format.Placement;
import io.spared.format.SortedRemapEntries;
import io.spared.metadata.CrashEnumeration.Chooser;
import io.spared.metadata.CrashEnumeration.Operation;
import java.util.Comparator;
import java.util.List;
import java.util.Optional;
import java.util.Set;
import java.util.UUID;
import java.util.function.Predicate;
import java.util.function.Supplier;
import org.junit.jupiter.api.Test;

/** Each rule of the metadata, broken: a proof that nothing broken trips is no proof. */
class BrokenVariantsTest {
  private static final Chooser REAL = CopyChoice::choose;

  /** Runs scripts until the variant is caught, and says in how many. */
  private static void caught(
      String variant, WriterRules rules, Chooser chooser, Supplier<SortedRemapEntries> entries) {
    int runs = 0;
    long states = 0;
    for (int round = 0; round < 4; round++) {
      for (List<Operation> script : CrashEnumeration.scripts(2)) {
        runs++;
        CrashEnumeration run =
            new CrashEnumeration(
                CrashEnumeration.seedOf(script, round), 2, script, rules, chooser, entries);
        try {
          states += run.run();
        } catch (AssertionError found) {
          System.out.println(
              variant
                  + ": caught in run "
                  + runs
                  + " after "
                  + states
                  + " states: "
                  + String.valueOf(found.getMessage()).lines().findFirst().orElse(""));
          return;
        }
      }
    }
    assertThat(runs).as(variant + " was not caught in " + states + " states").isZero();
  }

  private static WriterRules quorumOf(int copies, boolean everySpare) {
    return new WriterRules(
        new QuorumRule() {
          @Override
          boolean isQuorum(
              Placement placement, Set<Integer> neededSpares, Predicate<CopyPlace> holds) {
            long holding = placement.places().stream().filter(holds).count();
            return holding >= copies
                && (!everySpare
                    || neededSpares.stream()
                        .allMatch(spare ->
                            placement.places().stream()
                                .anyMatch(p -> p.spare() == spare && holds.test(p))));
          }
        });
  }

  @Test
  void acknowledgingBeforeAnyCopyHoldsIt() {
    caught("acknowledged before it is durable", quorumOf(0, false), REAL, SortedRemapEntries::new);
  }

  @Test
  void aQuorumOfTwo() {
    caught("a quorum of two", quorumOf(2, true), REAL, SortedRemapEntries::new);
  }

  @Test
  void aQuorumThatLeavesASpareOut() {
    caught("a quorum without every spare", quorumOf(3, false), REAL, SortedRemapEntries::new);
  }

  @Test
  void aCheckpointOverTheAreaInUse() {
    WriterRules rules =
        new WriterRules() {
          @Override
          boolean buildsAside() {
            return false;
          }
        };
    caught("built over the area in use", rules, REAL, SortedRemapEntries::new);
  }

  @Test
  void aCopyThatMissedACommitTakesTheNext() {
    WriterRules rules =
        new WriterRules() {
          @Override
          boolean staleCopyWaits() {
            return false;
          }
        };
    caught("a gap in a copy's log", rules, REAL, SortedRemapEntries::new);
  }

  @Test
  void lostBitsForgottenByCheckpoints() {
    caught("lost bits forgotten", new WriterRules(), REAL, CrashEnumeration::forgettingLostBits);
  }

  @Test
  void theOldestCopyChosen() {
    Chooser oldest =
        (readings, circumstances) -> {
          CopyReading lowest =
              readings.stream()
                  .filter(reading -> reading.best().isPresent())
                  .min(Comparator.comparing(reading -> reading.best().orElseThrow().tail()))
                  .orElseThrow();
          List<CopyReading> alone =
              readings.stream()
                  .map(reading ->
                      reading.equals(lowest)
                          ? reading
                          : CopyReading.absent(reading.spareId(), reading.offsetBytes()))
                  .toList();
          return CopyChoice.choose(
              alone,
              new CopyChoice.Circumstances(
                  circumstances.deviceId(),
                  circumstances.presentSpares(),
                  Optional.empty(),
                  lowest.best().map(area -> new CopyConsent(area.tail(), Set.of()))));
        };
    caught("a stale copy chosen", new WriterRules(), oldest, SortedRemapEntries::new);
  }

  @Test
  void theOlderAreaOfACopyChosen() {
    Chooser older =
        (readings, circumstances) ->
            CopyChoice.choose(
                readings.stream().map(BrokenVariantsTest::withoutBest).toList(), circumstances);
    caught("a copy's older area chosen", new WriterRules(), older, SortedRemapEntries::new);
  }

  private static CopyReading withoutBest(CopyReading reading) {
    List<AreaReading> areas = reading.areas();
    return areas.size() < 2
        ? reading
        : new CopyReading(
            reading.spareId(),
            reading.offsetBytes(),
            reading.kind(),
            reading.sentence(),
            reading.superblock(),
            areas.subList(1, 2),
            reading.newestSealed(),
            reading.mayHoldMore());
  }

  @Test
  void aWriterThatIgnoresANewerEpoch() {
    WriterRules rules =
        new WriterRules() {
          @Override
          Optional<String> foreign(CopyReading found, UUID deviceId, Epoch own) {
            return Optional.empty();
          }
        };
    assertThat(WriterTest.isFencedByANewerEpoch(new WriterRules())).isTrue();
    assertThat(WriterTest.isFencedByANewerEpoch(rules)).isFalse();
  }
}
