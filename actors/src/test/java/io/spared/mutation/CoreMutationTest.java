package io.spared.mutation;

import static org.assertj.core.api.Assertions.assertThat;

import java.util.List;
import java.util.Optional;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.MethodSource;

/**
 * Of each invariant that the table, the slots, the queues and the relocation keep, code that does
 * not. A check that no mutation trips is not a check.
 */
class CoreMutationTest {
  private static final String CUT = "actors/src/main/java/io/spared/queue/Cut.java";
  private static final String SUBMISSION = "actors/src/main/java/io/spared/queue/Submission.java";
  private static final String RELOCATIONS = "actors/src/main/java/io/spared/queue/Relocations.java";
  private static final String FENCES = "actors/src/main/java/io/spared/queue/Fences.java";
  private static final String FLOW = "actors/src/main/java/io/spared/queue/RequestFlow.java";
  private static final String ENDS = "actors/src/main/java/io/spared/queue/PartEnds.java";
  private static final String DOUBTS = "actors/src/main/java/io/spared/queue/DeviceDoubts.java";
  private static final String RELOCATION =
      "actors/src/main/java/io/spared/relocation/Relocation.java";
  private static final String SLOTS = "actors/src/main/java/io/spared/remap/Slots.java";
  private static final String TABLE = "actors/src/main/java/io/spared/remap/RemapTable.java";
  private static final String SEGMENTS = "actors/src/main/java/io/spared/remap/Segments.java";
  private static final String READER = "actors/src/main/java/io/spared/remap/TableReader.java";
  private static final String POLICY = "actors/src/main/java/io/spared/disk/ErrorPolicy.java";

  private static final String OF_CUT =
      "io.spared.queue.CutTest#everySectorOfEveryRangeIsTreatedAsItsOwnBlockSays";
  private static final String OF_QUEUE = "io.spared.queue.DeviceQueueTest#";
  private static final String OF_RELOCATION = "io.spared.relocation.RelocationTest#";
  private static final String EVERY_FAILURE =
      OF_RELOCATION + "everyFailureAtEveryStepEndsDefinedWithNothingAcknowledgedWrongly";
  private static final String ANY_MOMENT =
      OF_RELOCATION + "writesThatComeAtAnyMomentAreEachAnsweredOnceAndRightly";
  private static final String OF_SLOTS =
      "io.spared.remap.SlotsTest#noSlotIsGivenTwiceOrWhileARequestMayStillTouchIt";
  private static final String OF_TABLE =
      "io.spared.remap.RemapTableTest#theTableSaysOfEveryBlockWhatAPlainMapSays";

  private static final String OF_HINT =
      "io.spared.remap.RemapTableTest#aBucketCountOfAnotherSegmentLeadsNoLookupAstray";

  private static Mutant mutant(
      String name,
      int invariant,
      String source,
      String right,
      String wrong,
      String test,
      Object... arguments) {
    return new Mutant(
        name, invariant, new BrokenCode.Edit(source, right, wrong), test, List.of(arguments));
  }

  static List<Mutant> mutants() {
    return List.of(
        mutant(
            "only the first block of a request is looked up",
            3,
            CUT,
            "long lastBlock = (toBytes - 1) >>> blockShift;",
            "long lastBlock = block;",
            OF_CUT,
            512,
            4096),
        mutant(
            "a piece of a moved block runs on into the next one",
            3,
            CUT,
            "endBytes = Math.min(toBytes, (block + 1) << blockShift);",
            "endBytes = toBytes;",
            OF_CUT,
            4096,
            4096),
        mutant(
            "the offset within the block is forgotten on the slot",
            1,
            SUBMISSION,
            "(Place.slot(place) << blockShift) + (offsetBytes & (blockBytes - 1))",
            "(Place.slot(place) << blockShift)",
            OF_QUEUE + "lostSectorsReadAsErrorsAtOnceAndTheOthersAreRead"),
        mutant(
            "reads do not look at lost bits",
            2,
            CUT,
            "boolean lost = lookup.isLost(first);",
            "boolean lost = false;",
            OF_QUEUE + "lostSectorsReadAsErrorsAtOnceAndTheOthersAreRead"),
        mutant(
            "a write over lost sectors goes straight to the slot",
            2,
            CUT,
            "lookup.pending || lostSectorsAmong(fromBytes, endBytes)",
            "lookup.pending",
            OF_CUT,
            512,
            4096),
        mutant(
            "a write to a pending block goes straight to main",
            1,
            CUT,
            "lookup.pending || lostSectorsAmong(fromBytes, endBytes)",
            "lostSectorsAmong(fromBytes, endBytes)",
            OF_CUT,
            512,
            4096),
        mutant(
            "a discard reaches blocks that were moved",
            2,
            CUT,
            "case DISCARD -> treatment = Treatment.NOTHING;",
            "case DISCARD -> treatment = Treatment.TRANSFER;",
            OF_QUEUE + "aDiscardLeavesMovedAndPendingBlocksAlone"),
        mutant(
            "a move forgets what could not be read",
            2,
            RELOCATION,
            "newLost = oldLost.plus(unreadable).minus(covered).minus(beyondDevice);",
            "newLost = oldLost.minus(covered);",
            EVERY_FAILURE),
        mutant(
            "a move forgets what was lost before",
            2,
            RELOCATION,
            "newLost = oldLost.plus(unreadable).minus(covered).minus(beyondDevice);",
            "newLost = unreadable.minus(covered);",
            EVERY_FAILURE),
        mutant(
            "a write to some lost sectors clears all of them",
            2,
            RELOCATION,
            "newLost = oldLost.minus(covered);",
            "newLost = LostBits.NONE;",
            EVERY_FAILURE),
        mutant(
            "lost bits are set on the word of a disk that does not prove itself",
            2,
            RELOCATION,
            "if (unproved && !unreadable.minus(covered).isEmpty()) {",
            "if (unproved && unreadable.isEmpty()) {",
            EVERY_FAILURE),
        mutant(
            "a write is acknowledged before its commit",
            4,
            RELOCATION,
            "state = State.COMMITTING;",
            "state = State.COMMITTING; answerAll(null);",
            EVERY_FAILURE),
        mutant(
            "a write is acknowledged though its commit was not done",
            4,
            RELOCATION,
            "case NOT_DONE -> fail(Errno.EIO, \"the change of the map could not be committed\");",
            "case NOT_DONE -> finish(null);",
            EVERY_FAILURE),
        mutant(
            "an indeterminate commit is taken for one that was not done",
            4,
            RELOCATION,
            "state = State.INDETERMINATE;",
            "if (slot >= 0) { fail(Errno.EIO, \"\"); return; } state = State.INDETERMINATE;",
            EVERY_FAILURE),
        mutant(
            "the relocator's error is taken for success",
            4,
            RELOCATIONS,
            "ticket.request().fail(errno, ticket.offsetBytes(), ticket.lengthBytes());",
            "",
            OF_QUEUE + "aMediaFaultOnAWriteGivesExactlyItsBlockToTheRelocator"),
        mutant(
            "there is no fence",
            1,
            RELOCATION,
            "fenced = true;\n    effects.fence();",
            "decide();",
            EVERY_FAILURE),
        mutant(
            "a fence is reached while a write is in flight",
            1,
            FENCES,
            "if (!parts.isChanging(from, from + blockBytes)) {",
            "if (!parts.isChanging(from, from)) {",
            OF_QUEUE + "aFenceIsReachedOnceNoWriteOfTheQueueIsInFlightOnTheBlock"),
        mutant(
            "writes pass a fence",
            1,
            FLOW,
            "Fences.Entry fence = fences.within(from, cut.endBytes);",
            "Fences.Entry fence = fences.within(from, from);",
            OF_QUEUE + "atAFenceWritesAndDiscardsWaitReadsDoNotAndThenTheyGoToTheNewPlace"),
        mutant(
            "data that comes after the image is put together is acknowledged with it",
            1,
            RELOCATION,
            "late.add(owed);",
            "round.add(owed);",
            ANY_MOMENT),
        mutant(
            "a block that was moved meanwhile is written at its old place",
            1,
            RELOCATION,
            "oldPlace = lookup.place;",
            "oldPlace = Place.MAIN;",
            EVERY_FAILURE),
        mutant(
            "every error is a media fault",
            2,
            POLICY,
            "case EIO -> Fault.TO_BE_PROVED;",
            "case EIO -> Fault.MEDIA;",
            OF_QUEUE + "anErrorOfADiskThatDoesNotProveItselfNeverMovesOrMarksAnything"),
        mutant(
            "a flush is not passed down to spares",
            10,
            FLOW,
            "disk == DiskNumber.MAIN || context.table().isSpareInUse(disk)",
            "disk == DiskNumber.MAIN",
            OF_QUEUE + "aFlushMakesDurableWhatWasWrittenToEveryDiskOfTheDevice"),
        mutant(
            "FUA is not passed down",
            10,
            SUBMISSION,
            "io.durable();",
            "",
            OF_QUEUE + "aFuaWriteIsDurableEverywhereItWentWithoutAFlush"),
        mutant(
            "a failed flush may be tried again",
            10,
            DOUBTS,
            "failedFlush = errno;",
            "",
            OF_QUEUE + "afterAFailedFlushWritesAndFlushesOfEveryQueueFailAndReadsGoOn"),
        mutant(
            "a spare that went away unflushed is left out of the flush",
            10,
            FLOW,
            "disk == DiskNumber.MAIN || doubts.isUnflushed(disk)",
            "disk == DiskNumber.MAIN",
            OF_QUEUE + "aSpareThatWentAwayUnflushedFailsTheNextFlushAndOneThatWasFlushedDoesNot"),
        mutant(
            "a slot is given twice",
            11,
            SLOTS,
            "unit.taken[i >>> 6] |= 1L << i;",
            "",
            OF_SLOTS,
            65536),
        mutant(
            "a slot is given while a request may still touch it",
            11,
            SLOTS,
            "if (rest == null || rest.version() > oldest) {",
            "if (rest == null) {",
            OF_SLOTS,
            65536),
        mutant(
            "a reader forgets its unfinished requests",
            11,
            READER,
            "publish(size > 0 ? versions[head] : table.version());",
            "publish(table.version());",
            OF_SLOTS,
            65536),
        mutant(
            "a slot goes back while the kernel still writes to it",
            11,
            RELOCATION,
            "if (!held) {",
            "if (true) {",
            EVERY_FAILURE),
        mutant(
            "writes go on where an abandoned write may still land",
            11,
            FLOW,
            "if (doubts.isInDoubt(from, cut.endBytes - from)) {",
            "if (doubts.isInDoubt(0, 0)) {",
            OF_QUEUE
                + "aWriteThatIsNotAnsweredInTimeFailsAndNobodyWritesThereUntilTheKernelLetsGo"),
        mutant(
            "a request is used again while the kernel holds it",
            11,
            ENDS,
            "&& (part.io.held() || part.io.outcome() == Outcome.RELEASED);",
            "&& part.io.held() && part.io.outcome() == Outcome.RELEASED;",
            OF_QUEUE
                + "aWriteThatIsNotAnsweredInTimeFailsAndNobodyWritesThereUntilTheKernelLetsGo"),
        mutant(
            "the summary does not know of a new entry",
            1,
            TABLE,
            "summary[word] | 1L << region);",
            "summary[word]);",
            OF_TABLE,
            8),
        mutant(
            "a split loses the entries of one half",
            1,
            TABLE,
            "directory.set(first + run / 2, run / 2, halves[1]);",
            "directory.set(first + run / 2, run / 2, halves[0]);",
            OF_TABLE,
            8),
        mutant(
            "the directory's word for how many buckets a segment has is believed",
            1,
            TABLE,
            "buckets = Segments.buckets(segment);",
            "",
            OF_HINT,
            8),
        mutant(
            "a full bucket does not say that entries are further on",
            1,
            SEGMENTS,
            "segment[first] |= 1L << overflowBit(position);",
            "",
            OF_TABLE,
            8),
        mutant(
            "an entry's value stays behind as its segment grows",
            1,
            SEGMENTS,
            "to[target + part] = from[word + part];",
            "",
            OF_TABLE,
            8));
  }

  @ParameterizedTest
  @MethodSource("mutants")
  void theMutationIsCaught(Mutant mutant) {
    Optional<String> said = mutant.run();
    assertThat(said)
        .as("%s breaks invariant %s and nothing noticed", mutant.name(), mutant.invariant())
        .isPresent();
  }
}
